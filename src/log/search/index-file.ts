import { closeSync, existsSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { systemClock } from '../../platform/index.ts';
import { LogError, SQLITE_CORRUPT, SQLITE_NOTADB, sqliteCode } from '../../store/index.ts';
import { beginFile, createTables, indexDrift, isEmpty } from './schema.ts';

/** Pages of cache a connection may hold, KiB. Merging terms reads what was written a moment ago. */
const CACHE_KIB = 32_768;

/** How long a statement waits for a lock, milliseconds; `apply` does not wait at all. */
export const BUSY_TIMEOUT_MS = 5_000;

/**
 * How long a process may hold the right to replace the file, milliseconds: it takes a few. Beyond, or so far in the future as
 * only a clock that was set back leaves it, it has died.
 */
const REPLACE_MS_MAX = 5_000;

/** Pages of the write-ahead log after which it is folded into the file: 32 MiB. */
const CHECKPOINT_PAGES = 4_000;

/** SQLite's primary code for a row that a constraint refuses (sqlite.org/rescode.html). */
const SQLITE_CONSTRAINT = 19;

/** A connection to `index.db`, and which file it is open on. */
export interface IndexFile {
  readonly db: DatabaseSync;
  /** Tells this file from another that was put in its place; undefined for a temporary database. */
  readonly inode: number | undefined;
}

/** How `index.db` is opened. */
export interface IndexFileOptions {
  readonly readOnly: boolean;
  /** Told why an index was put aside and another begun. */
  readonly onReplaced: (reason: string) => void;
}

/**
 * Opens the index at `path`, which is made if it is missing. One whose schema is not ours is put aside, as
 * `index.db.damaged`, and another begun: everything in it follows from the log. Nothing of the kind happens with `readOnly`:
 * then it throws `LogError` `not_found`, `index_corrupt`. An empty path is a temporary database.
 */
export function openIndexFile(path: string, options: IndexFileOptions): IndexFile {
  if (isTemporary(path)) return { db: openTemporary(path), inode: undefined };
  if (options.readOnly) return openReadOnly(path);
  for (;;) {
    const found = existsSync(path) ? tryOpen(path) : 'it is missing';
    if (typeof found !== 'string') return found;
    replaceIndexFile(path, { reason: found, onReplaced: options.onReplaced });
  }
}

/** Whether a path names a database that goes with its connection. */
export function isTemporary(path: string): boolean {
  return path === '' || path === ':memory:';
}

/** Whether another file has been put in the place of the one that is open. */
export function isReplaced(path: string, { inode }: IndexFile): boolean {
  return inode !== undefined && inodeOf(path) !== inode;
}

/**
 * Whether an error says that the file is damaged, rather than busy, full or out of reach. Rows that are there before their
 * turn are damage, too, and so is an integer beyond 2^53, which node:sqlite refuses to round.
 */
export function isDamage(error: unknown): boolean {
  const code = sqliteCode(error);
  if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB || code === SQLITE_CONSTRAINT) return true;
  return (error as { code?: unknown }).code === 'ERR_OUT_OF_RANGE';
}

/**
 * Puts the index aside and makes an empty one, unless another process has done so in the meantime: where `damaged`, the inode
 * of a file that is known to be of no use, is given, that file; otherwise one whose schema is not ours. A damaged index is
 * kept, in place of an earlier one, for whoever wants to know what happened. Returns whether there is a new one.
 */
export function replaceIndexFile(path: string, replacement: Replacement): boolean {
  const release = lock(`${path}.replacing`);
  try {
    if (existsSync(path)) {
      if (!isUseless(path, replacement.damaged)) return false;
      replacement.onReplaced(replacement.reason);
      putAside(path);
    }
    const db = connect(path, {});
    try {
      createIn(db);
    } finally {
      db.close();
    }
    return true;
  } finally {
    release();
  }
}

/** Why, and which file, is replaced. */
export interface Replacement {
  readonly reason: string;
  readonly damaged?: number | undefined;
  readonly onReplaced: (reason: string) => void;
}

