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

export type { TimestampAuthority, TimestampSettings } from '../anchor/index.ts';
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
export type { Exposure, Tier, TierLayer } from '../wire/index.ts';
export {
  AUDIT_THREADS_MAX,
  type IndexCoverage,
  type LogReport,
  publishedOf,
  type VerifyOptions,
  verifyLog,
} from './audit.ts';
export { auditStamps } from './audit-stamps.ts';
export type { Backup } from './backup.ts';
export {
  applyKeyChange,
  authoriseKeyChange,
  dropSuccessors,
  type FinishedKeyChange,
  finishKeyChange,
  type KeyChangeWanted,
  type KeyRequest,
  type KeysChanged,
  type KeyWorkplace,
  readRequest,
  requestKeyChange,
  type Since,
} from './change-keys.ts';
export type { CommitReply, Intake, TakenIn } from './commit.ts';
export type { Created } from './create.ts';
export { newRootKey } from './create.ts';
export {
  APPROVERS_MIN,
  type DiscloseOptions,
  type EraseOptions,
  type ErasureResult,
  FOLLOWERS_WAIT_MS_DEFAULT,
  type HoldOptions,
  Holds,
  OUT_OF_REACH,
  OUT_OF_REACH_POSTGRES,
  type ReleaseOptions,
} from './erasure/index.ts';
export type { EvidenceSelection, EvidenceWriting } from './evidence/index.ts';
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
export type { ForkOptions, LeftOfLog } from './fork.ts';
export { type KeyWorkOptions, rotateKey, withLogKeys } from './key-workplace.ts';
export {
  createMldsaKey,
  createSigner,
  currentSigner,
  type KeyFiles,
  newSignerKey,
  readCosigner,
  readSigner,
  readVerifierKey,
  signerOf,
} from './keys.ts';
export {
  KMS_TIMEOUT_MS,
  type KmsClient,
  type KmsOptions,
  kmsKey,
  kmsSigner,
  wrapKey,
} from './kms-key.ts';
export { Log } from './log.ts';
export type { KeyHistory } from './log-timeline.ts';
export { createLog, createLogOver, forkLog, makeLog, openLog, openLogOver, type StoreHome } from './open.ts';
export {
  type CreateOptions,
  type CreationOptions,
  type OpenOptions,
  SERVICE_DEFAULT,
  type SubjectKeys,
} from './options.ts';
export { type LogHome, type LogPaths, logPaths } from './paths.ts';
export { type Glance, peekLog } from './peek.ts';
export { COSIGN_REFRESH_MS_DEFAULT, PUBLISH_MS_DEFAULT } from './publisher.ts';
export { INDEX_WAIT_MS_DEFAULT, Query, type QueryOptions, type Rows } from './query.ts';
export { type CommitMeter, QUEUE_CHARACTERS_MAX, QUEUE_EVENTS_MAX, type QueueLimits } from './queue.ts';
export type { Proof, SignedCheckpoint } from './reader.ts';
export type { ReaderHandle } from './reader-thread.ts';
export type { Behalf, FreshReceipt, Receipt, RecordResult, WitnessedOptions } from './receipt.ts';
export type { Answer } from './repeats.ts';
export {
  type Kept,
  type PolicyInForce,
  PRUNE_ENTRIES_MAX,
  type PruneArchive,
  type PruneOptions,
  type PruneResult,
  RETENTION_DELAY_MS_DEFAULT,
  Retention,
  type RetentionApplyOptions,
  type RetentionPreset,
  type RetentionResult,
  type RetentionSetOptions,
  retentionPresets,
} from './retention/index.ts';
export { type FoundGap, type GapMoment, type KeptSources, SOURCES_MAX, SourceBook } from './source-book.ts';
export { HEARTBEAT_MS_DEFAULT } from './source-frames.ts';
export { GAP_GRACE_MS } from './source-state.ts';
export {
  CHECK_MS_DEFAULT,
  SourceWatch,
  type SourceWatchOptions,
  watchSources,
} from './source-watch.ts';
export { parseStampPath, stampFile } from './stamp-files.ts';
export type { TierCircumstances } from './tier-model.ts';
export { lookInFolders, type PlaceLook, type PlaceSight } from './tier-places.ts';
export type { TimestampResult } from './timestamps.ts';
export { type PrunedEntry, walkTree } from './walk.ts';
export { type PublishOptions, WITNESSED_WAIT_MS_DEFAULT } from './witnessing.ts';
export type { StoreWriterOptions } from './writer.ts';
