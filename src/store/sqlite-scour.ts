import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Scouring } from './contract.ts';
import { SQLITE_BUSY, sqliteCode, sqliteFailure } from './sqlite-failure.ts';

/** Pause between two attempts while a reader or a writer is in the way, milliseconds: short, or busy writers would always be first. */
const AGAIN_MS = 4;

/**
 * Leaves no byte of what was deleted in a database and its write-ahead log.
 *
 * `secure_delete` zeroes what a DELETE frees, and no more: where a page was split or rows were moved, SQLite leaves copies behind
 * (measured). So the file is written anew, and then the write-ahead log, which holds pages as they were, is cut to nothing; that
 * waits for readers, since one that began earlier may still need those pages. A process that dies in between leaves a
 * database that is whole and a log that is not cut yet: call it again.
 */
export async function scourDatabase(
  db: DatabaseSync,
  { waitMs, now }: { readonly waitMs: number; readonly now: () => number },
): Promise<Scouring> {
  const end = now() + waitMs;
  const attempt = async (isDone: () => boolean): Promise<boolean> => {
    while (!isDone()) {
      if (now() >= end) return false;
      await sleep(AGAIN_MS);
    }
    return true;
  };
  if (!(await attempt(() => isVacuumed(db)))) {
    return { isClean: false, why: 'another process kept the log busy: log.db could not be written anew' };
  }
  if (await attempt(() => isTruncated(db))) return { isClean: true };
  return { isClean: false, why: 'a reader kept log.db-wal in use: it could not be cut' };
}

function isVacuumed(db: DatabaseSync): boolean {
  try {
    db.exec('VACUUM');
    return true;
  } catch (error) {
    if (sqliteCode(error) === SQLITE_BUSY) return false;
    throw sqliteFailure(error, 'log.db could not be written anew');
  }
}

/** True when every page is in the file, and the write-ahead log has no byte left. */
function isTruncated(db: DatabaseSync): boolean {
  try {
    return db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()?.['busy'] === 0;
  } catch (error) {
    if (sqliteCode(error) === SQLITE_BUSY) return false;
    throw sqliteFailure(error, 'log.db-wal could not be cut');
  }
}
