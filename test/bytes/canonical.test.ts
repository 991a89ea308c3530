import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import {
  canonicalize,
  canonicalString,
  hexEncode,
  isJsonNumber,
  JSON_DEPTH_MAX,
  type JsonValue,
  parseCanonicalJson,
  parseJson,
  utf8Encode,
} from 'indelible/bytes';
import { readByPlatform } from '../support/platform-json.ts';
import { readVector, vectorsMissing } from '../support/vectors.ts';

const names = ['arrays', 'french', 'structures', 'unicode', 'values', 'weird'];

for (const name of names) {
  test(`the JCS vector "${name}" comes out byte for byte`, { skip: vectorsMissing }, () => {
    const folder = 'jcs-rfc8785/testdata';
    const written = canonicalize(parseJson(readVector(`${folder}/input/${name}.json`)));
    assert.equal(written, readVector(`${folder}/output/${name}.json`).trim());
    const hex = readVector(`${folder}/outhex/${name}.txt`).replaceAll(/\s/g, '');
    assert.equal(hexEncode(utf8Encode(written)), hex);
    assert.deepEqual(parseCanonicalJson(written), parseJson(written));
  });
}

test('names are sorted by UTF-16 code units, few or many, integer-like or not', () => {
  assert.equal(
    canonicalize({ b: 1, a: 2, 10: 3, 9: 4, '': 5, B: 6 }),
    '{"":5,"10":3,"9":4,"B":6,"a":2,"b":1}',
  );
  // U+1F600 begins with the unit D83D, which sorts before U+FB33 although its code point is the greater one.
  assert.equal(canonicalize({ '\ufb33': 1, '😀': 2 }), '{"😀":2,"\ufb33":1}');
  for (const count of [31, 32, 33, 34, 300]) {
    const object = Object.fromEntries(
      Array.from({ length: count }, (_, index) => [`k${(index * 7919) % count}`, index]),
    );
    const sorted = Object.keys(object).sort();
    assert.deepEqual(Object.keys(JSON.parse(canonicalize(object)) as object), sorted);
  }
});

test('more names than are remembered are written the same', () => {
  for (let index = 0; index < 2000; index += 1) {
    const name = `name-${index}"`;
    assert.equal(canonicalize({ [name]: index }), `{${JSON.stringify(name)}:${index}}`);
    assert.equal(canonicalize({ [name]: index }), `{${JSON.stringify(name)}:${index}}`);
  }
  const long = 'x'.repeat(1000);
  assert.equal(canonicalize({ [long]: 1 }), `{"${long}":1}`);
});

test('numbers print as ECMAScript prints them (RFC 8785, appendix B)', () => {
  const samples: [string, string][] = [
    ['0000000000000000', '0'],
    ['8000000000000000', '0'],
    ['0000000000000001', '5e-324'],
    ['8000000000000001', '-5e-324'],
    ['7fefffffffffffff', '1.7976931348623157e+308'],
    ['ffefffffffffffff', '-1.7976931348623157e+308'],
    ['433fffffffffffff', '9007199254740991'],
    ['44b52d02c7e14af5', '9.999999999999997e+22'],
    ['44b52d02c7e14af6', '1e+23'],
    ['44b52d02c7e14af7', '1.0000000000000001e+23'],
    ['444b1ae4d6e2ef50', '1e+21'],
    ['3eb0c6f7a0b5ed8d', '0.000001'],
    ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
    ['41b3de4355555553', '333333333.3333332'],
    ['41b3de4355555557', '333333333.33333343'],
    ['becbf647612f3696', '-0.0000033333333333333333'],
    ['43143ff3c1cb0959', '1424953923781206.2'],
  ];
  for (const [bits, text] of samples) {
    const value = Buffer.from(bits, 'hex').readDoubleBE();
    assert.equal(canonicalize(value), text);
    assert.equal(canonicalize([value]), `[${text}]`);
  }
});

