import { equalBytes } from '../bytes/index.ts';
import { parseEntry } from '../event/index.ts';
import {
  Frontier,
  type Hash,
  hashLeaf,
  hashNode,
  partialWidth,
  planConsistency,
  TILE_WIDTH,
  verifyConsistency,
} from '../merkle/index.ts';
import { type Head, LogError, type LogReader, type TileHashes } from '../store/index.ts';
import { TreeReader } from './tiles.ts';

/** Up to so many entries that others wrote are hashed one by one; beyond, a consistency proof is cheaper. */
const FOLLOW_ENTRIES_MAX = 1024;

/** Entries of others that are read at once where their disclosures come with them. */
const FOLLOW_ENTRIES = 128;

/** The levels of tiles that 2^53 - 1 entries can have. */
const LEVELS_MAX = 7;

/** A tile that is still growing. */
interface Tail {
  /** Room for a whole tile once the first hash is there; empty before. */
  hashes: Uint8Array;
  width: number;
}

const TILE_BYTES = TILE_WIDTH * 32;
const NONE = new Uint8Array(0);

/**
 * The right edge of the tree: all that a writer needs to append. It is the frontier, and for every
 * level the tile that is still growing. It is never stored as such: {@link Edge.load} derives it from
 * entries and tiles, so a state that does not follow from the stored bytes cannot be signed.
 */
export class Edge {
  readonly #frontier: Frontier;
  readonly #tails: readonly Tail[];
  #grown: TileHashes[] = [];

  private constructor(frontier: Frontier, tails: readonly Tail[]) {
    this.#frontier = frontier;
    this.#tails = tails;
  }

  /** The edge of a log without entries. */
  static empty(): Edge {
    return new Edge(Frontier.empty(), emptyTails());
  }

  /**
   * Derives the edge of the log at `head` from what is stored, and compares its root with the head's.
   * Throws `LogError` `log_damaged` where they differ.
   */
  static async load(reader: LogReader, head: Head): Promise<Edge> {
    const tails = emptyTails();
    const tree = new TreeReader(reader);
    for (let level = 0; level < LEVELS_MAX; level++) {
      const width = partialWidth(head.size, level);
      if (width === 0) continue;
      const index = Math.floor(head.size / TILE_WIDTH ** (level + 1));
      const tail = tails[level]!;
      tail.hashes = new Uint8Array(TILE_BYTES);
      tail.hashes.set(await tree.tile({ level, index }, head.size));
      tail.width = width;
    }
    const edge = new Edge(Frontier.from(head.size, frontierHashes(tails)), tails);
    edge.#mustMatch(head);
    return edge;
  }

  /** Number of entries. */
  get size(): number {
    return this.#frontier.size;
  }

  /** RFC 6962 root over all entries. */
  root(): Hash {
    return this.#frontier.root();
  }

  /** An edge to try an append on; this one stays as it is. */
  clone(): Edge {
    const tails = this.#tails.map(({ hashes, width }) => ({
      hashes: width === 0 ? NONE : hashes.slice(),
      width,
    }));
    return new Edge(this.#frontier.clone(), tails);
  }

  /** Appends one leaf. */
  append(leaf: Hash): void {
    const index = this.#frontier.size;
    this.#push(0, index, leaf);
    this.#frontier.append(leaf, (level, node, hash) => {
      if (level > 0 && level % 8 === 0) this.#push(level / 8, node, hash);
    });
  }

  /** The tiles that became full, and those above level 0 that grew, since the last call. */
  takeTiles(): TileHashes[] {
    const full = this.#grown;
    this.#grown = [];
    const newest = new Map(full.map((tile) => [`${tile.level}/${tile.index}`, tile]));
    return [...newest.values()];
  }

  /**
   * The edge at `head`, a later state that others wrote. Proves on the way that `head` continues this
   * state: a copy that was rolled back and then written on is refused, never signed over.
   * Throws `LogError` `rolled_back`, `log_damaged`.
   */
  async follow(reader: LogReader, head: Head): Promise<Edge> {
    if (head.size < this.size) {
      throw new LogError(
        'rolled_back',
        `the log has ${head.size} entries; this process has seen ${this.size}`,
        {
          hint: 'an older copy was put in its place; stop writing and verify against receipts',
        },
      );
    }
    if (head.size - this.size > FOLLOW_ENTRIES_MAX) return this.#leap(reader, head);
    const edge = this.clone();
    // A few at a time: all that lies between is held in no memory at once.
    const step = reader.readEntryBytes === undefined ? FOLLOW_ENTRIES : FOLLOW_ENTRIES_MAX;
    for (let from = this.size; from < head.size; from += step) {
      const to = Math.min(from + step, head.size);
      const entries = await entryBytes(reader, from, to);
      // Some of them may have been pruned since: their hashes are in the tiles.
      if (entries.length !== to - from) return this.#leap(reader, head);
      for (const entry of entries) edge.append(hashLeaf(entry));
    }
    edge.#grown = [];
    edge.#mustMatch(head);
    return edge;
  }

  async #leap(reader: LogReader, head: Head): Promise<Edge> {
    const edge = await Edge.load(reader, head);
    await checkContinues(reader, { size: this.size, root: this.root() }, head);
    return edge;
  }

  #mustMatch(head: Head): void {
    if (this.size === head.size && equalBytes(this.root(), head.root)) return;
    throw new LogError('log_damaged', 'the stored entries and tiles do not give the root of the head', {
      hint: 'run verify: it names everything that was changed',
    });
  }

  #push(level: number, index: number, hash: Hash): void {
    const tail = this.#tails[level]!;
    if (tail.width === 0) tail.hashes = new Uint8Array(TILE_BYTES);
    tail.hashes.set(hash, tail.width * 32);
    tail.width += 1;
    const full = tail.width === TILE_WIDTH;
    if (full || level > 0) {
      const hashes = tail.hashes.slice(0, tail.width * 32);
      this.#grown.push({ level, index: Math.floor(index / TILE_WIDTH), hashes });
    }
    if (full) tail.width = 0;
  }
}

