import { VerificationError } from './errors.ts';

/** No leading zeros, no sign, no spaces; 2^53 - 1 has 16 digits. */
const decimal = /^(?:0|[1-9][0-9]{0,15})$/;

/**
 * The number that `text` writes in decimal, 0 to 2^53 - 1, in the one form it can have (`0|[1-9][0-9]*`).
 * `Number("")`, `Number(" 7 ")` and `Number("0x10")` are numbers too; here they are refused. Throws
 * `malformed_decimal`.
 */
export function parseDecimal(text: string): number {
  const value = decimal.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new VerificationError(
    'malformed_decimal',
    'A number is written in decimal, without sign, spaces or leading zeros, and is at most 2^53 - 1.',
  );
}
