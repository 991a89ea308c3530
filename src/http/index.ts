/**
 * The doors of a server: a Web-standard handler, and the Node server around it.
 */

export type { Access, Body, Call, Caller, Logs, OpenLog, Route, Schema, TakenLog } from './route.ts';
