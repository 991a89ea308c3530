// The attacks of the threat model that this room answers, one test for each, under their numbers.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalize, type JsonObject, parseJson, sha256, utf8Decode, utf8Encode } from 'indelible/bytes';
import {
  digestDisclosure,
  limits,
  openEntry,
  parseDisclosure,
  parseEntry,
  prepareEvent,
  sealDraft,
} from 'indelible/event';
import { hashLeaf } from 'indelible/merkle';
import {
  countingRandom,
  readBack,
  recordSample,
  refusalOf,
  sampleEvent,
  sampleOptions,
  sampleWith,
} from './sample.ts';

const actor = { type: 'user', id: 'u_1' };

test('attack-16: a caller cannot write what the log says of it', () => {
  for (const field of [
    'source',
    'recordedAt',
    'nonce',
    'v',
    'index',
    'sealed',
    '_sd',
    '_sd_alg',
    'unknown',
    'withheld',
  ]) {
    const refused = refusalOf(sampleWith({ [field]: { service: 'forged', credential: 'key_1' } }));
    assert.match(refused.code, /^event_(field_unknown|name_reserved)$/, field);
  }
  // Nor in an attribute: it is sealed under its own name, beside what the log wrote.
  const { event } = readBack({ action: 'a', actor: { ...actor, authenticated: true, v: 1 } });
  assert.deepEqual(event.actor, { ...actor, authenticated: true, v: 1 });
  assert.equal(event.source.credential, undefined);
});

test('attack-18: huge and deep input is refused before it costs anything', () => {
  const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
  let nested: unknown = 1;
  for (let level = 0; level < 200_000; level += 1) nested = [nested];
  assert.equal(refusalOf(sampleWith({ metadata: nested })).code, 'event_too_deep');
  assert.throws(() => parseEntry(utf8Encode(deep)), { code: 'malformed_entry' });
  assert.throws(() => parseDisclosure(`["salt","name",${deep}]`), { name: 'VerificationError' });
  const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`k${index}`, 1]));
  assert.equal(refusalOf(sampleWith({ metadata: wide })).code, 'event_too_large');
  assert.equal(refusalOf(sampleWith({ context: wide })).code, 'event_too_large');
  assert.equal(refusalOf(wide).code, 'event_too_large');
  assert.throws(() => parseEntry(new Uint8Array(1_000_000).fill(0x5b)), { code: 'malformed_entry' });
});

test('attack-19: a name twice is refused, and __proto__ is a name like any other', () => {
  const { text } = recordSample(sampleEvent);
  for (const twice of [
    text.replace('"v":1', '"v":1,"v":1'),
    text.replace('"id":"u_42"', '"id":"u_42","id":"u_1"'),
    text.replace('"id":"u_42"', '"id":"u_1","id":"u_42"'),
  ]) {
    assert.notEqual(twice, text);
    assert.throws(() => parseEntry(utf8Encode(twice)), { code: 'malformed_entry' });
  }
  assert.throws(() => parseDisclosure('["s","name",{"role":"user","role":"admin"}]'), {
    code: 'malformed_json',
  });

  const hostile = JSON.parse(
    '{"action":"a","actor":{"type":"user","id":"u_1","__proto__":{"isAdmin":true},"constructor":{"prototype":1}},' +
      '"metadata":{"__proto__":{"isAdmin":true},"toString":1},"labels":{"__proto__":"x"}}',
  );
  for (const clear of [[], ['/metadata', '/actor/__proto__', '/labels/__proto__'], ['/metadata/toString']]) {
    const { event, problems } = readBack({ ...hostile, clear });
    assert.deepEqual(problems, []);
    assert.equal((event.actor as { isAdmin?: boolean }).isAdmin, undefined);
    assert.equal((event.metadata as { isAdmin?: boolean }).isAdmin, undefined);
    assert.equal(Object.getPrototypeOf(event.metadata), Object.prototype);
    assert.deepEqual(Object.getOwnPropertyDescriptor(event.actor, '__proto__')?.value, { isAdmin: true });
    assert.deepEqual(Object.getOwnPropertyDescriptor(event.metadata, '__proto__')?.value, { isAdmin: true });
    assert.equal(canonicalize(event.labels ?? null), '{"__proto__":"x"}');
  }
  assert.equal(({} as { isAdmin?: boolean }).isAdmin, undefined);
  assert.equal(
    refusalOf(JSON.parse('{"action":"a","actor":{"type":"u","id":"1"},"__proto__":{"id":"x"}}')).code,
    'event_field_unknown',
  );
});

