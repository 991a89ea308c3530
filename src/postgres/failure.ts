import { isLogError, LogError } from '../store/index.ts';

/** The SQLSTATE of a server's refusal (PostgreSQL, appendix A); undefined for another error. */
export function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/** Our own SQLSTATEs, raised by the functions of the schema. */
export const SQLSTATE_HEAD_MOVED = 'IND01';
export const SQLSTATE_APPEND_ONLY = 'IND02';
export const SQLSTATE_CONTRACT = 'IND03';

/**
 * Whether a server may go on with the next attempt: the connection is gone, it shuts down, it cannot take more, a lock was not to
 * be had in time, or it ended a transaction that was in the way of others.
 */
function isUnreachable(error: unknown): boolean {
  const state = sqlState(error);
  if (state === undefined) return isConnectionError(error);
  return /^(08|57P0|57014|53[03]|25P03|25P04|40001|40P01|55P03|25006)/.test(state);
}

/** Errors of drivers and sockets that say that the connection is no more. */
export function isConnectionError(error: unknown): boolean {
  const { code, message = '' } = (error ?? {}) as { code?: unknown; message?: string };
  if (typeof code === 'string' && /^(E[A-Z]+|CONNECT[A-Z_]*|CONNECTION_[A-Z_]+)$/.test(code)) return true;
  return /connection (terminated|ended|closed|timeout)|terminating connection|timeout exceeded when trying to connect|not queryable|Client was closed|write after end/i.test(
    message,
  );
}

/** A failure of the server, or of the way to it, in our words. */
export function postgresFailure(error: unknown, what: string): unknown {
  if (isLogError(error)) return error;
  const state = sqlState(error);
  const message = (error as Error | null)?.message ?? String(error);
  if (state === SQLSTATE_HEAD_MOVED) {
    return new LogError('head_moved', 'the head is not the one that was taken', {
      retryable: true,
      cause: error,
    });
  }
  if (state === SQLSTATE_CONTRACT) return new LogError('store_contract', message, { cause: error });
  if (state === '53100') {
    return new LogError('disk_full', `the disk of the database is full: ${what}`, {
      retryable: true,
      cause: error,
      hint: 'free space and try again; nothing that was acknowledged is affected',
    });
  }
  if (state === '42501') {
    return new LogError('not_permitted', `the database refuses this role: ${what}: ${message}`, {
      cause: error,
      hint: 'grant it indelible_writer, indelible_outbox or indelible_reader: see docs/postgres.md',
    });
  }
  if (state === '3F000' || state === '42P01' || state === '42883') {
    return new LogError(
      'schema_missing',
      `this database has no schema of Indelible, or another: ${message}`,
      {
        cause: error,
        hint: 'run indelible pg migrate URL',
      },
    );
  }
  if (isUnreachable(error)) {
    return new LogError('unreachable', `the database is not to be reached: ${what}: ${message}`, {
      retryable: true,
      cause: error,
    });
  }
  if (state !== undefined)
    return new LogError('io_failed', `PostgreSQL failed: ${what}: ${message}`, { cause: error });
  return error;
}

/** Runs `work`; what the server or the driver throws leaves it in our words, anything else as it is. */
export async function inOurWords<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw postgresFailure(error, what);
  }
}
