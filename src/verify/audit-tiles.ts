import { equalBytes } from '../bytes/index.ts';
import {
  HASH_BYTES,
  type Hash,
  Range,
  TILE_HEIGHT,
  TILE_WIDTH,
  type Tile,
  tilesOfSize,
} from '../merkle/index.ts';
import type { Discovery } from './finding.ts';

/**
 * The tiles above the leaves that the tree of `size` has: those that are compared when all leaves have been
 * hashed.
 */
export function upperTiles(size: number): Tile[] {
  return [...tilesOfSize(size)].filter(({ level }) => level > 0);
}

/**
 * Compares the stored tiles above the leaves with those that the leaves give, and yields where they differ.
 * `tileRoots` are the hashes over every 256 leaves from the first on. A tile that is missing, or shorter than
 * the tree makes it, is like one that is wrong.
 */
export function* compareUpperTiles(
  tileRoots: readonly Hash[],
  tiles: readonly Tile[],
  stored: readonly (Uint8Array | undefined)[],
): Generator<Discovery, void, undefined> {
  const levels = hashLevels(tileRoots);
  for (const [position, { level, index, width }] of tiles.entries()) {
    const bytes = stored[position];
    const leavesPerHash = TILE_WIDTH ** level;
    for (let at = 0; at < width; at += 1) {
      const found = bytes?.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES);
      if (found !== undefined && equalBytes(found, levels[level - 1]![index * TILE_WIDTH + at]!)) continue;
      const from = (index * TILE_WIDTH + at) * leavesPerHash;
      const to = from + leavesPerHash - 1;
      const what =
        bytes === undefined
          ? 'no tile is stored above them'
          : 'the stored tile above them holds another hash';
      yield { code: 'tile_mismatch', from, to, what, detail: { level, index } };
    }
  }
}

/**
 * The hashes of each tile level from the first above the leaves: level by level, every 256 hashes give one.
 */
function hashLevels(tileRoots: readonly Hash[]): Hash[][] {
  const levels = [[...tileRoots]];
  for (let level = levels[0]!; level.length >= TILE_WIDTH; level = levels.at(-1)!) {
    const above: Hash[] = [];
    const range = Range.empty(0);
    for (const hash of level) {
      range.append(hash, (height, _, node) => {
        if (height === TILE_HEIGHT) above.push(node);
      });
    }
    levels.push(above);
  }
  return levels;
}

/** The hashes that `bytes` hold, one after the other. */
export function splitHashes(bytes: Uint8Array): Hash[] {
  return Array.from({ length: bytes.length / HASH_BYTES }, (_, position) =>
    bytes.slice(position * HASH_BYTES, (position + 1) * HASH_BYTES),
  );
}
