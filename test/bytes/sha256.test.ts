import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { base64urlEncode, hexEncode, sha256, sha256Text, utf8Encode } from 'indelible/bytes';
import { sha256 as portable, sha256Base64url as portableOfText } from '#dist/bytes/sha256-portable.js';
import { sha256 as native, sha256Base64url as nativeOfText } from '#dist/platform/sha256.js';

test('on Node, sha256 is the native one', () => {
  assert.equal(sha256, native);
});

test('both bodies of SHA-256 give the digests of FIPS 180-4', () => {
  const known = {
    '': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    abc: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  };
  for (const [text, digest] of Object.entries(known)) {
    assert.equal(hexEncode(native(utf8Encode(text))), digest);
    assert.equal(hexEncode(portable(utf8Encode(text))), digest);
  }
});

test('both bodies agree with each other on every length to 300, and on windows into longer memory', () => {
  const memory = Uint8Array.from({ length: 70_000 }, (_, index) => index * 31 + (index >> 7));
  for (const length of [...Array(301).keys(), 65_535, 65_536]) {
    const window = memory.subarray(17, 17 + length);
    const digest = createHash('sha256').update(window).digest('hex');
    assert.equal(hexEncode(native(window)), digest);
    assert.equal(hexEncode(portable(window)), digest);
  }
});

test('a digest is a plain Uint8Array of 32 bytes with memory of its own', () => {
  for (const sha of [native, portable]) {
    const digest = sha(new Uint8Array(3));
    assert.equal(Object.getPrototypeOf(digest), Uint8Array.prototype);
    assert.equal(digest.byteLength, 32);
    assert.equal(digest.buffer.byteLength, 32);
  }
});

test('sha256Text is sha256 of the UTF-8', () => {
  for (const text of ['', 'abc', 'naïve €', '😀'.repeat(9000), 'x'.repeat(200_000)]) {
    assert.deepEqual(sha256Text(text), sha256(utf8Encode(text)));
  }
  assert.throws(() => sha256Text('\udc00'), { code: 'text_ill_formed' });
});

test('both bodies hash a disclosure as RFC 9901 does, and as the parts one by one', () => {
  // RFC 9901 §4.2.3.
  const example = '["_26bc4LT-ac6q2KI6cBW5es", "family_name", "Möbius"]';
  for (const ofText of [nativeOfText, portableOfText]) {
    assert.equal(ofText(example), 'X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0');
    for (const text of ['', 'a', 'naïve €', '😀'.repeat(20_000)]) {
      const base64url = Buffer.from(text).toString('base64url');
      assert.equal(ofText(text), base64urlEncode(sha256(Buffer.from(base64url))));
    }
  }
});
