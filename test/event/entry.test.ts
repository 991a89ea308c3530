// The bytes of an entry: what is written, and that nothing else is read.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalize, type JsonObject, type JsonValue, parseJson, utf8Encode } from 'indelible/bytes';
import {
  digestDisclosure,
  type Entry,
  entryText,
  limits,
  openEntry,
  parseEntry,
  prepareEvent,
  sealDraft,
} from 'indelible/event';
import { countingRandom, recordSample, sampleEvent, sampleOptions, sampleRecordedAt } from './sample.ts';

const minimal = { id: 'e1', action: 'a', actor: { type: 'user', id: 'u_1' } };

/** The sample's entry with one field changed, or, where the value is undefined, removed. */
function entryWith(pointer: string, value: JsonValue | undefined, event: object = sampleEvent): Uint8Array {
  const entry = parseJson(recordSample(event).text) as Record<string, JsonValue>;
  const steps = pointer.slice(1).split('/');
  let object: Record<string, JsonValue> = entry;
  for (const step of steps.slice(0, -1)) object = object[step] as Record<string, JsonValue>;
  if (value === undefined) delete object[steps.at(-1)!];
  else object[steps.at(-1)!] = value;
  return utf8Encode(canonicalize(entry));
}

const malformed = { name: 'VerificationError', code: 'malformed_entry' };

test('a minimal event makes exactly this entry', () => {
  const { text, disclosures } = recordSample({ ...minimal, occurredAt: '2026-01-31T13:00:00+01:00' });
  assert.equal(
    text,
    '{"action":"a","actor":{"id":"u_1","type":"user"},"id":"e1","nonce":"AKdO9ZxD6pE434Yt1HsiyQ",' +
      '"occurredAt":"2026-01-31T12:00:00.000Z","outcome":"success","recordedAt":"2026-01-31T12:35:56.790Z",' +
      '"source":{"instance":"018f3a2c-0000-7000-8000-000000000001","seq":12,"service":"web"},"targets":[],"v":1}',
  );
  assert.deepEqual(disclosures, []);
});

test('a full event makes exactly this entry, by a draft of the documented grammar', () => {
  const { text, draft } = recordSample({
    ...minimal,
    actor: { ...minimal.actor, name: 'Ada' },
    reason: 'because',
    labels: { env: 'test' },
  });
  assert.equal(
    draft.replaceAll('\u001f', '|'),
    'e1|103|{"_sd":[|g2|"labels",{"env":"test"}]|"reason","because"]|],"_sd_alg":"sha-256","action":"a","actor":{"_sd":[|g1|' +
      '"name","Ada"]|],"id":"u_1","type":"user"},"id":"e1","nonce":"|n|","occurredAt":"2026-01-31T12:35:56.789Z",' +
      '"outcome":"success","recordedAt":"|t|","sealed":[|o|],"source":{"instance":"018f3a2c-0000-7000-8000-000000000001",' +
      '"seq":12,"service":"web"},"targets":[],"v":1}',
  );
  const salts = countingRandom();
  salts(16);
  const salt = () => Buffer.from(salts(16)).toString('base64url');
  const [labels, reason, name] = [
    `["${salt()}","labels",{"env":"test"}]`,
    `["${salt()}","reason","because"]`,
    `["${salt()}","name","Ada"]`,
  ].map(digestDisclosure) as [string, string, string];
  const sorted = [labels, reason].sort();
  const entry = JSON.parse(text);
  assert.deepEqual(entry._sd, sorted);
  assert.deepEqual(
    entry.sealed,
    sorted.map((digest) => (digest === labels ? 'labels' : 'reason')),
  );
  assert.deepEqual(entry.actor, { _sd: [name], id: 'u_1', type: 'user' });
});

test('the entry is canonical JSON, and parses to what it says', () => {
  const { text, bytes, entry } = recordSample(sampleEvent);
  assert.equal(canonicalize(parseJson(text)), text);
  assert.equal(canonicalize(entry), text);
  assert.deepEqual(parseEntry(bytes), entry);
});

test('sealing knows what the caller gave', () => {
  const random = countingRandom();
  const sealed = (event: object) => sealDraft(prepareEvent(event, sampleOptions), random);
  assert.deepEqual(
    [minimal, { ...minimal, id: undefined }, { ...minimal, occurredAt: new Date(0) }].map((event) => {
      const { id, givenId, givenOccurredAt } = sealed(event);
      return [id, givenId, givenOccurredAt];
    }),
    [
      ['e1', true, false],
      [sampleOptions.id, false, false],
      ['e1', true, true],
    ],
  );
  assert.match(
    entryText(sealed({ ...minimal, occurredAt: new Date(0) }), sampleRecordedAt),
    /"occurredAt":"1970-01-01T00:00:00.000Z"/,
  );
});

test('the source is written as the log gives it', () => {
  const source = {
    service: 'billing "EU"',
    instance: 'i-1',
    seq: null,
    version: '1.2.3',
    credential: 'key_9',
  };
  const { entry } = recordSample(minimal, { source });
  assert.deepEqual(entry.source, source);
});

