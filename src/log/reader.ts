import type { DatabaseSync } from 'node:sqlite';
import { base64Encode, equalBytes, utf8Decode } from '../bytes/index.ts';
import { type Genesis, openEntry, parseEntry, type RecordedEvent } from '../event/index.ts';
import {
  encodeEntryBundle,
  foldHashes,
  type Hash,
  hashLeaf,
  partialWidth,
  planInclusion,
  rangeNodes,
  rootFromInclusion,
  TILE_WIDTH,
  type Tile,
} from '../merkle/index.ts';
import {
  checkSchema,
  type Head,
  LogError,
  openReadable,
  SqliteReader,
  type StoredEntry,
} from '../store/index.ts';
import { formatProof } from '../verify/index.ts';
import { genesisOf } from './genesis.ts';
import { historyOf, type KeyHistory, keysOfFile, type LogKeys } from './log-timeline.ts';
import { missingEntry, type PrunedState, prunedOfFile } from './pruned.ts';
import type { LogReading } from './reading.ts';
import { checkHead } from './signed-head.ts';
import { TreeReader } from './tiles.ts';
import { type Growth, proveGrowth, type SignedState, stateUnder } from './under.ts';

/** A checkpoint of a log. */
export interface SignedCheckpoint {
  readonly size: number;
  /** Root over all entries, standard base64. */
  readonly root: string;
  /** The signed note (c2sp.org/tlog-checkpoint). */
  readonly note: string;
}

/** Everything that proves one entry, to be handed to whoever asks. */
export interface Proof {
  readonly index: number;
  /** A `.tlog-proof` file (c2sp.org/tlog-proof). */
  readonly proof: string;
  /** The exact bytes of the entry. */
  readonly entry: Uint8Array;
  /** The texts of its disclosures: hand out those that the other side may see. */
  readonly disclosures: readonly string[];
}

/** Reads a log that others may be writing. Every answer is of one committed state. */
export class Reader implements LogReading {
  readonly #db: DatabaseSync;
  readonly #reader: SqliteReader;
  readonly #tree: TreeReader;
  readonly #genesis: Genesis;
  #keys: LogKeys;
  /** The last head whose signature was found to be good. */
  #signed: Head | undefined;

  private constructor(db: DatabaseSync) {
    this.#db = db;
    this.#reader = new SqliteReader(db);
    this.#tree = new TreeReader(this.#reader);
    this.#genesis = genesisOf(this.#reader.readEntries(0, 1)[0]);
    this.#keys = keysOfFile(this.#reader);
  }

  /** Opens `log.db` without the right to write. Throws `LogError` where it is not a log of ours. */
  static open(path: string): Reader {
    const db = openReadable(path);
    try {
      checkSchema(db);
      return new Reader(db);
    } catch (error) {
      db.close();
      throw error;
    }
  }

  /** The store underneath, for audits and followers. */
  get store(): SqliteReader {
    return this.#reader;
  }

  /** The head, which the key that signs at its size has signed. Throws `LogError` `head_invalid`. */
  head(): Head {
    const head = this.#reader.head();
    if (head === undefined) throw new LogError('log_damaged', 'the log has no head');
    const known = this.#signed;
    if (known !== undefined && known.size === head.size && equalBytes(known.checkpoint, head.checkpoint)) {
      if (equalBytes(known.root, head.root)) return head;
    }
    this.#checkHead(head);
    this.#signed = head;
    return head;
  }

