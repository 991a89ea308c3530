// Every way in which an event can be refused: by code, by the pointer to what is wrong, and in words that
// help.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { type EventCode, EventError, eventCodes, prepareEvent, pseudonym } from 'indelible/event';
import { recordSample, refusalOf, sampleEvent, sampleNow, sampleOptions, sampleWith } from './sample.ts';

interface Case {
  readonly name: string;
  readonly event: unknown;
  readonly code: EventCode;
  readonly pointer: string;
  /** What the hint or the rule has to say. */
  readonly says?: RegExp;
}

const user = { type: 'user', id: 'u_1' };
const cyclic: Record<string, unknown> = { name: 'loop' };
cyclic['self'] = cyclic;

class Invoice {
  readonly number = 'INV-9';
}

const shapes: Case[] = [
  { name: 'no object', event: 'user.signed_in', code: 'event_field_invalid', pointer: '' },
  { name: 'null', event: null, code: 'event_field_invalid', pointer: '' },
  { name: 'a list', event: [], code: 'event_field_invalid', pointer: '' },
  { name: 'an instance', event: new Invoice(), code: 'event_value_invalid', pointer: '', says: /class/ },
  { name: 'no action', event: { actor: user }, code: 'event_field_missing', pointer: '/action' },
  {
    name: 'no actor',
    event: { action: 'a' },
    code: 'event_field_missing',
    pointer: '/actor',
    says: /who did it/,
  },
  {
    name: 'actor a text',
    event: { action: 'a', actor: 'u_1' },
    code: 'event_field_invalid',
    pointer: '/actor',
    says: /type, id/,
  },
  {
    name: 'actor without type',
    event: sampleWith({ actor: { id: 'u' } }),
    code: 'event_field_missing',
    pointer: '/actor/type',
  },
  {
    name: 'actor without id',
    event: sampleWith({ actor: { type: 'u' } }),
    code: 'event_field_missing',
    pointer: '/actor/id',
  },
  {
    name: 'targets no list',
    event: sampleWith({ targets: user }),
    code: 'event_field_invalid',
    pointer: '/targets',
    says: /\[ \]/,
  },
  {
    name: 'target null',
    event: sampleWith({ targets: [user, null] }),
    code: 'event_field_invalid',
    pointer: '/targets/1',
  },
  {
    name: 'reason a number',
    event: sampleWith({ reason: 7 }),
    code: 'event_field_invalid',
    pointer: '/reason',
  },
  {
    name: 'reason null',
    event: sampleWith({ reason: null }),
    code: 'event_field_invalid',
    pointer: '/reason',
    says: /[Ll]eave the field out/,
  },
  {
    name: 'context a text',
    event: sampleWith({ context: '::1' }),
    code: 'event_field_invalid',
    pointer: '/context',
  },
  {
    name: 'ip a number',
    event: sampleWith({ context: { ip: 1 } }),
    code: 'event_field_invalid',
    pointer: '/context/ip',
  },
  {
    name: 'error with more',
    event: sampleWith({ error: { stack: '' } }),
    code: 'event_field_unknown',
    pointer: '/error/stack',
    says: /code, message/,
  },
  {
    name: 'error code a number',
    event: sampleWith({ error: { code: 404 } }),
    code: 'event_field_invalid',
    pointer: '/error/code',
  },
  {
    name: 'labels a list',
    event: sampleWith({ labels: ['a'] }),
    code: 'event_field_invalid',
    pointer: '/labels',
  },
  {
    name: 'label a number',
    event: sampleWith({ labels: { a: 1 } }),
    code: 'event_field_invalid',
    pointer: '/labels/a',
  },
  {
    name: 'label without a name',
    event: sampleWith({ labels: { '': 'x' } }),
    code: 'event_field_invalid',
    pointer: '/labels/',
  },
  {
    name: 'label name with a line end',
    event: sampleWith({ labels: { 'a\nb': 'x' } }),
    code: 'event_field_invalid',
    pointer: '/labels/a\nb',
  },
  {
    name: 'changes no list',
    event: sampleWith({ changes: {} }),
    code: 'event_field_invalid',
    pointer: '/changes',
  },
  {
    name: 'change without path',
    event: sampleWith({ changes: [{ from: 1 }] }),
    code: 'event_field_missing',
    pointer: '/changes/0/path',
  },
  {
    name: 'change path undefined',
    event: sampleWith({ changes: [{ path: undefined }] }),
    code: 'event_field_missing',
    pointer: '/changes/0/path',
  },
  {
    name: 'change path no pointer',
    event: sampleWith({ changes: [{ path: 'role' }] }),
    code: 'event_field_invalid',
    pointer: '/changes/0/path',
    says: /JSON pointer/,
  },
  {
    name: 'change path with a bare tilde',
    event: sampleWith({ changes: [{ path: '/a~2' }] }),
    code: 'event_field_invalid',
    pointer: '/changes/0/path',
  },
  {
    name: 'change with more',
    event: sampleWith({ changes: [{ path: '', new: 1 }] }),
    code: 'event_field_unknown',
    pointer: '/changes/0/new',
  },
];

