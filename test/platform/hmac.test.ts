// HMAC and HKDF out of one-shot hashes, against Node's own and a vector of RFC 5869.

import assert from 'node:assert/strict';
import { createHmac, hkdfSync } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { hkdfSha256, hmacSha256 } from '#dist/platform/index.js';

const bytes = (maxLength: number) => fc.uint8Array({ maxLength });

test('HMAC is the one of Node, for every key that is taken and parts of any length', () => {
  fc.assert(
    fc.property(bytes(64), fc.array(bytes(300), { maxLength: 4 }), (key, parts) => {
      const theirs = createHmac('sha256', key).update(Buffer.concat(parts)).digest();
      assert.deepEqual(Buffer.from(hmacSha256(key, ...parts)), theirs);
    }),
  );
  const large = new Uint8Array(200_000).fill(7);
  const key = new Uint8Array(32).fill(1);
  assert.deepEqual(
    Buffer.from(hmacSha256(key, large, large)),
    createHmac('sha256', key).update(large).update(large).digest(),
  );
  assert.throws(() => hmacSha256(new Uint8Array(65)), RangeError);
});

test('HKDF is the one of Node, as far as it goes', () => {
  fc.assert(
    fc.property(fc.array(bytes(80), { minLength: 1, maxLength: 40 }), bytes(1024), (secret, info) => {
      const theirs = Buffer.from(hkdfSync('sha256', Buffer.concat(secret), new Uint8Array(0), info, 64));
      assert.deepEqual(Buffer.concat(hkdfSha256(secret, info)), theirs);
    }),
  );
});

test('HKDF gives what RFC 5869 gives, test case 3', () => {
  const expected = '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8';
  const derived = Buffer.concat(hkdfSha256([new Uint8Array(22).fill(0x0b)], new Uint8Array(0)));
  assert.equal(derived.toString('hex').slice(0, expected.length), expected);
});
