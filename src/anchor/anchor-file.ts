import { closeSync, openSync } from 'node:fs';
import { LogError, SQLITE_BUSY, sqliteCode } from '../store/index.ts';

/** Makes an empty file that its owner alone may read, as the log beside it; SQLite takes it for a new database. */
export function makePrivate(path: string): void {
  try {
    closeSync(openSync(path, 'a', 0o600));
  } catch (cause) {
    throw new LogError('io_failed', `${path} cannot be opened: ${(cause as Error).message}`, { cause });
  }
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