  #checkHead(head: Head): void {
    try {
      checkHead(head, this.#keys.timeline);
    } catch (error) {
      // The key may have been replaced since.
      const keys = keysOfFile(this.#reader);
      if (keys.timeline.changes === this.#keys.timeline.changes) throw error;
      checkHead(head, keys.timeline);
      this.#keys = keys;
    }
  }

  /** Who signs the log, and which entries say so. */
  keys(): KeyHistory {
    this.head();
    return historyOf(this.#keys);
  }

  pruned(): PrunedState {
    return prunedOfFile(this.#reader);
  }

  /** What is thrown where an entry is not there: `entry_pruned`, or else `otherwise`. */
  #missing(index: number, otherwise: LogError): LogError {
    return missingEntry(index, prunedOfFile(this.#reader), otherwise);
  }

  /** What the log says of itself. */
  get genesis(): Genesis {
    return this.#genesis;
  }

  /** The root over the first `size` entries, as the stored tiles give it; `size` must not exceed the log's. */
  async rootAt(size: number): Promise<Hash> {
    const nodes = rangeNodes(0, size);
    const [root] = await this.#tree.prove(
      { nodes, assemble: (hashes) => [foldHashes([...hashes])] },
      this.head().size,
    );
    return root!;
  }

  checkpoint(): SignedCheckpoint {
    const { size, root, checkpoint } = this.head();
    return { size, root: base64Encode(root), note: utf8Decode(checkpoint) };
  }

  /** The entry recorded under `id`. The list of ids is not believed: the entry itself must bear the id. */
  find(id: string): StoredEntry | undefined {
    const index = this.#reader.findIds([id]).get(id);
    if (index === undefined) return undefined;
    const [stored] = this.#reader.readEntries(index, index + 1);
    if (stored !== undefined && parseEntry(stored.entry).id === id) return stored;
    const damaged = new LogError(
      'log_damaged',
      `the id ${id} leads to entry ${index}, which is missing or has another id`,
      { hint: 'run verify: it names everything that was changed' },
    );
    throw stored === undefined ? this.#missing(index, damaged) : damaged;
  }

  /** The event recorded under `id`, its disclosures joined. */
  get(id: string): RecordedEvent | undefined {
    const stored = this.find(id);
    return stored === undefined ? undefined : joined(stored);
  }

  /**
   * The entries at these indexes, in the order asked for; indexes without an entry are left out. Neighbours are read together,
   * and all of them at one moment: a transaction of its own for each would cost more than the reading.
   */
  at(indexes: readonly number[]): StoredEntry[] {
    const found = new Map<number, StoredEntry>();
    const sorted = [...indexes].sort((one, other) => one - other);
    this.#db.exec('BEGIN');
    try {
      for (let start = 0; start < sorted.length; ) {
        let end = start + 1;
        while (end < sorted.length && sorted[end]! <= sorted[end - 1]! + 1) end += 1;
        const run = this.#reader.readEntries(sorted[start]!, sorted[end - 1]! + 1);
        for (const stored of run) found.set(stored.index, stored);
        start = end;
      }
    } finally {
      // Unless SQLite has ended it, as it does where a page cannot be read.
      if (this.#db.isTransaction) this.#db.exec('COMMIT');
    }
    return indexes.flatMap((index) => found.get(index) ?? []);
  }

  /** Entries with `from <= index < to`, as they are stored. */
  entries(from: number, to: number): StoredEntry[] {
    return this.#reader.readEntries(Math.max(0, from), Math.min(to, this.head().size));
  }

  /**
   * Proves the entry at `index`, and checks the proof before it leaves: under the signed checkpoint `under` where one is given
   * that covers the entry, else under the newest. Throws `LogError` `not_found`, `log_damaged`, and as {@link stateUnder}.
   */
  async prove(index: number, under?: string): Promise<Proof> {
    const head = this.head();
    const state = under && stateUnder(under, { timeline: this.#keys.timeline, size: head.size });
    return this.#prove(index, state && index < state.size ? state : head);
  }

  /** The consistency proof between two sizes, as {@link proveGrowth}. */
  proveGrowth(growth: Growth): Promise<Hash[]> {
    return proveGrowth(this.#tree, growth, this.head().size);
  }

  /** Proves several entries under one checkpoint, the newest. As {@link prove}. */
  async proveMany(indexes: readonly number[]): Promise<Proof[]> {
    const head = this.head();
    const proofs: Proof[] = [];
    const shared = new Map<string, Hash>();
    for (const index of indexes) proofs.push(await this.#prove(index, head, shared));
    return proofs;
  }

  async #prove(index: number, head: SignedState, shared?: Map<string, Hash>): Promise<Proof> {
    const [stored] = index < head.size ? this.#reader.readEntries(index, index + 1) : [];
    if (stored === undefined)
      throw this.#missing(index, new LogError('not_found', `there is no entry ${index}`));
    const hashes = await this.#tree.prove(planInclusion(index, head.size), this.head().size, shared);
    const leafHash = hashLeaf(stored.entry);
    const root = rootFromInclusion({ index, size: head.size, leafHash, proof: hashes });
    if (!equalBytes(root, head.root)) {
      throw new LogError('log_damaged', `entry ${index} does not lead to the root of the log`, {
        hint: 'run verify: it names everything that was changed',
      });
    }
    const proof = formatProof({ index, hashes, checkpoint: utf8Decode(head.checkpoint) });
    return { index, proof, entry: stored.entry, disclosures: stored.disclosures };
  }

  /** Proves the entry recorded under `id`, as {@link prove}. Throws `LogError` `not_found`. */
  async proveId(id: string, under?: string): Promise<Proof> {
    const stored = this.find(id);
    if (stored === undefined) throw new LogError('not_found', `nothing was recorded under the id ${id}`);
    return this.prove(stored.index, under);
  }

  /** Hashes the newest entries now, while they are as they were recorded: later they may have been changed. */
  async hashNewest({ size }: Head): Promise<void> {
    const index = Math.floor(size / TILE_WIDTH);
    if (widthNow(size, 0, index) > 0) await this.#tree.tile({ level: 0, index }, size);
  }

  /** The bytes of a tile, as they are published; undefined where the tree has not come so far. */
  async tile({ level, index, width }: Tile): Promise<Uint8Array | undefined> {
    const { size } = this.head();
    if (width > widthNow(size, level, index)) return undefined;
    return (await this.#tree.tile({ level, index }, size)).slice(0, width * 32);
  }

  /** The bytes of an entry bundle, as {@link tile}. Throws `LogError` `log_damaged` where entries are missing. */
  bundle(index: number, width: number): Uint8Array | undefined {
    if (width > widthNow(this.head().size, 0, index)) return undefined;
    const begin = index * TILE_WIDTH;
    const entries = this.#reader.readEntryBytes(begin, begin + width);
    if (entries.length !== width) {
      const what = `entries are missing between ${begin} and ${begin + width}`;
      const hint = 'run verify: it names everything that was changed';
      throw this.#missing(begin, new LogError('log_damaged', what, { hint }));
    }
    return encodeEntryBundle(entries);
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }
}

/** How many hashes a tile has in the tree of `size` entries. */
export function widthNow(size: number, level: number, index: number): number {
  const full = Math.floor(size / TILE_WIDTH ** (level + 1));
  if (index < full) return TILE_WIDTH;
  return index === full ? partialWidth(size, level) : 0;
}

/** An entry with its disclosures joined back, as it is shown. */
export function joined({ index, entry, disclosures }: StoredEntry): RecordedEvent {
  return openEntry(parseEntry(entry), disclosures, index).event;
}
