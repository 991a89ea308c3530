import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  compareBytes,
  concatBytes,
  equalBytes,
  hexDecode,
  hexEncode,
  parseDecimal,
  utf8Decode,
  utf8Encode,
  utf8Length,
} from 'indelible/bytes';

test('UTF-8 round trips, and agrees with the platform', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      const bytes = utf8Encode(text);
      assert.equal(Object.getPrototypeOf(bytes), Uint8Array.prototype);
      assert.equal(Buffer.from(bytes).toString('hex'), Buffer.from(text, 'utf8').toString('hex'));
      assert.equal(utf8Decode(bytes), text);
      assert.equal(utf8Length(text), bytes.length);
    }),
  );
});

test('UTF-8 of every length around the short path and the shared buffer', () => {
  for (const unit of ['a', 'é', '€', '😀']) {
    for (const count of [0, 1, 31, 32, 33, 63, 64, 65, 32_767, 32_768, 32_769, 100_000]) {
      const text = unit.repeat(count);
      assert.equal(utf8Length(text), Buffer.byteLength(text));
      assert.equal(utf8Encode(text).length, Buffer.byteLength(text));
      assert.equal(utf8Decode(utf8Encode(text)), text);
    }
  }
});

test('encoded text has memory of its own', () => {
  const first = utf8Encode('first, longer than the short path takes, so that the encoder does the work');
  const copy = first.slice();
  utf8Encode('other, longer than the short path takes, so that the encoder does the work');
  assert.deepEqual(first, copy);
});

test('half a surrogate pair has no UTF-8', () => {
  for (const text of ['\ud800', 'a\udc00', '\udc00\ud800', `${'x'.repeat(100)}\ud83d`]) {
    assert.throws(() => utf8Encode(text), { name: 'TypeError', code: 'text_ill_formed' });
    assert.throws(() => utf8Length(text), { name: 'TypeError', code: 'text_ill_formed' });
  }
});

test('bytes that are not UTF-8 are refused, not replaced', () => {
  const cases = {
    'a lone continuation': '80',
    'a cut sequence': 'e282',
    'an overlong slash': 'c0af',
    'a surrogate': 'eda080',
    'beyond U+10FFFF': 'f4908080',
    'no UTF-8 byte at all': 'ff',
  };
  for (const [name, hex] of Object.entries(cases)) {
    assert.throws(
      () => utf8Decode(hexDecode(hex)),
      { name: 'VerificationError', code: 'malformed_utf8' },
      name,
    );
  }
});

test('a byte order mark is text and stays', () => {
  assert.equal(utf8Decode(hexDecode('efbbbf61')), '\ufeffa');
});

test('what utf8Decode accepts encodes to the same bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 8 }), (bytes) => {
      try {
        assert.deepEqual(utf8Encode(utf8Decode(bytes)), bytes);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'malformed_utf8');
      }
    }),
    { numRuns: 2000 },
  );
});

test('hexadecimal round trips, in lower case alone', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      assert.equal(hexEncode(bytes), Buffer.from(bytes).toString('hex'));
      assert.deepEqual(hexDecode(hexEncode(bytes)), bytes);
    }),
  );
  for (const text of ['0', 'AB', 'aB', '0x', 'zz', ' 00', '0g', '００']) {
    assert.throws(() => hexDecode(text), { code: 'malformed_hex' }, text);
  }
  assert.throws(() => hexDecode('00aF'), { details: { position: 3 } });
});

test('a decimal has one spelling, and ends at 2^53 - 1', () => {
  for (const value of [0, 1, 9, 10, 1000, 2 ** 32, Number.MAX_SAFE_INTEGER])
    assert.equal(parseDecimal(`${value}`), value);
  const refused = [
    '',
    ' ',
    '00',
    '01',
    '-0',
    '-1',
    '+1',
    '1.0',
    '1e3',
    '0x10',
    ' 7',
    '7 ',
    '7\n',
    '٣',
    'NaN',
    'Infinity',
  ];
  for (const text of [
    ...refused,
    '9007199254740992',
    '9007199254740993',
    '10000000000000000',
    '1'.repeat(400),
  ]) {
    assert.throws(() => parseDecimal(text), { code: 'malformed_decimal' }, JSON.stringify(text));
  }
});

test('concatBytes, equalBytes and compareBytes do what arrays of numbers do', () => {
  const bytes = fc.uint8Array({ maxLength: 4, max: 3 });
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      assert.deepEqual([...concatBytes(a, b)], [...a, ...b]);
      assert.equal(equalBytes(a, b), Buffer.compare(a, b) === 0);
      assert.equal(Math.sign(compareBytes(a, b)), Buffer.compare(a, b));
    }),
    { numRuns: 2000 },
  );
  assert.deepEqual(concatBytes(), new Uint8Array(0));
});