/** The bytes of entries, without what is kept beside them. */
async function entryBytes(reader: LogReader, from: number, to: number): Promise<Uint8Array[]> {
  if (reader.readEntryBytes !== undefined) return reader.readEntryBytes(from, to);
  return (await reader.readEntries(from, to)).map(({ entry }) => entry);
}

/**
 * Checks that the log at `newer` continues the state `older`, by a consistency proof out of the stored
 * tiles. Throws `LogError` `rolled_back` where it does not.
 */
export async function checkContinues(
  reader: LogReader,
  older: { readonly size: number; readonly root: Hash },
  newer: { readonly size: number; readonly root: Hash },
): Promise<void> {
  if (older.size === 0) return;
  const refuse = (cause?: unknown) =>
    new LogError('rolled_back', `the log does not continue the state of ${older.size} entries seen before`, {
      hint: 'its history was replaced; stop writing and verify against receipts',
      cause,
    });
  if (older.size > newer.size) throw refuse();
  if (older.size === newer.size) {
    if (!equalBytes(older.root, newer.root)) throw refuse();
    return;
  }
  const proof = await new TreeReader(reader).prove(planConsistency(older.size, newer.size), newer.size);
  try {
    verifyConsistency({ size1: older.size, root1: older.root, size2: newer.size, root2: newer.root, proof });
  } catch (error) {
    throw refuse(error);
  }
}

/**
 * Checks that the head's time is the one of the last entry: the column is a copy for speed, and the time of the next
 * entry rests on it. Throws `LogError` `head_invalid` where they differ.
 */
export async function checkTime(reader: LogReader, head: Head): Promise<void> {
  const [last] = await entryBytes(reader, head.size - 1, head.size);
  try {
    if (last !== undefined && Date.parse(parseEntry(last).recordedAt) === head.recordedAt) return;
  } catch (cause) {
    throw new LogError('log_damaged', 'the last entry cannot be read', { cause });
  }
  throw new LogError('head_invalid', 'the head of the log and its last entry give different times', {
    hint: 'run verify: it names everything that was changed',
  });
}

function emptyTails(): Tail[] {
  return Array.from({ length: LEVELS_MAX }, () => ({ hashes: NONE, width: 0 }));
}

/** The roots of the complete subtrees on the edge, largest first (RFC 6962, section 2.1). */
function frontierHashes(tails: readonly Tail[]): Hash[] {
  const hashes: Hash[] = [];
  for (const tail of tails.toReversed()) {
    let start = 0;
    for (let count = TILE_WIDTH / 2; count >= 1; count /= 2) {
      if (tail.width - start < count) continue;
      hashes.push(subtreeRoot(tail.hashes, start, count));
      start += count;
    }
  }
  return hashes;
}

function subtreeRoot(hashes: Uint8Array, start: number, count: number): Hash {
  if (count === 1) return hashes.slice(start * 32, (start + 1) * 32);
  const half = count / 2;
  return hashNode(subtreeRoot(hashes, start, half), subtreeRoot(hashes, start + half, half));
}
