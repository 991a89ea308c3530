// Whether an event that comes again under the same id is the same event.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PrepareOptions, parseDisclosure, prepareEvent, sameEvent } from 'indelible/event';
import { recordSample, sampleEvent, sampleNow, sampleOptions, sampleWith } from './sample.ts';

const stored = recordSample(sampleEvent);

/** Whether `event` repeats what was stored, of which only these disclosures are left. */
function repeats(event: unknown, options: Partial<PrepareOptions> = {}, kept = stored.disclosures): boolean {
  return sameEvent(prepareEvent(event, { ...sampleOptions, ...options }), stored.entry, kept);
}

const without = (...names: string[]) =>
  stored.disclosures.filter((text) => !names.includes(parseDisclosure(text).name));

test('the same event again is the same, whatever the log adds to it', () => {
  assert.equal(repeats(sampleEvent), true);
  assert.equal(repeats(structuredClone(sampleEvent)), true);
  const source = { service: 'other', instance: 'another', seq: 999, version: '9' };
  assert.equal(repeats(sampleEvent, { source, now: sampleNow + 86_400_000 }), true);
});

test('another order of fields, other ways to write a time, and defaults spelt out are the same', () => {
  const reversed = Object.fromEntries(Object.entries(sampleEvent).reverse());
  assert.equal(repeats(reversed), true);
  assert.equal(repeats(sampleWith({ occurredAt: '2026-01-31T13:34:56.789+01:00' })), true);
  assert.equal(repeats(sampleWith({ occurredAt: new Date('2026-01-31T12:34:56.789Z') })), true);
  assert.equal(repeats(sampleWith({ outcome: 'success' })), true);
});

test('a repeat that does not say when does not differ by that', () => {
  assert.equal(repeats(sampleWith({ occurredAt: undefined })), true);
  assert.equal(repeats(sampleWith({ occurredAt: '2026-01-31T12:34:56.788Z' })), false);
});

test('any difference in what the caller said is a difference', () => {
  const differences: Record<string, unknown>[] = [
    { action: 'user.role_removed' },
    { outcome: 'failure' },
    { severity: 'low' },
    { severity: undefined },
    { correlationId: 'other' },
    { correlationId: undefined },
    { causationId: 'other' },
    { actor: { ...sampleEvent.actor, id: 'u_43' } },
    { actor: { ...sampleEvent.actor, type: 'service' } },
    { actor: { ...sampleEvent.actor, name: 'Jane D.' } },
    { actor: { ...sampleEvent.actor, name: undefined } },
    { actor: { ...sampleEvent.actor, phone: '1' } },
    { actor: { ...sampleEvent.actor, onBehalfOf: undefined } },
    { actor: { ...sampleEvent.actor, onBehalfOf: { type: 'user', id: 'u_8', name: 'Max Power' } } },
    { targets: [] },
    { targets: sampleEvent.targets?.slice(0, 1) },
    { targets: sampleEvent.targets?.toReversed() },
    { changes: undefined },
    { changes: [{ path: '/role', from: 'member', to: 'owner' }] },
    { context: { ...sampleEvent.context, ip: '203.0.113.10' } },
    { reason: 'Promoted' },
    { reason: undefined },
    { error: { code: 'E42' } },
    { labels: { env: 'production', more: 'x' } },
    { metadata: null },
    { metadata: { ...(sampleEvent.metadata as object), seats: '12' } },
    { metadata: Object.entries(sampleEvent.metadata as object) },
    { seals: [{ path: '/reason', subjects: [] }] },
  ];
  for (const fields of differences) assert.equal(repeats(sampleWith(fields)), false, JSON.stringify(fields));
});

test('another credential is a difference, and so is having one', () => {
  const credential = { ...sampleOptions.source, credential: 'key_1' };
  assert.equal(repeats(sampleEvent, { source: credential }), false);
  const keyed = recordSample(sampleEvent, { source: credential });
  const again = (source: PrepareOptions['source']) =>
    sameEvent(prepareEvent(sampleEvent, { ...sampleOptions, source }), keyed.entry, keyed.disclosures);
  assert.equal(again({ ...credential, seq: 5 }), true);
  assert.equal(again({ ...credential, credential: 'key_2' }), false);
  assert.equal(again(sampleOptions.source), false);
});

