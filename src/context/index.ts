/**
 * The context: who acts, from where, in which request. Said once, around everything that happens on somebody's behalf, and read
 * by every `record` below it, through every `await`.
 *
 * ```ts
 * await asActor({ type: 'service', id: 'billing' }, async () => {
 *   await log.record({ action: 'invoice.sent' });                 // actor: service/billing
 *   await onBehalfOf({ type: 'user', id: 'u_42' }, () => log.record({ action: 'invoice.voided' }));
 * });
 * ```
 *
 * The log knows this room and nothing of frameworks; frameworks (`src/capture`) know this room and enter it once a request. What
 * an event says itself always wins. `fill.ts` is what a log does with it; `traceparent.ts` and `telemetry.ts` say which trace a
 * request belongs to.
 *
 * What carries a context across `await` is the runtime's: the import condition `#context-storage` gives Node's
 * `AsyncLocalStorage`. Elsewhere there is none; there is no context to read then, and entering one throws rather than to lose
 * an author in silence.
 */

export {
  type Ambient,
  asActor,
  CONTEXT_FIELDS_MAX,
  currentActor,
  currentContext,
  onBehalfOf,
  runInContext,
  Scope,
  setActor,
  withoutContext,
} from './ambient.ts';
export { type ContextualEvent, currentSource, type FilledEvent, fillEvent, withContext } from './fill.ts';
export type { ContextStorage } from './storage.ts';
export { parseTraceparent, type Trace } from './traceparent.ts';
