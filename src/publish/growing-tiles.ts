import {
  Frontier,
  type Hash,
  hashFromTile,
  partialWidth,
  rangeNodes,
  TILE_HEIGHT,
  TILE_WIDTH,
  type Tile,
  tileOfNode,
} from '../merkle/index.ts';

/** Bytes of a full tile. */
const TILE_BYTES = TILE_WIDTH * 32;

/** The levels of tiles that 2^53 - 1 entries can have. */
const LEVELS_MAX = 7;

/** A tile with its hashes. */
export interface TileBytes {
  readonly tile: Tile;
  readonly bytes: Uint8Array;
}

/** The hashes of a tile of the tree that is there already. */
export type TileAt = (tile: Tile) => Promise<Uint8Array>;

/**
 * The tiles of a tree that grows leaf by leaf: it hands out each tile when it is full, and the partial ones at the right edge when
 * they are asked for. What it remembers is one tile a level.
 */
export class GrowingTiles {
  readonly #frontier: Frontier;
  readonly #tails: Uint8Array[];
  #full: TileBytes[] = [];

  private constructor(frontier: Frontier, tails: Uint8Array[]) {
    this.#frontier = frontier;
    this.#tails = tails;
  }

  /** The tiles of the tree of `size` entries, out of those at its right edge. */
  static async at(size: number, tileAt: TileAt): Promise<GrowingTiles> {
    const tails = Array.from({ length: LEVELS_MAX }, () => new Uint8Array(TILE_BYTES));
    for (let level = 0; level < LEVELS_MAX; level += 1) {
      const width = partialWidth(size, level);
      if (width === 0) continue;
      const index = Math.floor(size / TILE_WIDTH ** (level + 1));
      tails[level]!.set((await tileAt({ level, index, width })).subarray(0, width * 32));
    }
    const hashes = rangeNodes(0, size).map((node) => hashFromTile(tails[tileOfNode(node).level]!, node));
    return new GrowingTiles(Frontier.from(size, hashes), tails);
  }

  /** Number of leaves. */
  get size(): number {
    return this.#frontier.size;
  }

  /** The root over all leaves. */
  root(): Hash {
    return this.#frontier.root();
  }

  /** Adds a leaf. */
  append(leaf: Hash): void {
    this.#frontier.append(leaf, (level, index, hash) => {
      if (level % TILE_HEIGHT === 0) this.#push(level / TILE_HEIGHT, index, hash);
    });
  }

  /** The tiles that became full since the last call. */
  takeFull(): TileBytes[] {
    const full = this.#full;
    this.#full = [];
    return full;
  }

  /** The partial tiles at the right edge. */
  partials(): TileBytes[] {
    const partials: TileBytes[] = [];
    for (let level = 0; level < LEVELS_MAX; level += 1) {
      const width = partialWidth(this.size, level);
      if (width === 0) continue;
      const index = Math.floor(this.size / TILE_WIDTH ** (level + 1));
      partials.push({ tile: { level, index, width }, bytes: this.#tails[level]!.slice(0, width * 32) });
    }
    return partials;
  }

  #push(level: number, index: number, hash: Hash): void {
    const tail = this.#tails[level]!;
    const at = index % TILE_WIDTH;
    tail.set(hash, at * 32);
    if (at + 1 < TILE_WIDTH) return;
    const tile = { level, index: Math.floor(index / TILE_WIDTH), width: TILE_WIDTH };
    this.#full.push({ tile, bytes: tail.slice() });
  }
}
