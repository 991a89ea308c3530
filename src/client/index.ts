/**
 * The client of a server: the calls of the embedded log, over `fetch`, in any runtime that has it.
 *
 * ```ts
 * await using log = new AuditClient({ url: 'https://audit.example.com', key: 'ind_…', vkey: 'example.com/audit+…' });
 * const receipt = await log.record({ action: 'user.signed_in', actor: { type: 'user', id: 'u_42' } });
 * ```
 *
 * It believes nothing that it is told. A receipt counts only with the bytes of the entry and their proof: they must be the
 * event that was sent (`receipt.ts`), in a tree that the pinned key has signed. And each tree that is signed must continue
 * the last one that was seen, which is kept (`history.ts`): a server that shows two histories, or goes back to an older
 * one, is a `VerificationError` with both checkpoints in hand. What it cannot tell: whether a search left something out.
 *
 * An event on its way is in one of three places: in memory, where its caller waits for it; in the spool, on this machine's
 * disk; or in the log. `outbox.ts` moves it from one to the next, in order, under one id, so that trying again does no harm.
 *
 * Nothing here is Node's. Where files are kept, the import condition `#client-state` gives Node's (`platform/client-state.ts`);
 * another runtime hands in a store of its own (`ClientState`).
 */

export {
  type Action,
  type Actor,
  type AuditEvent,
  PAGE_EVENTS_DEFAULT,
  PAGE_EVENTS_MAX,
  type Page,
  type PageOptions as QueryOptions,
  type RecordedEvent,
  type Target,
} from '../event/index.ts';
export {
  AuditClient,
  type Proof,
  type Recorded,
  type RecordResult,
  type SignedCheckpoint,
  type Spooled,
} from './client.ts';
export {
  type AuditClientOptions,
  HEARTBEAT_MS_DEFAULT,
  type OnFailure,
  RETRY_MS_DEFAULT,
  SPOOL_AFTER_MS_DEFAULT,
  SPOOL_CHARACTERS_MAX,
  SPOOL_EVENTS_MAX,
  TIMEOUT_MS_DEFAULT,
} from './options.ts';
export { BATCH_CHARACTERS_MAX, BATCH_EVENTS_MAX, OUTBOX_EVENTS_MAX } from './outbox.ts';
export { EMPTY_PAGES_MAX } from './page-course.ts';
export type { Query } from './query.ts';
export type { Receipt } from './receipt.ts';
export type { Awaitable, CheckpointStore, ClientState, SpooledEvent, SpoolStore } from './state.ts';
