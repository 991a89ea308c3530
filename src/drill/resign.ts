import type { DatabaseSync } from 'node:sqlite';
import { concatBytes, utf8Decode } from '../bytes/index.ts';
import {
  EMPTY_ROOT,
  Frontier,
  HASH_BYTES,
  type Hash,
  hashLeaf,
  TILE_HEIGHT,
  TILE_WIDTH,
} from '../merkle/index.ts';
import { formatCheckpoint, type Signer, signNote } from '../note/index.ts';

/**
 * Makes `log.db` consistent again after an edit: every leaf, every tile, the root, and, with a signer, the checkpoint.
 * With the real key this is the whole attack of whoever holds it. Without one, the old checkpoint stays, which is all
 * that somebody without the key can do. Of entries that were pruned the tiles still have the hashes. Returns the new root.
 */
export function rebuildTree(db: DatabaseSync, origin: string, signer: Signer | undefined): Hash {
  const tiles = new Map<number, Hash[]>();
  const frontier = Frontier.empty();
  const append = (leaf: Hash): void =>
    frontier.append(leaf, (level, _index, hash) => {
      if (level % TILE_HEIGHT !== 0) return;
      const tileLevel = level / TILE_HEIGHT;
      const known = tiles.get(tileLevel);
      if (known === undefined) tiles.set(tileLevel, [hash]);
      else known.push(hash);
    });
  let last: Uint8Array = new Uint8Array(0);
  for (const { idx, entry } of db.prepare('SELECT idx, entry FROM entries ORDER BY idx').iterate()) {
    for (let at = frontier.size; at < Number(idx); at += 1) {
      const leaf = storedLeaf(db, at);
      if (leaf === undefined) break;
      append(leaf);
    }
    last = entry as Uint8Array;
    append(hashLeaf(last));
  }
  storeTiles(db, tiles);
  const root = frontier.size === 0 ? EMPTY_ROOT : frontier.root();
  const [, recordedAt = ''] = /"recordedAt":"([^"]+)"/.exec(utf8Decode(last)) ?? [];
  db.prepare('UPDATE head SET size = ?, root = ?, recorded_at = ?').run(
    frontier.size,
    root,
    new Date(recordedAt).getTime(),
  );
  if (signer === undefined) return root;
  const note = signNote(formatCheckpoint({ origin, size: frontier.size, root }), [signer]);
  db.prepare('UPDATE head SET checkpoint = ?').run(note);
  return root;
}

/** The hash of a leaf as a tile has it; undefined where no tile does. */
function storedLeaf(db: DatabaseSync, index: number): Hash | undefined {
  const tile = db
    .prepare('SELECT hashes FROM tiles WHERE level = 0 AND idx = ?')
    .get(Math.floor(index / TILE_WIDTH))?.['hashes'];
  if (!(tile instanceof Uint8Array)) return undefined;
  const from = (index % TILE_WIDTH) * HASH_BYTES;
  return tile.slice(from, from + HASH_BYTES) as Hash;
}

function storeTiles(db: DatabaseSync, levels: ReadonlyMap<number, readonly Hash[]>): void {
  db.exec('DELETE FROM tiles');
  const insert = db.prepare('INSERT INTO tiles (level, idx, hashes) VALUES (?, ?, ?)');
  for (const [level, hashes] of levels) {
    for (let start = 0; start < hashes.length; start += TILE_WIDTH) {
      const tile = hashes.slice(start, start + TILE_WIDTH);
      // The log keeps partial tiles above level 0 only; the last entries are hashed again when they are needed.
      if (level > 0 || tile.length === TILE_WIDTH)
        insert.run(level, start / TILE_WIDTH, concatBytes(...tile));
    }
  }
}
