/**
 * The second pair of eyes: follows a log that others run, remembers what it saw, and says when the two do not fit.
 *
 * ```ts
 * const monitor = new Monitor({ place: 'https://audit.example.com/logs/main', trust: { vkey }, state: 'main.monitor' });
 * const { tell, holds } = await monitor.look(); // now and then, for ever
 * monitor.told();
 * ```
 *
 * A verifier that starts anew each time believes whatever history it is shown, as long as it is signed. One that remembers a
 * checkpoint does not: what comes later has to continue it. That is all a monitor is, and it takes no more memory for a log of ten
 * million entries than for one of ten (`continuation.ts`, the compact range of what was authenticated). Read `look.ts` for one look,
 * `reading.ts` for what a look asks besides, `monitor.ts` for what is durable when, `judge.ts` for what is asked besides of the log's age and company: another question of that
 * kind is another function there.
 *
 * A server audits its own logs with the same `Continuation`, and asks of each what outside parties owe it (`own.ts`). Run by the operator, that shows accidents; run by somebody else, attacks.
 */
export {
  type Base,
  baseOf,
  Continuation,
  type Continued,
  type NextEntry,
  NOTHING,
  rangeOf,
} from './continuation.ts';
export { LOOK_TIMEOUT_MS_DEFAULT } from './deadline.ts';
export { type Found, type FoundCode, monitorCodes } from './found.ts';
export type { Limits } from './judge.ts';
export { type MonitorFigures, metricsText } from './metrics.ts';
export { type Delivered, Monitor } from './monitor.ts';
export { type LookReport, type MonitorOptions, WHOLE_MS_DEFAULT } from './options.ts';
export { RETENTION_GRACE_MS_DEFAULT } from './overdue.ts';
export { type Overdue, overdueOf } from './own.ts';
export type { PlaceSettings } from './places.ts';
export { type MonitorState, rootOfState, StateFile } from './state.ts';
export {
  signWebhook,
  WEBHOOK_SECRET_BYTES_MIN,
  WEBHOOK_TIMEOUT_MS,
  Webhook,
  type WebhookOptions,
} from './webhook.ts';
