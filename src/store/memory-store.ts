import { equalBytes, LogError } from '../bytes/index.ts';
import { Frontier, hashLeaf, TILE_WIDTH } from '../merkle/index.ts';
import { checkPrune } from './check-prune.ts';
import type {
  Append,
  Head,
  HeadTransaction,
  LogReader,
  LogStore,
  Prune,
  StoredEntry,
  TileId,
  Withdrawal,
} from './contract.ts';

interface Kept {
  readonly id: string;
  readonly entry: Uint8Array;
  readonly disclosures: readonly string[];
}

/**
 * A log in memory, for tests and trials. It polices the contract that real stores rely on: it hashes
 * every entry again and refuses, with `store_contract`, a root that is not the root of its entries, a
 * shrinking or standing head, an unsigned checkpoint, a rewritten full tile, time that goes backwards.
 */
export class MemoryStore implements LogStore {
  readonly #entries: (Kept | undefined)[] = [];
  readonly #ids = new Map<string, number>();
  readonly #tiles = new Map<string, Uint8Array>();
  #frontier = Frontier.empty();
  #head: Head | undefined;
  #lock: Promise<void> = Promise.resolve();
  #closed = false;

  head(): Head | undefined {
    return this.#head;
  }

  readEntries(from: number, to: number): StoredEntry[] {
    return this.#entries.slice(from, to).flatMap((kept, offset) => {
      if (kept === undefined) return [];
      return { index: from + offset, entry: kept.entry.slice(), disclosures: kept.disclosures };
    });
  }

  findIds(ids: readonly string[]): Map<string, number> {
    const found = new Map<string, number>();
    for (const id of ids) {
      const index = this.#ids.get(id);
      if (index !== undefined) found.set(id, index);
    }
    return found;
  }

  readTiles(tiles: readonly TileId[]): (Uint8Array | undefined)[] {
    return tiles.map((tile) => this.#tiles.get(tileKey(tile))?.slice());
  }

  async begin(): Promise<HeadTransaction> {
    if (this.#closed) throw new LogError('closed', 'the store is closed');
    const before = this.#lock;
    let release = () => {};
    this.#lock = new Promise((resolve) => {
      release = resolve;
    });
    await before;
    const apply = (append: Append, withdrawals: readonly Withdrawal[], pruned?: Prune): void => {
      this.#apply(append);
      for (const { index, disclosures } of withdrawals) {
        const kept = this.#entries[index];
        if (kept !== undefined) this.#entries[index] = { ...kept, disclosures: [...disclosures] };
      }
      for (const index of pruned === undefined ? [] : prunable(this.#entries, pruned))
        this.#entries[index] = undefined;
    };
    const count = (prune: Prune): number => prunable(this.#entries, prune).length;
    return new MemoryTransaction(this, this.#head, { apply, count, release });
  }

  close(): void {
    this.#closed = true;
  }

  /** Checks everything first and changes nothing unless all of it holds. */
  #apply({ entries, tiles, head }: Append): void {
    const size = this.#head?.size ?? 0;
    const frontier = this.#frontier.clone();
    for (const { entry } of entries) frontier.append(hashLeaf(entry));
    demand(head.size === size + entries.length && entries.length > 0, 'the head does not fit the entries');
    demand(equalBytes(frontier.root(), head.root), 'the root is not the root of the entries');
    demand(head.recordedAt >= (this.#head?.recordedAt ?? 0), 'time goes backwards');
    demand(head.checkpoint.length > 0, 'the checkpoint is not signed');
    const ids = new Set<string>();
    for (const { id } of entries) {
      demand(!this.#ids.has(id) && !ids.has(id), `the id ${id} is used twice`);
      ids.add(id);
    }
    for (const tile of tiles) this.#checkTile(tile, tile.hashes);
    for (const tile of tiles) this.#tiles.set(tileKey(tile), tile.hashes.slice());
    for (const { id, entry, disclosures } of entries) {
      this.#ids.set(id, this.#entries.length);
      this.#entries.push({ id, entry: entry.slice(), disclosures: [...disclosures] });
    }
    this.#frontier = frontier;
    this.#head = head;
  }

  #checkTile(tile: TileId, hashes: Uint8Array): void {
    const old = this.#tiles.get(tileKey(tile));
    const width = hashes.length / 32;
    demand(
      Number.isInteger(width) && width > 0 && width <= TILE_WIDTH,
      'a tile has no whole number of hashes',
    );
    if (tile.level === 0) demand(width === TILE_WIDTH, 'a partial tile of level 0 is stored');
    if (old === undefined) return;
    demand(hashes.length > old.length, 'a tile is written again without growing');
    demand(equalBytes(hashes.subarray(0, old.length), old), 'a tile rewrites its hashes');
  }
}

/** What a transaction asks of its store. */
interface Household {
  readonly apply: (append: Append, withdrawals: readonly Withdrawal[], pruned?: Prune) => void;
  readonly count: (prune: Prune) => number;
  readonly release: () => void;
}

/** The indexes of the entries that a pruning takes. */
function prunable(entries: readonly (Kept | undefined)[], { below, keep }: Prune): number[] {
  const kept = new Set(keep);
  return [...entries.slice(0, below).keys()].filter(
    (index) => entries[index] !== undefined && !kept.has(index),
  );
}

class MemoryTransaction implements HeadTransaction {
  readonly taken: Head | undefined;
  readonly #reader: LogReader;
  readonly #house: Household;
  #staged: Append | undefined;
  readonly #withdrawn: Withdrawal[] = [];
  #pruned: Prune | undefined;

  constructor(reader: LogReader, taken: Head | undefined, house: Household) {
    this.#reader = reader;
    this.taken = taken;
    this.#house = house;
  }

  head() {
    return this.#reader.head();
  }

  readEntries(from: number, to: number) {
    return this.#reader.readEntries(from, to);
  }

  findIds(ids: readonly string[]) {
    return this.#reader.findIds(ids);
  }

  readTiles(tiles: readonly TileId[]) {
    return this.#reader.readTiles(tiles);
  }

  append(append: Append): void {
    demand(this.#staged === undefined, 'a transaction takes one append');
    demand(
      append.head.size === (this.taken?.size ?? 0) + append.entries.length && append.entries.length > 0,
      'the append does not fit the head that was taken',
    );
    this.#staged = append;
  }

  withdraw(withdrawals: readonly Withdrawal[]): void {
    const size = this.taken?.size ?? 0;
    demand(
      withdrawals.every(({ index }) => index < size),
      'what is erased is not in the log',
    );
    this.#withdrawn.push(...withdrawals);
  }

  prune(prune: Prune): number {
    checkPrune(prune, this.taken?.size ?? 0);
    demand(
      this.#pruned === undefined && this.#staged === undefined,
      'a transaction prunes once, before its append',
    );
    this.#pruned = prune;
    return this.#house.count(prune);
  }

  commit(): void {
    try {
      const removes = this.#withdrawn.length > 0 || this.#pruned !== undefined;
      demand(!removes || this.#staged !== undefined, 'a removal has no record');
      if (this.#staged !== undefined) this.#house.apply(this.#staged, this.#withdrawn, this.#pruned);
    } finally {
      this.#house.release();
    }
  }

  rollback(): void {
    this.#staged = undefined;
    this.#house.release();
  }
}

function tileKey({ level, index }: TileId): string {
  return `${level}/${index}`;
}

function demand(holds: boolean, message: string): void {
  if (!holds) throw new LogError('store_contract', message);
}
