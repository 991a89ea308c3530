import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { base64Encode, equalBytes, VerificationError } from '../bytes/index.ts';
import { parseEntry } from '../event/index.ts';
import {
  isLogError,
  openReadable,
  type RawRow,
  SqliteReader,
  schemaDrift,
  unpackDisclosures,
} from '../store/index.ts';
import {
  type AuditHead,
  type AuditRow,
  auditChunk,
  type ChunkReport,
  type ChunkRequest,
  type Discovery,
  type Span,
} from '../verify/index.ts';
import { compareIndex } from './search/index.ts';

/**
 * Reads `log.db` for an audit: believes nothing, stops at nothing. A column of the wrong type, a page that
 * SQLite cannot read, a changed schema are findings, and the rest is read all the same.
 */
export class AuditFile {
  readonly #db: DatabaseSync;
  readonly #reader: SqliteReader;
  readonly #id: StatementSync;

  /** Throws where SQLite cannot make anything of the file, or a table is not there to be read. */
  constructor(path: string) {
    this.#db = openReadable(path);
    try {
      // One moment for the whole audit, however much is recorded meanwhile.
      this.#db.exec('BEGIN');
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
    const one = (sql: string): number => Number(Object.values(this.#exact(sql).get() ?? {})[0] ?? -1);
    const ids = one('SELECT count(*) FROM ids');
    const last = one('SELECT max(idx) FROM entries');
    return { checkpoint: this.#checkpoint(), entries: ids, last, ids };
  }

  /** What stands beside the tree and must agree with it: the schema, the head's own columns, rows that nobody reads. */
  surroundings(head: AuditHead, signed: { size: number; root: Uint8Array } | undefined): Discovery[] {
    const last = Math.max(head.last, 0);
    const found: Discovery[] = schemaDrift(this.#db).map((what) => ({
      code: 'schema_changed',
      from: 0,
      to: last,
      what: `the schema of log.db was changed: ${what}`,
    }));
    const row = this.#exact('SELECT size, root, recorded_at FROM head').get();
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
    if (row !== undefined && Number(row['recorded_at']) !== this.#timeOf(head.last)) {
      const what = 'the head gives another time than the entry itself';
      found.push({ code: 'column_changed', from: last, to: last, what });
    }
    const stray = this.#exact(
      'SELECT min(idx) AS a, max(idx) AS b FROM disclosures WHERE idx < 0 OR idx > ?',
    );
    const { a, b } = stray.get(head.last) ?? {};
    if (typeof a === 'bigint' && typeof b === 'bigint') {
      const what = 'disclosures are kept for entries that are not there';
      const [from, to] = [Math.max(Number(a), 0), Math.max(Number(b), 0)];
      found.push({ code: 'disclosure_altered', from, to, what });
    }
    return found;
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

  /** Rebuilds the search index out of the entries and compares it with the one at `path`. Damage is reported, not thrown. */
  index(path: string, size: number): Discovery[] {
    try {
      return this.#compareIndex(path, size);
    } catch (error) {
      // Entries that cannot be read make no index; the audit of the entries says which.
      if (!(error instanceof VerificationError) && !isLogError(error, 'log_damaged')) throw error;
      const what = `the search index cannot be compared with the log: ${error.message}`;
      return [{ code: 'search_differs', from: 0, to: Math.max(size - 1, 0), what }];
    }
  }

  #compareIndex(path: string, size: number): Discovery[] {
    const head = this.#reader.head();
    const { differences } = compareIndex({
      path,
      size,
      entries: (from, to) => this.#reader.readEntries(from, to),
      rootAt: (at) => (head !== undefined && at === head.size ? base64Encode(head.root) : undefined),
    });
    return differences.map(({ from, to, what }) => ({
      code: 'search_differs',
      from,
      to,
      what: `the search index differs from the log: ${what}`,
    }));
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  /** A statement that reads integers of any size: node:sqlite throws at those beyond 2^53, and nobody else writes such. */
  #exact(sql: string): StatementSync {
    const statement = this.#db.prepare(sql);
    statement.setReadBigInts(true);
    return statement;
  }

  /** When the entry at `index` says that it was recorded, milliseconds; undefined where it does not say. */
  #timeOf(index: number): number | undefined {
    try {
      const [row] = this.#rows(index, index + 1, []);
      return row === undefined ? undefined : Date.parse(parseEntry(row.entry).recordedAt);
    } catch {
      return undefined;
    }
  }

  #checkpoint(): Uint8Array {
    const row = this.#db.prepare('SELECT checkpoint FROM head').get();
    const note = row?.['checkpoint'];
    return note instanceof Uint8Array ? note : new Uint8Array(0);
  }

  #tiles({ begin, end }: Span): (Uint8Array | undefined)[] {
    const ids = [];
    for (let index = Math.floor(begin / 256); (index + 1) * 256 <= end; index++)
      ids.push({ level: 0, index });
    return this.readTiles(ids);
  }

  /** The rows of a span. Where SQLite gives up on a range, its halves are tried, down to the row that is lost. */
  #rows(begin: number, end: number, unreadable: Discovery[]): AuditRow[] {
    try {
      return this.#reader.readRows(begin, end).map(auditRow);
    } catch (error) {
      if (end - begin > 1) {
        const middle = begin + Math.floor((end - begin) / 2);
        return [...this.#rows(begin, middle, unreadable), ...this.#rows(middle, end, unreadable)];
      }
      const what = `SQLite cannot read it: ${(error as Error).message}`;
      unreadable.push({ code: 'column_changed', from: begin, to: begin, what });
      return [];
    }
  }
}

const NO_BYTES = new Uint8Array(0);

function auditRow({ index, entry, texts }: RawRow): AuditRow {
  const problem = (what: string) => ({ problem: { code: 'column_changed' as const, what } });
  if (!(entry instanceof Uint8Array)) {
    return {
      index,
      entry: NO_BYTES,
      disclosures: [],
      ...problem('the column of the entry is no longer a blob'),
    };
  }
  if (texts !== null && !(texts instanceof Uint8Array)) {
    return { index, entry, disclosures: [], ...problem('the column of the disclosures is no longer a blob') };
  }
  try {
    return { index, entry, disclosures: texts === null ? [] : unpackDisclosures(texts) };
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    return { index, entry, disclosures: [], ...problem('the disclosures are not text any more') };
  }
}
