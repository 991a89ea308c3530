import { equalBytes, VerificationError } from '../bytes/index.ts';
import {
  foldHashes,
  HASH_BYTES,
  type Hash,
  hashFromTile,
  rangeNodes,
  TILE_HEIGHT,
  TILE_WIDTH,
  type Tile,
  type TilePlace,
  tileInTree,
  tileOfNode,
} from '../merkle/index.ts';

/** A tile as it was handed over: its place, and its hashes one after the other. */
export interface TileData {
  readonly level: number;
  readonly index: number;
  readonly hashes: Uint8Array;
}

/**
 * The tiles that lead from some leaves of a tree to its root: those of the leaves, their parents, and the right edge, each once; and
 * those that give the roots of the smaller trees of these sizes. Ascending by level, then by index.
 */
export function tilesOfLeaves(indexes: Iterable<number>, size: number, sizes: Iterable<number> = []): Tile[] {
  const wanted = new Map<string, Tile>();
  const want = (place: Pick<Tile, 'level' | 'index'>): void => {
    for (let { level, index } = place; ; level += 1, index = Math.floor(index / TILE_WIDTH)) {
      const tile = tileInTree({ level, index }, size);
      const key = keyOf({ level, index });
      if (tile === undefined || wanted.has(key)) return;
      wanted.set(key, tile);
      if (tile.width < TILE_WIDTH) return;
    }
  };
  for (const root of [size, ...sizes]) for (const node of rangeNodes(0, root)) want(tileOfNode(node));
  for (const index of indexes) want({ level: 0, index: Math.floor(index / TILE_WIDTH) });
  return [...wanted.values()].sort((a, b) => a.level - b.level || a.index - b.index);
}

/**
 * A set of tiles, all of which lead to one root: what is asked of it is in the tree. The batched form of inclusion proofs: one tile
 * stands for 256 of them.
 */
export class TileSet {
  readonly #tiles = new Map<string, Uint8Array>();

  /**
   * Checks every tile. Throws `tile_invalid` where one is there twice, is not of this tree, has another width than it has there,
   * or is not what its parent, or the root, says; or where the right edge or a parent is missing.
   */
  constructor(tree: { readonly size: number; readonly root: Hash }, tiles: readonly TileData[]) {
    for (const { level, index, hashes } of tiles) {
      const place = { level, index };
      const tile = tileInTree(place, tree.size);
      if (tile === undefined) throw invalid(place, 'is not in the tree');
      if (hashes.length !== tile.width * HASH_BYTES) throw invalid(place, 'has another width in this tree');
      if (this.#tiles.has(keyOf(place))) throw invalid(place, 'is there twice');
      this.#tiles.set(keyOf(place), hashes);
    }
    this.#checkEdge(tree);
    for (const tile of tiles) this.#checkParent(tile);
  }

  /** The hash of a leaf, or undefined where its tile is not in the set. */
  leaf(index: number): Hash | undefined {
    const place = { level: 0, index: Math.floor(index / TILE_WIDTH) };
    const hashes = this.#tiles.get(keyOf(place));
    const from = (index % TILE_WIDTH) * HASH_BYTES;
    return hashes === undefined || from >= hashes.length
      ? undefined
      : hashes.subarray(from, from + HASH_BYTES);
  }

  /**
   * The root of the tree that the first `size` leaves were, and that this one continues: no proof of consistency is needed, as the
   * hashes are at hand. Throws `tile_invalid` where a tile on the way is not in the set.
   */
  rootOf(size: number): Hash {
    return foldHashes(rangeNodes(0, size).map((node) => hashFromTile(this.#get(tileOfNode(node)), node)));
  }

  /** The hashes at the right edge fold to the root: so every partial tile is what was signed. */
  #checkEdge({ size, root }: { readonly size: number; readonly root: Hash }): void {
    if (equalBytes(this.rootOf(size), root)) return;
    const message = `The tiles at the right edge do not lead to the root of ${size} entries.`;
    throw new VerificationError('tile_invalid', message, { size });
  }

  /** A full tile is what its parent says of it. */
  #checkParent({ level, index, hashes }: TileData): void {
    if (hashes.length < TILE_WIDTH * HASH_BYTES) return;
    const node = { level: (level + 1) * TILE_HEIGHT, index };
    const halves = [0, 1].map((half) => hashFromTile(hashes, { level: TILE_HEIGHT - 1, index: half }));
    const said = hashFromTile(this.#get(tileOfNode(node)), node);
    if (!equalBytes(foldHashes(halves), said))
      throw invalid({ level, index }, 'is not the one its parent names');
  }

  #get({ level, index }: Pick<TilePlace, 'level' | 'index'>): Uint8Array {
    const hashes = this.#tiles.get(keyOf({ level, index }));
    if (hashes === undefined) throw invalid({ level, index }, 'is missing');
    return hashes;
  }
}

function keyOf({ level, index }: Pick<Tile, 'level' | 'index'>): string {
  return `${level}/${index}`;
}

function invalid({ level, index }: Pick<Tile, 'level' | 'index'>, what: string): VerificationError {
  const message = `Tile ${index} of level ${level} ${what}.`;
  return new VerificationError('tile_invalid', message, { level, index });
}
