import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { equalBytes, VerificationError } from '../bytes/index.ts';
import { parseEntry } from '../event/index.ts';
import {
  isLogError,
  openReadable,
  type RawRow,
  SqliteReader,
  schemaDrift,
  sqliteCode,
  unpackDisclosures,
} from '../store/index.ts';
import {
  type AuditHead,
  type AuditRow,
  auditChunk,
  type ChunkReport,
  type ChunkRequest,
  type Discovery,
  HOLES_MAX,
  type Span,
} from '../verify/index.ts';
import { exact, sizeNow, storedRoot, strayRows, strayTiles } from './audit-stray.ts';
import { prunedOfFile } from './pruned.ts';
import { compareIndex, type IndexDifference } from './search/index.ts';

/** Rows that are in memory at once. */
const READ_ROWS = 128;

/** Pages of cache for an audit, KiB: it reads each page once, from one end to the other, so that a larger cache only takes memory. */
const CACHE_KIB = 4096;

/** What SQLite says of one table, that a report repeats. */
const COMPLAINTS_MAX = 3;

/** The tables of `log.db`. */
export const logTables = ['entries', 'disclosures', 'ids', 'tiles', 'head'] as const;

/** One of {@link logTables}. */
export type LogTable = (typeof logTables)[number];

/** How much of a log its search index covers. */
export interface IndexCoverage {
  /** Entries that the index covers. */
  readonly covered: number;
  /** Entries that the log had when the index was looked at. */
  readonly of: number;
}

/** What came of comparing the search index with the log. */
export interface ComparedIndex {
  readonly coverage: IndexCoverage;
  readonly discoveries: readonly Discovery[];
}

/**
 * Reads `log.db` for an audit: believes nothing, stops at nothing. A column of the wrong type, a page that
 * SQLite cannot read, a changed schema are findings, and the rest is read all the same.
 */
export class AuditFile {
  readonly #path: string;
  readonly #db: DatabaseSync;
  readonly #reader: SqliteReader;
  readonly #id: StatementSync;

