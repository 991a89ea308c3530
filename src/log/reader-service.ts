import { base64Decode, base64Encode } from '../bytes/index.ts';
import type { Page, RecordedEvent } from '../event/index.ts';
import { type Hash, hashLeaf, TILE_WIDTH, type Tile } from '../merkle/index.ts';
import { type Awaitable, isLogError, type StoredEntry } from '../store/index.ts';
import { checkContinues } from './edge.ts';
import { emptyScan, SCAN_ENTRIES, type Scan, Scanner } from './erasure/scan.ts';
import { IndexPump } from './index-pump.ts';
import type { KeyHistory } from './log-timeline.ts';
import type { LogPaths } from './paths.ts';
import type { PageRequest, Rows, Stats, StatsRequest } from './query.ts';
import { joined, type Proof, Reader, type SignedCheckpoint } from './reader.ts';
import type { LogReading } from './reading.ts';
import { DUE_ENTRIES_MAX, type Due, type DueRequest, dueAmong } from './retention/due.ts';
import {
  mustBeThere,
  mustBeWhole,
  mustHaveKept,
  type Prunable,
  type PrunableRequest,
  prunableAmong,
} from './retention/prunable.ts';
import { countEvents, Searcher, SearchIndex } from './search/index.ts';
import type { Growth } from './under.ts';
import type { Identity } from './writer.ts';

/** What is looked through for what. */
export interface ScanRequest {
  readonly from: number;
  readonly to: number;
  /** Without one, only holds and policies are looked for. */
  readonly subject?: string;
}

/** The reading half of a log: answers questions, and keeps the search index behind the log. */
export class ReaderService {
  readonly identity: Identity;
  readonly #reader: LogReading;
  readonly #indexPath: string;
  readonly #warn: (message: string) => void;
  #search: { readonly index: SearchIndex; readonly pump: IndexPump } | undefined;

  private constructor(
    identity: Identity,
    parts: { reader: LogReading; index: string; warn: (message: string) => void },
  ) {
    this.identity = identity;
    this.#reader = parts.reader;
    this.#indexPath = parts.index;
    this.#warn = parts.warn;
  }

  /** Opens a log for reading. Throws `LogError` where it is not a log of ours. */
  static async open(paths: LogPaths, warn: (message: string) => void): Promise<ReaderService> {
    return ReaderService.over(Reader.open(paths.database), { index: paths.index, warn });
  }

  /** As {@link open}, over a reader of any kind, which it closes; `index` is where the search index lies, '' a temporary one. */
  static async over(
    reader: LogReading,
    { index, warn }: { index: string; warn: (message: string) => void },
  ): Promise<ReaderService> {
    try {
      const { origin, personalIds } = reader.genesis;
      const { vkey } = await reader.keys();
      const identity = { origin, vkey, personalIds, size: (await reader.head()).size };
      return new ReaderService(identity, { reader, index, warn });
    } catch (error) {
      await reader.close();
      throw error;
    }
  }

  checkpoint(): Awaitable<SignedCheckpoint> {
    return this.#reader.checkpoint();
  }

  keys(): Awaitable<KeyHistory> {
    return this.#reader.keys();
  }

