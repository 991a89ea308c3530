import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { LogError } from '../bytes/index.ts';
import { inOurWords, SQLITE_CANTOPEN, SQLITE_IOERR, SQLITE_READONLY, sqliteCode } from './sqlite-failure.ts';
import { pragma } from './sqlite-schema.ts';

/** The oldest SQLite that is trusted with a log: earlier ones can lose a WAL reset race between processes. */
export const SQLITE_VERSION_MIN = '3.51.3';

/** Pages of cache a connection may hold, KiB. */
const CACHE_KIB = 16_384;

/**
 * Pages that gather in the write-ahead log before they are copied into the file, in a pause of every writer: 32 MiB. At
 * SQLite's default of 1,000 the pause comes every 1,500 events or so, and is what the 99th percentile of 64 callers shows.
 */
const CHECKPOINT_PAGES = 8_000;

/** How long a reader or the opening of a file waits for a lock, milliseconds. Writers wait by themselves. */
const BUSY_TIMEOUT_MS = 10_000;

/**
 * Opens a connection that may write. Durability is set and read back, never inherited
 * (measured: at `synchronous=NORMAL` a power cut loses acknowledged commits; at FULL none).
 * Throws `LogError` `not_durable` where SQLite did not take a setting, `sqlite_too_old`, `log_damaged`,
 * `io_failed`.
 */
export function openWritable(path: string): DatabaseSync {
  return inOurWords(`${path} cannot be opened`, () => configureWritable(open(path, false)));
}

function configureWritable(db: DatabaseSync): DatabaseSync {
  try {
    db.exec(`PRAGMA journal_mode=WAL;
PRAGMA synchronous=FULL;
PRAGMA fullfsync=ON;
PRAGMA checkpoint_fullfsync=ON;
PRAGMA secure_delete=ON;
PRAGMA trusted_schema=OFF;
PRAGMA cell_size_check=ON;
PRAGMA wal_autocheckpoint=${CHECKPOINT_PAGES};
PRAGMA cache_size=-${CACHE_KIB}`);
    const mode = String(Object.values(db.prepare('PRAGMA journal_mode').get() ?? {})[0]);
    if (mode !== 'wal') throw notDurable('journal_mode', mode);
    for (const [name, value] of [
      ['synchronous', 2],
      ['fullfsync', 1],
      ['secure_delete', 1],
    ] as const) {
      const actual = pragma(db, name);
      if (actual !== value) throw notDurable(name, actual);
    }
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/**
 * Opens a connection that cannot write. Throws `LogError` `log_damaged` where the file is no database any more.
 *
 * SQLite wants to put its shared memory beside the file even then, for which a full disk has no room and a
 * read-only one no permission. A log that was closed has nothing in its write-ahead log, and where nothing can
 * be put beside it nobody can begin to write it: so it is read as a file that does not change.
 */
export function openReadable(path: string): DatabaseSync {
  return inOurWords(`${path} cannot be opened`, () => {
    try {
      return configureReadable(open(path, true));
    } catch (error) {
      const code = sqliteCode(error);
      const noRoom = code === SQLITE_CANTOPEN || code === SQLITE_IOERR || code === SQLITE_READONLY;
      if (!noRoom || bytesIn(path) === 0 || bytesIn(`${path}-wal`) > 0) throw error;
      return configureReadable(open(new URL(`${pathToFileURL(path).href}?immutable=1`), true));
    }
  });
}

/** The size of a file; 0 where there is none. */
function bytesIn(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function configureReadable(db: DatabaseSync): DatabaseSync {
  try {
    db.exec(`PRAGMA trusted_schema=OFF; PRAGMA cache_size=-${CACHE_KIB}; PRAGMA query_only=ON`);
    // The first statement that reads the file shows whether it can be read at all.
    db.prepare('SELECT count(*) FROM sqlite_schema').get();
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function open(path: string | URL, readOnly: boolean): DatabaseSync {
  const db = new DatabaseSync(path, { readOnly, timeout: BUSY_TIMEOUT_MS });
  try {
    const version = String(db.prepare('SELECT sqlite_version() AS version').get()?.['version']);
    if (!olderThan(version, SQLITE_VERSION_MIN)) return db;
    throw new LogError('sqlite_too_old', `SQLite ${version} is older than ${SQLITE_VERSION_MIN}`, {
      hint: 'run on a newer Node 24',
    });
  } catch (error) {
    db.close();
    throw error;
  }
}

function notDurable(name: string, value: unknown): LogError {
  return new LogError('not_durable', `SQLite did not take ${name}: it reads back ${String(value)}`, {
    hint: 'the file system may not support it (WAL needs shared memory; network file systems have none)',
  });
}

function olderThan(version: string, minimum: string): boolean {
  const left = version.split('.').map(Number);
  const right = minimum.split('.').map(Number);
  for (let part = 0; part < right.length; part++) {
    const difference = (left[part] ?? 0) - (right[part] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
