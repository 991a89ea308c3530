import { crc32 } from 'node:zlib';
import { base64urlEncode, utf8Encode } from '../bytes/index.ts';
import { randomBytes } from '../platform/index.ts';

/**
 * `ind_<id>_<secret><crc>`: a prefix that scanners of source code look for, the public id, 256 random bits, and a
 * checksum by which a scanner knows a real key from an accident, and a typing error is told from a revoked key.
 */
const pattern = /^ind_([0-9a-f]{12})_([A-Za-z0-9_-]{43})([A-Za-z0-9_-]{6})$/;

const ID_BYTES = 6;
const SECRET_BYTES = 32;

/** A key's two parts. */
export interface KeyParts {
  readonly id: string;
  readonly secret: string;
}

/** A new key: its public id, its secret, and the text that is shown once. */
export function makeKey(): KeyParts & { readonly text: string } {
  const id = Array.from(randomBytes(ID_BYTES), (byte) => byte.toString(16).padStart(2, '0')).join('');
  const secret = base64urlEncode(randomBytes(SECRET_BYTES));
  const body = `ind_${id}_${secret}`;
  return { id, secret, text: body + checksum(body) };
}

/** The parts of a key, or undefined where the text is none. The inverse of the text of {@link makeKey}. */
export function parseKey(text: string): KeyParts | undefined {
  const found = pattern.exec(text);
  if (found === null) return undefined;
  const [, id, secret, crc] = found as unknown as [string, string, string, string];
  return checksum(text.slice(0, -crc.length)) === crc ? { id, secret } : undefined;
}

function checksum(text: string): string {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, crc32(utf8Encode(text)));
  return base64urlEncode(bytes);
}

/** 256 random bits, for links and sessions. */
export function makeToken(): string {
  return base64urlEncode(randomBytes(SECRET_BYTES));
}
