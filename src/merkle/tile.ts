import { misuse, VerificationError } from '../bytes/index.ts';
import { HASH_BYTES, type Hash, hashNode } from './hashing.ts';
import { type NodeId, requireNodeWithin } from './nodes.ts';
import { requireIndex, requireSize, SIZE_MAX } from './sizes.ts';

/** How many hashes a full tile holds, and how many entries a full bundle. */
export const TILE_WIDTH = 256;

/** How many levels of the tree one level of tiles stands for: 2^8 = `TILE_WIDTH`. */
export const TILE_HEIGHT = 8;

/**
 * A stretch of one level of the tree, as files and databases keep it (c2sp.org/tlog-tiles): tile `index` of
 * tile level `level` holds the hashes of the nodes (8 * level, 256 * index + i) for i from 0 up to `width`,
 * one after the other. Levels between the multiples of eight are not kept; they are recomputed within the
 * tile.
 */
export interface Tile {
  readonly level: number;
  readonly index: number;
  /** 1 to 256; below 256 the tile is partial and stands at the right edge of its tree. */
  readonly width: number;
}

/** Where a node is found: it stands over `count` hashes of a tile, from the `first` one on. */
export interface TilePlace {
  readonly level: number;
  readonly index: number;
  readonly first: number;
  readonly count: number;
}

/** The place of a node in the tiles. Throws a misuse `node_invalid` if no tree has such a node. */
export function tileOfNode(node: NodeId): TilePlace {
  requireNodeWithin(node, SIZE_MAX);
  const innerLevel = node.level % TILE_HEIGHT;
  const count = 2 ** innerLevel;
  const nodesPerTile = TILE_WIDTH / count;
  return {
    level: (node.level - innerLevel) / TILE_HEIGHT,
    index: Math.floor(node.index / nodesPerTile),
    first: (node.index % nodesPerTile) * count,
    count,
  };
}

/**
 * How many hashes the tiles of `level` hold together for a tree of `size`: only full tiles give a hash to the
 * level above.
 */
function hashesAtLevel(size: number, level: number): number {
  requireSize(size);
  if (!Number.isSafeInteger(level) || level < 0) {
    throw misuse(
      'range',
      'tile_out_of_range',
      `The level of a tile is a whole number from 0 on, not ${level}.`,
    );
  }
  return Math.floor(size / TILE_WIDTH ** level);
}

/**
 * The width of the partial tile at `level` of a tree of `size`; 0 where the last tile is full or there is
 * none.
 */
export function partialWidth(size: number, level: number): number {
  return hashesAtLevel(size, level) % TILE_WIDTH;
}

/** The tile as it stands in the tree of `size`, full or partial; undefined if the tree does not reach it. */
export function tileInTree({ level, index }: Pick<Tile, 'level' | 'index'>, size: number): Tile | undefined {
  requireIndex(index);
  const width = Math.min(hashesAtLevel(size, level) - index * TILE_WIDTH, TILE_WIDTH);
  return width > 0 ? { level, index, width } : undefined;
}

/**
 * Every tile of the tree of `size`, from the leaves upwards and from left to right, the partial ones at their
 * ends.
 */
export function* tilesOfSize(size: number): Generator<Tile, void, undefined> {
  for (let level = 0; hashesAtLevel(size, level) > 0; level += 1) {
    for (let index = 0; ; index += 1) {
      const tile = tileInTree({ level, index }, size);
      if (tile === undefined) break;
      yield tile;
    }
  }
}

/**
 * The hash of a node from the bytes of its tile (see `tileOfNode`), recomputed if it is not on the tile's own
 * level. The bytes may come from anywhere, so the hash is worth as much as they are: see `TileAuthenticator`.
 * Throws `tile_invalid` if they are not whole hashes or do not reach the node.
 */
export function hashFromTile(data: Uint8Array, node: NodeId): Hash {
  const { first, count } = tileOfNode(node);
  if (data.length % HASH_BYTES !== 0 || data.length > TILE_WIDTH * HASH_BYTES) {
    throw new VerificationError('tile_invalid', `A tile is 1 to 256 hashes, not ${data.length} bytes.`, {
      bytes: data.length,
    });
  }
  if (data.length < (first + count) * HASH_BYTES) {
    const message = `The tile ends before node ${node.index} of level ${node.level}.`;
    throw new VerificationError('tile_invalid', message, { ...node, bytes: data.length });
  }
  return subtreeHash(data, first, count);
}

/** MTH of `count` hashes, a power of two, from the `first` on. */
function subtreeHash(data: Uint8Array, first: number, count: number): Hash {
  if (count === 1) return data.slice(first * HASH_BYTES, (first + 1) * HASH_BYTES);
  const half = count / 2;
  return hashNode(subtreeHash(data, first, half), subtreeHash(data, first + half, half));
}
