import type { Genesis, RecordedEvent } from '../event/index.ts';
import type { Hash, Tile } from '../merkle/index.ts';
import type { Awaitable, Head, LogReader, StoredEntry } from '../store/index.ts';
import type { KeyHistory } from './log-timeline.ts';
import type { PrunedState } from './pruned.ts';
import type { Proof, SignedCheckpoint } from './reader.ts';
import type { Growth } from './under.ts';

/** Reads a log of any store: at once where it is a file, later where it is a server. See `Reader` for what each promises. */
export interface LogReading {
  readonly genesis: Genesis;
  /** The store underneath. */
  readonly store: LogReader;
  head(): Awaitable<Head>;
  rootAt(size: number): Promise<Hash>;
  checkpoint(): Awaitable<SignedCheckpoint>;
  /** Who signs the log, and which entries say so. */
  keys(): Awaitable<KeyHistory>;
  /** How far the log was pruned: entries below its minimum index may be gone, those of the log's own excepted. */
  pruned(): Awaitable<PrunedState>;
  find(id: string): Awaitable<StoredEntry | undefined>;
  get(id: string): Awaitable<RecordedEvent | undefined>;
  at(indexes: readonly number[]): Awaitable<StoredEntry[]>;
  entries(from: number, to: number): Awaitable<StoredEntry[]>;
  prove(index: number, under?: string): Promise<Proof>;
  proveMany(indexes: readonly number[]): Promise<Proof[]>;
  proveId(id: string, under?: string): Promise<Proof>;
  proveGrowth(growth: Growth): Promise<Hash[]>;
  hashNewest(head: Head): Promise<void>;
  tile(tile: Tile): Promise<Uint8Array | undefined>;
  bundle(index: number, width: number): Awaitable<Uint8Array | undefined>;
  close(): Awaitable<void>;
}
