/**
 * The doors of a server: a Web-standard handler, and the Node server around it.
 */

export {
  BATCH_BYTES_MAX,
  BATCH_EVENTS_MAX,
  LOGS_OPEN_MAX,
  LogRegistry,
  type LogRouteDeps,
  type LogsOptions,
  logRoutes,
  openLogs,
} from './logs/index.ts';
export type { Access, Body, Call, Caller, Logs, OpenLog, Route, Schema, TakenLog } from './route.ts';