test('randomness that is missing, and times of another width, are misuse', () => {
  const draft = prepareEvent(sampleEvent, sampleOptions);
  assert.throws(() => sealDraft(draft, () => new Uint8Array(16)), { code: 'random_bytes_missing' });
  assert.throws(() => entryText(sealDraft(draft, countingRandom()), '2026-01-31T12:00:00Z'), {
    code: 'recorded_at_invalid',
  });
});

test('every salt and the nonce are fresh randomness', () => {
  const asked: number[] = [];
  const draft = prepareEvent(sampleEvent, sampleOptions);
  const sealed = sealDraft(draft, (length) => {
    asked.push(length);
    return Uint8Array.from({ length }, (_, index) => index >> 4);
  });
  assert.deepEqual(asked, [16 * (sealed.disclosures.length + 1)]);
  const salts = [
    ...sealed.disclosures.map((text) => JSON.parse(text)[0]),
    JSON.parse(entryText(sealed, sampleRecordedAt)).nonce,
  ];
  const drawn = salts.map((salt) => Buffer.from(salt, 'base64url').join()).sort();
  const expected = Array.from({ length: salts.length }, (_, index) => Array(16).fill(index).join()).sort();
  assert.deepEqual(drawn, expected);
});

test('bytes that are no canonical JSON are refused', () => {
  const { text, bytes } = recordSample(sampleEvent);
  const refused: Uint8Array[] = [
    new Uint8Array(),
    utf8Encode(` ${text}`),
    utf8Encode(`${text}\n`),
    utf8Encode(`\ufeff${text}`),
    utf8Encode(text.replace('"v":1', '"v":1.0')),
    utf8Encode(text.replace('"v":1', '"v":1,"v":1')),
    utf8Encode(text.replace('"v":1', '"v":1,"w":"\\u0041"')),
    utf8Encode(text.replace('"action":', '"zaction":').replace('"v":1', '"v":1,"action":"a"')),
    utf8Encode('[]'),
    utf8Encode('"entry"'),
    utf8Encode('null'),
    bytes.slice(0, -1),
    Uint8Array.of(...bytes, 0),
    Uint8Array.from(bytes, (byte, index) => (index === 60 ? 0xff : byte)),
    new Uint8Array(limits.entryBytesMax + 1).fill(0x20),
  ];
  for (const [index, candidate] of refused.entries())
    assert.throws(() => parseEntry(candidate), malformed, `case ${index}`);
});

test('an entry as long as an entry can be is read, one byte more is not', () => {
  const padded = (length: number): Uint8Array => {
    const rest = entryWith('/zz', '').length;
    return entryWith('/zz', 'x'.repeat(length - rest));
  };
  assert.equal((parseEntry(padded(limits.entryBytesMax)) as JsonObject)['zz'] !== undefined, true);
  assert.throws(() => parseEntry(padded(limits.entryBytesMax + 1)), malformed);
});

const wrong: readonly (readonly [pointer: string, ...values: (JsonValue | undefined)[]])[] = [
  ['/v', undefined, 2, '1', null],
  ['/id', undefined, '', 'a b', 'x'.repeat(129), 7],
  ['/nonce', undefined, '', 'AKdO9ZxD6pE436YtVPujSh', 'AKdO9ZxD6pE436YtVPujS', 'AKdO9ZxD6pE436YtVPujSgA'],
  [
    '/occurredAt',
    undefined,
    '2026-01-31T12:34:56Z',
    '2026-01-31T12:34:56.789+00:00',
    '2026-02-30T12:34:56.789Z',
    '2026-01-31t12:34:56.789Z',
    0,
  ],
  [
    '/recordedAt',
    undefined,
    '2026-01-31T24:00:00.000Z',
    '2026-01-31T12:35:60.790Z',
    '2026-01-31 12:35:56.790Z',
  ],
  ['/action', undefined, '', 'User', 'a b', `a.${'b'.repeat(127)}`],
  ['/outcome', undefined, 'ok', 1],
  ['/severity', 'urgent', 1],
  ['/correlationId', '', 'a/b'],
  ['/causationId', '', null],
  ['/actor', undefined, null, 'u', []],
  ['/actor/type', undefined, '', 'a/b', 1],
  ['/actor/id', undefined, '', 'a\u0000', 'x'.repeat(1025)],
  ['/actor/onBehalfOf', null, {}, { type: 'user' }],
  ['/actor/onBehalfOf/onBehalfOf', { type: 'user', id: '1' }],
  ['/targets', undefined, {}, null, Array(33).fill({ type: 't', id: '1' })],
  ['/targets/0', null, {}, { type: 't' }],
  ['/targets/0/onBehalfOf', { type: 'user', id: '1' }],
  ['/source', undefined, null, {}],
  ['/source/service', undefined, '', 'x'.repeat(129)],
  ['/source/instance', undefined, '\n'],
  ['/source/seq', undefined, -1, 1.5, '0'],
  ['/source/credential', '', 1],
  ['/_sd_alg', undefined, 'sha-512', null],
  ['/_sd', undefined, [], 'x', ['x'], [null]],
  ['/sealed', undefined, [], ['reason'], 'reason'],
  ['/actor/_sd', [], {}, ['A'.repeat(43), 'A'.repeat(43)], ['a'.repeat(42)], [`${'a'.repeat(42)}B`]],
  ['/targets/0/_sd_alg', 'sha-256'],
  ['/targets/0/...', 'x'],
  ['/seals', [], {}, [{}], [null]],
  ['/extra', { _sd: 'x' }, [{ _sd_alg: 'x' }], { a: [{ '...': 'x' }] }],
];

