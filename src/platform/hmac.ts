import { hash } from 'node:crypto';

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;

/** What is hashed is put together here: most of it is short. Holds nothing between two calls that is read again. */
const scratch = Buffer.allocUnsafeSlow(64 * 1024);

/** The inner digest behind the outer pad. */
const outer = Buffer.allocUnsafeSlow(BLOCK_BYTES + DIGEST_BYTES);

/**
 * HMAC-SHA256 (RFC 2104) of the parts, one after the other, by Node's one-shot hash. `createHmac` costs as much as four hashes for a
 * short message, and leaves an object with memory outside the heap for each, which the garbage collector does not feel.
 *
 * A key is at most 64 bytes long. Throws `RangeError` for a longer one.
 */
export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  if (key.length > BLOCK_BYTES) throw new RangeError(`a key of HMAC has at most ${BLOCK_BYTES} bytes here`);
  const length = parts.reduce((sum, part) => sum + part.length, BLOCK_BYTES);
  const inner = length <= scratch.length ? scratch : Buffer.allocUnsafeSlow(length);
  for (let at = 0; at < BLOCK_BYTES; at += 1) {
    const byte = at < key.length ? key[at]! : 0;
    inner[at] = byte ^ 0x36;
    outer[at] = byte ^ 0x5c;
  }
  let at = BLOCK_BYTES;
  for (const part of parts) {
    inner.set(part, at);
    at += part.length;
  }
  outer.write(hash('sha256', inner.subarray(0, length), 'binary'), BLOCK_BYTES, 'latin1');
  const text = hash('sha256', outer, 'binary');
  const digest = new Uint8Array(DIGEST_BYTES);
  for (let position = 0; position < DIGEST_BYTES; position += 1) digest[position] = text.charCodeAt(position);
  return digest;
}

/**
 * HKDF-SHA256 (RFC 5869) without salt: two keys of 32 bytes, which are the first 64 bytes of its output. The parts of the secret
 * stand one after the other.
 */
export function hkdfSha256(
  secret: readonly Uint8Array[],
  info: Uint8Array,
): readonly [first: Uint8Array, second: Uint8Array] {
  const extracted = hmacSha256(NO_SALT, ...secret);
  const first = hmacSha256(extracted, info, FIRST);
  return [first, hmacSha256(extracted, first, info, SECOND)];
}

const NO_SALT = new Uint8Array(0);
const FIRST = new Uint8Array([1]);
const SECOND = new Uint8Array([2]);
