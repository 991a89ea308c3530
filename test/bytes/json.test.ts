import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  canonicalize,
  isJsonNumber,
  JSON_DEPTH_MAX,
  type JsonValue,
  parseCanonicalJson,
  parseJson,
} from 'indelible/bytes';
import { readByPlatform } from '../support/platform-json.ts';

const malformed = { name: 'VerificationError', code: 'malformed_json' };

test('values of every kind are read as the platform reads them', () => {
  const texts = [
    'null',
    ' true ',
    'false',
    '0',
    '-0',
    '-1.5e-3',
    '1E2',
    '1e+2',
    '""',
    '"a\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\ud83d\\ude00"',
    '"é€😀\u2028"',
    '[]',
    '[ ]',
    '{}',
    '{ }',
    '\t[1,\n2 ,\r[3]] ',
    '{"a":{"b":[{}]},"c":null}',
    '{"toString":1,"constructor":2,"hasOwnProperty":3,"":4,"10":5,"9":6}',
  ];
  for (const text of texts) assert.deepEqual(parseJson(text), readByPlatform(text), text);
});

test('what is not JSON is refused', () => {
  const refused = [
    '',
    ' ',
    'nul',
    'nulll',
    'True',
    'undefined',
    'NaN',
    'Infinity',
    '01',
    '-',
    '+1',
    '.5',
    '1.',
    '1e',
    '1e+',
    '0x10',
    '1_000',
    '1 2',
    '"',
    '"a',
    '"\\"',
    '"\\x41"',
    '"\\u12"',
    '"\\u12g4"',
    '"\\u+123"',
    '"\t"',
    '"\n"',
    '"\u0000"',
    "'a'",
    '[',
    '[1',
    '[1,',
    '[1,]',
    '[,1]',
    '[1 2]',
    '[1}',
    '{',
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":1,',
    '{"a":1,}',
    '{,}',
    '{"a" 1}',
    '{a:1}',
    '{1:1}',
    '{"a":1]',
    ']',
    '}',
    ',',
    ':',
    '// x\n1',
    '/* x */1',
    '\ufeff1',
    '\u00a01',
    '1\u2028',
  ];
  for (const text of refused) assert.throws(() => parseJson(text), malformed, JSON.stringify(text));
});

test('a name that an object has twice is refused at its second place, however it is spelled', () => {
  const message = /^The name "a" appears twice in one object, at position 7 of the JSON text\.$/;
  assert.throws(() => parseJson('{"a":1,"a":2}'), { ...malformed, message });
  const twice = [
    '{"a":1,"\\u0061":1}',
    '{"":1,"":1}',
    '[{"b":{"x":1,"y":2,"x":{}}}]',
    '{"__proto__":1,"__proto__":2}',
  ];
  for (const text of twice)
    assert.throws(() => parseJson(text), { ...malformed, message: /appears twice/ }, text);
  assert.deepEqual(parseJson('{"a":{"a":1},"b":{"a":1}}'), { a: { a: 1 }, b: { a: 1 } });
});

test('__proto__ is a field like any other and touches no prototype', () => {
  const value = parseJson('{"__proto__":{"polluted":true},"a":1}') as Record<string, unknown>;
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
  assert.deepEqual(Object.keys(value), ['__proto__', 'a']);
  assert.equal(value['polluted'], undefined);
  assert.equal(canonicalize(value as JsonValue), '{"__proto__":{"polluted":true},"a":1}');
});

test('a name that is one escape is that name, whatever was read before', () => {
  // nodejs/node#63785: having read this, JSON.parse of V8 12.8 and later takes each of the names below for a backslash.
  JSON.parse('{"h":[],"\\\\":0}');
  for (const name of ['\\', '"', '\n', '\t', '\u0000']) {
    const value = { h: 1, [name]: 2 };
    assert.deepEqual(parseJson(`{"h":1,${JSON.stringify(name)}:2}`), value);
    assert.deepEqual(parseCanonicalJson(canonicalize(value)), value);
  }
  assert.deepEqual(parseJson('{"h":1,"\\u0041":2}'), { h: 1, A: 2 });
});

test('half a surrogate pair is refused, raw or escaped; a pair may be spelled either way', () => {
  for (const text of [
    '"\ud800"',
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '{"\\ud800":1}',
    '"\\ud83d\\u0041"',
    '"\\ud83dx"',
  ]) {
    assert.throws(() => parseJson(text), malformed, JSON.stringify(text));
  }
  assert.equal(parseJson('"\\ud83d\\ude00"'), '😀');
});

test('numbers are finite, and integers exact', () => {
  for (const text of [
    '9007199254740991',
    '-9007199254740991',
    '1e21',
    '1E30',
    '1e308',
    '5e-324',
    '0.1',
    '1e-400',
  ]) {
    assert.equal(parseJson(text), Number(text));
  }
  const refused = [
    '9007199254740992',
    '-9007199254740992',
    '9007199254740993.0',
    '1e17',
    '1000000000000000000000000000000',
    '1e400',
    '-1e400',
  ];
  for (const text of refused) assert.throws(() => parseJson(text), malformed, text);
});

