import { DatabaseSync } from 'node:sqlite';
import { base64Encode } from '../../bytes/index.ts';
import { EMPTY_ROOT } from '../../merkle/index.ts';
import { pragma } from '../../store/index.ts';
import { TERM_CHARACTERS } from './terms.ts';

/** `PRAGMA application_id` of a search index: "Inds" in ASCII. */
const APPLICATION_ID = 0x496e6473;

/** `PRAGMA user_version` of this layout. An index of another one is made anew. */
const LAYOUT_VERSION = 1;

/** `PRAGMA page_size`: on larger pages, fewer frames of the write-ahead log are written for the same rows. */
const PAGE_BYTES = 8192;

/** Entries in one row of `zones`. */
export const ZONE_ENTRIES = 256;

/**
 * The tables of `index.db`. Measured on a million entries: 130 to 165 bytes an entry, nine tenths of them terms.
 *
 * - `state`: the cursor, moved in the transaction that writes the rows it covers.
 * - `dictionary`: names that few fields take many times, and how many events use each.
 * - `events`: what every filter on a field in the open needs, as small integers: numbers of names, and a time.
 * - `zones`: the earliest and the latest time in each {@link ZONE_ENTRIES} entries, so that a window of time becomes ranges
 *   of indexes before anything else is looked at.
 * - `terms`: which words and marks (`terms.ts`) stand in which entry. No positions, no columns, no contents: phrases are
 *   checked in the event itself. It is the only index over anything, fields included: one more term costs a byte or two, one
 *   more B-tree fifteen, and writing to it at random places halved the speed.
 */
const statements = [
  `CREATE TABLE state (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  size INTEGER NOT NULL,
  root TEXT NOT NULL
) STRICT`,
  `CREATE TABLE dictionary (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  uses INTEGER NOT NULL,
  UNIQUE (kind, name)
) STRICT`,
  `CREATE TABLE events (
  idx INTEGER PRIMARY KEY,
  occurred INTEGER NOT NULL,
  action INTEGER NOT NULL,
  actor INTEGER NOT NULL,
  outcome INTEGER NOT NULL,
  severity INTEGER NOT NULL
) STRICT`,
  `CREATE TABLE zones (
  zone INTEGER PRIMARY KEY,
  earliest INTEGER NOT NULL,
  latest INTEGER NOT NULL
) STRICT`,
  `CREATE VIRTUAL TABLE terms USING fts5(
  text, content='', columnsize=0, detail=none, tokenize="ascii tokenchars '${TERM_CHARACTERS}'"
)`,
] as const;

/**
 * How FTS5 keeps its segments. `pgsz`: a query that combines a rare term with a frequent one reads one leaf of the frequent
 * one for each hit, so leaves are small (0.6 ms instead of 3.6). `automerge` with a `crisismerge` far above it: segments are
 * merged late and little by little (19 us an entry instead of 26, and no transaction of a second).
 */
const termsOptions: Readonly<Record<string, number>> = { pgsz: 1000, automerge: 16, crisismerge: 64 };

/** A temporary table that lists every (term, doc) of `terms`, in this order (sqlite.org/fts5.html, section 9). */
export const TERMS_VIEW =
  "CREATE VIRTUAL TABLE IF NOT EXISTS temp.terms_listed USING fts5vocab('main', 'terms', 'instance')";

/** Makes the tables in an empty database, in the transaction that is open. */
export function createTables(db: DatabaseSync): void {
  db.exec(
    `PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${LAYOUT_VERSION}; ${statements.join(';')}`,
  );
  for (const [name, value] of Object.entries(termsOptions)) {
    db.exec(`INSERT INTO terms (terms, rank) VALUES ('${name}', ${value})`);
  }
  db.prepare('INSERT INTO state (one, size, root) VALUES (1, 0, ?)').run(base64Encode(EMPTY_ROOT));
}

/** Sets what has to be set before the first page of a new database is written. */
export function beginFile(db: DatabaseSync): void {
  db.exec(`PRAGMA page_size = ${PAGE_BYTES}; PRAGMA journal_mode = WAL`);
}

/** Whether there is nothing in the database yet. */
export function isEmpty(db: DatabaseSync): boolean {
  return db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
}

/** What is different between the schema of `db` and ours, in words; empty where nothing is. */
export function indexDrift(db: DatabaseSync): string[] {
  const drift: string[] = [];
  if (pragma(db, 'application_id') !== APPLICATION_ID) drift.push('it is not marked as an index');
  else if (pragma(db, 'user_version') !== LAYOUT_VERSION) drift.push('it has another layout');
  const found = readSchema(db);
  for (const [name, sql] of expectedSchema()) {
    if (!found.has(name)) drift.push(`${name} is missing`);
    else if (found.get(name) !== sql) drift.push(`${name} is not as it was created`);
    found.delete(name);
  }
  for (const name of found.keys()) drift.push(`${name} does not belong here`);
  return drift;
}

let expected: ReadonlyMap<string, string | null> | undefined;

/** The schema as SQLite itself keeps it, tables of FTS5's own included: that of a database which was made just now. */
function expectedSchema(): ReadonlyMap<string, string | null> {
  if (expected !== undefined) return expected;
  const db = new DatabaseSync(':memory:');
  createTables(db);
  expected = readSchema(db);
  db.close();
  return expected;
}

function readSchema(db: DatabaseSync): Map<string, string | null> {
  const schema = new Map<string, string | null>();
  for (const { type, name, sql } of db.prepare('SELECT type, name, sql FROM sqlite_schema').all()) {
    schema.set(`${type} ${name}`, sql as string | null);
  }
  return schema;
}
