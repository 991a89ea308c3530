import type { RecordedEvent } from '../../event/index.ts';
import type { Tile } from '../../merkle/index.ts';
import type { StoredEntry } from '../../store/index.ts';

/** A place in a log that can be checked: how many entries were seen, and the root over them. */
export interface FollowerCursor {
  readonly size: number;
  /** RFC 6962 root over the first `size` entries, standard base64. */
  readonly root: string;
}

/** Consecutive entries, the next that a follower has not seen; those that the log was pruned of are not among them. */
export interface FollowerBatch {
  /** Index of the first entry. */
  readonly from: number;
  /** Index behind the last entry: the cursor's size once the batch is applied. */
  readonly to: number;
  /** Root over the first `to` entries; it was compared with the log's signed checkpoint before the batch came here. */
  readonly root: string;
  /** The entries as they are stored. */
  readonly entries: readonly StoredEntry[];
  /** The same as events, disclosures joined; opened when first asked for. */
  readonly events: readonly RecordedEvent[];
  /** Fires when the log is closed: give up waiting for somebody else, and throw. */
  readonly signal: AbortSignal;
}

/**
 * An extension that is told of every entry, in order, after it is durable. It never holds up `record`.
 *
 * Delivery is at least once: a batch is handed over again when the process died, or `apply` threw, before the
 * cursor was moved. `from` says whether that happened, and event ids make a repeat harmless elsewhere.
 */
export interface Follower {
  /** Its name in the log: 1 to 64 of `a-z 0-9 . _ -`. The cursor is kept under it. */
  readonly name: string;
  /** Most entries in one batch; {@link BATCH_ENTRIES_DEFAULT} if not given. */
  readonly batchMax?: number;
  /** Takes one batch. When it returns, or what it returns resolves, the batch is done with. Calls never overlap. */
  apply(batch: FollowerBatch): Promise<void> | void;
  /** Called now and then while there is nothing to apply, for what comes without an entry. Never while `apply` is at work. */
  idle?(signal: AbortSignal): Promise<void> | void;
}

/** Entries in a batch where the follower does not say. */
export const BATCH_ENTRIES_DEFAULT = 500;

/** Most entries in a batch, whatever the follower says. */
export const BATCH_ENTRIES_MAX = 4096;

/**
 * What a follower is doing. `waiting`: another process holds the lease of this log. `following`: it is up to date.
 * `applying`: it has a batch. `failing`: it, or the reading, threw; it will be tried again. `refused`: the log does not
 * continue what it has seen, or what was published of it, so it is left alone until somebody looks. `stopped`: the log was closed.
 */
export type FollowerState = 'waiting' | 'following' | 'applying' | 'failing' | 'refused' | 'stopped';

/** How a follower is doing. Plain data. */
export interface FollowerStatus {
  readonly name: string;
  /** Entries that it is done with. */
  readonly size: number;
  /** Entries that it has not seen, as far as is known. */
  readonly lag: number;
  readonly state: FollowerState;
  /** What went wrong last; gone when a batch went well. */
  readonly lastError?: { readonly message: string; readonly code?: string; readonly attempts: number };
}

/** The log as followers see it. */
export interface FollowerSource {
  /** The newest checkpoint. */
  checkpoint(): Promise<FollowerCursor>;
  /** Entries with `from <= index < to`, ascending. */
  entries(from: number, to: number): Promise<readonly StoredEntry[]>;
  /** The minimum index to which the log was pruned: entries below it may be gone. */
  minimum(): Promise<number>;
  /** A tile of hashes of the tree; undefined where it has not come so far. */
  tile(tile: Tile): Promise<Uint8Array | undefined>;
  /** Throws `LogError` `rolled_back` where the log does not continue this state. */
  checkContinues(state: FollowerCursor): Promise<void>;
}

/** How a {@link LeaseTask} is let run. */
export interface LeaseTurn {
  /** Whether this process has the lease now: only then may the task act. */
  isHolding(): boolean;
  /** Fires when the log is closed. */
  readonly signal: AbortSignal;
}

/**
 * Work that one process does for a log without reading its entries one by one, as showing checkpoints to witnesses: it runs under
 * the lease of the followers, beside them.
 */
export interface LeaseTask {
  /** Runs until the signal fires; does nothing while the lease is another's. Never rejects. */
  run(turn: LeaseTurn): Promise<void>;
  /** Ends a pause, where it makes one. */
  wake(): void;
  /** How it is doing, as followers say it. */
  list(): FollowerStatus[];
}
