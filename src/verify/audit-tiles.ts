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

/** The tiles above the leaves that the tree of `size` has: those that are compared when all leaves have been hashed. */
export function upperTiles(size: number): Tile[] {
  return [...tilesOfSize(size)].filter(({ level }) => level > 0);
}

/**
 * Compares the stored tiles above the leaves with those that the leaves give. `tileRoots` are the hashes over every 256 leaves
 * from the first on. A tile that is missing, or shorter than the tree makes it, is reported like one that is wrong.
 */
export function compareUpperTiles(
  tileRoots: readonly Hash[],
  tiles: readonly Tile[],
  stored: readonly (Uint8Array | undefined)[],
  report: (discovery: Discovery) => void,
): void {
  const levels = hashLevels(tileRoots);
  tiles.forEach((tile, position) => {
    const expected =
      levels[tile.level - 1]?.slice(tile.index * TILE_WIDTH, tile.index * TILE_WIDTH + tile.width) ?? [];
    const bytes = stored[position];
    const leavesPerHash = TILE_WIDTH ** tile.level;
    expected.forEach((hash, offset) => {
      const found = bytes?.subarray(offset * HASH_BYTES, (offset + 1) * HASH_BYTES);
      if (found !== undefined && equalBytes(found, hash)) return;
      const from = (tile.index * TILE_WIDTH + offset) * leavesPerHash;
      report({
        code: 'tile_mismatch',
        from,
        to: from + leavesPerHash - 1,
        what:
          bytes === undefined
            ? 'no tile is stored above them'
            : 'the stored tile above them holds another hash',
        detail: { level: tile.level, index: tile.index },
      });
    });
  });
}

/** The hashes of each tile level from the first above the leaves: level by level, every 256 hashes give one. */
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
