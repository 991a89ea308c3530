import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { LogError, utf8Decode } from '../bytes/index.ts';
import { limits } from '../event/index.ts';
import type { Head, LogReader, StoredEntry, TileId } from './contract.ts';
import { inOurWords } from './sqlite-failure.ts';

/** Most bytes of the disclosures of an entry, with room for what separates them. */
const TEXTS_BYTES_MAX = 2 * limits.disclosuresBytesMax;

/** Bytes of a full tile (c2sp.org/tlog-tiles). */
const TILE_BYTES = 256 * 32;

/**
 * A row as SQLite returned it, before anything in it is believed. What is longer than an honest log has it is not read into
 * memory: its length stands in its place.
 */
export interface RawRow {
  readonly index: number;
  /** A `Uint8Array` in an honest log. */
  readonly entry: unknown;
  /** A `Uint8Array`, or null where the entry has no disclosures (left). */
  readonly texts: unknown;
}

const SEPARATOR = '\n';

/** Packs disclosure texts into one column: JSON holds no raw line feed, so none is ambiguous. */
export function packDisclosures(texts: readonly string[]): string {
  return texts.join(SEPARATOR);
}

/** The inverse of {@link packDisclosures}. Throws `VerificationError` where the bytes are not UTF-8. */
export function unpackDisclosures(texts: Uint8Array): string[] {
  return texts.length === 0 ? [] : utf8Decode(texts).split(SEPARATOR);
}

/** Reads a log through one connection; the same statements serve readers and the writer's transaction. */
export class SqliteReader implements LogReader {
  readonly #head: StatementSync;
  readonly #entries: StatementSync;
  readonly #bytes: StatementSync;
  readonly #id: StatementSync;
  readonly #tile: StatementSync;

  constructor(db: DatabaseSync) {
    this.#head = db.prepare('SELECT size, root, recorded_at, checkpoint FROM head WHERE one = 1');
    this.#entries = db.prepare(
      `SELECT e.idx, ${bounded('e.entry', limits.entryBytesMax)}, ${bounded('d.texts', TEXTS_BYTES_MAX)} FROM entries e LEFT JOIN disclosures d ON d.idx = e.idx
       WHERE e.idx >= ? AND e.idx < ? ORDER BY e.idx`,
    );
    this.#entries.setReturnArrays(true);
    this.#bytes = db.prepare(
      `SELECT e.idx, ${bounded('e.entry', limits.entryBytesMax)}, NULL FROM entries e WHERE e.idx >= ? AND e.idx < ? ORDER BY e.idx`,
    );
    this.#bytes.setReturnArrays(true);
    this.#id = db.prepare('SELECT idx FROM ids WHERE id = ?');
    this.#id.setReturnArrays(true);
    this.#tile = db.prepare(`SELECT ${bounded('hashes', TILE_BYTES)} FROM tiles WHERE level = ? AND idx = ?`);
    this.#tile.setReturnArrays(true);
  }

  head(): Head | undefined {
    const row = inOurWords('the head cannot be read', () => this.#head.get());
    if (row === undefined) return undefined;
    const { size, root, recorded_at: recordedAt, checkpoint } = row;
    if (
      typeof size !== 'number' ||
      typeof recordedAt !== 'number' ||
      !(root instanceof Uint8Array) ||
      root.length !== 32 ||
      !(checkpoint instanceof Uint8Array)
    ) {
      throw new LogError('log_damaged', 'the head of log.db holds values of the wrong type');
    }
    return { size, root, recordedAt, checkpoint };
  }

  /** Rows as they are, for an audit that must report damage rather than stop at it. */
  readRows(from: number, to: number): RawRow[] {
    const rows = inOurWords('entries cannot be read', () =>
      this.#entries.all(from, to),
    ) as unknown as RowOfEntry[];
    return rows.map(([index, entry, texts]) => ({ index, entry, texts }));
  }

  readEntries(from: number, to: number): StoredEntry[] {
    return this.readRows(from, to).map(trusted);
  }

  readEntryBytes(from: number, to: number): Uint8Array[] {
    const rows = inOurWords('entries cannot be read', () =>
      this.#bytes.all(from, to),
    ) as unknown as RowOfEntry[];
    return rows.map(([index, entry, texts]) => trusted({ index, entry, texts }).entry);
  }

  findIds(ids: readonly string[]): Map<string, number> {
    const found = new Map<string, number>();
    inOurWords('ids cannot be read', () => {
      for (const id of ids) {
        const row = this.#id.get(id) as unknown as [number] | undefined;
        if (row !== undefined) found.set(id, row[0]);
      }
    });
    return found;
  }

  readTiles(tiles: readonly TileId[]): (Uint8Array | undefined)[] {
    return inOurWords('tiles cannot be read', () =>
      tiles.map(({ level, index }) => {
        const row = this.#tile.get(level, index) as unknown as [unknown] | undefined;
        return row?.[0] instanceof Uint8Array ? row[0] : undefined;
      }),
    );
  }
}

/** A column, or its length where that is beyond `bytesMax`: SQLite tells the length of a blob without reading it. */
function bounded(column: string, bytesMax: number): string {
  return `iif(length(${column}) > ${bytesMax}, length(${column}), ${column})`;
}

/** A row of the join of entries and disclosures, as node:sqlite hands it over. */
type RowOfEntry = [index: number, entry: unknown, texts: unknown];

function trusted({ index, entry, texts }: RawRow): StoredEntry {
  if (!(entry instanceof Uint8Array) || !(texts === null || texts instanceof Uint8Array)) {
    throw new LogError(
      'log_damaged',
      `entry ${index}: a column holds a value of the wrong type, or a far too long one`,
      {
        hint: 'run verify: it names everything that was changed',
      },
    );
  }
  return { index, entry, disclosures: texts === null ? [] : unpackDisclosures(texts) };
}
