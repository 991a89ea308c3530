import { base64Encode, equalBytes, utf8Decode } from '../bytes/index.ts';
import { type Genesis, parseEntry, type RecordedEvent } from '../event/index.ts';
import {
  encodeEntryBundle,
  foldHashes,
  type Hash,
  hashLeaf,
  planInclusion,
  rangeNodes,
  rootFromInclusion,
  TILE_WIDTH,
  type Tile,
} from '../merkle/index.ts';
import { type Head, LogError, type LogReader, type StoredEntry } from '../store/index.ts';
import { formatProof } from '../verify/index.ts';
import { genesisOf } from './genesis.ts';
import { historyOf, type KeyHistory, keysOf, type LogKeys } from './log-timeline.ts';
import { missingEntry, type PrunedState, prunedOf } from './pruned.ts';
import { joined, type Proof, type SignedCheckpoint, widthNow } from './reader.ts';
import type { LogReading } from './reading.ts';
import { checkHead } from './signed-head.ts';
import { TreeReader } from './tiles.ts';
import { type Growth, proveGrowth, type SignedState, stateUnder } from './under.ts';

/**
 * Reads a log through a store that answers later: what `Reader` is for a file. Entries and hashes are asked for one after the
 * other, not at one moment; that is sound because a log only grows, and whatever is handed out is checked against a signed head.
 */
export class StoreReader implements LogReading {
  readonly store: LogReader;
  readonly genesis: Genesis;
  readonly #tree: TreeReader;
  #keys: LogKeys;
  /** The last head whose signature was found to be good. */
  #signed: Head | undefined;

  private constructor(store: LogReader, genesis: Genesis, keys: LogKeys) {
    this.store = store;
    this.genesis = genesis;
    this.#tree = new TreeReader(store);
    this.#keys = keys;
  }

  /** Opens the log in `store`. Throws `LogError` where it is not a log of ours. */
  static async open(store: LogReader): Promise<StoreReader> {
    const genesis = genesisOf((await store.readEntries(0, 1))[0]);
    return new StoreReader(store, genesis, await keysOf(store));
  }

  async head(): Promise<Head> {
    const head = await this.store.head();
    if (head === undefined) throw new LogError('log_damaged', 'the log has no head');
    const known = this.#signed;
    const isKnown =
      known?.size === head.size &&
      equalBytes(known.checkpoint, head.checkpoint) &&
      equalBytes(known.root, head.root);
    if (!isKnown) await this.#checkHead(head);
    this.#signed = head;
    return head;
  }