  /** Throws where SQLite cannot make anything of the file, or a table is not there to be read. */
  constructor(path: string) {
    this.#path = path;
    this.#db = openReadable(path);
    try {
      // One moment for the whole audit, however much is recorded meanwhile.
      this.#db.exec(`PRAGMA cache_size=-${CACHE_KIB}; BEGIN`);
      this.#reader = new SqliteReader(this.#db);
      this.#id = this.#exact('SELECT idx FROM ids WHERE id = ?');
      this.#id.setReturnArrays(true);
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  /** What the store claims. */
  head(): AuditHead {
    const last = Number(this.#one('SELECT max(idx) FROM entries') ?? -1);
    const ids = Number(this.#one('SELECT count(*) FROM ids'));
    const claims = { checkpoint: this.#checkpoint(), last, ids };
    // Counting entries is reading every page of them, which the audit itself does. Only a largest index that the ids make
    // absurd needs it, lest the audit look for entries that never were.
    if (last + 1 - ids <= HOLES_MAX) return claims;
    return { ...claims, entries: Number(this.#one('SELECT count(*) FROM entries WHERE idx >= 0')) };
  }

  /**
   * What stands beside the tree and must agree with it: the schema, the head's own columns, rows that nobody reads. `end` is how
   * many entries are audited.
   */
  surroundings(
    head: AuditHead,
    end: number,
    signed: { size: number; root: Uint8Array } | undefined,
  ): Discovery[] {
    const last = Math.max(end - 1, 0);
    const found: Discovery[] = schemaDrift(this.#db).map((what) => ({
      code: 'schema_changed',
      from: 0,
      to: last,
      what: `the schema of log.db was changed: ${what}`,
    }));
    const row = this.#exact('SELECT size, root, recorded_at FROM head WHERE one = 1').get();
    const agrees =
      row !== undefined &&
      signed !== undefined &&
      Number(row['size']) === signed.size &&
      row['root'] instanceof Uint8Array &&
      equalBytes(row['root'], signed.root);
    if (!agrees) {
      const what = 'the columns of the head differ from its signed checkpoint';
      found.push({ code: 'column_changed', from: 0, to: last, what });
    }
    if (this.#one('SELECT count(*) FROM head WHERE one <> 1') !== 0n) {
      const what = 'beside the head stand rows that nobody honest wrote';
      found.push({ code: 'column_changed', from: 0, to: last, what });
    }
    if (row !== undefined && Number(row['recorded_at']) !== this.#timeOf(head.last)) {
      const what = 'the head gives another time than the entry itself';
      found.push({ code: 'column_changed', from: last, to: last, what });
    }
    return [...found, ...strayRows(this.#db, end), ...strayTiles(this.#db, end)];
  }

  /** Audits one span of the log. */
  chunk(span: Span, request: ChunkRequest): ChunkReport {
    const unreadable: Discovery[] = [];
    const rows = this.#rows(span.begin, span.end, unreadable);
    const tiles = this.#tiles(span);
    const lookUp = request.depth === 'full';
    const report = auditChunk({ ...span, rows, tiles }, request, ({ entry, row }, tell) => {
      if (!lookUp) return;
      const known = this.#id.get(entry.id) as unknown as [bigint] | undefined;
      if (known === undefined) tell('id_mismatch', 'not in the list of ids');
      else if (Number(known[0]) !== row.index)
        tell('id_mismatch', `listed in the ids under the index ${known[0]}`);
    });
    return unreadable.length === 0
      ? report
      : { ...report, discoveries: [...unreadable, ...report.discoveries] };
  }

  /**
   * Whether SQLite itself finds a table whole: reading from one end to the other does not show a damaged inner page, which
   * leads whoever looks for one row astray (sqlite.org/pragma.html#pragma_quick_check).
   */
  structure(table: LogTable): Discovery[] {
    const to = Math.max(this.head().last, 0);
    const tell = (found: string): Discovery[] => {
      const what = `SQLite finds the table ${table} damaged: ${found}`;
      return [{ code: 'table_damaged', from: 0, to, what, ofLog: true }];
    };
    try {
      const said = this.#db.prepare(`PRAGMA quick_check(${table})`).all().flatMap(Object.values).map(String);
      if (said.length === 1 && said[0] === 'ok') return [];
      const named = said.flatMap((text) => text.split('\n')).filter((line) => !line.startsWith('***'));
      const more = named.length > COMPLAINTS_MAX ? `, and ${named.length - COMPLAINTS_MAX} more` : '';
      return tell(`${named.slice(0, COMPLAINTS_MAX).join('; ')}${more}`);
    } catch (error) {
      if (sqliteCode(error) === undefined) throw error;
      return tell((error as Error).message);
    }
  }

  /** Stored hashes of tiles, undefined where there are none or they cannot be read. */
  readTiles(
    tiles: readonly { readonly level: number; readonly index: number }[],
  ): (Uint8Array | undefined)[] {
    return tiles.map((tile) => {
      try {
        return this.#reader.readTiles([tile])[0];
      } catch {
        return undefined;
      }
    });
  }

  /**
   * Rebuilds the search index out of the entries and compares it with the one at `path`. Damage is reported, not thrown. The
   * index of a log in use runs ahead of the moment that the audit looks at, so it is compared with the log as it is now.
   */
  index(path: string): ComparedIndex {
    const now = openReadable(this.#path);
    let of: number | undefined;
    try {
      now.exec('BEGIN');
      const reader = new SqliteReader(now);
      const { covered, differences } = compareIndex({
        path,
        // Called when the index is being read already: the first read of this connection, so no earlier moment than that one.
        size: () => {
          of = sizeNow(now);
          return of;
        },
        entries: (from, to) => reader.readEntries(from, to),
        minimum: prunedOfFile(reader).minimum,
        rootAt: (size) => storedRoot(reader, size),
      });
      return { coverage: { covered, of: of ?? sizeNow(now) }, discoveries: differences.map(inSearch) };
    } catch (error) {
      // Entries that cannot be read make no index; the audit of the entries says which.
      if (!(error instanceof VerificationError) && !isLogError(error, 'log_damaged')) throw error;
      const what = `the search index cannot be compared with the log: ${error.message}`;
      of ??= 0;
      const discovery = { code: 'search_differs' as const, from: 0, to: Math.max(of - 1, 0), what };
      return { coverage: { covered: 0, of }, discoveries: [discovery] };
    } finally {
      now.close();
    }
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  #exact(sql: string): StatementSync {
    return exact(this.#db, sql);
  }

  /** The one value that a query answers; undefined for NULL. */
  #one(sql: string): unknown {
    return Object.values(this.#exact(sql).get() ?? {})[0] ?? undefined;
  }

  /** When the entry at `index` says that it was recorded, milliseconds; undefined where it does not say. */
  #timeOf(index: number): number | undefined {
    try {
      const [row] = this.#readable(index, index + 1, []);
      return row === undefined ? undefined : Date.parse(parseEntry(row.entry).recordedAt);
    } catch {
      return undefined;
    }
  }

  #checkpoint(): Uint8Array {
    const row = this.#db.prepare('SELECT checkpoint FROM head WHERE one = 1').get();
    const note = row?.['checkpoint'];
    return note instanceof Uint8Array ? note : new Uint8Array(0);
  }

  #tiles({ begin, end }: Span): (Uint8Array | undefined)[] {
    const ids = [];
    for (let index = Math.floor(begin / 256); (index + 1) * 256 <= end; index++)
      ids.push({ level: 0, index });
    return this.readTiles(ids);
  }

  /** The rows of a span, a few at a time: an entry may have 64 KiB, and its disclosures 128. */
  *#rows(begin: number, end: number, unreadable: Discovery[]): Generator<AuditRow, void, undefined> {
    for (let from = begin; from < end; from += READ_ROWS) {
      yield* this.#readable(from, Math.min(from + READ_ROWS, end), unreadable);
    }
  }

  /** Where SQLite gives up on a range, its halves are tried, down to the row that is lost. */
  #readable(begin: number, end: number, unreadable: Discovery[]): AuditRow[] {
    try {
      return this.#reader.readRows(begin, end).map(auditRow);
    } catch (error) {
      if (end - begin > 1) {
        const middle = begin + Math.floor((end - begin) / 2);
        return [...this.#readable(begin, middle, unreadable), ...this.#readable(middle, end, unreadable)];
      }
      const what = `SQLite cannot read it: ${(error as Error).message}`;
      unreadable.push({ code: 'column_changed', from: begin, to: begin, what });
      return [];
    }
  }
}

function inSearch({ from, to, what }: IndexDifference): Discovery {
  return { code: 'search_differs', from, to, what: `the search index differs from the log: ${what}` };
}

const NO_BYTES = new Uint8Array(0);

function auditRow({ index, entry, texts }: RawRow): AuditRow {
  const problem = (what: string) => ({ problem: { code: 'column_changed' as const, what } });
  if (!(entry instanceof Uint8Array)) {
    return {
      index,
      entry: NO_BYTES,
      disclosures: [],
      ...problem('the column of the entry is no longer a blob, or longer than any entry'),
    };
  }
  if (texts !== null && !(texts instanceof Uint8Array)) {
    const what = 'the column of the disclosures is no longer a blob, or longer than they can be';
    return { index, entry, disclosures: [], ...problem(what) };
  }
  if (texts?.length === 0)
    return { index, entry, disclosures: [], ...problem('a row of disclosures without any') };
  try {
    return { index, entry, disclosures: texts === null ? [] : unpackDisclosures(texts) };
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    return { index, entry, disclosures: [], ...problem('the disclosures are not text any more') };
  }
}
