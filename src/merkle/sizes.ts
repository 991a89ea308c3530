import { misuse } from '../bytes/index.ts';

/**
 * The largest tree that we speak of: 2^53 - 1 leaves, the last size that a JavaScript number holds exactly.
 * All arithmetic on sizes and indexes divides and multiplies; the operators `<<`, `>>` and `&` would cut them
 * to 32 bits.
 */
export const SIZE_MAX = Number.MAX_SAFE_INTEGER;

/** Throws a misuse `size_out_of_range` unless `size` is a whole number from 0 to `SIZE_MAX`. */
export function requireSize(size: number): void {
  if (Number.isSafeInteger(size) && size >= 0) return;
  throw misuse(
    'range',
    'size_out_of_range',
    `A tree size is a whole number from 0 to 2^53 - 1, not ${size}.`,
  );
}

/** Throws a misuse `index_out_of_range` unless `index` is a whole number from 0 to 2^53 - 1. */
export function requireIndex(index: number): void {
  if (Number.isSafeInteger(index) && index >= 0) return;
  throw misuse('range', 'index_out_of_range', `An index is a whole number from 0 to 2^53 - 1, not ${index}.`);
}

/**
 * The number k of RFC 6962 §2.1: the largest power of two smaller than `size`, where its tree splits. At
 * least 2 leaves.
 */
export function splitPoint(size: number): number {
  let k = 1;
  while (k * 2 < size) k *= 2;
  return k;
}

/** Whether `size` is a power of two. */
export function isPowerOfTwo(size: number): boolean {
  return size === 1 || (size > 1 && splitPoint(size) * 2 === size);
}

/** Half of `value`, without the remainder: `value >> 1` for numbers beyond 32 bits. */
export function halve(value: number): number {
  return Math.floor(value / 2);
}
