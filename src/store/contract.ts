import type { Hash } from '../merkle/index.ts';

/** A value, or the promise of one: a store on SQLite answers at once, a store on a network later. */
export type Awaitable<T> = T | Promise<T>;

/** The state of a log after its last commit: what the next commit starts from. */
export interface Head {
  /** Number of entries. */
  readonly size: number;
  /** RFC 6962 root over all of them. */
  readonly root: Hash;
  /** `recordedAt` of the last entry, milliseconds since the epoch. */
  readonly recordedAt: number;
  /** The signed note over origin, size and root (c2sp.org/tlog-checkpoint). */
  readonly checkpoint: Uint8Array;
}

/** One entry as it is to be stored. */
export interface NewEntry {
  readonly id: string;
  /** The canonical bytes that were hashed. */
  readonly entry: Uint8Array;
  /** The texts of its disclosures, in the order in which they were sealed. */
  readonly disclosures: readonly string[];
}

/** One entry as it was stored. */
export interface StoredEntry {
  readonly index: number;
  readonly entry: Uint8Array;
  readonly disclosures: readonly string[];
}

/** Names one tile of the tree (c2sp.org/tlog-tiles); the width follows from the log's size. */
export interface TileId {
  readonly level: number;
  readonly index: number;
}

/** The hashes of one tile: 32 bytes each, at most 256. */
export interface TileHashes extends TileId {
  readonly hashes: Uint8Array;
}

/** Everything that one commit adds. */
export interface Append {
  /** New entries; the first has the index `expected.size`. */
  readonly entries: readonly NewEntry[];
  /** Tiles of level 0 that became full, and tiles above that grew. Partial tiles of level 0 are not stored. */
  readonly tiles: readonly TileHashes[];
  /** The head afterwards. */
  readonly head: Head;
}

/** The disclosures that are left of an entry when some were erased. */
export interface Withdrawal {
  readonly index: number;
  /** What stays, in its order; empty where nothing does. */
  readonly disclosures: readonly string[];
}

/** The entries that a pruning takes: those below an index, but some. */
export interface Prune {
  /** A multiple of 256, and at most the size of the log. */
  readonly below: number;
  /** Indexes below it whose entries stay, rising: those of the log's own. */
  readonly keep: readonly number[];
}

/** What became of the bytes that an erasure left in the files of a store. */
export interface Scouring {
  /** Whether they are gone from every file that the store has. */
  readonly isClean: boolean;
  /** Why not, in a sentence; absent where they are. */
  readonly why?: string;
}

/** Reading a log. Every answer is of committed state; a reader never waits for a writer. */
export interface LogReader {
  /** The head, or undefined where the log holds nothing yet. */
  head(): Awaitable<Head | undefined>;
  /**
   * Entries with `from <= index < to`, ascending. Holes are left out: the caller counts. Those below the minimum index of the log, to
   * which it was pruned, are no damage.
   * An entry whose disclosures were erased has none.
   */
  readEntries(from: number, to: number): Awaitable<StoredEntry[]>;
  /**
   * The bytes of all entries with `from <= index < to`, ascending, where a store has them cheaper without their disclosures. It
   * answers fewer where some are missing.
   */
  readEntryBytes?(from: number, to: number): Awaitable<Uint8Array[]>;
  /** The index under which each id was recorded; ids that are unknown are absent. */
  findIds(ids: readonly string[]): Awaitable<Map<string, number>>;
  /** Stored hashes of each tile, or undefined where there is none. Level 0 holds full tiles only. */
  readTiles(tiles: readonly TileId[]): Awaitable<(Uint8Array | undefined)[]>;
}

/**
 * The head, held. Between `begin` and `commit` or `rollback` nobody else can move the head.
 * Reads see the state at `begin`.
 */
export interface HeadTransaction extends LogReader {
  /** The head that was taken; undefined in a log that is being created. */
  readonly taken: Head | undefined;
  /**
   * Stages the append. Refuses, with `LogError` `head_moved`, an append that does not continue `taken`.
   * Calls must not overlap; at most one a transaction.
   */
  append(append: Append): Awaitable<void>;
  /**
   * Stages an erasure: puts what is left in the place of the disclosures of these entries. It becomes true with the append of the
   * same transaction, which holds the record of it, or not at all: `commit` refuses, with `LogError` `store_contract`, an erasure
   * without an append. May be called several times before the append.
   */
  withdraw(withdrawals: readonly Withdrawal[]): Awaitable<void>;
  /**
   * Stages a pruning: the bytes of these entries, and whatever disclosures they still have, leave the store; ids and tiles stay.
   * Answers how many entries that are. It becomes true with the append of the same transaction, as {@link withdraw}; at most one a
   * transaction, before the append.
   */
  prune(prune: Prune): Awaitable<number>;
  /**
   * Makes it durable: when this resolves, the append has reached the disk. A `LogError` that is `retryable` leaves the store
   * usable: `disk_full`, `head_moved` and `unreachable` say that nothing was written, a retryable `outcome_unknown` that
   * nobody can tell now, and that whoever begins again finds what is there. An `outcome_unknown` that is not retryable, and
   * every other error, means that the writer must stop for good. Without an append it gives the head back, and keeps what
   * else was done in the transaction.
   */
  commit(): Awaitable<void>;
  /** Gives the head back; nothing was written. Never throws. */
  rollback(): Awaitable<void>;
}

/** Where a log lives. One object serves one log; calls of `begin` must not overlap. */
export interface LogStore extends LogReader {
  /**
   * Takes the head lock, waiting fairly while others hold it. `known` is the size up to which the caller knows the log: a store on a
   * network may fetch what lies behind it with the head.
   */
  begin(known?: number): Awaitable<HeadTransaction>;
  /**
   * Overwrites what erasures have left in the files: pages that were freed, dead rows, the write-ahead log. Not within a transaction.
   * Waits for readers up to `waitMs` milliseconds. `subjects` are those that were erased, for stores that keep more than the log.
   * `isWhole` says that erasures of other processes are among them, so that this store has not seen where their values were.
   * Absent where a store has no files.
   */
  scour?(waitMs: number, subjects: readonly string[], isWhole?: boolean): Promise<Scouring>;
  /**
   * Removes what the store keeps beside the log and names these subjects, down to its bytes: for erasures that find nothing in the
   * log. Absent where a store keeps the log alone.
   */
  forget?(waitMs: number, subjects: readonly string[]): Promise<Scouring>;
  /** Releases everything. Idempotent. */
  close(): Awaitable<void>;
}
