import type { DatabaseSync } from 'node:sqlite';
import { LogError } from '../bytes/index.ts';
import { inOurWords } from './sqlite-failure.ts';

/** `PRAGMA application_id` of a log: "Indl" in ASCII. */
export const APPLICATION_ID = 0x496e646c;

/** `PRAGMA user_version` of the layout that a log is made with. */
export const SCHEMA_VERSION = 1;

/** That of a log that was pruned: the first pruning makes it so. A higher one is refused: a newer release wrote it. */
export const SCHEMA_VERSION_PRUNED = 2;

/** No entry is ever deleted; none that is not below the minimum index, once there is one. */
const KEEP_ENTRIES = refuse('entries', 'DELETE');

/** What the first pruning adds: the minimum index, which only grows, and a trigger that knows it. */
const prunedStatements = [
  `CREATE TABLE floor (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  minimum INTEGER NOT NULL
) STRICT`,
  refuse('floor', 'UPDATE', 'WHEN NEW.minimum < OLD.minimum'),
  refuse('floor', 'DELETE'),
  refuse('entries', 'DELETE', 'WHEN OLD.idx >= (SELECT coalesce(max(minimum), 0) FROM floor)'),
] as const;

/**
 * The whole of `log.db`. STRICT, so that no value changes its type; triggers refuse what an append-only
 * log never does. They stop accidents and honest bugs; whoever can drop them is answered by the tree.
 * No secondary index but the ids': searching happens in `index.db`.
 */
const statements = [
  `CREATE TABLE entries (
  idx INTEGER PRIMARY KEY,
  entry BLOB NOT NULL
) STRICT`,
  `CREATE TABLE disclosures (
  idx INTEGER PRIMARY KEY,
  texts BLOB NOT NULL
) STRICT`,
  `CREATE TABLE ids (
  id TEXT PRIMARY KEY,
  idx INTEGER NOT NULL
) STRICT, WITHOUT ROWID`,
  `CREATE TABLE tiles (
  level INTEGER NOT NULL,
  idx INTEGER NOT NULL,
  hashes BLOB NOT NULL,
  PRIMARY KEY (level, idx)
) STRICT`,
  `CREATE TABLE head (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  size INTEGER NOT NULL,
  root BLOB NOT NULL,
  recorded_at INTEGER NOT NULL,
  checkpoint BLOB NOT NULL
) STRICT`,
  refuse('entries', 'UPDATE'),
  KEEP_ENTRIES,
  refuse('ids', 'UPDATE'),
  refuse('ids', 'DELETE'),
  refuse('tiles', 'UPDATE', 'WHEN length(OLD.hashes) = 8192 OR length(NEW.hashes) <= length(OLD.hashes)'),
  refuse('tiles', 'DELETE'),
  refuse('head', 'UPDATE', 'WHEN NEW.size <= OLD.size'),
  refuse('head', 'DELETE'),
] as const;

function refuse(table: string, verb: 'UPDATE' | 'DELETE', when = ''): string {
  const condition = when === '' ? '' : `\n${when}`;
  return `CREATE TRIGGER ${table}_no_${verb.toLowerCase()} BEFORE ${verb} ON ${table}${condition}
BEGIN SELECT RAISE(ABORT, '${table}: append-only'); END`;
}

/** Makes the tables and triggers in an empty database, in one transaction. */
export function createSchema(db: DatabaseSync): void {
  db.exec(`BEGIN IMMEDIATE;
PRAGMA application_id = ${APPLICATION_ID};
PRAGMA user_version = ${SCHEMA_VERSION};
${statements.join(';\n')};
COMMIT`);
}

/** Lets entries below an index be deleted, within a transaction that records it. */
export function allowPruning(db: DatabaseSync, minimum: number): void {
  if (pragma(db, 'user_version') === SCHEMA_VERSION) {
    const text = ['DROP TRIGGER entries_no_delete', ...prunedStatements];
    db.exec(`${text.join(';\n')};\nPRAGMA user_version = ${SCHEMA_VERSION_PRUNED}`);
  }
  db.prepare(
    `INSERT INTO floor (one, minimum) VALUES (1, ?)
     ON CONFLICT (one) DO UPDATE SET minimum = max(minimum, excluded.minimum)`,
  ).run(minimum);
}

/** The statements that make a layout of this version. */
function layout(version: number): readonly string[] {
  if (version !== SCHEMA_VERSION_PRUNED) return statements;
  return [...statements.filter((statement) => statement !== KEEP_ENTRIES), ...prunedStatements];
}

/**
 * What is different between the schema of `db` and ours, in words; empty where nothing is.
 * Compares the marks of the file and the texts that SQLite keeps, so a dropped trigger, a view in place of a table, an added
 * index and a changed column type all show.
 */
export function schemaDrift(db: DatabaseSync): string[] {
  const found = new Map<string, string>();
  for (const row of db.prepare('SELECT type, name, sql FROM sqlite_schema').all()) {
    if (row['sql'] !== null) found.set(`${row['type']} ${row['name']}`, String(row['sql']));
  }
  const drift: string[] = [];
  if (pragma(db, 'application_id') !== APPLICATION_ID) drift.push('it is not marked as a log');
  const version = pragma(db, 'user_version');
  if (version !== SCHEMA_VERSION && version !== SCHEMA_VERSION_PRUNED)
    drift.push('it says that it has another layout');
  for (const statement of layout(version)) {
    const name = schemaName(statement);
    const sql = found.get(name);
    found.delete(name);
    if (sql === undefined) drift.push(`${name} is missing`);
    else if (sql !== statement) drift.push(`${name} is not as it was created`);
  }
  for (const name of found.keys()) drift.push(`${name} does not belong here`);
  return drift;
}

function schemaName(statement: string): string {
  const words = statement.split(/[\s(]+/, 3);
  return `${words[1]?.toLowerCase()} ${words[2]}`;
}

/** Refuses a database that is not a log of this version. Throws `LogError` `schema_newer`, `schema_changed`. */
export function checkSchema(db: DatabaseSync): void {
  inOurWords('its schema cannot be read', () => compareSchema(db));
}

function compareSchema(db: DatabaseSync): void {
  const version = pragma(db, 'user_version');
  if (pragma(db, 'application_id') !== APPLICATION_ID) {
    throw new LogError('schema_changed', 'log.db is not an Indelible log: its application_id differs');
  }
  if (version > SCHEMA_VERSION_PRUNED) {
    const known = SCHEMA_VERSION_PRUNED;
    throw new LogError('schema_newer', `log.db has layout ${version}; this release knows ${known}`, {
      hint: 'open it with the release that wrote it, or a later one',
    });
  }
  const drift = schemaDrift(db);
  if (drift.length > 0) {
    throw new LogError('schema_changed', `the schema of log.db was changed: ${drift.join('; ')}`, {
      hint: 'somebody altered the database; verify the log and compare it with a backup',
    });
  }
}

/** The integer that a pragma answers. */
export function pragma(db: DatabaseSync, name: string): number {
  return Number(Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
}