  async minimum(): Promise<number> {
    return (await this.#reader.pruned()).minimum;
  }

  get(id: string): Awaitable<RecordedEvent | undefined> {
    return this.#reader.get(id);
  }

  entries(from: number, to: number): Awaitable<StoredEntry[]> {
    return this.#reader.entries(from, to);
  }

  prove(index: number, under?: string): Promise<Proof> {
    return this.#reader.prove(index, under);
  }

  proveId(id: string, under?: string): Promise<Proof> {
    return this.#reader.proveId(id, under);
  }

  proveGrowth(growth: Growth): Promise<Hash[]> {
    return this.#reader.proveGrowth(growth);
  }

  /** The entry recorded under `id`, as it is stored. */
  find(id: string): Awaitable<StoredEntry | undefined> {
    return this.#reader.find(id);
  }

  proveMany(indexes: readonly number[]): Promise<Proof[]> {
    return this.#reader.proveMany(indexes);
  }

  tile(tile: Tile): Promise<Uint8Array | undefined> {
    return this.#reader.tile(tile);
  }

  bundle(index: number, width: number): Awaitable<Uint8Array | undefined> {
    return this.#reader.bundle(index, width);
  }

  /** A page, as {@link page}, with the leaf of each event and, if asked for, its entry. */
  async rows(request: PageRequest, withEntries: boolean): Promise<Rows> {
    const read = new Map<number, StoredEntry>();
    const page = await this.#page(request, (entry) => void read.set(entry.index, entry));
    // What the events were made of: not read again, when it might be something else.
    const stored = page.events.map(({ index }) => read.get(index)!);
    const leafHashes = stored.map(({ entry }) => base64Encode(hashLeaf(entry)));
    return { ...page, leafHashes, ...(withEntries ? { stored } : {}) };
  }

  /** Counts, as far as the index has come after `waitMs`. */
  async stats({ waitMs, ...request }: StatsRequest): Promise<Stats> {
    const { pump, index } = this.#searching();
    const { size } = await this.#reader.head();
    await pump.covers(size, waitMs);
    return index.read((view) => ({ ...countEvents(view, request), complete: view.cursor.size, size }));
  }

  /** A page of a query, after the index covers everything recorded before it, or `waitMs` have passed. */
  page(request: PageRequest): Promise<Page> {
    return this.#page(request, () => {});
  }

  async #page({ waitMs, ...request }: PageRequest, onRead: (entry: StoredEntry) => void): Promise<Page> {
    const { pump, index } = this.#searching();
    const { size } = await this.#reader.head();
    await pump.covers(size, waitMs);
    const fetch = new Fetch(this.#reader, onRead);
    const searcher = new Searcher(index, (indexes) => fetch.events(indexes));
    for (;;) {
      try {
        return { ...searcher.page(request), size };
      } catch (error) {
        // The search itself never waits: what a server has yet to send ends it, and it is begun again when that is here.
        if (!(error instanceof Missing)) throw error;
        fetch.keep(await error.read);
      }
    }
  }

  async checkContinues(state: { readonly size: number; readonly root: string }): Promise<void> {
    const older = { size: state.size, root: base64Decode(state.root) };
    await checkContinues(this.#reader.store, older, await this.#reader.head());
  }

  /**
   * Looks through entries, and lets other questions be answered in between. None may be missing that was not pruned: it may have been a
   * hold. Throws `LogError` `log_damaged`.
   */
  async scan({ from, to, subject }: ScanRequest): Promise<Scan> {
    const scanner = new Scanner(subject);
    const scan = emptyScan();
    for (let start = from; start < to; start += SCAN_ENTRIES) {
      const end = Math.min(start + SCAN_ENTRIES, to);
      const entries = await this.#reader.entries(start, end);
      if (entries.length !== end - start)
        mustBeThere(entries, { from: start, end, ...(await this.#reader.pruned()) });
      scanner.scan(entries, scan);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return scan;
  }

  /**
   * How far a prefix of whole tiles can go. Each entry of it is compared with its hash, and none may be missing that was not pruned: a
   * pruning must not cover up for what somebody else has removed. Throws `LogError` `log_damaged`.
   */
  async prunable(request: PrunableRequest): Promise<Prunable> {
    const pruned = await this.#reader.pruned();
    const prunable: Prunable = { own: [], below: request.from };
    while (prunable.below < request.to && prunable.held === undefined) {
      const from = prunable.below;
      const end = Math.min(from + TILE_WIDTH, request.to);
      const entries = await this.#reader.entries(from, end);
      const tile = await this.#reader.tile({ level: 0, index: from / TILE_WIDTH, width: TILE_WIDTH });
      mustBeWhole(entries, { from: Math.max(from, pruned.minimum), end, tile });
      prunableAmong(entries, request, prunable);
      if (prunable.held === undefined) prunable.below = end;
      if (from % SCAN_ENTRIES === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    mustHaveKept(prunable, pruned);
    return prunable;
  }

  /** Looks through entries for values that have passed their period, until so many have some that a transaction is full. */

  async due(request: DueRequest): Promise<Due> {
    const due: Due = { found: [], held: [], next: request.from };
    while (due.next < request.to && due.found.length < DUE_ENTRIES_MAX) {
      const end = Math.min(due.next + SCAN_ENTRIES, request.to);
      dueAmong(await this.#reader.entries(due.next, end), request, due);
      due.next = end;
      await new Promise((resolve) => setImmediate(resolve));
    }
    return due;
  }

  /** How far the search index has come. */
  async indexed(): Promise<{ readonly size: number; readonly complete: number }> {
    return { size: (await this.#reader.head()).size, complete: this.#searching().index.cursor().size };
  }

  /** Something may have been recorded. */
  wake(): void {
    this.#searching().pump.wake();
  }

  async close(): Promise<void> {
    await this.#search?.pump.stop();
    this.#search?.index.close();
    await this.#reader.close();
  }

  /** The index is opened when it is first needed: reading an entry, or proving it, takes none. */
  #searching() {
    if (this.#search === undefined) {
      const index = this.#openIndex();
      this.#search = {
        index,
        pump: new IndexPump(this.#reader, index, this.#warn),
      };
    }
    return this.#search;
  }

  /** Where no index can be written, as on a read-only medium, a temporary one serves this process alone. */
  #openIndex(): SearchIndex {
    const onReplaced = (reason: string): void => this.#warn(`the search index was begun anew: ${reason}`);
    try {
      return SearchIndex.open(this.#indexPath, { onReplaced });
    } catch (error) {
      if (!isLogError(error, 'io_failed')) throw error;
      return SearchIndex.open('');
    }
  }
}

/** Says that a search needs what is still on its way. */
class Missing extends Error {
  readonly read: Promise<StoredEntry[]>;

  constructor(read: Promise<StoredEntry[]>) {
    super('entries are not here yet');
    this.read = read;
  }
}

/** The events of one page: at once where the log is a file; otherwise out of what was loaded before. */
class Fetch {
  readonly #reader: LogReading;
  readonly #onRead: (entry: StoredEntry) => void;
  readonly #loaded = new Map<number, StoredEntry>();
  readonly #asked = new Set<number>();

  constructor(reader: LogReading, onRead: (entry: StoredEntry) => void) {
    this.#reader = reader;
    this.#onRead = onRead;
  }

  /** Throws {@link Missing} where some of them have to be waited for. */
  events(indexes: readonly number[]): RecordedEvent[] {
    return this.#stored(indexes).map((entry) => {
      this.#onRead(entry);
      return joined(entry);
    });
  }

  keep(entries: readonly StoredEntry[]): void {
    for (const entry of entries) this.#loaded.set(entry.index, entry);
  }

  #stored(indexes: readonly number[]): StoredEntry[] {
    if (indexes.every((index) => this.#asked.has(index))) {
      return indexes.flatMap((index) => this.#loaded.get(index) ?? []);
    }
    for (const index of indexes) this.#asked.add(index);
    const read = this.#reader.at(indexes);
    if (!(read instanceof Promise)) return read;
    throw new Missing(read);
  }
}
