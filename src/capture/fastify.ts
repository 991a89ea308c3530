import type { IncomingMessage, ServerResponse } from 'node:http';
// Types alone: nothing of Fastify is loaded here.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Capture, type CaptureOptions, type RequestAudit, unrecorded } from './capture.ts';

export type { AuditLog, OnFailure, Recorded, RecordOptions } from './audit-log.ts';
export type { Call, CallRules } from './calls.ts';
export type { RequestAudit } from './capture.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The audit of this request: `request.audit.record(event)`. */
    audit: RequestAudit;
  }
}

/** A request of Fastify 5, as far as it is looked at. */
interface FastifyRequestLike {
  audit: RequestAudit;
  readonly method: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly raw: IncomingMessage;
  readonly routeOptions: { readonly url?: string | undefined };
  readonly body?: unknown;
  readonly query?: unknown;
}

interface FastifyReplyLike {
  readonly statusCode: number;
  readonly sent: boolean;
  readonly raw: ServerResponse;
  code(status: number): unknown;
  header(name: string, value: string | number): unknown;
  removeHeader(name: string): unknown;
  getHeaders(): object;
}

type Done = (error?: Error) => void;

/** An instance of Fastify, as far as it is used. */
interface FastifyLike {
  decorateRequest(name: string, value?: unknown): unknown;
  addHook(name: string, hook: (...parts: never[]) => unknown): unknown;
}

/** Options of the plugin. */
export type FastifyOptions = CaptureOptions<FastifyRequest>;

/** What is known of a request while it is under way. */
interface Progress {
  isOver: boolean;
  error?: unknown;
}

/**
 * A plugin for Fastify 5: `await app.register(auditFastify, { log })`, before the routes. It sets the context and `request.audit`
 * for all of the instance, and records calls by rule. Throws misuse `option_unknown`, `option_invalid`.
 */
export async function auditFastify(app: FastifyInstance, options: FastifyOptions): Promise<void> {
  const { prefix: _prefix, ...rest } = options as FastifyOptions & { readonly prefix?: unknown };
  const capture = new Capture<FastifyRequest>(rest) as unknown as Capture<FastifyRequestLike>;
  const progress = new WeakMap<object, Progress>();
  install(app as unknown as FastifyLike, capture, progress);
}

// Fastify keeps what a plugin adds to itself from its siblings, unless the plugin says otherwise; this is how it says so.
Object.assign(auditFastify, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'indelible',
  [Symbol.for('plugin-meta')]: { fastify: '5.x', name: 'indelible' },
});

function install(
  app: FastifyLike,
  capture: Capture<FastifyRequestLike>,
  progress: WeakMap<object, Progress>,
): void {
  const end = async (request: FastifyRequestLike, status: number | undefined, isAborted: boolean) => {
    const state = progress.get(request);
    if (state === undefined || state.isOver) return;
    state.isOver = true;
    const { method, routeOptions, body, query } = request;
    const parts = { route: routeOptions.url, status, isAborted, error: state.error, body, query };
    await capture.end(request.audit, method, parts);
  };
  app.decorateRequest('audit', null);
  app.addHook('onRequest', (request: FastifyRequestLike, _reply: FastifyReplyLike, done: Done) => {
    const header = (name: string): string | undefined => [request.headers[name]].flat()[0];
    request.audit = capture.begin(request, { header, peer: request.raw.socket.remoteAddress });
    progress.set(request, { isOver: false });
    request.audit.run(done);
  });
  // The parser of bodies answers from the socket's events, which know nothing of this request: it is entered again behind it.
  app.addHook('preValidation', (request: FastifyRequestLike, _reply: FastifyReplyLike, done: Done) => {
    request.audit.run(done);
  });
  if (capture.onFailure === undefined) {
    app.addHook('onResponse', (request: FastifyRequestLike, reply: FastifyReplyLike, done: Done) => {
      // It rejects for what is recorded alone, and nothing is.
      if (capture.follows) void end(request, reply.statusCode, false);
      done();
    });
    return;
  }
  app.addHook('onError', async (request: FastifyRequestLike, _reply: FastifyReplyLike, error: Error) => {
    const state = progress.get(request);
    if (state !== undefined) state.error = error;
  });
  app.addHook('onRequestAbort', async (request: FastifyRequestLike) =>
    end(request, undefined, true).catch(() => {}),
  );
  if (capture.onFailure === 'block') app.addHook('onSend', holding(end));
  app.addHook('onResponse', async (request: FastifyRequestLike, reply: FastifyReplyLike) => {
    const isWhole = reply.raw.writableFinished;
    await end(request, reply.statusCode, !isWhole).catch((cause) =>
      capture.late(request.method, request.routeOptions.url, cause),
    );
  });
}

/** Lets nothing out until the call is recorded: an answer that streams, too, begins only then. */
function holding(
  end: (request: FastifyRequestLike, status: number | undefined, isAborted: boolean) => Promise<void>,
) {
  return async (request: FastifyRequestLike, reply: FastifyReplyLike, payload: unknown): Promise<unknown> => {
    try {
      await end(request, reply.statusCode, false);
      return payload;
    } catch {
      (payload as { destroy?(): void } | undefined)?.destroy?.();
      for (const name of Object.keys(reply.getHeaders())) reply.removeHeader(name);
      reply.code(unrecorded.status);
      reply.header('content-type', unrecorded.type);
      return unrecorded.body;
    }
  };
}
