import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import { base64urlEncode, base64urlEncodeText } from './base64.ts';
import { utf8Encode } from './text.ts';

/**
 * SHA-256 (FIPS 180-4) of `data`: 32 bytes in memory of their own. Noble's, for browsers and every runtime
 * but Node.
 */
export function sha256(data: Uint8Array): Uint8Array {
  return nobleSha256(data);
}

/**
 * Base64url of the SHA-256 of the base64url of the UTF-8 of `text`, which is how RFC 9901 §4.2.3 hashes a
 * disclosure. The caller refuses half a surrogate pair first.
 */
export function sha256Base64url(text: string): string {
  return base64urlEncode(sha256(utf8Encode(base64urlEncodeText(text))));
}
