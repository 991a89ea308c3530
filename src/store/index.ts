/**
 * Where a log lives.
 *
 * A store keeps entries, their disclosures, the hashes of full tiles and the head, and promises one
 * thing: whoever holds the head may append to it, in one transaction, and what was committed is on the
 * disk. It neither hashes nor signs; `log` does, and hands over bytes. Readers see committed state only.
 *
 * `MemoryStore` polices the contract; `SqliteStore` is the embedded default. Every store passes the
 * suite in `conformance.ts`.
 */

// Whoever works with a store catches these.
export {
  isLogError,
  LogError,
  type LogErrorCode,
  type LogErrorOptions,
  logErrorCodes,
} from '../bytes/index.ts';
export { checkPrune } from './check-prune.ts';
export type {
  Append,
  Awaitable,
  Head,
  HeadTransaction,
  LogReader,
  LogStore,
  NewEntry,
  Prune,
  Scouring,
  StoredEntry,
  TileHashes,
  TileId,
  Withdrawal,
} from './contract.ts';
export { MemoryStore } from './memory-store.ts';
export { openReadable, SQLITE_VERSION_MIN } from './sqlite-connection.ts';
export {
  SQLITE_BUSY,
  SQLITE_CORRUPT,
  SQLITE_ERROR,
  SQLITE_NOTADB,
  sqliteCode,
  sqliteFailure,
} from './sqlite-failure.ts';
export { OpenFile } from './sqlite-open-file.ts';
export { packDisclosures, type RawRow, SqliteReader, unpackDisclosures } from './sqlite-reader.ts';
export { checkSchema, pragma, SCHEMA_VERSION, schemaDrift } from './sqlite-schema.ts';
export { SqliteStore, type SqliteStoreOptions } from './sqlite-store.ts';
export { NOBODY, SUBJECT_KEY_BYTES, SUBJECT_KEYS_FILE, SubjectKeys } from './subject-keys.ts';
export {
  CHECKPOINT_PATH,
  DirectoryTileStore,
  type DirectoryTileStoreOptions,
  isStorePath,
  type PutResult,
  S3_TIMEOUT_MS_DEFAULT,
  type S3ClientLike,
  type S3Connection,
  type S3Options,
  type S3Retention,
  S3TileStore,
  TILE_PATH_LENGTH_MAX,
  type TileReader,
  type TileStore,
} from './tiles/index.ts';
