/** What became of a file that was to be put: it is new, or it lay there already, byte for byte. */
export type PutResult = 'written' | 'present';

/** Reading static files by their path below the log's prefix (c2sp.org/tlog-tiles). Nothing read is believed. */
export interface TileReader {
  /** Where it is, for people: a URL. */
  readonly place: string;
  /**
   * The first bytes of a file, one more than `bytesMax` at most, so that what is too long shows; undefined where there is none.
   * Calls may overlap. Throws `LogError` `io_failed`, `unreachable`, `not_permitted`, `VerificationError` `not_a_file` where what
   * stands there is a link, a folder, a pipe or the like, which is neither followed nor read.
   */
  read(path: string, bytesMax: number): Promise<Uint8Array | undefined>;
  /**
   * Every checkpoint that was ever put there, those that were put last first, where the place keeps them and was asked for what is not
   * the newest; undefined where not. Anybody may have put them: whoever knows the log's keys chooses. Throws as {@link read}.
   */
  checkpoints?(bytesMax: number): AsyncIterable<Uint8Array> | undefined;
  /** Releases everything. Idempotent. */
  close(): Promise<void>;
}

/**
 * Where static files of a log go. It is append-only but for one file, the checkpoint: what was put is never put again with other
 * bytes. Calls may overlap, but for those of `putCheckpoint`.
 */
export interface TileStore extends TileReader {
  /**
   * Puts a file that never changes. When this resolves, its bytes and its name are durable. A file that is there already is
   * compared byte for byte: a difference throws `LogError` `archive_conflict`, and whoever publishes must stop, since somebody
   * else writes there, or wrote.
   */
  putImmutable(path: string, bytes: Uint8Array): Promise<PutResult>;
  /**
   * Puts the one file that changes, if it still is what the caller has read there (undefined: nothing). Durable when this resolves.
   * Throws `LogError` `archive_conflict` where somebody else has moved it.
   */
  putCheckpoint(note: Uint8Array, expected: Uint8Array | undefined): Promise<void>;
}

/** The path of the one file that changes. */
export const CHECKPOINT_PATH = 'checkpoint';

/** Characters that a path has at most. */
export const TILE_PATH_LENGTH_MAX = 200;

/** Whether a path is one that a tile store takes: names of `a-z 0-9 . -`, none of them beginning with a dot. */
export function isStorePath(path: string): boolean {
  return path.length <= TILE_PATH_LENGTH_MAX && /^[a-z0-9][a-z0-9.-]*(?:\/[a-z0-9][a-z0-9.-]*)*$/.test(path);
}
