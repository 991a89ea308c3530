import { utf8Encode } from '../bytes/index.ts';
import { Frontier, hashLeaf, TILE_WIDTH } from '../merkle/index.ts';
import type { Append, Head, LogStore, NewEntry } from './contract.ts';

/** The tree that a log does the arithmetic of; here, so that stores are tested without one. */
export class Tree {
  readonly full: Uint8Array[] = [];
  readonly #frontier = Frontier.empty();
  #leaves: Uint8Array[] = [];
  #above: Uint8Array = new Uint8Array(0);

  static async of(reader: Pick<LogStore, 'readEntries'>): Promise<Tree> {
    const tree = new Tree();
    for (const { entry: bytes } of await reader.readEntries(0, 1_000_000)) tree.#push(bytes);
    return tree;
  }

  root(): Uint8Array {
    return this.#frontier.root();
  }

  append(entries: readonly NewEntry[], recordedAt: number): Append {
    const before = this.full.length;
    for (const { entry: bytes } of entries) this.#push(bytes);
    const tiles = this.full
      .slice(before)
      .map((hashes, offset) => ({ level: 0, index: before + offset, hashes }));
    if (tiles.length > 0) tiles.push({ level: 1, index: 0, hashes: this.#above });
    const size = this.#frontier.size;
    const checkpoint = utf8Encode(`conformance\n${size}\n`);
    return { entries, tiles, head: { size, root: this.root(), recordedAt, checkpoint } };
  }

  #push(bytes: Uint8Array): void {
    const leaf = hashLeaf(bytes);
    this.#leaves.push(leaf);
    this.#frontier.append(leaf, (level, _index, hash) => {
      if (level === 8) this.#above = Uint8Array.from([...this.#above, ...hash]);
    });
    if (this.#leaves.length < TILE_WIDTH) return;
    this.full.push(Uint8Array.from(this.#leaves.flatMap((hash) => [...hash])));
    this.#leaves = [];
  }
}

/** Appends entries in a transaction of their own. */
export async function commit(store: LogStore, tree: Tree, entries: readonly NewEntry[]): Promise<Head> {
  const transaction = await store.begin();
  const append = tree.append(entries, 1 + (transaction.taken?.recordedAt ?? 0));
  await transaction.append(append);
  await transaction.commit();
  return append.head;
}

/** An entry as a store is handed one; stores do not read them. */
export function entry(id: string, disclosures: readonly string[] = []): NewEntry {
  return { id, entry: utf8Encode(`{"id":"${id}"}`), disclosures };
}

/** A head that can be compared. */
export function plainHead(head: Head | undefined) {
  return (
    head && {
      size: head.size,
      root: [...head.root],
      recordedAt: head.recordedAt,
      checkpoint: [...head.checkpoint],
    }
  );
}
