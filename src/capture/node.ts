import type { IncomingMessage, ServerResponse } from 'node:http';
import { Capture, type CaptureOptions, type RequestAudit, unrecorded } from './capture.ts';

export type { AuditLog, OnFailure, Recorded, RecordOptions } from './audit-log.ts';
export type { Call, CallRules } from './calls.ts';
export type { RequestAudit } from './capture.ts';

/** A request of `node:http` with its audit. */
export type AuditedRequest = IncomingMessage & { readonly audit: RequestAudit };

/** How requests of `node:http` are captured. */
export interface NodeOptions extends CaptureOptions<IncomingMessage> {
  /** The pattern of the route that takes a request, as `/invoices/:id`; undefined where none does. Node has no routes of its own. */
  readonly route?: (request: IncomingMessage) => string | undefined;
}

/** A listener of requests. */
export type AuditedListener = (request: AuditedRequest, response: ServerResponse) => unknown;

/**
 * Wraps listeners of `node:http`: `createServer(audit(listener))`. Each request gets its context and `request.audit`; its call is
 * recorded by rule. Where a listener reads a body, it may leave what it read in `request.body` for the allow-list. Throws misuse
 * `option_unknown`, `option_invalid`.
 */
export function auditNode(
  options: NodeOptions,
): (listener: AuditedListener) => (request: IncomingMessage, response: ServerResponse) => void {
  const { route, ...rest } = options;
  const capture = new Capture<IncomingMessage>(rest);
  return (listener) => (request, response) => {
    const followed = followRequest(capture, request, response, {
      routeOf: () => route?.(request),
      queryOf: () => queryOf(request.url),
    });
    followed.audit.run(() => {
      // As without us: what a listener throws, or rejects with, is its process's to hear.
      const failed = (error: unknown): never => {
        followed.failed(error);
        throw error;
      };
      try {
        const done = listener(request as AuditedRequest, response);
        if (done instanceof Promise) done.catch(failed);
      } catch (error) {
        failed(error);
      }
    });
  };
}

/** The fields of a query; of names that appear more than once, a list. */
export function queryOf(url: string | undefined): Record<string, string | string[]> {
  const search = new URLSearchParams(/\?([^#]*)/.exec(url ?? '')?.[1] ?? '');
  const names = [...new Set(search.keys())];
  return Object.fromEntries(
    names.map((name) => {
      const values = search.getAll(name);
      return [name, values.length === 1 ? values[0]! : values];
    }),
  );
}

/** What a router over `node:http` knows once a request has been answered. */
export interface RouterView {
  routeOf(): string | undefined;
  queryOf(): unknown;
}

/** A request that is under way. */
export interface Followed {
  readonly audit: RequestAudit;
  /** A handler threw, and what becomes of the answer is not known. */
  failed(error: unknown): void;
}

/** Begins a request of Node's, sets `request.audit`, and sees to it that its end is recorded once. @internal */
export function followRequest(
  capture: Capture<IncomingMessage>,
  request: IncomingMessage,
  response: ServerResponse,
  view: RouterView,
): Followed {
  const audit = capture.begin(request, {
    header: (name) => [request.headers[name]].flat()[0],
    peer: request.socket.remoteAddress,
  });
  Object.defineProperty(request, 'audit', { value: audit, configurable: true, writable: true });
  let isOver = false;
  let error: unknown;
  const end = (status: number | undefined, isAborted: boolean): Promise<void> => {
    if (isOver) return Promise.resolve();
    isOver = true;
    const { body } = request as { readonly body?: unknown };
    const ending = { route: view.routeOf(), status, isAborted, error, body, query: view.queryOf() };
    return capture.end(audit, request.method ?? 'GET', ending);
  };
  if (capture.onFailure === 'block') holdAnswer(response, () => end(response.statusCode, false));
  else if (capture.follows) response.once('finish', () => void end(response.statusCode, false));
  if (capture.follows) {
    response.once('close', () => {
      void end(response.headersSent ? response.statusCode : undefined, true).catch((cause) =>
        capture.late(request.method ?? 'GET', view.routeOf(), cause),
      );
    });
  }
  return {
    audit,
    failed: (thrown) => {
      error = thrown;
      if (response.headersSent || response.writableEnded) return;
      void end(500, false).catch((cause) => capture.late(request.method ?? 'GET', view.routeOf(), cause));
    },
  };
}

/**
 * Lets an answer end only once `recorded` has resolved. Where it rejects, the answer is 503 instead; one of which a part is out
 * already is broken off, since nobody can take it back.
 */
function holdAnswer(response: ServerResponse, recorded: () => Promise<void>): void {
  const end = response.end.bind(response) as (...rest: unknown[]) => ServerResponse;
  let isHeld = false;
  response.end = ((...rest: unknown[]) => {
    if (isHeld) return response;
    isHeld = true;
    recorded().then(
      () => end(...rest),
      () => refuseAnswer(response, end),
    );
    return response;
  }) as ServerResponse['end'];
}

function refuseAnswer(response: ServerResponse, end: (...rest: unknown[]) => unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  response.statusCode = unrecorded.status;
  response.statusMessage = '';
  response.setHeader('content-type', unrecorded.type);
  response.setHeader('content-length', Buffer.byteLength(unrecorded.body));
  end(unrecorded.body);
}
