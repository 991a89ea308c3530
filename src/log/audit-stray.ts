import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { base64Encode, concatBytes, VerificationError } from '../bytes/index.ts';
import {
  foldHashes,
  HASH_BYTES,
  hashFromTile,
  hashLeaf,
  type NodeId,
  rangeNodes,
  TILE_WIDTH,
  tileInTree,
  tileOfNode,
} from '../merkle/index.ts';
import type { SqliteReader } from '../store/index.ts';
import type { Discovery } from '../verify/index.ts';

/*
 * Rows of `log.db` that no reader comes by. Nothing that is read depends on them, so the tree cannot tell; but nobody honest
 * wrote them, and a tool that reads the tables by itself may take them for entries.
 */

/** A statement that reads integers of any size: node:sqlite throws at those beyond 2^53, and nobody else writes such. */
export function exact(db: DatabaseSync, sql: string): StatementSync {
  const statement = db.prepare(sql);
  statement.setReadBigInts(true);
  return statement;
}

/** Entries in the log that `db` is open on, by their largest index. */
export function sizeNow(db: DatabaseSync): number {
  return Number(exact(db, 'SELECT max(idx) AS last FROM entries').get()?.['last'] ?? -1) + 1;
}

/** Rows of every table that are for entries outside the first `end`. */
export function strayRows(db: DatabaseSync, end: number): Discovery[] {
  return [
    // Those behind the end are audited, or found by their index, like any other.
    ...strays(
      db,
      'entries',
      'idx < 0',
      'index_repeated',
      'entries stand before the first, where nobody reads',
    ),
    ...strays(
      db,
      'disclosures',
      `idx < 0 OR idx >= ${end}`,
      'disclosure_altered',
      'disclosures are kept for entries that are not there',
    ),
    ...strays(
      db,
      'ids',
      `idx < 0 OR idx >= ${end}`,
      'id_mismatch',
      'ids are listed for entries that are not there',
    ),
  ];
}

function strays(
  db: DatabaseSync,
  table: string,
  where: string,
  code: Discovery['code'],
  what: string,
): Discovery[] {
  const sql = `SELECT count(*) AS count, min(idx) AS first, max(idx) AS last FROM ${table} WHERE ${where}`;
  const { count, first, last } = exact(db, sql).get() ?? {};
  if (typeof count !== 'bigint' || count === 0n) return [];
  const place = (index: unknown): number => Math.max(Number(index), 0);
  const indexes = first === last ? `index ${first}` : `${count} of them, index ${first} to ${last}`;
  const sentence = `${what[0]!.toUpperCase()}${what.slice(1)}: ${indexes}`;
  return [{ code, from: place(first), to: place(last), what: sentence, ofLog: true }];
}

/**
 * Stored tiles that a log of `size` entries does not have. On the level of the leaves it keeps full ones only. Those that are
 * missing, too short or of other hashes are found where the tree is recomputed.
 */
export function strayTiles(db: DatabaseSync, size: number): Discovery[] {
  const found: Discovery[] = [];
  const statement = exact(db, 'SELECT level, idx, length(hashes) AS bytes FROM tiles ORDER BY level, idx');
  for (const row of statement.iterate()) {
    const [level, index, bytes] = [Number(row['level']), Number(row['idx']), Number(row['bytes'])];
    const width = widthInTree(level, index, size);
    if (width > 0 && (level === 0 || bytes <= width * HASH_BYTES)) continue;
    const name = `level ${row['level']}, index ${row['idx']}`;
    const what =
      width === 0
        ? `A tile is stored that a log of ${size} entries does not have: ${name}`
        : `A stored tile has ${bytes} bytes, and ${width * HASH_BYTES} in a log of ${size} entries: ${name}`;
    const detail = { level, index };
    found.push({ code: 'tile_mismatch', from: 0, to: Math.max(size - 1, 0), what, ofLog: true, detail });
    if (found.length === STRAYS_MAX) break;
  }
  return found;
}

/** Stray tiles that are named; there is no end to those that somebody may insert. */
const STRAYS_MAX = 1000;

/** The largest level of a tile over fewer than 2^53 leaves. */
const LEVEL_MAX = 6;

/** Hashes that the stored tile has in a log of `size` entries; 0 where none is stored. */
function widthInTree(level: number, index: number, size: number): number {
  if (level < 0 || level > LEVEL_MAX || index < 0 || index > size) return 0;
  const width = tileInTree({ level, index }, size)?.width ?? 0;
  return level === 0 && width < TILE_WIDTH ? 0 : width;
}

/** The root over the first `size` entries, out of stored tiles, in base64; undefined where they do not give it. */
export function storedRoot(reader: SqliteReader, size: number): string | undefined {
  try {
    const hashes = rangeNodes(0, size).map((node) => hashFromTile(tileBytes(reader, node, size), node));
    return base64Encode(foldHashes(hashes));
  } catch (error) {
    if (error instanceof VerificationError) return undefined;
    throw error;
  }
}

/** The tile in which a node stands: stored, or hashed out of the entries where it is not full yet. */
function tileBytes(reader: SqliteReader, node: NodeId, size: number): Uint8Array {
  const { level, index } = tileOfNode(node);
  const [stored] = reader.readTiles([{ level, index }]);
  if (stored !== undefined || level > 0) return stored ?? NO_BYTES;
  const begin = index * TILE_WIDTH;
  const hashes = reader
    .readRows(begin, Math.min(begin + TILE_WIDTH, size))
    .map(({ entry }) => (entry instanceof Uint8Array ? hashLeaf(entry) : NO_BYTES));
  return concatBytes(...hashes);
}

const NO_BYTES = new Uint8Array(0);