test('an erased value matches anything, but has to be there', () => {
  const kept = without('reason', 'email');
  assert.equal(repeats(sampleEvent, {}, kept), true);
  assert.equal(repeats(sampleWith({ reason: 'something else' }), {}, kept), true);
  assert.equal(
    repeats(sampleWith({ actor: { ...sampleEvent.actor, email: 'x@example.com' } }), {}, kept),
    true,
  );
  // The name of an attribute is sealed with its value, so that another attribute could have stood there.
  const { email: _, ...actor } = sampleEvent.actor;
  assert.equal(repeats(sampleWith({ actor: { ...actor, phone: '1' } }), {}, kept), true);
  assert.equal(repeats(sampleWith({ actor }), {}, kept), false);
  assert.equal(repeats(sampleWith({ actor: { ...sampleEvent.actor, phone: '1' } }), {}, kept), false);
  assert.equal(repeats(sampleWith({ reason: undefined }), {}, kept), false);
  assert.equal(repeats(sampleWith({ reason: undefined, labels: undefined }), {}, kept), false);
  assert.equal(repeats(sampleWith({ context: { ip: '203.0.113.10' } }), {}, kept), false);
});

test('with everything erased only what is in the open is compared', () => {
  assert.equal(repeats(sampleWith({ metadata: 1, reason: 'x', context: {} }), {}, []), true);
  assert.equal(repeats(sampleWith({ severity: 'low' }), {}, []), false);
  assert.equal(repeats(sampleWith({ metadata: undefined }), {}, []), false);
});

test('how a value was sealed does not matter, whose it is does', () => {
  const opened = recordSample(sampleWith({ clear: ['/metadata/plan', '/reason'] }));
  const against = (event: unknown, kept = opened.disclosures) =>
    sameEvent(prepareEvent(event, sampleOptions), opened.entry, kept);
  assert.equal(against(sampleEvent), true);
  assert.equal(
    against(sampleWith({ metadata: { ...(sampleEvent.metadata as object), plan: 'free' } })),
    false,
  );
  // One part of an opened value is gone: the rest is compared, and the number of parts.
  const kept = opened.disclosures.filter((text) => parseDisclosure(text).name !== 'seats');
  assert.equal(
    against(sampleWith({ metadata: { ...(sampleEvent.metadata as object), seats: 13 } }), kept),
    true,
  );
  assert.equal(against(sampleWith({ metadata: { plan: 'pro', seats: 12 } }), kept), false);

  const seals = [{ path: '/reason', subjects: ['user/u_9'] }];
  const sealed = recordSample(sampleWith({ seals }));
  const same = (fields: Record<string, unknown>) =>
    sameEvent(prepareEvent(sampleWith(fields), sampleOptions), sealed.entry, sealed.disclosures);
  assert.equal(same({ seals }), true);
  assert.equal(same({}), false);
  assert.equal(same({ seals: [{ path: '/reason', subjects: ['user/u_8'] }] }), false);
});

test('many values of one name are told apart', () => {
  const targets = Array.from({ length: 32 }, (_, index) => ({
    type: 't',
    id: `${index}`,
    ...Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`a${n}`, 1])),
  }));
  const many = recordSample(sampleWith({ targets }));
  assert.equal(
    sameEvent(prepareEvent(sampleWith({ targets }), sampleOptions), many.entry, many.disclosures),
    true,
  );
});

test('__proto__ is compared like any other name', () => {
  const event = (value: number) =>
    JSON.parse(
      `{"id":"p","action":"a","actor":{"type":"u","id":"1","__proto__":${value}},"metadata":{"__proto__":${value}}}`,
    );
  const first = recordSample(event(1));
  const again = (value: number) =>
    sameEvent(prepareEvent(event(value), sampleOptions), first.entry, first.disclosures);
  assert.deepEqual([again(1), again(2)], [true, false]);
});
