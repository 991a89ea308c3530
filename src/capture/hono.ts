// Types alone: nothing of Hono is loaded here, which may be another copy than the application's.
import type { Context, MiddlewareHandler } from 'hono';
import { Capture, type CaptureOptions, type RequestAudit, unrecorded } from './capture.ts';
import { queryOf } from './node.ts';

export type { AuditLog, OnFailure, Recorded, RecordOptions } from './audit-log.ts';
export type { Call, CallRules } from './calls.ts';
export type { RequestAudit } from './capture.ts';

declare module 'hono' {
  interface ContextVariableMap {
    /** The audit of this request: `c.var.audit.record(event)`. */
    audit: RequestAudit;
  }
}

/** The context of Hono, as far as it is looked at. */
interface HonoContextLike {
  readonly req: {
    readonly method: string;
    readonly url: string;
    readonly raw: Request;
    readonly matchedRoutes: readonly { readonly path: string; readonly method: string }[];
    readonly routeIndex: number;
    header(name: string): string | undefined;
  };
  readonly env: unknown;
  readonly error: Error | undefined;
  get res(): Response;
  set res(response: Response | undefined);
}

/** How requests of Hono are captured. */
export interface HonoOptions extends CaptureOptions<Context> {
  /** The address of the connection's other end. By default the socket's, on Node (`@hono/node-server`). */
  readonly peer?: (context: Context) => string | undefined;
}

/**
 * A middleware for Hono: `app.use(auditHono({ log }))`, before the routes. It sets the context and `c.var.audit`, and records calls
 * by rule. Throws misuse `option_unknown`, `option_invalid`.
 */
export function auditHono(options: HonoOptions): MiddlewareHandler {
  const { peer = socketPeer, ...rest } = options;
  const capture = new Capture<Context>(rest);
  return async (given, next) => {
    const context = given as unknown as HonoContextLike;
    const audit = capture.begin(given, { header: (name) => context.req.header(name), peer: peer(given) });
    given.set('audit', audit);
    // A body can be read once, and its handler comes first.
    const copy = capture.readsBody && mayBeRead(context.req.raw) ? context.req.raw.clone() : undefined;
    const { method } = context.req;
    try {
      await audit.run(next);
    } catch (error) {
      // Hono has answers for errors alone; of anything else that is thrown the server makes a 500.
      const query = queryOf(context.req.url);
      await capture.end(audit, method, { route: routeOf(context.req), status: 500, error, query });
      throw error;
    }
    if (!capture.follows) return undefined;
    const route = routeOf(context.req);
    const { status } = context.res;
    const body = copy && (await bodyOf(copy));
    const query = queryOf(context.req.url);
    const isAborted = context.req.raw.signal?.aborted === true;
    const ending = { route, status, isAborted, error: context.error, body, query };
    const recorded = capture.end(audit, method, ending);
    if (capture.onFailure !== 'block') {
      void recorded;
      return undefined;
    }
    try {
      await recorded;
      return undefined;
    } catch {
      await context.res.body?.cancel().catch(() => {});
      const headers = { 'content-type': unrecorded.type };
      // Hono joins the headers of what was there to what comes after it, unless nothing was.
      context.res = undefined;
      context.res = new Response(unrecorded.body, { status: unrecorded.status, headers });
      return undefined;
    }
  };
}

/** The pattern of the route that answered. Middleware is registered for all methods, with a pattern that ends in a star. */
function routeOf({ matchedRoutes, routeIndex }: HonoContextLike['req']): string | undefined {
  const { path, method } = matchedRoutes[routeIndex] ?? { path: '*', method: 'ALL' };
  return method === 'ALL' && path.endsWith('*') ? undefined : path;
}

function socketPeer(context: { readonly env: unknown }): string | undefined {
  const { incoming } = Object(context.env) as {
    readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } };
  };
  return incoming?.socket?.remoteAddress;
}

/** Bodies that are looked into: forms and JSON, of a size that is told and small. */
const BODY_BYTES_MAX = 256 * 1024;

/** Whether a body is one that an allow-list may pick from. */
export function mayBeRead(request: Request): boolean {
  const type = request.headers.get('content-type') ?? '';
  const length = Number(request.headers.get('content-length') ?? Number.NaN);
  return (
    /^application\/(?:[\w.+-]+\+)?json\b|^application\/x-www-form-urlencoded\b/i.test(type) &&
    length <= BODY_BYTES_MAX &&
    !request.bodyUsed
  );
}

/** The fields of a body; undefined for what cannot be read. */
export async function bodyOf(request: Request): Promise<unknown> {
  try {
    const isForm = /^application\/x-www-form-urlencoded/i.test(request.headers.get('content-type') ?? '');
    return isForm ? queryOf(`?${await request.text()}`) : await request.json();
  } catch {
    return undefined;
  }
}