  async #checkHead(head: Head): Promise<void> {
    try {
      checkHead(head, this.#keys.timeline);
    } catch (error) {
      // The key may have been replaced since.
      const keys = await keysOf(this.store);
      if (keys.timeline.changes === this.#keys.timeline.changes) throw error;
      checkHead(head, keys.timeline);
      this.#keys = keys;
    }
  }

  async keys(): Promise<KeyHistory> {
    await this.head();
    return historyOf(this.#keys);
  }

  pruned(): Promise<PrunedState> {
    return prunedOf(this.store);
  }

  /** What is thrown where an entry is not there: `entry_pruned`, or else `otherwise`. */
  async #missing(index: number, otherwise: LogError): Promise<LogError> {
    return missingEntry(index, await prunedOf(this.store), otherwise);
  }

  async rootAt(size: number): Promise<Hash> {
    const assemble = (hashes: readonly Hash[]): Hash[] => [foldHashes([...hashes])];
    const plan = { nodes: rangeNodes(0, size), assemble };
    const [root] = await this.#tree.prove(plan, (await this.head()).size);
    return root!;
  }

  async checkpoint(): Promise<SignedCheckpoint> {
    const { size, root, checkpoint } = await this.head();
    return { size, root: base64Encode(root), note: utf8Decode(checkpoint) };
  }

  async find(id: string): Promise<StoredEntry | undefined> {
    const index = (await this.store.findIds([id])).get(id);
    if (index === undefined) return undefined;
    const [stored] = await this.store.readEntries(index, index + 1);
    if (stored !== undefined && parseEntry(stored.entry).id === id) return stored;
    const message = `the id ${id} leads to entry ${index}, which is missing or has another id`;
    const damaged = new LogError('log_damaged', message, {
      hint: 'run verify: it names everything that was changed',
    });
    throw stored === undefined ? await this.#missing(index, damaged) : damaged;
  }

  async get(id: string): Promise<RecordedEvent | undefined> {
    const stored = await this.find(id);
    return stored === undefined ? undefined : joined(stored);
  }

  async at(indexes: readonly number[]): Promise<StoredEntry[]> {
    const found = new Map<number, StoredEntry>();
    const sorted = [...indexes].sort((one, other) => one - other);
    for (let start = 0; start < sorted.length; ) {
      let end = start + 1;
      while (end < sorted.length && sorted[end]! <= sorted[end - 1]! + 1) end += 1;
      for (const stored of await this.store.readEntries(sorted[start]!, sorted[end - 1]! + 1)) {
        found.set(stored.index, stored);
      }
      start = end;
    }
    return indexes.flatMap((index) => found.get(index) ?? []);
  }

  async entries(from: number, to: number): Promise<StoredEntry[]> {
    return this.store.readEntries(Math.max(0, from), Math.min(to, (await this.head()).size));
  }

  async prove(index: number, under?: string): Promise<Proof> {
    const head = await this.head();
    const state = under && stateUnder(under, { timeline: this.#keys.timeline, size: head.size });
    return this.#prove(index, state && index < state.size ? state : head);
  }

  async proveGrowth(growth: Growth): Promise<Hash[]> {
    return proveGrowth(this.#tree, growth, (await this.head()).size);
  }

  async proveMany(indexes: readonly number[]): Promise<Proof[]> {
    const head = await this.head();
    const shared = new Map<string, Hash>();
    const proofs: Proof[] = [];
    for (const index of indexes) proofs.push(await this.#prove(index, head, shared));
    return proofs;
  }

  async proveId(id: string, under?: string): Promise<Proof> {
    const stored = await this.find(id);
    if (stored === undefined) throw new LogError('not_found', `nothing was recorded under the id ${id}`);
    return this.prove(stored.index, under);
  }

  async hashNewest({ size }: Head): Promise<void> {
    const index = Math.floor(size / TILE_WIDTH);
    if (widthNow(size, 0, index) > 0) await this.#tree.tile({ level: 0, index }, size);
  }

  async tile({ level, index, width }: Tile): Promise<Uint8Array | undefined> {
    const { size } = await this.head();
    if (width > widthNow(size, level, index)) return undefined;
    return (await this.#tree.tile({ level, index }, size)).slice(0, width * 32);
  }

  async bundle(index: number, width: number): Promise<Uint8Array | undefined> {
    if (width > widthNow((await this.head()).size, 0, index)) return undefined;
    const begin = index * TILE_WIDTH;
    const entries = await this.store.readEntries(begin, begin + width);
    if (entries.length !== width) {
      const what = `entries are missing between ${begin} and ${begin + width}`;
      const hint = 'run verify: it names everything that was changed';
      throw await this.#missing(begin, new LogError('log_damaged', what, { hint }));
    }
    return encodeEntryBundle(entries.map(({ entry }) => entry));
  }

  /** The store is its owner's. */
  close(): void {}

  async #prove(index: number, head: SignedState, shared?: Map<string, Hash>): Promise<Proof> {
    const [stored] = index < head.size ? await this.store.readEntries(index, index + 1) : [];
    if (stored === undefined)
      throw await this.#missing(index, new LogError('not_found', `there is no entry ${index}`));
    const { size } = this.#signed!;
    const hashes = await this.#tree.prove(planInclusion(index, head.size), size, shared);
    const leafHash = hashLeaf(stored.entry);
    if (!equalBytes(rootFromInclusion({ index, size: head.size, leafHash, proof: hashes }), head.root)) {
      throw new LogError('log_damaged', `entry ${index} does not lead to the root of the log`, {
        hint: 'run verify: it names everything that was changed',
      });
    }
    const proof = formatProof({ index, hashes, checkpoint: utf8Decode(head.checkpoint) });
    return { index, proof, entry: stored.entry, disclosures: stored.disclosures };
  }
}