const words: Case[] = [
  { name: 'empty id', event: sampleWith({ id: '' }), code: 'event_field_invalid', pointer: '/id' },
  { name: 'id with a space', event: sampleWith({ id: 'a b' }), code: 'event_field_invalid', pointer: '/id' },
  {
    name: 'id with a line end',
    event: sampleWith({ id: 'a\n' }),
    code: 'event_field_invalid',
    pointer: '/id',
  },
  { name: 'id null', event: sampleWith({ id: null }), code: 'event_field_invalid', pointer: '/id' },
  { name: 'id with an umlaut', event: sampleWith({ id: 'ä' }), code: 'event_field_invalid', pointer: '/id' },
  {
    name: 'correlation with a slash',
    event: sampleWith({ correlationId: 'a/b' }),
    code: 'event_field_invalid',
    pointer: '/correlationId',
  },
  {
    name: 'causation a number',
    event: sampleWith({ causationId: 3 }),
    code: 'event_field_invalid',
    pointer: '/causationId',
  },
  {
    name: 'action in capitals',
    event: sampleWith({ action: 'User.SignedIn' }),
    code: 'event_field_invalid',
    pointer: '/action',
    says: /lower-case/,
  },
  {
    name: 'action with two dots',
    event: sampleWith({ action: 'a..b' }),
    code: 'event_field_invalid',
    pointer: '/action',
  },
  {
    name: 'action ending in a dot',
    event: sampleWith({ action: 'a.' }),
    code: 'event_field_invalid',
    pointer: '/action',
  },
  {
    name: 'action with a line end',
    event: sampleWith({ action: 'a\n' }),
    code: 'event_field_invalid',
    pointer: '/action',
  },
  {
    name: 'outcome',
    event: sampleWith({ outcome: 'sucess' }),
    code: 'event_field_invalid',
    pointer: '/outcome',
    says: /Did you mean success\?/,
  },
  {
    name: 'outcome true',
    event: sampleWith({ outcome: true }),
    code: 'event_field_invalid',
    pointer: '/outcome',
    says: /success, failure, denied, unknown/,
  },
  {
    name: 'severity',
    event: sampleWith({ severity: 'CRITICAL' }),
    code: 'event_field_invalid',
    pointer: '/severity',
    says: /Did you mean critical\?/,
  },
  {
    name: 'type with a slash',
    event: sampleWith({ actor: { type: 'a/b', id: '1' } }),
    code: 'event_field_invalid',
    pointer: '/actor/type',
  },
  {
    name: 'type empty',
    event: sampleWith({ actor: { type: '', id: '1' } }),
    code: 'event_field_invalid',
    pointer: '/actor/type',
  },
  {
    name: 'target id empty',
    event: sampleWith({ targets: [{ type: 'a', id: '' }] }),
    code: 'event_field_invalid',
    pointer: '/targets/0/id',
  },
  {
    name: 'target id a number',
    event: sampleWith({ targets: [{ type: 'a', id: 5 }] }),
    code: 'event_field_invalid',
    pointer: '/targets/0/id',
  },
  {
    name: 'reserved action',
    event: sampleWith({ action: 'log.created' }),
    code: 'action_reserved',
    pointer: '/action',
  },
  {
    name: 'reserved action alone',
    event: sampleWith({ action: 'log' }),
    code: 'action_reserved',
    pointer: '/action',
  },
];

