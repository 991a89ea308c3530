import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { compareBytes, utf8Encode } from '../../bytes/index.ts';
import { isLogError, LogError, type StoredEntry, sqliteCode } from '../../store/index.ts';
import type { IndexCursor } from './index-connection.ts';
import { BUSY_TIMEOUT_MS, isDamage } from './index-file.ts';
import { indexDrift, TERMS_VIEW, ZONE_ENTRIES } from './schema.ts';
import { APPLY_ENTRIES, SearchIndex } from './search-index.ts';
import { termsAstray } from './term-pages.ts';

/** What an index says that does not follow from the log. */
export interface IndexDifference {
  /** The first and the last entry that it concerns. */
  readonly from: number;
  readonly to: number;
  /** What is wrong, as a clause. */
  readonly what: string;
}

/** What came of comparing an index. */
export interface IndexComparison {
  /** Entries that the index claims to cover; 0 where there is none. */
  readonly covered: number;
  /** Empty where the index is what the log makes of it. At most {@link DIFFERENCES_MAX}. */
  readonly differences: readonly IndexDifference[];
}

/** What an index is compared with. */
export interface IndexAudit {
  /** Where `index.db` lies. */
  readonly path: string;
  /** Entries in the log. A function is asked once the index is being read, so that a log that grows is not behind it. */
  readonly size: number | (() => number);
  /** Reads entries of the log, `from <= index < to`. */
  readonly entries: (from: number, to: number) => readonly StoredEntry[];
  /** Entries below it may be gone: the log was pruned to it. Default 0. */
  readonly minimum?: number;
  /** The root over the first `size` entries, standard base64, computed from the log. Without it the cursor's is not judged. */
  readonly rootAt?: (size: number) => string | undefined;
  /** Told now and then how many entries have been indexed anew, of how many. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Differences that are reported one by one. */
export const DIFFERENCES_MAX = 100;

/** Entries of which wrong terms are noted. */
const NOTED_MAX = 100_000;

/**
 * Rebuilds the index of a log in a temporary database and compares it with the one at `path`, table by table and row by row.
 * It writes nothing there, and reports rather than throws, whatever it meets. A missing index is no difference.
 */
export function compareIndex(audit: IndexAudit): IndexComparison {
  if (!existsSync(audit.path)) return { covered: 0, differences: [] };
  const differences = new Differences();
  let covered = 0;
  let size = 0;
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(audit.path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
    db.exec('PRAGMA trusted_schema = OFF; BEGIN; SELECT count(*) FROM sqlite_schema');
    size = typeof audit.size === 'number' ? audit.size : audit.size();
    covered = compareOpen(db, { ...audit, size }, differences);
  } catch (error) {
    if (sqliteCode(error) === undefined && !isDamage(error) && !isLogError(error)) throw error;
    differences.add(0, size - 1, `it cannot be read: ${(error as Error).message}`);
  } finally {
    if (db?.isOpen) db.close();
  }
  return { covered, differences: differences.list() };
}

/** An audit of a log whose size is known. */
type SizedAudit = Omit<IndexAudit, 'size'> & { readonly size: number };

function compareOpen(db: DatabaseSync, audit: SizedAudit, differences: Differences): number {
  const last = audit.size - 1;
  const drift = indexDrift(db);
  for (const what of drift) differences.add(0, last, what);
  if (drift.length > 0) return 0;
  for (const row of db.prepare('PRAGMA integrity_check').all()) {
    if (row['integrity_check'] !== 'ok') differences.add(0, last, `SQLite finds ${row['integrity_check']}`);
  }
  const cursor = compareCursor(db, audit, differences);
  if (cursor === undefined) return 0;
  const rebuilt = rebuild(audit, cursor);
  try {
    rebuilt.read((view) => {
      for (const table of tables)
        compareTable(table, { expected: view.db, actual: db, covered: cursor.size, differences });
      compareTerms(view.db, db, differences);
      const astray = termsAstray(db);
      if (astray !== undefined) differences.add(0, last, `terms: ${astray}`);
    });
  } finally {
    rebuilt.close();
  }
  return cursor.size;
}

function compareCursor(
  db: DatabaseSync,
  audit: SizedAudit,
  differences: Differences,
): IndexCursor | undefined {
  const last = audit.size - 1;
  const rows = db.prepare('SELECT one, size, root FROM state').all();
  const { size, root } = rows[0] ?? {};
  if (rows.length !== 1 || typeof size !== 'number' || typeof root !== 'string' || size < 0) {
    differences.add(0, last, 'it does not say how many entries it covers');
    return undefined;
  }
  if (size > audit.size) {
    differences.add(audit.size, size - 1, `it claims to cover ${size} entries of ${audit.size}`);
    return undefined;
  }
  const expected = audit.rootAt?.(size);
  if (expected !== undefined && expected !== root) {
    differences.add(
      0,
      Math.max(0, size - 1),
      `it was made of other entries: the root at its ${size} differs`,
    );
  }
  return { size, root };
}

/** An index of the same entries, out of the log. */
function rebuild({ entries, minimum = 0, onProgress }: SizedAudit, cursor: IndexCursor): SearchIndex {
  const index = SearchIndex.open('');
  try {
    let from = index.cursor();
    while (from.size < cursor.size) {
      const size = Math.min(cursor.size, from.size + APPLY_ENTRIES);
      // Only the last of these cursors is compared with anything.
      const to = { size, root: size === cursor.size ? cursor.root : '' };
      if (index.apply(entries(from.size, size), { from, to, minimum }) !== 'applied') {
        throw new LogError('io_failed', 'the temporary index could not be written');
      }
      from = to;
      onProgress?.(size, cursor.size);
    }
    return index;
  } catch (error) {
    index.close();
    throw error;
  }
}

/** A table of which every row is compared. */
interface ComparedTable {
  readonly name: string;
  /** The columns, the key first. */
  readonly columns: readonly string[];
  /** The entries that a key concerns; all, where it tells nothing. */
  readonly entriesOf?: (key: number) => readonly [from: number, to: number];
}

const tables: readonly ComparedTable[] = [
  { name: 'dictionary', columns: ['id', 'kind', 'name', 'uses'] },
  {
    name: 'events',
    columns: ['idx', 'occurred', 'action', 'actor', 'outcome', 'severity'],
    entriesOf: (key) => [key, key],
  },
  {
    name: 'zones',
    columns: ['zone', 'earliest', 'latest'],
    entriesOf: (key) => [key * ZONE_ENTRIES, (key + 1) * ZONE_ENTRIES - 1],
  },
  { name: 'terms_config', columns: ['k', 'v'] },
];

interface Comparing {
  readonly expected: DatabaseSync;
  readonly actual: DatabaseSync;
  readonly covered: number;
  readonly differences: Differences;
}

type Row = readonly unknown[];

function compareTable(table: ComparedTable, { expected, actual, covered, differences }: Comparing): void {
  const { name, columns, entriesOf } = table;
  const sql = `SELECT ${columns.join(', ')} FROM ${name} ORDER BY ${columns[0]}`;
  for (const [should, does] of pairs(rowsOf(expected, sql), rowsOf(actual, sql), compareKeys)) {
    const what = rowDifference(columns, should, does);
    if (what === undefined) continue;
    const key = (should ?? does)![0];
    const place = typeof key === 'number' ? entriesOf?.(key) : undefined;
    const [from, to] = place ?? [0, Math.max(0, covered - 1)];
    differences.add(from, to, `${name}: ${entriesOf === undefined ? `row ${key}: ` : ''}${what}`);
  }
}

/** In words, how two rows of one key differ; undefined where they do not. Values of different types differ, too. */
function rowDifference(
  columns: readonly string[],
  should: Row | undefined,
  does: Row | undefined,
): string | undefined {
  if (should === undefined) return 'a row that belongs nowhere';
  if (does === undefined) return 'the row is missing';
  const differing = columns.flatMap((column, position) => {
    const [right, wrong] = [should[position], does[position]];
    return right === wrong ? [] : [`${column} is ${shown(wrong)}, and should be ${shown(right)}`];
  });
  return differing.length === 0 ? undefined : differing.join('; ');
}

function shown(value: unknown): string {
  return value instanceof Uint8Array ? `a blob of ${value.length} bytes` : JSON.stringify(value);
}

/** Compares the list of entries of every term. */
function compareTerms(expected: DatabaseSync, actual: DatabaseSync, differences: Differences): void {
  const sql = 'SELECT term, group_concat(doc) FROM terms_listed GROUP BY term';
  for (const db of [expected, actual]) db.exec(TERMS_VIEW);
  const compareTerm = (a: Row, b: Row): number =>
    compareBytes(utf8Encode(String(a[0])), utf8Encode(String(b[0])));
  const wrongly = new Map<number, { what: string; terms: number }>();
  const note = (index: number, what: string): void => {
    const known = wrongly.get(index);
    if (known !== undefined) known.terms += 1;
    else if (wrongly.size < NOTED_MAX) wrongly.set(index, { what, terms: 1 });
  };
  for (const [should, does] of pairs(rowsOf(expected, sql), rowsOf(actual, sql), compareTerm)) {
    if (should?.[1] === does?.[1]) continue;
    const term = JSON.stringify((should ?? does)![0]);
    const [right, wrong] = [entriesIn(should), entriesIn(does)];
    for (const index of right) if (!wrong.has(index)) note(index, `does not find ${term}`);
    for (const index of wrong) if (!right.has(index)) note(index, `finds ${term}`);
  }
  for (const [index, { what, terms }] of [...wrongly].sort(([a], [b]) => a - b)) {
    differences.add(
      index,
      index,
      `terms: it ${what}${terms === 1 ? '' : `, and ${terms - 1} more are wrong`}`,
    );
  }
}

function entriesIn(row: Row | undefined): Set<number> {
  return new Set(row === undefined ? [] : String(row[1]).split(',').map(Number));
}

function rowsOf(db: DatabaseSync, sql: string): Iterator<Row> {
  const statement = db.prepare(sql);
  statement.setReturnArrays(true);
  return statement.iterate() as unknown as Iterator<Row>;
}

/** Two sorted sequences side by side: rows with the same key together, others alone. */
function* pairs(
  left: Iterator<Row>,
  right: Iterator<Row>,
  compare: (a: Row, b: Row) => number,
): Generator<readonly [Row | undefined, Row | undefined]> {
  let [a, b] = [left.next(), right.next()];
  while (!a.done || !b.done) {
    const order = a.done ? 1 : b.done ? -1 : a.value[0] === b.value[0] ? 0 : compare(a.value, b.value);
    yield [order <= 0 ? a.value : undefined, order >= 0 ? b.value : undefined];
    if (order <= 0) a = left.next();
    if (order >= 0) b = right.next();
  }
}

/** Integer keys in their order; texts, of which one table has a few, in any. */
function compareKeys([a]: Row, [b]: Row): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a) < String(b) ? -1 : 1;
}

/** Gathers differences: neighbours of one kind become one, and there is an end to it. */
class Differences {
  readonly #found: { from: number; to: number; what: string; entries: number }[] = [];
  #more = 0;

  add(from: number, to: number, what: string): void {
    const last = this.#found.at(-1);
    const kind = (text: string): string => text.slice(0, text.indexOf(':') + 1);
    if (last !== undefined && from === last.to + 1 && kind(what) !== '' && kind(what) === kind(last.what)) {
      last.to = to;
      last.entries += 1;
    } else if (this.#found.length < DIFFERENCES_MAX) this.#found.push({ from, to, what, entries: 1 });
    else this.#more += 1;
  }

  list(): IndexDifference[] {
    const list = this.#found.map(({ from, to, what, entries }) => ({
      from: Math.max(0, from),
      to: Math.max(0, to),
      what: entries === 1 ? what : `${what}; and so on, ${entries} rows in all`,
    }));
    const last = list.at(-1);
    if (last !== undefined && this.#more > 0) last.what += `; and ${this.#more} more that are not listed`;
    return list;
  }
}
