/** Now or later. */
export type Awaitable<T> = T | Promise<T>;

/** Where the last checkpoint is kept that a client has seen: a text, written whole or not at all. */
export interface CheckpointStore {
  read(): Awaitable<string | undefined>;
  /**
   * Keeps `note` in the place of `before`, which was there when this client looked last (undefined: nothing was). False,
   * and nothing is changed, where something else is there by now: several clients may share a store.
   */
  write(note: string, before: string | undefined): Awaitable<boolean>;
}

/** One event that waits in a spool. */
export interface SpooledEvent {
  /** Ascending in the order of `append`; never used twice. */
  readonly position: number;
  readonly text: string;
}

/**
 * Where events wait while the server is away. What `append` returned from is on the disk, and stays until `remove` or
 * `refuse`; calls do not overlap. Two processes must not open one spool: the second is refused (`spool_locked`).
 */
export interface SpoolStore {
  append(texts: readonly string[]): Awaitable<void>;
  /** The oldest, at most `limit`. */
  read(limit: number): Awaitable<readonly SpooledEvent[]>;
  /** Takes out everything up to this position, this included. */
  remove(position: number): Awaitable<void>;
  /** Sets one aside that the server will not have, with the reason; it is kept until a person looks. */
  refuse(position: number, reason: string): Awaitable<void>;
  /** How many wait, how many characters they have, and how many were set aside. */
  counts(): Awaitable<{ readonly events: number; readonly characters: number; readonly refused: number }>;
  close(): Awaitable<void>;
}

/** What a client keeps between its lives. */
export interface ClientState {
  readonly checkpoints: CheckpointStore;
  /** Opened only by a client that spools. */
  openSpool?(): Awaitable<SpoolStore>;
}