const names: Case[] = [
  {
    name: 'a slip',
    event: sampleWith({ actoin: 'a' }),
    code: 'event_field_unknown',
    pointer: '/actoin',
    says: /Did you mean action\?/,
  },
  {
    name: 'other capitals',
    event: sampleWith({ occurred_at: 'x' }),
    code: 'event_field_unknown',
    pointer: '/occurred_at',
    says: /occurredAt\?/,
  },
  {
    name: 'a singular',
    event: sampleWith({ target: user }),
    code: 'event_field_unknown',
    pointer: '/target',
    says: /targets\?/,
  },
  {
    name: 'the word of another system',
    event: sampleWith({ timestamp: 1 }),
    code: 'event_field_unknown',
    pointer: '/timestamp',
    says: /occurredAt/,
  },
  {
    name: 'what belongs inside',
    event: sampleWith({ ip: '::1' }),
    code: 'event_field_unknown',
    pointer: '/ip',
    says: /context/,
  },
  {
    name: 'what the log writes',
    event: sampleWith({ recordedAt: 'x' }),
    code: 'event_field_unknown',
    pointer: '/recordedAt',
    says: /The log writes it/,
  },
  {
    name: 'source',
    event: sampleWith({ source: {} }),
    code: 'event_field_unknown',
    pointer: '/source',
    says: /The log writes it/,
  },
  {
    name: 'nothing near',
    event: sampleWith({ quux: 1 }),
    code: 'event_field_unknown',
    pointer: '/quux',
    says: /Known are id, action/,
  },
  {
    name: 'a name of every object',
    event: sampleWith({ constructor: 1 }),
    code: 'event_field_unknown',
    pointer: '/constructor',
  },
  {
    name: 'onBehalfOf of a target',
    event: sampleWith({ targets: [{ ...user, onBehalfOf: user }] }),
    code: 'event_field_unknown',
    pointer: '/targets/0/onBehalfOf',
  },
  {
    name: 'onBehalfOf twice',
    event: sampleWith({ actor: { ...user, onBehalfOf: { ...user, onBehalfOf: user } } }),
    code: 'event_field_unknown',
    pointer: '/actor/onBehalfOf/onBehalfOf',
  },
  {
    name: 'a name with a slash',
    event: sampleWith({ 'a/b~c': 1 }),
    code: 'event_field_unknown',
    pointer: '/a~1b~0c',
  },
  ...['_sd', '_sd_alg', '...'].flatMap((name): Case[] => [
    {
      name: `${name} at the top`,
      event: sampleWith({ [name]: [] }),
      code: 'event_name_reserved',
      pointer: `/${name}`,
    },
    {
      name: `${name} of an actor`,
      event: sampleWith({ actor: { ...user, [name]: 1 } }),
      code: 'event_name_reserved',
      pointer: `/actor/${name}`,
    },
    {
      name: `${name} in labels`,
      event: sampleWith({ labels: { [name]: 'x' } }),
      code: 'event_name_reserved',
      pointer: `/labels/${name}`,
    },
    {
      name: `${name} deep down`,
      event: sampleWith({ metadata: { a: [{ b: { [name]: 1 } }] } }),
      code: 'event_name_reserved',
      pointer: `/metadata/a/0/b/${name}`,
    },
    {
      name: `${name} in a change`,
      event: sampleWith({ changes: [{ path: '', to: { [name]: 1 } }] }),
      code: 'event_name_reserved',
      pointer: `/changes/0/to/${name}`,
    },
  ]),
];

