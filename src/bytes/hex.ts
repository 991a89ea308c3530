import { VerificationError } from './errors.ts';

const DIGITS = '0123456789abcdef';

/** The two digits of each byte. */
const pairs = Array.from({ length: 256 }, (_, byte) => DIGITS.charAt(byte >> 4) + DIGITS.charAt(byte & 15));

/** Lower-case hexadecimal of `bytes`. The inverse of `hexDecode`. */
export function hexEncode(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += pairs[byte];
  return text;
}

/**
 * The bytes of lower-case hexadecimal `text`. Upper case is refused, so that no two texts mean the same
 * bytes. Throws `malformed_hex` with the position of the first character that does not belong.
 */
export function hexDecode(text: string): Uint8Array {
  if (text.length % 2 !== 0) {
    throw new VerificationError('malformed_hex', 'Hexadecimal has two digits a byte; one is missing.', {
      length: text.length,
    });
  }
  const bytes = new Uint8Array(text.length / 2);
  for (let index = 0; index < bytes.length; index += 1) {
    bytes[index] = digitAt(text, index * 2) * 16 + digitAt(text, index * 2 + 1);
  }
  return bytes;
}

function digitAt(text: string, position: number): number {
  const value = DIGITS.indexOf(text.charAt(position));
  if (value >= 0) return value;
  throw new VerificationError(
    'malformed_hex',
    `Position ${position} holds no lower-case hexadecimal digit.`,
    { position },
  );
}
