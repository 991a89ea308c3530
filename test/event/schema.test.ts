// The JSON Schemas in spec/: equal to the rules, and saying what the code says.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { canonicalize, type JsonObject, type JsonValue, parseJson, utf8Encode } from 'indelible/bytes';
import { EventError, entrySchema, eventSchema, limits, parseEntry, prepareEvent } from 'indelible/event';
import { recordSample, sampleEvent, sampleOptions, sampleWith } from './sample.ts';

const specFile = (name: string): JsonValue =>
  parseJson(readFileSync(new URL(`../../spec/${name}`, import.meta.url), 'utf8'));

function validator(schema: JsonObject): ValidateFunction {
  const ajv = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true });
  ajv.addFormat('date-time', true);
  return ajv.compile(schema);
}

const validEvent = validator(eventSchema());
const validEntry = validator(entrySchema());

/** Whether the code takes an event; the schema knows neither clocks nor how a log treats personal ids. */
function accepts(event: unknown): boolean {
  try {
    prepareEvent(event, { ...sampleOptions, now: Date.UTC(9999, 11, 31), personalIds: 'allow' });
    return true;
  } catch (error) {
    assert.ok(error instanceof EventError, String(error));
    return false;
  }
}

function agree(event: unknown): boolean {
  const accepted = accepts(event);
  assert.equal(
    validEvent(event),
    accepted,
    `${JSON.stringify(event)} ${JSON.stringify(validEvent.errors?.slice(0, 2))}`,
  );
  return accepted;
}

test('the files in spec/ are what the rules make (run tools/generate-schema.ts after a change)', () => {
  assert.deepEqual(specFile('event.schema.json'), parseJson(JSON.stringify(eventSchema())));
  assert.deepEqual(specFile('entry.schema.json'), parseJson(JSON.stringify(entrySchema())));
});

const user = { type: 'user', id: 'u_1' };
const long = (length: number, unit = 'x'): string => unit.repeat(length);
const many = <T>(length: number, value: T): T[] => Array<T>(length).fill(value);
const pairs = (count: number): JsonObject =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`l${index}`, 'v']));

/** For each field, values at both sides of its rules. */
const corpus: Readonly<Record<string, readonly unknown[]>> = {
  id: ['a', 'A.b_c:d-9', long(128), long(129), '', 'a b', 'ä', 'a\n', 7, null],
  action: [
    'a',
    'user.signed_in',
    'a-b.c',
    'a.1',
    '1.a',
    'A',
    'a..b',
    '.a',
    'a.',
    'log',
    'log.x',
    'logs.x',
    'a.log',
    `a.${long(126)}`,
    `a.${long(127)}`,
    null,
    1,
  ],
  actor: [
    user,
    null,
    [],
    'u',
    {},
    { type: 'user' },
    { id: 'x' },
    { ...user, name: 'x' },
    { ...user, onBehalfOf: user },
    { ...user, onBehalfOf: null },
    { ...user, onBehalfOf: { ...user, onBehalfOf: user } },
    { ...user, '...': 1 },
    { ...user, a: { _sd: 1 } },
    { type: 'a/b', id: '1' },
    { type: long(64), id: '1' },
    { type: long(65), id: '1' },
    { type: '-', id: '1' },
    { type: 't', id: '' },
    { type: 't', id: 'a b/c@d' },
    { type: 't', id: 'a\u0085' },
    { type: 't', id: long(1024, '😀') },
    { type: 't', id: long(1025, '😀') },
    { type: 't', id: '\ud800' },
  ],
  targets: [
    [],
    [user],
    [{ ...user, a: [1] }],
    {},
    null,
    [null],
    [{ ...user, onBehalfOf: user }],
    many(32, user),
    many(33, user),
  ],
  outcome: ['success', 'failure', 'denied', 'unknown', 'ok', '', null],
  severity: ['info', 'low', 'medium', 'high', 'critical', 'High', 0, null],
  occurredAt: [
    '2026-01-31T12:34:56Z',
    '2026-01-31t12:34:56.789z',
    '2026-01-31T12:34:56.789000+23:59',
    '2026-01-31T12:34:56.7891Z',
    '2026-01-31T12:34:56',
    '2026-01-31 12:34:56Z',
    '2026-13-01T00:00:00Z',
    '2026-01-31T24:00:00Z',
    '2026-01-31T12:34:60Z',
    '2026-01-31T12:34:56+24:00',
    '',
    0,
    null,
  ],
  correlationId: ['a', '', 'a/b', long(128), long(129)],
  causationId: ['a', '', 'a/b', long(128), long(129)],
  changes: [
    [],
    [{ path: '' }],
    [{ path: '/a', from: null, to: { b: 1 } }],
    [{}],
    [{ path: 'a' }],
    [{ path: '/~0~1' }],
    [{ path: '/~2' }],
    [{ path: '/~' }],
    [{ path: '/a', x: 1 }],
    [{ path: `/${long(1023)}` }],
    [{ path: `/${long(1024)}` }],
    many(256, { path: '' }),
    many(257, { path: '' }),
    {},
    null,
    [null],
  ],
  context: [
    {},
    { ip: 'x', any: [1], location: { city: 'x' } },
    { ip: 1 },
    { userAgent: null },
    { requestId: [] },
    { traceId: 'x', spanId: 'y', sessionId: 'z' },
    { _sd: 'x' },
    [],
    'x',
    null,
  ],
  reason: ['', 'x', '\ud800', '😀', 1, null],
  error: [{}, { code: 'a' }, { message: 'b' }, { code: 1 }, { stack: 'x' }, [], 'x', null],
  labels: [
    {},
    { a: 'b' },
    { a: 1 },
    { '': 'x' },
    { 'a\u0000': 'x' },
    { '...': 'x' },
    pairs(16),
    pairs(17),
    { a: long(256, '😀') },
    { a: long(257, '😀') },
    { [long(64)]: 'x' },
    { [long(65)]: 'x' },
    [],
    null,
  ],
  metadata: [
    null,
    true,
    '',
    'x',
    0,
    -0,
    1.5,
    2 ** 53 - 1,
    2 ** 53,
    -(2 ** 53),
    1e20,
    1e21,
    -1e300,
    [],
    [[1]],
    {},
    { a: { b: [{ c: null }] } },
    { _sd: 1 },
    [{ _sd_alg: 1 }],
    { '...': 1 },
    JSON.parse('{"__proto__":1}'),
    '\udc00',
    { '\udc00': 1 },
  ],
  clear: [[], ['/reason'], ['reason'], [1], {}, null],
  seals: [
    [],
    [{ path: '/reason', subjects: [] }],
    [{ path: '/reason', subjects: ['a/b', 'c/d/e'] }],
    [{ path: '/reason' }],
    [{ subjects: [] }],
    [{ path: '/reason', subjects: ['a'] }],
    [{ path: '/reason', subjects: ['/a'] }],
    [{ path: '/reason', subjects: ['a/'] }],
    [{ path: '/reason', subjects: many(32, 'a/b') }],
    [{ path: '/reason', subjects: many(33, 'a/b') }],
    [{ path: '/reason', subjects: [], x: 1 }],
    {},
    null,
  ],
};

