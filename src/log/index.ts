/**
 * The log itself: create it, open it, record into it, prove, search, verify.
 *
 * ```ts
 * import { openLog } from 'indelible';
 *
 * await using log = await openLog('audit', { createIfMissing: { origin: 'example.com/audit' } });
 * const receipt = await log.record({ action: 'user.signed_in', actor: { type: 'user', id: 'u_42' } });
 * ```
 *
 * The one story to read is `commit.ts`: how an event becomes an entry that is durable, in the tree and under a
 * signed checkpoint before `record` resolves. `edge.ts` is the state from which it starts and how that state is
 * derived from the disk again; `writer.ts` is what is checked before the first signature. On a log that the
 * disk's owner has changed, all of them refuse to sign.
 *
 * A log is written on one thread, read and searched on another; `rpc.ts` lies between them and the caller.
 */

// What a caller meets in every signature and every catch.
export {
  type Actor,
  type AuditEvent,
  EventError,
  PAGE_EVENTS_DEFAULT,
  PAGE_EVENTS_MAX,
  type Page,
  type RecordedEvent,
  type Target,
} from '../event/index.ts';
export { isLogError, LogError, type LogErrorCode, type StoredEntry } from '../store/index.ts';
export type { AuditReport, Finding } from '../verify/index.ts';
export {
  AUDIT_THREADS_MAX,
  type IndexCoverage,
  type LogReport,
  publishedOf,
  type VerifyOptions,
  verifyLog,
} from './audit.ts';
export type { Backup } from './backup.ts';
export type { CommitReply, Intake } from './commit.ts';
export type { Created } from './create.ts';
export { newRootKey } from './create.ts';
export {
  BATCH_ENTRIES_DEFAULT,
  BATCH_ENTRIES_MAX,
  type Follower,
  type FollowerBatch,
  type FollowerCursor,
  type FollowerOptions,
  FollowerRunner,
  type FollowerSource,
  type FollowerState,
  type FollowerStatus,
} from './followers/index.ts';
export {
  createMldsaKey,
  createSigner,
  readCosigner,
  readSigner,
  readVerifierKey,
  signerOf,
} from './keys.ts';
export { Log } from './log.ts';
export { createLog, createLogOver, makeLog, openLog, openLogOver, type StoreHome } from './open.ts';
export {
  type CreateOptions,
  type CreationOptions,
  type OpenOptions,
  SERVICE_DEFAULT,
} from './options.ts';
export { type LogHome, type LogPaths, logPaths } from './paths.ts';
export { type Glance, peekLog } from './peek.ts';
export { PUBLISH_MS_DEFAULT } from './publisher.ts';
export { INDEX_WAIT_MS_DEFAULT, Query, type QueryOptions, type Rows } from './query.ts';
export { type CommitMeter, QUEUE_CHARACTERS_MAX, QUEUE_EVENTS_MAX, type QueueLimits } from './queue.ts';
export type { Proof, SignedCheckpoint } from './reader.ts';
export type { ReaderHandle } from './reader-thread.ts';
export type { Behalf, FreshReceipt, Receipt, RecordResult, WitnessedOptions } from './receipt.ts';
export type { Answer } from './repeats.ts';
export { HEARTBEAT_MS_DEFAULT } from './source-frames.ts';
export { GAP_GRACE_MS } from './source-state.ts';
export {
  CHECK_MS_DEFAULT,
  SOURCES_MAX,
  SourceWatch,
  type SourceWatchOptions,
  watchSources,
} from './source-watch.ts';
export { type PublishOptions, WITNESSED_WAIT_MS_DEFAULT } from './witnessing.ts';
