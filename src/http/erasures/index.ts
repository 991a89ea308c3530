/**
 * What takes two people and time over HTTP, erasures and changes of the policy of retention: `desk.ts` remembers what was asked for
 * and does it when it is due, `kinds.ts` says what that is, `routes.ts` and `retention-routes.ts` are the ways in. `rounds.ts` applies
 * the policy every day. What an erasure or an application does is the log's own matter.
 */
export { ERASURES_OPEN_MAX, RequestDesk } from './desk.ts';
export { erasureKind, retentionKind } from './kinds.ts';
export { retentionRoutes } from './retention-routes.ts';
export { RetentionRounds } from './rounds.ts';
export { erasureRoutes } from './routes.ts';
