// The log's own entries: what they say stays in the open for ever, and is read back from the hashed bytes
// alone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalize, type JsonValue, parseJson, utf8Encode } from 'indelible/bytes';
import {
  type AuditEvent,
  actionVocabulary,
  clockJumpedEvent,
  configChangedEvent,
  type Entry,
  erasedEvent,
  erasureOf,
  genesisEvent,
  keyChangeEvent,
  logOpenedEvent,
  parseEntry,
  parseGenesis,
  witnessRefusedEvent,
} from 'indelible/event';
import { recordSample, refusalOf, sampleEvent } from './sample.ts';

const genesis = {
  origin: 'bar.example/log',
  logKeys: ['bar.example/log+12345678+AAAA'],
  rootKey: null,
  personalIds: 'refuse',
} as const;
const own = (event: AuditEvent): Entry => recordSample(event, { own: true }).entry;

test('the genesis entry says in the open what the log is', () => {
  const entry = own(genesisEvent(genesis));
  assert.equal(entry.action, 'log.created');
  assert.deepEqual(entry.actor, { type: 'log', id: 'self' });
  assert.deepEqual(entry['metadata'], { format: 1, ...genesis, sealing: 'rfc9901-sha256-128' });
  assert.deepEqual(parseGenesis(entry), { format: 1, ...genesis, sealing: 'rfc9901-sha256-128' });
  assert.equal(entry['_sd_alg'], undefined);
  const rooted = {
    ...genesis,
    rootKey: 'bar.example/root+12345678+AAAA',
    personalIds: 'pseudonymise',
  } as const;
  assert.equal(parseGenesis(own(genesisEvent(rooted))).rootKey, rooted.rootKey);
});

test('a genesis entry that does not say it is refused', () => {
  const text = recordSample(genesisEvent(genesis), { own: true }).text;
  const wrong: readonly (readonly [name: string, ...values: (JsonValue | undefined)[]])[] = [
    ['format', undefined, 2, '1'],
    ['origin', undefined, '', 1],
    ['logKeys', undefined, [], [1], 'key'],
    ['rootKey', undefined, 1],
    ['sealing', undefined, 'none'],
    ['personalIds', undefined, 'maybe'],
  ];
  for (const [name, ...values] of wrong) {
    for (const value of values) {
      const entry = parseJson(text) as Record<string, Record<string, JsonValue>>;
      if (value === undefined) delete entry['metadata']![name];
      else entry['metadata']![name] = value;
      const parsed = parseEntry(utf8Encode(canonicalize(entry)));
      assert.throws(
        () => parseGenesis(parsed),
        { code: 'malformed_genesis', name: 'VerificationError' },
        `${name} ${value}`,
      );
    }
  }
  assert.throws(() => parseGenesis(recordSample(sampleEvent).entry), { code: 'malformed_genesis' });
  assert.throws(() => parseGenesis(own({ ...genesisEvent(genesis), metadata: [1] })), {
    code: 'malformed_genesis',
  });
});

test('an erasure is recorded and read back', () => {
  const entry = own(erasedEvent({ subject: 'user/u_1', below: 7 }));
  assert.deepEqual(erasureOf(entry), { subject: 'user/u_1', below: 7 });
  assert.equal(entry.severity, 'high');
  const asked = own(
    erasedEvent({
      subject: 'user/u_1',
      below: 0,
      actor: { type: 'user', id: 'u_9', name: 'Ada' },
      reason: 'on request',
    }),
  );
  assert.deepEqual(erasureOf(asked), { subject: 'user/u_1', below: 0 });
  assert.equal(asked.actor.id, 'u_9');
});

test('an entry that records no erasure is refused', () => {
  const erased = erasedEvent({ subject: 'user/u_1', below: 7 });
  const wrong: AuditEvent[] = [
    sampleEvent,
    { ...erased, action: 'log.opened' },
    { ...erased, metadata: null },
    { ...erased, metadata: [] },
    { ...erased, metadata: { subject: 'u_1', below: 7 } },
    { ...erased, metadata: { subject: 'user/u_1', below: -1 } },
    { ...erased, metadata: { subject: 'user/u_1', below: 1.5 } },
    { ...erased, metadata: { subject: 'user/u_1' } },
    { ...erased, metadata: { below: 7 } },
  ];
  for (const event of wrong)
    assert.throws(() => erasureOf(own(event)), { code: 'malformed_entry' }, JSON.stringify(event.metadata));
});

test('each of the others says what it has to in the open', () => {
  const data = (event: AuditEvent) => [event.action, own(event)['metadata']];
  assert.deepEqual(data(logOpenedEvent()), ['log.opened', {}]);
  assert.deepEqual(data(logOpenedEvent({ version: '1.0.0' })), ['log.opened', { version: '1.0.0' }]);
  assert.deepEqual(data(clockJumpedEvent({ stepMs: -3_600_000 })), [
    'log.clock_jumped',
    { stepMs: -3_600_000 },
  ]);
  const refusal = { witness: 'W1', url: 'https://w.example', kind: 'fork', size: 9, root: 'AAAA' } as const;
  assert.deepEqual(data(witnessRefusedEvent(refusal)), ['log.witness_refused', refusal]);
  const place = { origin: 'example.com/log', genesis: 'AAAA', change: 1 };
  const rotation = { kind: 'rotation', ...place, oldKey: 'a', newKey: 'b' } as const;
  assert.deepEqual(data(keyChangeEvent(rotation, 'note')), [
    'log.key_rotated',
    { change: 1, oldKey: 'a', newKey: 'b', authorisation: 'note' },
  ]);
  const settings = { retentionDays: { from: 30, to: 365 } };
  assert.deepEqual(data(configChangedEvent({ settings })), ['log.config_changed', { settings }]);
});

test('nobody but the log can write them', () => {
  for (const event of [
    genesisEvent(genesis),
    logOpenedEvent(),
    erasedEvent({ subject: 'user/u_1', below: 1 }),
  ]) {
    assert.equal(refusalOf(event).code, 'action_reserved');
  }
});

test('every name of the vocabulary is one that a caller may use', () => {
  assert.ok(actionVocabulary.length > 40);
  assert.equal(new Set(actionVocabulary).size, actionVocabulary.length);
  for (const action of actionVocabulary) {
    assert.equal(recordSample({ action, actor: { type: 'user', id: 'u_1' } }).entry.action, action);
    assert.match(action, /^[a-z_]+\.[a-z_]+$/);
  }
});
