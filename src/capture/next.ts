import { misuse } from '../bytes/index.ts';
import { Capture, type CaptureOptions, type Ending, type RequestAudit, unrecorded } from './capture.ts';
import { bodyOf, mayBeRead } from './hono.ts';
import { queryOf } from './node.ts';

export type { AuditLog, OnFailure, Recorded, RecordOptions } from './audit-log.ts';
export type { Call, CallRules } from './calls.ts';
export type { RequestAudit } from './capture.ts';

/** What `headers()` of `next/headers` answers, as far as it is read. */
export interface HeadersLike {
  get(name: string): string | null;
}

/**
 * How Next.js is captured. Next.js does not tell from which address a connection comes, and passes on the `x-forwarded-for` that a
 * client sends: an address is recorded where `trustedProxies` says how many proxies stand before it.
 */
export interface NextOptions extends Omit<CaptureOptions<HeadersLike>, 'trustedProxies'> {
  /** How many proxies stand before Next.js, one behind the other; each must append to the header, not pass it on. Default 0. */
  readonly trustedProxies?: number;
  /** `headers` of `next/headers`, which server actions need. */
  readonly headers?: () => Promise<HeadersLike> | HeadersLike;
}

/** What is wrapped around route handlers and server actions. */
export interface NextAudit {
  /**
   * A route handler under the pattern of its route: `export const POST = audit.route('/invoices/[id]', async (request) => …)`.
   */
  route<Rest extends readonly unknown[]>(
    pattern: string,
    handler: (request: Request, ...rest: Rest) => Response | Promise<Response>,
  ): (request: Request, ...rest: Rest) => Promise<Response>;
  /** A server action under a name: `export const voidInvoice = audit.action('voidInvoice', async (form) => …)`. */
  action<Parts extends readonly unknown[], Result>(
    name: string,
    action: (...parts: Parts) => Promise<Result>,
  ): (...parts: Parts) => Promise<Result>;
}

/** How Next.js says by throwing that an answer is something else than an error: `NEXT_REDIRECT;…`, `NEXT_HTTP_ERROR_FALLBACK;404`. */
function statusOfThrown(error: unknown): number {
  const { digest } = Object(error) as { readonly digest?: unknown };
  if (typeof digest !== 'string') return 500;
  if (digest.startsWith('NEXT_REDIRECT;')) return 303;
  const [, status] = /^NEXT_HTTP_ERROR_FALLBACK;([45]\d\d)$/.exec(digest) ?? [];
  return status === undefined ? 500 : Number(status);
}

/**
 * For Next.js 16, on the Node runtime. What they record gets the context of their request. Throws misuse `option_unknown`,
 * `option_invalid`.
 */
export function auditNext(options: NextOptions): NextAudit {
  const { headers, ...rest } = options;
  if (rest.trustedProxies !== undefined && typeof rest.trustedProxies !== 'number') {
    throw misuse(
      'type',
      'option_invalid',
      'trustedProxies must be a number of hops: Next.js does not tell the peer',
    );
  }
  const capture = new Capture<HeadersLike>(rest);
  const begin = (from: HeadersLike): RequestAudit =>
    capture.begin(from, { header: (name) => from.get(name) });
  return {
    route:
      (pattern, handler) =>
      async (request, ...more) => {
        const audit = begin(request.headers);
        const copy = capture.readsBody && mayBeRead(request) ? request.clone() : undefined;
        const parts = async (): Promise<Partial<Ending>> => ({
          query: queryOf(request.url),
          body: copy && (await bodyOf(copy)),
        });
        const run = async (): Promise<Response> => handler(request, ...more);
        return answered({ capture, audit, method: request.method, route: pattern, parts }, run);
      },
    action:
      (name, action) =>
      async (...given) => {
        if (headers === undefined) {
          throw misuse('type', 'option_invalid', 'server actions need headers: pass the one of next/headers');
        }
        const audit = begin(await headers());
        const [form] = given.filter((part) => part instanceof FormData);
        const parts = async (): Promise<Partial<Ending>> => ({
          body: form === undefined ? undefined : Object.fromEntries(form as FormData),
        });
        return acted({ capture, audit, method: 'ACTION', route: name, parts }, () => action(...given));
      },
  };
}

interface Under {
  readonly capture: Capture<HeadersLike>;
  readonly audit: RequestAudit;
  readonly method: string;
  readonly route: string;
  readonly parts: () => Promise<Partial<Ending>>;
}

/** Runs a handler, and records how it answered; 503 where that must be and cannot. */
async function answered(under: Under, handler: () => Promise<Response>): Promise<Response> {
  const { capture, audit, method, route, parts } = under;
  const response = await thrownRecorded(under, handler);
  const recorded = capture.end(audit, method, { ...(await parts()), route, status: response.status });
  if (capture.onFailure !== 'block') return response;
  try {
    await recorded;
    return response;
  } catch {
    await response.body?.cancel().catch(() => {});
    return new Response(unrecorded.body, {
      status: unrecorded.status,
      headers: { 'content-type': unrecorded.type },
    });
  }
}

/** Runs an action, and records that it did what it does; rejects where that must be recorded and cannot. */
async function acted<Result>(under: Under, action: () => Promise<Result>): Promise<Result> {
  const { capture, audit, method, route, parts } = under;
  const result = await thrownRecorded(under, action);
  const recorded = capture.end(audit, method, { ...(await parts()), route, status: 200 });
  if (capture.onFailure === 'block') await recorded;
  return result;
}

/** Runs `work` within its request. What it throws is recorded, and thrown on: Next.js answers redirects so. */
async function thrownRecorded<Result>(under: Under, work: () => Promise<Result>): Promise<Result> {
  const { capture, audit, method, route, parts } = under;
  try {
    return await audit.run(work);
  } catch (error) {
    const status = statusOfThrown(error);
    const isError = status >= 500;
    const ending = { ...(await parts()), route, status, ...(isError && { error }) };
    const recorded = capture.end(audit, method, ending);
    if (capture.onFailure === 'block') await recorded;
    throw error;
  }
}
