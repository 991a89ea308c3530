import { LogError } from '../bytes/index.ts';

/** SQLite's primary result codes that we tell apart (sqlite.org/rescode.html). */
export const SQLITE_ERROR = 1;
export const SQLITE_BUSY = 5;
export const SQLITE_READONLY = 8;
export const SQLITE_IOERR = 10;
export const SQLITE_CORRUPT = 11;
export const SQLITE_FULL = 13;
export const SQLITE_CANTOPEN = 14;
export const SQLITE_NOTADB = 26;

/**
 * The primary result code of an error thrown by node:sqlite, also where it is the cause of a `LogError`;
 * undefined for another error.
 */
export function sqliteCode(error: unknown): number | undefined {
  if (error instanceof LogError) return sqliteCode(error.cause);
  const code = (error as { errcode?: unknown } | null)?.errcode;
  return typeof code === 'number' ? code % 256 : undefined;
}

/** SQLite's refusal in our words. Everything before COMMIT is undone by the rollback, so nothing is lost. */
export function sqliteFailure(error: unknown, what: string): LogError {
  if (error instanceof LogError) return error;
  const code = sqliteCode(error);
  if (code === SQLITE_FULL) {
    return new LogError('disk_full', `the disk is full: ${what}`, {
      retryable: true,
      cause: error,
      hint: 'free space and try again; nothing that was acknowledged is affected',
    });
  }
  if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB || isOutOfRange(error)) {
    return new LogError('log_damaged', `the database is damaged: ${what}: ${(error as Error).message}`, {
      cause: error,
      hint: 'run verify: it names everything that was changed',
    });
  }
  return new LogError('io_failed', `SQLite failed: ${what}: ${(error as Error).message}`, { cause: error });
}

/** Runs `work`; what SQLite throws leaves it in our words, anything else as it is. */
export function inOurWords<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw sqliteCode(error) === undefined && !isOutOfRange(error) ? error : sqliteFailure(error, what);
  }
}

/** An integer column holds a number that no log of ours ever has, beyond 2^53: node:sqlite refuses to round it. */
function isOutOfRange(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === 'ERR_OUT_OF_RANGE';
}
