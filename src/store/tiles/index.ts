/**
 * Where static files of a log go: a folder, S3, whatever else keeps what it was given once.
 *
 * A published log is a tree of files that never change (tiles of hashes, bundles of entries), and one that does, the checkpoint
 * (c2sp.org/tlog-tiles). A tile store promises two things: what was put is durable, and what is there is never overwritten. Every
 * store passes the suite in `conformance.ts`.
 */
export {
  CHECKPOINT_PATH,
  isStorePath,
  type PutResult,
  TILE_PATH_LENGTH_MAX,
  type TileReader,
  type TileStore,
} from './contract.ts';
export { DirectoryTileStore, type DirectoryTileStoreOptions } from './directory-store.ts';
export type { S3ClientLike, S3Connection } from './s3-client.ts';
export { S3_TIMEOUT_MS_DEFAULT, type S3Options, type S3Retention, S3TileStore } from './s3-store.ts';
