/**
 * Erasure over HTTP, where it takes two people and time: `desk.ts` remembers what was asked for and does it when it is due,
 * `routes.ts` are the ways in. What an erasure does is the log's own matter.
 */
export { ERASURES_OPEN_MAX, ErasureDesk } from './desk.ts';
export { erasureRoutes } from './routes.ts';
