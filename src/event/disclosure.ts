import { sha256Base64url } from '#sha256';
import { type JsonValue, misuse, parseCanonicalJson, parseJson, VerificationError } from '../bytes/index.ts';
import { isReservedName } from './rules.ts';

/** A salt and a nonce have 128 bits each, so that no hash can be tried out. */
export const SALT_BYTES = 16;

/** Base64url of `SALT_BYTES`. */
export const SALT_CHARACTERS = 22;

/** Base64url of a SHA-256. */
export const DIGEST_CHARACTERS = 43;

/** A disclosure of one field of an object (RFC 9901 §4.2.1). */
export interface Disclosure {
  readonly salt: string;
  readonly name: string;
  readonly value: JsonValue;
}

/**
 * The digest of a disclosure, as an entry's `_sd` holds it: base64url of the SHA-256 over the ASCII of the
 * base64url of the disclosure's exact UTF-8 (RFC 9901 §4.2.3). `text` is the JSON array itself; any stray
 * space in it makes another digest.
 */
export function digestDisclosure(text: string): string {
  if (!text.isWellFormed())
    throw misuse('range', 'text_ill_formed', 'Half a surrogate pair has no UTF-8 to be hashed.');
  return sha256Base64url(text);
}

/**
 * The parts of a disclosure's text. Throws `malformed_disclosure` unless it is a JSON array of salt, name and
 * value, with a name that an object may have. White space is accepted, because the digest covers it; ours has
 * none.
 */
export function parseDisclosure(text: string): Disclosure {
  const parts = parseText(text);
  if (!Array.isArray(parts) || parts.length !== 3) throw malformed('is not an array of salt, name and value');
  const [salt, name, value] = parts as [JsonValue, JsonValue, JsonValue];
  if (typeof salt !== 'string' || typeof name !== 'string')
    throw malformed('has a salt or a name that is no text');
  if (isReservedName(name)) throw malformed('bears a name that sealing uses itself');
  return { salt, name, value };
}

function parseText(text: string): JsonValue {
  try {
    return parseCanonicalJson(text);
  } catch {
    // Other writers of RFC 9901 put spaces in.
    return parseJson(text);
  }
}

function malformed(complaint: string): VerificationError {
  return new VerificationError('malformed_disclosure', `The disclosure ${complaint}.`);
}