test('an integer that is not exact is refused, in plain digits; beyond 10^21 the exponent tells', () => {
  for (const value of [2 ** 53, -(2 ** 53), 1e17, 999999999999999900000, 2 ** 68]) {
    assert.equal(isJsonNumber(value), false);
    assert.throws(() => canonicalize(value), { name: 'TypeError', code: 'value_not_json' });
  }
  for (const value of [2 ** 53 - 1, 1 - 2 ** 53, 1e21, 1e300, 0.5, 4503599627370495.5]) {
    assert.equal(isJsonNumber(value), true);
    assert.equal(parseCanonicalJson(canonicalize(value)), value);
  }
});

test('what JSON cannot hold is refused, not left out', () => {
  class Money {
    readonly amount = 1;
  }
  const loop: unknown[] = [];
  loop.push(loop);
  const refused: Record<string, unknown> = {
    undefined: undefined,
    'a field that is undefined': { a: undefined },
    'a hole': Object.assign([1], { length: 2 }),
    'a function': () => 1,
    'a field that is a function': { toJSON: () => 1 },
    'a symbol': Symbol('s'),
    'a bigint': 1n,
    NaN: Number.NaN,
    Infinity: Number.POSITIVE_INFINITY,
    'half a surrogate pair': '\ud800',
    'half a surrogate pair in a name': { 'a\udc00': 1 },
    'a Date': new Date(0),
    'a Map': new Map(),
    'a boxed string': Object('text'),
    'an instance of a class': new Money(),
    bytes: new Uint8Array(2),
    'a loop': loop,
  };
  for (const [name, value] of Object.entries(refused)) {
    assert.throws(
      () => canonicalize(value as JsonValue),
      { name: 'TypeError', code: 'value_not_json' },
      name,
    );
    assert.throws(
      () => canonicalize([{ x: value }] as JsonValue),
      { name: 'TypeError', code: 'value_not_json' },
      name,
    );
  }
});

test('plain objects of other realms, and those without a prototype, are plain', () => {
  assert.equal(canonicalize(runInNewContext('({ b: [1], a: {} })') as JsonValue), '{"a":{},"b":[1]}');
  assert.equal(canonicalize(Object.assign(Object.create(null) as object, { a: 1 }) as JsonValue), '{"a":1}');
});

test('nesting is limited, at the limit and one past it', () => {
  const nest = (depth: number): JsonValue => (depth === 0 ? 1 : { a: nest(depth - 1) });
  assert.equal(canonicalize(nest(JSON_DEPTH_MAX)), `${'{"a":'.repeat(32)}1${'}'.repeat(32)}`);
  assert.throws(() => canonicalize(nest(JSON_DEPTH_MAX + 1)), { code: 'value_not_json' });
});

test('strings print as JSON.stringify prints them, every code unit alone and in company', () => {
  for (let unit = 0; unit <= 0xffff; unit += 1) {
    const text = `a${String.fromCharCode(unit)}b`;
    if (unit >= 0xd800 && unit <= 0xdfff)
      assert.throws(() => canonicalString(text), { code: 'value_not_json' });
    else if (canonicalString(text) !== JSON.stringify(text)) assert.fail(`unit ${unit}`);
  }
  assert.equal(canonicalString('"😀"\u007f'), '"\\"😀\\"\u007f"');
});

test('the canonical text means the same value, is stable, and does not depend on the order of fields', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (raw) => {
      const value = readByPlatform(JSON.stringify(raw)) as JsonValue;
      let text: string;
      try {
        text = canonicalize(value);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'value_not_json');
        return;
      }
      assert.deepEqual(readByPlatform(text), withoutNegativeZero(value));
      assert.equal(canonicalize(parseJson(text)), text);
      assert.equal(canonicalize(reversed(value)), text);
      assert.equal(text, naive(value));
    }),
    { numRuns: 500 },
  );
});

/** JCS as the RFC's own example code writes it. */
function naive(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(naive).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${naive(field)}`).join(',')}}`;
}

function reversed(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(reversed);
  if (value === null || typeof value !== 'object') return value;
  const fields = Object.entries(value).reverse();
  return Object.fromEntries(fields.map(([name, field]) => [name, reversed(field)]));
}

function withoutNegativeZero(value: unknown): unknown {
  return readByPlatform(JSON.stringify(value));
}