test('schema and code agree about every field', () => {
  const verdicts = new Map<string, Set<boolean>>();
  for (const [name, values] of Object.entries(corpus)) {
    const seen = new Set(values.map((value) => agree(sampleWith({ [name]: value }))));
    verdicts.set(name, seen);
  }
  for (const [name, seen] of verdicts)
    assert.equal(seen.size, 2, `${name} is never ${seen.has(true) ? 'refused' : 'accepted'}`);
  const properties = Object.keys(eventSchema()['properties'] as JsonObject);
  assert.deepEqual([...verdicts.keys()].sort(), properties.sort());
});

test('schema and code agree about what is missing and what is unknown', () => {
  for (const name of Object.keys(sampleEvent)) {
    const { [name as keyof typeof sampleEvent]: _, ...rest } = sampleEvent;
    agree(rest);
  }
  for (const event of [
    {},
    null,
    [],
    'x',
    1,
    sampleWith({ quux: 1 }),
    sampleWith({ _sd: [] }),
    sampleWith({ source: {} }),
  ])
    agree(event);
});

test('schema and code agree about any JSON at any place', () => {
  const value = fc.jsonValue({ maxDepth: 3 });
  const name = fc.constantFrom(
    'id',
    'actor',
    'targets',
    'outcome',
    'changes',
    'context',
    'reason',
    'error',
    'labels',
    'metadata',
    'clear',
    'other',
  );
  fc.assert(
    fc.property(name, value, (field, given) => {
      // A path that leads nowhere is for the code alone to see.
      fc.pre(field !== 'clear' || !Array.isArray(given) || given.length === 0);
      agree(sampleWith({ [field]: parseNumbers(given) }));
    }),
    { numRuns: 500 },
  );
});

/** The value as it would arrive over a network. */
function parseNumbers(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

test('what no schema can say, only the code refuses', () => {
  const codeAlone = [
    sampleWith({ occurredAt: '2026-02-30T00:00:00Z' }),
    sampleWith({ occurredAt: '0000-01-01T00:00:00+00:01' }),
    sampleWith({ clear: ['/nowhere'] }),
    sampleWith({ reason: long(limits.disclosureBytesMax) }),
    sampleWith({ metadata: JSON.parse(`${'['.repeat(32)}${']'.repeat(32)}`) }),
  ];
  for (const event of codeAlone)
    assert.deepEqual([validEvent(event), accepts(event)], [true, false], JSON.stringify(event).slice(0, 200));
});

/** Whether the code takes an entry. */
function reads(entry: JsonObject): boolean {
  try {
    parseEntry(utf8Encode(canonicalize(entry)));
    return true;
  } catch {
    return false;
  }
}

test('schema and code agree about entries', () => {
  const sealed = recordSample(sampleWith({ seals: [{ path: '/reason', subjects: ['user/u_9'] }] })).text;
  const open = recordSample({ id: 'x', action: 'a', actor: user }).text;
  const time = '2026-01-31T12:34:56.789Z';
  const digest = 'A'.repeat(43);
  const values: readonly (JsonValue | undefined)[] = [
    ...[undefined, null, 0, 1, '', 'x', 'success', digest, time],
    ...[[], ['x'], [digest], [null], {}, { ...user }, [{ ...user }]],
  ];
  let refused = 0;
  const compare = (text: string, name: string): void => {
    for (const value of values) {
      const entry = { ...(parseJson(text) as Record<string, JsonValue>) };
      if (value === undefined) delete entry[name];
      else entry[name] = value;
      const accepted = reads(entry);
      if (!accepted) refused += 1;
      const errors = JSON.stringify(validEntry.errors?.slice(0, 2));
      assert.equal(validEntry(entry), accepted, `${name} ${JSON.stringify(value)} ${errors}`);
    }
  };
  // Digests and their names have to fit one another, which only the code can see.
  const names = Object.keys(parseJson(sealed) as JsonObject).filter(
    (name) => name !== '_sd' && name !== 'sealed',
  );
  for (const name of [...names, 'severity', 'other']) compare(sealed, name);
  for (const name of [
    'changes',
    'context',
    'error',
    'labels',
    'metadata',
    'reason',
    'seals',
    '_sd',
    'sealed',
  ]) {
    compare(open, name);
  }
  assert.ok(refused > 150);
});