const values: Case[] = [
  {
    name: 'NaN',
    event: sampleWith({ metadata: { n: Number.NaN } }),
    code: 'event_value_invalid',
    pointer: '/metadata/n',
  },
  {
    name: 'Infinity',
    event: sampleWith({ metadata: [Number.NEGATIVE_INFINITY] }),
    code: 'event_value_invalid',
    pointer: '/metadata/0',
  },
  {
    name: '2^53',
    event: sampleWith({ metadata: 2 ** 53 }),
    code: 'event_value_invalid',
    pointer: '/metadata',
    says: /2\^53/,
  },
  {
    name: '-2^53',
    event: sampleWith({ actor: { ...user, n: -(2 ** 53) } }),
    code: 'event_value_invalid',
    pointer: '/actor/n',
  },
  {
    name: 'undefined in a list',
    event: sampleWith({ metadata: [1, undefined] }),
    code: 'event_value_invalid',
    pointer: '/metadata/1',
    says: /null/,
  },
  {
    name: 'a hole in a list',
    event: sampleWith({ metadata: new Array(2) }),
    code: 'event_value_invalid',
    pointer: '/metadata/0',
  },
  {
    name: 'a function',
    event: sampleWith({ metadata: { f: () => 1 } }),
    code: 'event_value_invalid',
    pointer: '/metadata/f',
  },
  {
    name: 'a symbol',
    event: sampleWith({ metadata: { s: Symbol('x') } }),
    code: 'event_value_invalid',
    pointer: '/metadata/s',
  },
  {
    name: 'a bigint',
    event: sampleWith({ metadata: { b: 1n } }),
    code: 'event_value_invalid',
    pointer: '/metadata/b',
    says: /text/,
  },
  {
    name: 'a Date',
    event: sampleWith({ metadata: { at: new Date(0) } }),
    code: 'event_value_invalid',
    pointer: '/metadata/at',
    says: /toISOString/,
  },
  {
    name: 'a Map',
    event: sampleWith({ metadata: new Map() }),
    code: 'event_value_invalid',
    pointer: '/metadata',
    says: /fromEntries/,
  },
  {
    name: 'a Set',
    event: sampleWith({ metadata: new Set() }),
    code: 'event_value_invalid',
    pointer: '/metadata',
  },
  {
    name: 'bytes',
    event: sampleWith({ metadata: new Uint8Array(2) }),
    code: 'event_value_invalid',
    pointer: '/metadata',
    says: /base64/,
  },
  {
    name: 'an Error',
    event: sampleWith({ error: new Error('x') }),
    code: 'event_value_invalid',
    pointer: '/error',
    says: /code, message/,
  },
  {
    name: 'an instance',
    event: sampleWith({ metadata: new Invoice() }),
    code: 'event_value_invalid',
    pointer: '/metadata',
  },
  {
    name: 'toJSON',
    event: sampleWith({ metadata: { toJSON: () => 'x' } }),
    code: 'event_value_invalid',
    pointer: '/metadata/toJSON',
  },
  {
    name: 'a loop',
    event: sampleWith({ metadata: cyclic }),
    code: 'event_too_deep',
    pointer: `/metadata${'/self'.repeat(31)}`,
  },
  {
    name: 'half a pair',
    event: sampleWith({ reason: 'a\ud800b' }),
    code: 'event_value_invalid',
    pointer: '/reason',
    says: /surrogate/,
  },
  {
    name: 'half a pair in metadata',
    event: sampleWith({ metadata: { a: '\udc00' } }),
    code: 'event_value_invalid',
    pointer: '/metadata/a',
  },
  {
    name: 'half a pair in a name',
    event: sampleWith({ metadata: { '\udfff': 1 } }),
    code: 'event_value_invalid',
    pointer: '/metadata/\udfff',
  },
  {
    name: 'half a pair in an id',
    event: sampleWith({ actor: { type: 'user', id: '\ud83d' } }),
    code: 'event_value_invalid',
    pointer: '/actor/id',
  },
];