for (const [pointer, ...values] of wrong) {
  test(`an entry is refused for its ${pointer}`, () => {
    for (const value of values) {
      assert.throws(
        () => parseEntry(entryWith(pointer, value)),
        malformed,
        JSON.stringify(value) ?? 'missing',
      );
    }
  });
}

test('a field that was left in the open is of its kind', () => {
  const open: readonly (readonly [name: string, good: JsonValue, ...bad: JsonValue[]])[] = [
    ['reason', 'r', 7, null, []],
    ['changes', [], {}, 'x', null],
    ['context', { ip: 1 }, [], 'x', null],
    ['error', {}, [], 'x', null],
    ['labels', {}, [], 'x', null],
  ];
  for (const [name, good, ...bad] of open) {
    assert.equal(parseEntry(entryWith(`/${name}`, good, minimal)).v, 1);
    for (const value of bad)
      assert.throws(() => parseEntry(entryWith(`/${name}`, value, minimal)), malformed, name);
  }
  for (const value of [null, 1, 'x', [], {}])
    assert.equal(parseEntry(entryWith('/metadata', value, minimal)).v, 1);
});

test('where nothing is sealed there is no algorithm, and no name', () => {
  const without = { ...minimal };
  assert.throws(() => parseEntry(entryWith('/_sd_alg', 'sha-256', without)), malformed);
  assert.throws(() => parseEntry(entryWith('/sealed', [], without)), malformed);
  assert.throws(() => parseEntry(entryWith('/sealed', ['reason'], without)), malformed);
});

test('digests are sorted, stand once, and have names that are free', () => {
  const { entry } = recordSample(sampleEvent);
  const digests = entry._sd ?? [];
  const own = entry.actor['_sd'] as readonly string[];
  assert.ok(digests.length > 2 && own.length === 2);
  assert.throws(() => parseEntry(entryWith('/_sd', digests.toReversed())), malformed);
  assert.throws(() => parseEntry(entryWith('/actor/_sd', own.toReversed())), malformed);
  assert.throws(() => parseEntry(entryWith('/targets/0/_sd', [own[0]!])), malformed);
  assert.throws(
    () =>
      parseEntry(
        entryWith(
          '/sealed',
          digests.map(() => 'reason'),
        ),
      ),
    malformed,
  );
  assert.throws(() => parseEntry(entryWith('/sealed', ['id', ...(entry.sealed ?? []).slice(1)])), malformed);
});

test('a digest stands once in its list, even where that is the only one', () => {
  const event = { ...minimal, actor: { ...minimal.actor, name: 'A', email: 'B' } };
  const own = recordSample(event).entry.actor['_sd'] as readonly string[];
  assert.equal(own.length, 2);
  assert.equal(parseEntry(entryWith('/actor/_sd', [own[0]!], event)).v, 1);
  assert.throws(() => parseEntry(entryWith('/actor/_sd', [own[0]!, own[0]!], event)), malformed);
});

test('seals speak of digests that are there, once each', () => {
  const event = { ...minimal, reason: 'x', seals: [{ path: '/reason', subjects: ['user/u_9'] }] };
  const seal = recordSample(event).entry.seals?.[0] as JsonObject;
  assert.deepEqual(Object.keys(seal), ['digest', 'path', 'subjects']);
  const wrongSeals: JsonValue[] = [
    [seal, seal],
    [{ ...seal, digest: 'A'.repeat(43) }],
    [{ ...seal, path: 'reason' }],
    [{ ...seal, subjects: ['u_9'] }],
    [{ ...seal, subjects: 'user/u_9' }],
    [{ ...seal, subjects: Array(33).fill('user/u_9') }],
  ];
  for (const seals of wrongSeals)
    assert.throws(() => parseEntry(entryWith('/seals', seals, event)), malformed, JSON.stringify(seals));
});

test('what a later writer adds is kept and shown', () => {
  const { disclosures } = recordSample(sampleEvent);
  const entry = parseEntry(entryWith('/zone', { a: [1] }));
  assert.deepEqual((entry as JsonObject)['zone'], { a: [1] });
  assert.deepEqual(openEntry(entry, disclosures, 3).event.unknown, { zone: { a: [1] } });
  assert.equal(openEntry(recordSample(sampleEvent).entry, disclosures, 3).event.unknown, undefined);
  const clear = parseEntry(entryWith('/clear', ['/x']));
  assert.deepEqual(openEntry(clear, disclosures, 3).event.unknown, { clear: ['/x'] });
  const withSource = parseEntry(entryWith('/source/region', 'eu')) as Entry;
  assert.equal(openEntry(withSource, disclosures, 3).event.source['region' as 'service'], 'eu');
});
