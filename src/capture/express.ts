import type { IncomingMessage, ServerResponse } from 'node:http';
import { Capture, type CaptureOptions, type RequestAudit } from './capture.ts';
import { followRequest } from './node.ts';

export type { AuditLog, OnFailure, Recorded, RecordOptions } from './audit-log.ts';
export type { Call, CallRules } from './calls.ts';
export type { RequestAudit } from './capture.ts';

declare global {
  // Express has its users extend its request here; without Express it stands for nothing else.
  namespace Express {
    interface Request {
      /** The audit of this request: `request.audit.record(event)`. */
      audit: RequestAudit;
    }
  }
}

/** The route under which NestJS mounts what is a middleware everywhere else: whoever came no further came to no route. @internal */
export const OWN_ROUTE = '{*indelible}';

/** A request of Express 5, as far as it is looked at. */
export type ExpressRequest = IncomingMessage &
  Express.Request & {
    readonly baseUrl: string;
    readonly route?: { readonly path: unknown };
    params: Record<string, string | string[]>;
    readonly query: unknown;
  };

/** A middleware of Express, and of anything else that calls `(request, response, next)`. */
export type ExpressMiddleware = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/**
 * A middleware for Express 5: `app.use(auditExpress({ log }))`, before everything that records. It sets the context and
 * `request.audit`, and records calls by rule. Throws misuse `option_unknown`, `option_invalid`.
 */
export function auditExpress<Request extends IncomingMessage = ExpressRequest>(
  options: CaptureOptions<Request>,
): ExpressMiddleware {
  const capture = new Capture<IncomingMessage>(options as CaptureOptions<IncomingMessage>);
  return (request, response, next) => {
    const seen = request as ExpressRequest;
    const mounted = capture.follows ? watchParams(seen) : undefined;
    const { audit } = followRequest(capture, request, response, {
      routeOf: () => routeOf(seen, mounted ?? new Map()),
      queryOf: () => seen.query,
    });
    audit.run(() => next());
  };
}

/**
 * The pattern of the route that took a request. A router that is mounted under a pattern leaves what it matched in `baseUrl`: its
 * parameters are put back into it, so that no value of an URL is taken for a route.
 */
function routeOf(
  { baseUrl, route }: ExpressRequest,
  mounted: ReadonlyMap<string, string>,
): string | undefined {
  if (route === undefined || String(route.path).endsWith(OWN_ROUTE)) return undefined;
  const base = baseUrl
    .split('/')
    .map((step) => patternOf(decoded(step), mounted))
    .join('/');
  const paths = [route.path].flat().map(String);
  const path = paths.length === 1 ? paths[0]! : `{${paths.join(',')}}`;
  return path === '/' && base !== '' ? base : `${base}${path}`;
}

/** A step of a path with its parameters: as a whole, or, as in `/reset-:token`, a value within it. */
function patternOf(step: string, mounted: ReadonlyMap<string, string>): string {
  const whole = mounted.get(step);
  if (whole !== undefined) return whole;
  // The longest first. A short value stands within words that are no parameters, and is no secret.
  const within = [...mounted].filter(([value]) => value.length >= 8 && step.includes(value));
  within.sort(([a], [b]) => b.length - a.length);
  const [value, name] = within[0] ?? [];
  if (value === undefined) return step;
  const at = step.indexOf(value);
  return `${patternOf(step.slice(0, at), mounted)}${name}${patternOf(step.slice(at + value.length), mounted)}`;
}

/**
 * Notes the parameters that routers give a request on its way, by their values: Express sets `params` anew at each layer, and
 * nothing tells later what the layers above the last one had.
 */
function watchParams(request: ExpressRequest): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  let current = request.params;
  Object.defineProperty(request, 'params', {
    configurable: true,
    enumerable: true,
    get: () => current,
    set: (params: ExpressRequest['params']) => {
      current = params;
      for (const [name, value] of Object.entries(params ?? {})) {
        for (const step of [value].flat()) {
          if (typeof step === 'string' && step !== '') names.set(step, `:${name}`);
        }
      }
    },
  });
  return names;
}

function decoded(step: string): string {
  try {
    return decodeURIComponent(step);
  } catch {
    return step;
  }
}