const personal: Case[] = [
  {
    name: 'actor',
    event: sampleWith({ actor: { type: 'user', id: 'jane@example.com' } }),
    code: 'personal_id',
    pointer: '/actor/id',
    says: /internal id/,
  },
  {
    name: 'target',
    event: sampleWith({ targets: [user, { type: 'user', id: '@' }] }),
    code: 'personal_id',
    pointer: '/targets/1/id',
  },
  {
    name: 'principal',
    event: sampleWith({ actor: { ...user, onBehalfOf: { type: 'user', id: 'a@b' } } }),
    code: 'personal_id',
    pointer: '/actor/onBehalfOf/id',
  },
  {
    name: 'subject',
    event: sampleWith({ seals: [{ path: '/reason', subjects: ['user/a@b'] }] }),
    code: 'personal_id',
    pointer: '/seals/0/subjects/0',
  },
];

for (const [title, cases] of Object.entries({ shapes, words, names, values, personal })) {
  test(`refused for its ${title}, with code and pointer`, async (context) => {
    for (const { name, event, code, pointer, says } of cases) {
      await context.test(name, () => {
        const refusal = refusalOf(event);
        assert.equal(refusal.code, code, refusal.message);
        assert.equal(refusal.pointer, pointer);
        if (says !== undefined) assert.match(refusal.message, says);
        assert.ok(refusal.rule !== '' && refusal.hint !== '');
      });
    }
  });
}

test('controls in ids are refused, every one of them', () => {
  for (let unit = 0; unit < 0xa0; unit += 1) {
    if (unit >= 0x20 && unit < 0x7f) continue;
    const id = `a${String.fromCharCode(unit)}`;
    assert.equal(refusalOf(sampleWith({ targets: [{ type: 'doc', id }] })).pointer, '/targets/0/id');
    assert.equal(refusalOf(sampleWith({ id })).pointer, '/id');
  }
});

test('a refusal is a TypeError with all it says, in one sentence and a hint', () => {
  const refusal = refusalOf(sampleWith({ outcome: 'sucess' }));
  assert.ok(refusal instanceof TypeError);
  assert.equal(refusal.name, 'EventError');
  assert.equal(
    refusal.message,
    '/outcome must be one of success, failure, denied, unknown. Did you mean success?',
  );
  assert.equal(refusal.rule, 'must be one of success, failure, denied, unknown');
  assert.equal(refusal.hint, 'Did you mean success?');
  assert.equal(
    new EventError('event_too_large', '', { rule: 'is', hint: 'Do.' }).message,
    'The event is. Do.',
  );
});

test('the log itself may use what is reserved to it', () => {
  const event = { action: 'log.opened', actor: { type: 'log', id: 'a@b' } };
  assert.equal(recordSample(event, { own: true }).entry.action, 'log.opened');
  assert.equal(recordSample({ ...event, action: 'logs.rotated', actor: user }).entry.action, 'logs.rotated');
});

test('personal ids are taken where the log was created so', () => {
  const event = sampleWith({ actor: { type: 'user', id: 'jane@example.com' } });
  assert.equal(recordSample(event, { personalIds: 'allow' }).entry.actor.id, 'jane@example.com');
});

test('personal ids become pseudonyms where the log was created so: the same everywhere, and only they', () => {
  const pseudonymKey = new TextEncoder().encode('sixteen bytes at least');
  const digest = createHmac('sha256', pseudonymKey).update('jane@example.com').digest().subarray(0, 16);
  const jane = `p_${digest.toString('base64url')}`;
  const person = { type: 'user', id: 'jane@example.com' };
  const { entry, text } = recordSample(
    {
      action: 'a',
      actor: { ...person, onBehalfOf: person },
      targets: [person, { type: 'doc', id: 'd_1' }],
      reason: 'r',
      seals: [{ path: '/reason', subjects: ['user/jane@example.com', 'doc/d_1'] }],
    },
    { personalIds: 'pseudonymise', pseudonymKey },
  );
  assert.equal(pseudonym('jane@example.com', pseudonymKey), jane);
  assert.equal(entry.actor.id, jane);
  assert.equal((entry.actor['onBehalfOf'] as { id: string }).id, jane);
  assert.deepEqual(
    entry.targets.map(({ id }) => id),
    [jane, 'd_1'],
  );
  assert.deepEqual(entry.seals?.[0]?.subjects, [`user/${jane}`, 'doc/d_1']);
  assert.equal(text.includes('jane@'), false);
  assert.notEqual(pseudonym('jane@example.com', new Uint8Array(16)), jane);
});

