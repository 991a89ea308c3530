import { sha256 } from '#sha256';
import { misuse, VerificationError } from './errors.ts';

// The pure rooms see no DOM and no Node, so that they cannot lean on either by accident. These two classes
// are in every runtime; the little of them that we use is declared here and nowhere else.
declare const TextEncoder: {
  new (): {
    encode(text: string): Uint8Array<ArrayBuffer>;
    encodeInto(text: string, target: Uint8Array): { read: number; written: number };
  };
};
declare const TextDecoder: {
  new (label: 'utf-8', options: { fatal: true; ignoreBOM: true }): { decode(bytes: Uint8Array): string };
};

const encoder = new TextEncoder();
// `ignoreBOM` means "do not eat it": a byte order mark is three bytes of somebody's text and stays.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Up to here a plain loop beats the encoder, and V8 keeps the array inside its own heap, where it is cheap to
 * make.
 */
const SHORT_TEXT_LENGTH_MAX = 64;

/** One UTF-16 code unit takes at most three bytes of UTF-8. */
const UTF8_BYTES_PER_UNIT_MAX = 3;

/** Lent out by `borrowUtf8`. Texts that could overflow it are encoded into memory of their own. */
const scratch = new Uint8Array(96 * 1024);

/**
 * UTF-8 of `text`, in memory of its own. The inverse of `utf8Decode`.
 *
 * Throws a misuse `text_ill_formed` when the text holds half a surrogate pair: it has no UTF-8, and the
 * platform's encoder would silently write U+FFFD in its place, so that two texts would become the same bytes.
 */
export function utf8Encode(text: string): Uint8Array {
  if (text.length <= SHORT_TEXT_LENGTH_MAX) {
    const ascii = encodeAscii(text);
    if (ascii !== undefined) return ascii;
  }
  return encoder.encode(requireWellFormed(text));
}

/**
 * The text of UTF-8 `bytes`; a byte order mark is kept. The inverse of `utf8Encode`: whatever this accepts
 * encodes to the same bytes again. Throws `malformed_utf8`.
 */
export function utf8Decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new VerificationError(
      'malformed_utf8',
      'These bytes are not UTF-8.',
      { bytes: bytes.length },
      { cause },
    );
  }
}

/** How many bytes `utf8Encode(text)` has. Refuses what `utf8Encode` refuses. */
export function utf8Length(text: string): number {
  return borrowUtf8(text).length;
}

/**
 * SHA-256 of the UTF-8 of `text`: equal to `sha256(utf8Encode(text))` and, because no array is made on the
 * way, up to three times as fast. Refuses what `utf8Encode` refuses.
 */
export function sha256Text(text: string): Uint8Array {
  return sha256(borrowUtf8(text));
}

/**
 * UTF-8 of `text` in memory that belongs to this file: valid only until the next call, so read it at once and
 * never hand it on. For this room alone. Refuses what `utf8Encode` refuses.
 */
export function borrowUtf8(text: string): Uint8Array {
  requireWellFormed(text);
  if (text.length * UTF8_BYTES_PER_UNIT_MAX > scratch.length) return encoder.encode(text);
  const { written } = encoder.encodeInto(text, scratch);
  return scratch.subarray(0, written);
}

function encodeAscii(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length);
  for (let position = 0; position < text.length; position += 1) {
    const unit = text.charCodeAt(position);
    if (unit >= 0x80) return undefined;
    bytes[position] = unit;
  }
  return bytes;
}

function requireWellFormed(text: string): string {
  if (text.isWellFormed()) return text;
  throw misuse('type', 'text_ill_formed', 'The text holds half a surrogate pair: no UTF-8 has it.');
}