test('attack-20: ill-formed text is refused, and well-formed text is never changed', () => {
  for (const half of ['\ud800', '\udfff', 'a\ud83d', '\udc00b']) {
    for (const fields of [
      { reason: half },
      { metadata: [half] },
      { metadata: { [half]: 1 } },
      { labels: { a: half } },
      { context: { ip: half } },
    ]) {
      assert.equal(refusalOf(sampleWith(fields)).code, 'event_value_invalid');
    }
  }
  // Composed and decomposed text, marks of order and direction, NUL and a byte order mark stay what they are.
  const texts = [
    '\u00e9',
    'e\u0301',
    '\ufeff',
    'a\u0000b',
    '\u202egnp.exe',
    '\u2028',
    '\u{1f600}',
    '\u00a0',
    '\u212b',
  ];
  for (const text of texts) {
    const { event } = readBack({
      action: 'a',
      actor: { ...actor, name: text },
      reason: text,
      metadata: { [text]: text },
    });
    assert.equal(event.reason, text);
    assert.deepEqual(event.metadata, { [text]: text });
    assert.equal(event.actor['name'], text);
  }
  assert.notEqual(
    recordSample({ action: 'a', actor: { type: 'u', id: '\u00e9' } }).text,
    recordSample({ action: 'a', actor: { type: 'u', id: 'e\u0301' } }).text,
  );
  const { bytes } = recordSample({ action: 'a', actor: { type: 'user', id: 'é' } });
  const at = bytes.indexOf(0xc3);
  for (const broken of [
    Uint8Array.of(0xed, 0xa0, 0x80),
    Uint8Array.of(0xc3),
    Uint8Array.of(0xc0, 0x80),
    Uint8Array.of(0xff),
  ]) {
    const damaged = Uint8Array.of(...bytes.subarray(0, at), ...broken, ...bytes.subarray(at + 2));
    assert.throws(() => parseEntry(damaged), { code: 'malformed_entry' });
  }
  assert.throws(() => parseEntry(Uint8Array.of(0xef, 0xbb, 0xbf, ...bytes)), { code: 'malformed_entry' });
});

test('attack-21: no two numbers become one, and one number has one text', () => {
  for (const number of [
    2 ** 53,
    2 ** 53 + 2,
    -(2 ** 53),
    1e20,
    Number.POSITIVE_INFINITY,
    Number.NaN,
    JSON.parse('1e400'),
  ]) {
    assert.equal(refusalOf(sampleWith({ metadata: { number } })).code, 'event_value_invalid', String(number));
  }
  for (const [number, text] of [
    [2 ** 53 - 1, '9007199254740991'],
    [-0, '0'],
    [1.0, '1'],
    [1e21, '1e+21'],
    [1e-7, '1e-7'],
    [5e-324, '5e-324'],
    [0.1 + 0.2, '0.30000000000000004'],
  ] as const) {
    assert.ok(
      recordSample(sampleWith({ metadata: number })).disclosures.some((disclosure) =>
        disclosure.endsWith(`"metadata",${text}]`),
      ),
      text,
    );
  }
  const { text } = recordSample({ action: 'a', actor, metadata: 7, clear: ['/metadata'] });
  for (const other of ['7.0', '07', '7e0', '+7', '9007199254740993', '1e400', '-0', '0x7']) {
    assert.throws(
      () => parseEntry(utf8Encode(text.replace('"metadata":7', `"metadata":${other}`))),
      { code: 'malformed_entry' },
      other,
    );
  }
});

test('attack-22: one event has one text, and only the stored bytes are hashed', () => {
  const { text, bytes } = recordSample(sampleEvent);
  const shuffled = Object.fromEntries(Object.entries(sampleEvent).reverse());
  const again = recordSample({
    ...shuffled,
    metadata: Object.fromEntries(Object.entries(sampleEvent.metadata as object).reverse()),
  });
  const withoutDigests = (entry: string) =>
    entry.replaceAll(/"[A-Za-z0-9_-]{43}"/g, '"digest"').replace(/"sealed":\[[^\]]*\]/, '');
  assert.equal(withoutDigests(again.text), withoutDigests(text));
  // Whatever parses is its own only text: no other bytes parse to the same entry.
  const respelt = [
    ` ${text}`,
    text.replaceAll(',', ', '),
    text.replace('"a', '"\\u0061'),
    JSON.stringify(parseJson(text), null, 1),
  ];
  for (const other of respelt)
    assert.throws(() => parseEntry(utf8Encode(other)), { code: 'malformed_entry' });
  assert.deepEqual(utf8Encode(canonicalize(parseEntry(bytes))), bytes);
});

