import type { DatabaseSync } from 'node:sqlite';
import { equalBytes } from '../bytes/index.ts';
import type { StampedCheckpoint } from './anchor-rows.ts';

/**
 * Numbers of time-stamps in the order in which they came, from 0 on, for ever: under these they are published. A number goes with one
 * token, which lies in `timestamps` until another takes its place there, and here from then on.
 */
export const stampOrderSchema = `CREATE TABLE IF NOT EXISTS timestamp_numbers (
  number INTEGER PRIMARY KEY,
  size INTEGER NOT NULL,
  authority TEXT NOT NULL,
  token BLOB,
  note BLOB,
  at INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS timestamp_numbers_kept ON timestamp_numbers (size, authority) WHERE token IS NULL;
CREATE TABLE IF NOT EXISTS timestamps_published (
  url TEXT PRIMARY KEY,
  handled INTEGER NOT NULL,
  next INTEGER NOT NULL
) STRICT, WITHOUT ROWID`;

/** How far the time-stamps of a log are published at one place. */
export interface StampsAtPlace {
  /** `file:///…`, `s3://…`, without any credential. */
  readonly url: string;
  /** Those of the log with numbers below this are there, or are none that could be. */
  readonly handled: number;
  /** The first number that was free at the place. */
  readonly next: number;
}

/** Those that have no number yet: of a file that is older than the numbers. They get theirs by size. */
const unnumbered = `SELECT size, authority, token, note, at,
    (SELECT coalesce(max(number), -1) FROM timestamp_numbers) + row_number() OVER (ORDER BY size, authority) AS number
  FROM timestamps kept WHERE NOT EXISTS (SELECT 1 FROM timestamp_numbers numbered
    WHERE numbered.token IS NULL AND numbered.size = kept.size AND numbered.authority = kept.authority)`;

const numbered = `SELECT numbers.size, numbers.authority, coalesce(numbers.token, kept.token) AS token,
    coalesce(numbers.note, kept.note) AS note, coalesce(numbers.at, kept.at) AS at, number
  FROM timestamp_numbers numbers LEFT JOIN timestamps kept
    ON numbers.token IS NULL AND kept.size = numbers.size AND kept.authority = numbers.authority`;

const before = `SELECT size, authority, token, note, at, row_number() OVER (ORDER BY size, authority) - 1 AS number
  FROM timestamps`;

/** Every time-stamp under its number, as a table. A file that is only read may be older than the numbers: it shows those that they will get. */
export function stampsInOrder(db: DatabaseSync): string {
  const hasNumbers =
    db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'timestamp_numbers'").get() !== undefined;
  const all = hasNumbers ? `${numbered} UNION ALL ${unnumbered}` : before;
  return `(SELECT * FROM (${all}) WHERE number >= 0 AND token IS NOT NULL)`;
}

/** Keeps a token under a number of its own; one that it replaces keeps its own, too. In one transaction. */
export function putStamp(db: DatabaseSync, { size, authority, token, note, at }: StampedCheckpoint): void {
  db.exec('BEGIN IMMEDIATE');
  try {
    giveNumbers(db);
    const there = db
      .prepare('SELECT token FROM timestamps WHERE size = ? AND authority = ?')
      .get(size, authority);
    if (there !== undefined && !equalBytes(there['token'] as Uint8Array, token)) {
      db.prepare(
        `UPDATE timestamp_numbers SET (token, note, at) = (SELECT token, note, at FROM timestamps WHERE size = ?1 AND authority = ?2)
         WHERE token IS NULL AND size = ?1 AND authority = ?2`,
      ).run(size, authority);
    }
    db.prepare(
      'INSERT OR REPLACE INTO timestamps (size, authority, token, note, at) VALUES (?, ?, ?, ?, ?)',
    ).run(...[size, authority, token, note, at]);
    giveNumbers(db);
    db.exec('COMMIT');
  } finally {
    if (db.isTransaction) db.exec('ROLLBACK');
  }
}

function giveNumbers(db: DatabaseSync): void {
  db.exec(
    `INSERT INTO timestamp_numbers (number, size, authority) SELECT number, size, authority FROM (${unnumbered})`,
  );
}
