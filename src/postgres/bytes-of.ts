import { LogError } from '../store/index.ts';

/** The bytes of a `bytea`, without the class of whichever driver they came from. Throws `LogError` `log_damaged`. */
export function bytesOf(value: unknown): Uint8Array {
  if (!(value instanceof Uint8Array)) throw damaged('a column of bytes');
  return new Uint8Array(value.buffer, value.byteOffset, value.length);
}

/**
 * The number in an `int8`, which drivers hand over as digits, or as whatever the application has told them. Throws `LogError`
 * `log_damaged`.
 */
export function wholeNumber(value: unknown): number {
  const number = typeof value === 'string' || typeof value === 'bigint' ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isSafeInteger(number)) throw damaged('a column of numbers');
  return number;
}

/** The error for what no log of ours holds. */
export function damaged(what: string): LogError {
  return new LogError('log_damaged', `${what} holds what no log has`, {
    hint: 'run verify: it names everything that was changed',
  });
}