test('attack-31: a value of low entropy cannot be guessed from the leaf', () => {
  // A pin of four digits, sealed. Whoever has the entry tries every pin with everything else known.
  const pin = '4711';
  const { text, bytes, disclosures, entry } = recordSample({
    id: 'x',
    action: 'pin.set',
    actor,
    metadata: { pin },
  });
  assert.equal(text.includes(pin), false);
  const digests = new Set(entry._sd);
  const salts = ['', 'A'.repeat(22), entry.nonce, entry.id];
  let guesses = 0;
  for (let guess = 0; guess < 10_000; guess += 1) {
    const value = JSON.stringify({ pin: String(guess).padStart(4, '0') });
    for (const salt of salts) {
      guesses += digests.has(digestDisclosure(`["${salt}","metadata",${value}]`)) ? 1 : 0;
      guesses += digests.has(Buffer.from(sha256(utf8Encode(salt + value))).toString('base64url')) ? 1 : 0;
    }
  }
  assert.equal(guesses, 0);
  // The negative control: with the salt, the same search finds it.
  const { salt } = parseDisclosure(disclosures[0]!);
  const found = Array.from(
    { length: 10_000 },
    (_, guess) => `["${salt}","metadata",{"pin":"${String(guess).padStart(4, '0')}"}]`,
  ).filter((guess) => digests.has(digestDisclosure(guess)));
  assert.deepEqual(found, disclosures);

  // The leaf of an entry in which all is known but the nonce cannot be guessed either, and equal events have
  // different leaves.
  const leaf = (start: number) => {
    const sealed = sealDraft(
      prepareEvent({ id: 'x', action: 'pin.set', actor }, sampleOptions),
      countingRandom(start),
    );
    return hashLeaf(utf8Encode(sealed.before + sealed.after));
  };
  assert.notDeepEqual(leaf(0), leaf(16));
  assert.notDeepEqual(hashLeaf(bytes), hashLeaf(utf8Encode(text.replace(entry.nonce, 'A'.repeat(22)))));
  // How long a sealed value is does not show in the entry.
  const size = (reason: string) => recordSample({ id: 'x', action: 'a', actor, reason }).bytes.length;
  assert.equal(size(''), size('x'.repeat(limits.disclosureBytesMax - 100)));
});

test('attack-2 and attack-15, for disclosures: none fits another entry, another field or another value', () => {
  const first = recordSample(sampleEvent);
  const random = countingRandom(5000);
  const sealed = sealDraft(prepareEvent(sampleEvent, sampleOptions), random);
  const transplanted = openEntry(first.entry, sealed.disclosures, 0);
  assert.equal(transplanted.problems.length, sealed.disclosures.length);
  assert.ok(transplanted.problems.every(({ code }) => code === 'unmatched'));
  for (const [position, text] of first.disclosures.entries()) {
    const altered = [...first.disclosures];
    altered[position] = text.replace(/.\]$/, (end) => `${end[0] === '"' ? ' "' : '9'}]`);
    assert.notEqual(altered[position], text);
    const { problems, event } = openEntry(first.entry, altered, 0);
    assert.deepEqual([problems.length, event.withheld.length], [1, 1]);
  }
});

test('attack-51: another version or algorithm is refused, not guessed at', () => {
  const { text } = recordSample(sampleEvent);
  for (const other of [
    text.replace('"v":1', '"v":2'),
    text.replace('"v":1', '"v":0'),
    text.replace('"sha-256"', '"sha-384"'),
    text.replace('"_sd_alg":"sha-256",', ''),
  ]) {
    assert.notEqual(other, text);
    assert.throws(() => parseEntry(utf8Encode(other)), { code: 'malformed_entry' });
  }
  assert.equal((parseJson(utf8Decode(utf8Encode(text))) as JsonObject)['v'], 1);
});