function isUseless(path: string, damaged: number | undefined): boolean {
  if (damaged !== undefined) return inodeOf(path) === damaged;
  const found = tryOpen(path);
  if (typeof found !== 'string') found.db.close();
  return typeof found === 'string';
}

/** Removes the index, whatever state it is in. Connections that are open on it go on with what they have, and then notice. */
export function removeIndexFile(path: string): void {
  const release = lock(`${path}.replacing`);
  try {
    for (const suffix of ['', '-shm', '-wal', '.damaged', '.damaged-wal'])
      rmSync(path + suffix, { force: true });
  } finally {
    release();
  }
}

/** The shared memory goes with the file: beside a new one it would describe the log of the old one. */
function putAside(path: string): void {
  rmSync(`${path}.damaged-wal`, { force: true });
  renameSync(path, `${path}.damaged`);
  rmSync(`${path}-shm`, { force: true });
  if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${path}.damaged-wal`);
}

/** The open file, or why it is none of ours. */
function tryOpen(path: string): IndexFile | string {
  let db: DatabaseSync | undefined;
  try {
    db = connect(path, {});
    if (isEmpty(db)) createIn(db);
    const drift = indexDrift(db);
    const inode = inodeOf(path);
    if (drift.length === 0 && inode !== undefined) return { db, inode };
    db.close();
    return drift.join('; ') || 'it is missing';
  } catch (error) {
    if (db?.isOpen) db.close();
    if (!isDamage(error)) throw error;
    return (error as Error).message;
  }
}

function openReadOnly(path: string): IndexFile {
  const inode = inodeOf(path);
  if (inode === undefined) throw new LogError('not_found', 'there is no search index yet');
  const db = connect(path, { readOnly: true });
  try {
    const drift = indexDrift(db);
    if (drift.length === 0) return { db, inode };
    throw new LogError('index_corrupt', `the search index cannot be used: ${drift.join('; ')}`, {
      hint: 'delete index.db: whoever opens the log for writing makes it anew',
    });
  } catch (error) {
    db.close();
    throw error;
  }
}

function openTemporary(path: string): DatabaseSync {
  const db = new DatabaseSync(path);
  db.exec(
    `PRAGMA page_size = 8192; PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; PRAGMA cache_size = -${CACHE_KIB}`,
  );
  createTables(db);
  return db;
}

/**
 * `synchronous=NORMAL`: a power cut may take the last transactions back, the cursor with them, but never leaves half of one;
 * they are indexed again. Without `secure_delete`, pages that merging has freed keep their bytes until they are used again:
 * overwriting them would take a tenth of the time of indexing. Whoever erases has to make the index anew, or VACUUM it.
 */
function connect(path: string, { readOnly = false }): DatabaseSync {
  if (!readOnly) makePrivate(path);
  const db = new DatabaseSync(path, { readOnly, timeout: BUSY_TIMEOUT_MS });
  try {
    db.exec(`PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA cache_size = -${CACHE_KIB}`);
    if (readOnly) return db;
    beginFile(db);
    db.exec(
      `PRAGMA synchronous = NORMAL; PRAGMA secure_delete = OFF; PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`,
    );
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Terms tell what the sealed values are: a new file is its owner's alone, and SQLite's other files take after it. */
function makePrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'EEXIST') throw error;
  }
}

function createIn(db: DatabaseSync): void {
  db.exec('BEGIN IMMEDIATE');
  try {
    // Another process may have been first.
    if (isEmpty(db)) createTables(db);
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

/** Takes a lock that is a file, waiting while another process has it. Returns what gives it back. */
function lock(path: string): () => void {
  const end = systemClock.wall() + 2 * REPLACE_MS_MAX;
  for (;;) {
    try {
      closeSync(openSync(path, 'wx', 0o600));
      return () => rmSync(path, { force: true });
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'EEXIST' || systemClock.wall() > end) throw error;
    }
    const taken = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? systemClock.wall();
    if (Math.abs(systemClock.wall() - taken) > REPLACE_MS_MAX) rmSync(path, { force: true });
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
  }
}
