import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  base64Decode,
  base64Encode,
  base64urlDecode,
  base64urlEncode,
  base64urlEncodeText,
  hexDecode,
  hexEncode,
  utf8Encode,
} from 'indelible/bytes';
import { readVector, vectorsMissing } from '../support/vectors.ts';

const bytesOf = (maxLength: number) => fc.uint8Array({ maxLength });

test('base64 round trips, and agrees with the platform on every length', () => {
  fc.assert(
    fc.property(bytesOf(200), (bytes) => {
      assert.equal(base64Encode(bytes), Buffer.from(bytes).toString('base64'));
      assert.deepEqual(base64Decode(base64Encode(bytes)), bytes);
    }),
  );
});

test('base64url round trips, and agrees with the platform on every length', () => {
  fc.assert(
    fc.property(bytesOf(200), (bytes) => {
      assert.equal(base64urlEncode(bytes), Buffer.from(bytes).toString('base64url'));
      assert.deepEqual(base64urlDecode(base64urlEncode(bytes)), bytes);
    }),
  );
});

test('long input, beyond the shared buffer, round trips too', () => {
  for (const length of [2999, 3000, 3001, 3002, 3003, 65_535, 200_000]) {
    const bytes = Uint8Array.from({ length }, (_, index) => index * 7 + (index >> 8));
    assert.equal(base64Encode(bytes), Buffer.from(bytes).toString('base64'));
    assert.equal(base64urlEncode(bytes), Buffer.from(bytes).toString('base64url'));
    assert.deepEqual(base64Decode(base64Encode(bytes)), bytes);
  }
});

test('base64urlEncodeText is base64url of the UTF-8', () => {
  for (const text of ['', 'a', '["salt","name","Ada"]', 'naïve €', '😀'.repeat(20_000)]) {
    assert.equal(base64urlEncodeText(text), base64urlEncode(utf8Encode(text)));
  }
  assert.throws(() => base64urlEncodeText('\ud800'), { name: 'TypeError', code: 'text_ill_formed' });
});

test('what base64Decode accepts is the one spelling of its bytes; all else is refused with our code', () => {
  const characters = fc.constantFrom(...'AQgw/+-_=9z \n\u0100');
  fc.assert(
    fc.property(fc.string({ unit: characters, maxLength: 12 }), (text) => {
      try {
        assert.equal(base64Encode(base64Decode(text)), text);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'malformed_base64');
      }
      try {
        assert.equal(base64urlEncode(base64urlDecode(text)), text);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'malformed_base64url');
      }
    }),
    { numRuns: 2000 },
  );
});

test('a bad character is named by its position', () => {
  assert.throws(() => base64Decode('AAAAA*AA'), { code: 'malformed_base64', details: { position: 5 } });
  assert.throws(() => base64urlDecode('AB'), { code: 'malformed_base64url', details: { position: 1 } });
});

test('the strict vectors: accepted as given, refused as given', { skip: vectorsMissing }, () => {
  const vectors = JSON.parse(readVector('generated/base64-strict.json')) as {
    accept: Record<string, string>;
    reject: string[];
  };
  for (const [text, hex] of Object.entries(vectors.accept)) {
    assert.equal(hexEncode(base64Decode(text)), hex);
    assert.equal(base64Encode(hexDecode(hex)), text);
  }
  assert.ok(vectors.reject.length >= 14);
  for (const text of vectors.reject) {
    assert.throws(() => base64Decode(text), { code: 'malformed_base64' }, JSON.stringify(text));
  }
});
