/**
 * The doors of a server: a Web-standard handler, and the Node server around it.
 *
 * ```ts
 * import { createServer } from 'node:http';
 * import { createHandler, toNodeListener } from 'indelible/http';
 *
 * const handler = createHandler({ data: 'data/server' });
 * createServer(toNodeListener(handler)).listen(8080, '127.0.0.1');
 * ```
 *
 * A *route* is data: method, path, scopes, schemas, and a function. What is the same for all of them happens once, in
 * `handler.ts`, in this order: find the route, let no more in than can be served, recognise the credential, hold back who
 * asks too often, open the log that the path names if the credential reaches it, check the scope, the query string and
 * the body, and only then ask the route. What is thrown on the way becomes a problem (RFC 9457) with a stable code.
 * A log or an id that is not there and one that is somebody else's are answered alike: 404.
 */

export {
  createHandler,
  type FrontDesk,
  type Handler,
} from './create-handler.ts';
export { ERASURES_OPEN_MAX } from './erasures/index.ts';
export {
  ERASURE_DELAY_MS_DEFAULT,
  type HandlerOptions,
  type Logger,
  RATE_DEFAULT,
  UNDER_WAY_MAX_DEFAULT,
} from './handler-options.ts';
export type { Rate } from './limits.ts';
export {
  BATCH_BYTES_MAX,
  BATCH_EVENTS_MAX,
  type KmsKeys,
  LOGS_OPEN_MAX,
  LogRegistry,
  type LogRouteDeps,
  type LogsOptions,
  logRoutes,
  openLogs,
} from './logs/index.ts';
export { type Answer, type Listening, type ListenOptions, listen, toNodeListener } from './node-server.ts';
export { operatorLogger } from './operator-logger.ts';
export type { Connection } from './peer.ts';
export { type ProblemCode, ProblemError, problemCodes } from './problem.ts';
export type { Access, Body, Call, Caller, Logs, OpenLog, Route, Schema, TakenLog } from './route.ts';
export { ServerKeys } from './server-keys.ts';
export type { ClaimRule, OidcOptions, SignInGrant } from './sign-in/index.ts';
