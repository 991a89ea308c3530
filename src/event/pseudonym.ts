import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { base64urlEncode, misuse, utf8Encode } from '../bytes/index.ts';

/** The key of a log's pseudonyms has at least this many bytes. */
export const PSEUDONYM_KEY_BYTES_MIN = 16;

/**
 * The pseudonym that stands for `id` in a log that was created with `personalIds: 'pseudonymise'`: always the
 * same for one key, and untraceable without it. Throw the key away, and no pseudonym leads back to anybody. A
 * query for the id has to ask for this instead.
 */
export function pseudonym(id: string, key: Uint8Array): string {
  if (key.length < PSEUDONYM_KEY_BYTES_MIN) {
    throw misuse(
      'range',
      'pseudonym_key_invalid',
      `A pseudonym key has at least ${PSEUDONYM_KEY_BYTES_MIN} bytes.`,
    );
  }
  return `p_${base64urlEncode(hmac(sha256, key, utf8Encode(id)).subarray(0, 16))}`;
}