test('nesting is limited, at the limit and one past it', () => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
  assert.equal(canonicalize(parseJson(nested(JSON_DEPTH_MAX))), nested(JSON_DEPTH_MAX));
  assert.throws(() => parseJson(nested(JSON_DEPTH_MAX + 1)), { ...malformed, message: /deeper than 32/ });
  assert.throws(() => parseJson(nested(3), { maxDepth: 2 }), malformed);
  assert.deepEqual(parseJson('[[],[],{"a":[]}]', { maxDepth: 3 }), [[], [], { a: [] }]);
  assert.throws(() => parseJson('[[],[],{"a":[]}]', { maxDepth: 2 }), malformed);
  assert.throws(() => parseJson('['.repeat(1_000_000)), malformed);
});

test('errors name the position', () => {
  assert.throws(() => parseJson('{"a":1,}'), { details: { position: 7 } });
  assert.throws(() => parseJson('[1,2'), { details: { position: 4 } });
});

test('any JSON text is read as the platform reads it, or is refused for a reason that the platform does not know', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom(0, 1, '\t'), (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      if (holdsInexactInteger(value)) assert.throws(() => parseJson(text), malformed);
      else assert.deepEqual(parseJson(text), readByPlatform(text));
    }),
  );
});

/** Whether a whole number from 2^53 on, written out in digits, stands in a value: JSON.parse rounds those in silence. */
function holdsInexactInteger(value: unknown): boolean {
  if (typeof value === 'number') return !isJsonNumber(value);
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsInexactInteger);
}

test('on texts a few characters away from JSON, it is never more forgiving than the platform, and throws only our error', () => {
  const fragments = fc.constantFrom(
    ...'{}[]:,"\\ 0123-.eE+truefalsn\n\u0000é',
    '"a"',
    '"b":',
    '\\u00',
    '{"a":1',
    '\ud83d',
  );
  fc.assert(
    fc.property(fc.array(fragments, { maxLength: 14 }), (pieces) => {
      const text = pieces.join('');
      let value: JsonValue;
      try {
        value = parseJson(text);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'malformed_json');
        return;
      }
      assert.deepEqual(value, readByPlatform(text));
    }),
    { numRuns: 20_000 },
  );
});

test('parseCanonicalJson takes canonical texts, and returns what parseJson returns', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      let text: string;
      try {
        text = canonicalize(value as JsonValue);
      } catch {
        return;
      }
      assert.deepEqual(parseCanonicalJson(text), parseJson(text));
    }),
  );
});

test('parseCanonicalJson takes exactly the texts that parseJson takes and canonicalize writes again', () => {
  const fragments = fc.constantFrom(
    ...'{}[]:,"\\ 012-.eE+',
    '"a":1',
    '"b":2',
    '"\\u0061"',
    '1.0',
    '1e2',
    '"\\n"',
    '"\\u000a"',
    '"é"',
  );
  const accept = (parse: () => JsonValue): JsonValue | undefined => {
    try {
      return parse();
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'malformed_json');
      return undefined;
    }
  };
  fc.assert(
    fc.property(fc.array(fragments, { maxLength: 8 }), (pieces) => {
      const text = pieces.join('');
      const strict = accept(() => parseCanonicalJson(text));
      const loose = accept(() => parseJson(text));
      const isCanonical = loose !== undefined && canonicalize(loose) === text;
      assert.equal(strict !== undefined, isCanonical, text);
    }),
    { numRuns: 20_000 },
  );
});

test('parseCanonicalJson refuses each departure from the canonical form', () => {
  const departures = {
    'a space': '{"a": 1}',
    'a line end': '{"a":1}\n',
    'names out of order': '{"b":1,"a":2}',
    'a name twice': '{"a":1,"a":1}',
    'integer-like names in numeric order': '{"9":1,"10":2}',
    'a needless escape': '"\\u0061"',
    'an escaped slash': '"\\/"',
    'a long escape': '"\\u000a"',
    'upper-case hexadecimal': '"\\u001F"',
    'a needless fraction': '1.0',
    'a needless exponent': '1e2',
    'an upper-case exponent': '1E30',
    'an exponent without sign': '1e30',
    'negative zero': '-0',
    'more digits than the number has': '0.1000000000000000055',
  };
  for (const [name, text] of Object.entries(departures)) {
    assert.throws(() => parseCanonicalJson(text), malformed, name);
    if (name !== 'a name twice') assert.doesNotThrow(() => parseJson(text), name);
  }
  assert.deepEqual(parseCanonicalJson('{"10":1,"9":2}'), { 9: 2, 10: 1 });
});
