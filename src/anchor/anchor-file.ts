import { closeSync, fchmodSync, fchownSync, openSync, statSync } from 'node:fs';
import { LogError, SQLITE_BUSY, sqliteCode } from '../store/index.ts';

/**
 * Makes an empty file that its owner alone may read, as the log beside it; SQLite takes it for a new database. Where it is made `like`
 * another file, or like the folder that this names, it gets its owner, and a file's mode: whoever opens that can open it as well.
 */
export function makePrivate(path: string, like?: string): void {
  try {
    const made = openNew(path);
    const file = made ?? openSync(path, 'a', 0o600);
    try {
      if (made !== undefined && like !== undefined) makeLike(made, like);
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    throw new LogError('io_failed', `${path} cannot be opened: ${(cause as Error).message}`, { cause });
  }
}

/** A file that was not there, nor a link to anywhere, is given away; undefined where there is one. */
function openNew(path: string): number | undefined {
  try {
    return openSync(path, 'ax', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
    throw error;
  }
}

function makeLike(file: number, like: string): void {
  const model = statSync(like);
  if (isRoot()) fchownSync(file, model.uid, model.gid);
  if (model.isFile()) fchmodSync(file, model.mode & 0o666);
}

/** Whether this process may make a file that is like this one: as its owner, or as whoever may give files away. */
export function mayMakeLike(like: string): boolean {
  return process.getuid === undefined || isRoot() || process.getuid() === statSync(like).uid;
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Runs SQL and answers its failures in our own words. */
export function guarded<Result>(run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    const code = sqliteCode(error);
    if (code === undefined) throw error;
    throw new LogError('io_failed', `anchors.db: ${(error as Error).message}`, {
      cause: error,
      retryable: code === SQLITE_BUSY,
    });
  }
}