test('a getter that throws refuses its event with our error, and says where, whatever it throws', () => {
  for (const thrown of [
    new Error('not today'),
    Object.assign(new Error('not today'), { code: 'ECONNRESET' }),
  ]) {
    const metadata = {
      get secret(): string {
        throw thrown;
      },
    };
    const refusal = refusalOf(sampleWith({ metadata: { a: [metadata] } }));
    assert.equal(refusal.code, 'event_value_invalid');
    assert.equal(refusal.pointer, '/metadata/a/0/secret');
    assert.equal(refusal.cause, thrown);
  }
});

test('each property is read once, so nothing shows one face to the check and another to the writer', () => {
  let reads = 0;
  const actor = {
    type: 'user',
    get id(): string {
      reads += 1;
      return reads === 1 ? 'u_1' : 'jane@example.com\u0000';
    },
  };
  assert.equal(recordSample({ action: 'a', actor }).entry.actor.id, 'u_1');
  assert.equal(reads, 1);
});

test('undefined counts as absent, and what is inherited is never seen', () => {
  const bare = { action: 'a', actor: user };
  const padded = {
    ...bare,
    id: undefined,
    reason: undefined,
    targets: undefined,
    severity: undefined,
    clear: undefined,
    actor: { ...user, name: undefined, onBehalfOf: undefined },
    context: undefined,
  };
  assert.equal(recordSample(padded).text, recordSample(bare).text);
  assert.deepEqual(
    JSON.parse(recordSample({ ...bare, metadata: { a: undefined, b: 1 } }).disclosures[0] ?? '').at(-1),
    { b: 1 },
  );

  const prototype = Object.prototype as Record<string, unknown>;
  prototype['reason'] = 'polluted';
  try {
    assert.equal(recordSample(bare).text.includes('_sd'), false);
  } finally {
    delete prototype['reason'];
  }
});

test('plain objects of other realms and without prototype are plain', () => {
  const bare = Object.assign(Object.create(null), {
    action: 'a',
    actor: Object.assign(Object.create(null), user),
  });
  assert.equal(recordSample(bare).entry.action, 'a');
});

test('options that the log gets wrong are misuse, not a refusal of the event', () => {
  const event = { action: 'a', actor: { type: 'user', id: 'a@b' } };
  const source = { ...sampleOptions.source, seq: -1 };
  assert.throws(() => prepareEvent({ action: 'a', actor: user }, { ...sampleOptions, source }), {
    code: 'source_seq_invalid',
  });
  assert.throws(() => prepareEvent(event, { ...sampleOptions, personalIds: 'pseudonymise' }), {
    code: 'pseudonym_key_invalid',
  });
  assert.throws(
    () =>
      prepareEvent(event, {
        ...sampleOptions,
        personalIds: 'pseudonymise',
        pseudonymKey: new Uint8Array(15),
      }),
    { code: 'pseudonym_key_invalid', name: 'RangeError' },
  );
});

test('every code of a refusal is produced by some test here or beside', () => {
  const produced = new Set([...shapes, ...words, ...names, ...values, ...personal].map(({ code }) => code));
  produced.add(refusalOf(sampleWith({ occurredAt: 'now' })).code);
  produced.add(refusalOf(sampleWith({ occurredAt: new Date(sampleNow + 3_600_000) })).code);
  produced.add(refusalOf(sampleWith({ reason: 'x'.repeat(70_000) })).code);
  produced.add(refusalOf(sampleWith({ clear: ['/nowhere'] })).code);
  assert.deepEqual([...produced].sort(), [...eventCodes].sort());
  assert.equal(new Set(eventCodes).size, eventCodes.length);
});

test('the sample itself is accepted', () => {
  assert.equal(recordSample(sampleEvent).entry.id, 'evt-1');
});
