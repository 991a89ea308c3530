// What changed between two states: minimal, whole, within the rules of an event, and with nothing secret in it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { canonicalize, type JsonValue } from 'indelible/bytes';
import {
  auditDiff,
  permissionChanged,
  policyUpdated,
  REDACTED,
  redactDefault,
  roleChanged,
} from 'indelible/capture';
import { type Change, limits, parsePointer, prepareEvent } from 'indelible/event';

/** Applies changes, the last first, as the contract of `auditDiff` says. */
function apply(before: unknown, changes: readonly Change[]): unknown {
  const box: { root: unknown } = { root: structuredClone(before) };
  for (const change of changes.toReversed()) {
    let holder: object = box;
    let name = 'root';
    for (const step of parsePointer(change.path)!) {
      holder = Reflect.get(holder, name) as object;
      name = step;
    }
    if ('to' in change) {
      Object.defineProperty(holder, name, {
        value: change.to,
        writable: true,
        enumerable: true,
        configurable: true,
      });
    } else if (Array.isArray(holder)) holder.splice(Number(name), 1);
    else Reflect.deleteProperty(holder, name);
  }
  return box.root;
}

const json = fc
  .jsonValue({ maxDepth: 3 })
  .filter((value) => !/"(_sd|_sd_alg|\.\.\.)"/.test(JSON.stringify(value)))
  .map((value) => JSON.parse(JSON.stringify(value)) as JsonValue)
  .filter((value) => !JSON.stringify(value).match(/\d{16,}|e[+]/) && JSON.stringify(value).isWellFormed());

describe('auditDiff', () => {
  test('applied to the state before, it gives the state after; of equal states it says nothing', () => {
    fc.assert(
      fc.property(json, json, (before, after) => {
        const changes = auditDiff(before, after, { redact: [] });
        assert.equal(canonicalize(apply(before, changes) as JsonValue), canonicalize(after));
        assert.deepEqual(auditDiff(after, structuredClone(after)), []);
        const event = { action: 'record.updated', actor: { type: 'user', id: 'u_1' }, changes };
        prepareEvent(event, {
          id: 'e-1',
          occurredAt: '2026-01-01T00:00:00.000Z',
          now: 1_767_225_600_000,
          source: { service: 's', instance: 'i', seq: 0 },
          personalIds: 'refuse',
        });
      }),
      { numRuns: 400 },
    );
  });

  test('it is minimal, and its pointers are escaped', () => {
    assert.deepEqual(
      auditDiff(
        { plan: 'free', seats: 3, 'a/b~c': 1, tags: ['x', 'y'], address: { city: 'Bern', zip: '3000' } },
        { plan: 'pro', 'a/b~c': 2, tags: ['x'], address: { city: 'Basel', zip: '3000' }, vip: true },
      ),
      [
        { path: '/a~1b~0c', from: 1, to: 2 },
        { path: '/address/city', from: 'Bern', to: 'Basel' },
        { path: '/plan', from: 'free', to: 'pro' },
        { path: '/seats', from: 3 },
        { path: '/tags/1', from: 'y' },
        { path: '/vip', to: true },
      ],
    );
    assert.deepEqual(auditDiff(undefined, { a: 1 }), [{ path: '', to: { a: 1 } }]);
    assert.deepEqual(auditDiff({ a: 1 }, undefined), [{ path: '', from: { a: 1 } }]);
    assert.deepEqual(auditDiff({ a: undefined }, {}), []);
  });

  test('elements of a list are told apart by a field where one is named', () => {
    const before = {
      members: [
        { id: 'u_1', role: 'owner' },
        { id: 'u_2', role: 'viewer' },
      ],
    };
    const after = { members: [{ id: 'u_2', role: 'editor' }, { id: 'u_1', role: 'owner' }, { id: 'u_3' }] };
    assert.deepEqual(auditDiff(before, after, { listKeys: { '/members': 'id' } }), [
      { path: '/members/u_2/role', from: 'viewer', to: 'editor' },
      { path: '/members/u_3', to: { id: 'u_3' } },
    ]);
    for (const members of [[{ id: 'a' }, { id: 'a' }], [{}], ['a']]) {
      assert.throws(() => auditDiff({ members }, { members: [] }, { listKeys: { '/members': 'id' } }), {
        code: 'option_invalid',
      });
    }
  });

  test('dates, maps, sets, bigints and bytes have one reading; all else is refused by its place', () => {
    const at = new Date('2026-01-31T12:00:00Z');
    assert.deepEqual(
      auditDiff(
        {},
        { at, big: 2n ** 70n, map: new Map([['x', 1]]), set: new Set(['y']), bytes: new Uint8Array(2) },
      ),
      [
        { path: '/at', to: '2026-01-31T12:00:00.000Z' },
        { path: '/big', to: '1180591620717411303424' },
        {
          path: '/bytes',
          to: { bytes: 2, sha256: '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7' },
        },
        { path: '/map', to: { x: 1 } },
        { path: '/set', to: ['y'] },
      ],
    );
    const sparse: number[] = [1];
    sparse[2] = 3;
    assert.deepEqual(auditDiff({ a: [1, 2, 3] }, { a: sparse }), [{ path: '/a/1', from: 2, to: null }]);
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;
    class Money {
      amount = 1;
    }
    const bad = [() => {}, Symbol('s'), Number.NaN, 2 ** 60, new Money(), new Date(Number.NaN), '\ud800'];
    for (const value of [...bad, new Map([[1, 2]])]) {
      assert.throws(() => auditDiff({}, { a: { b: value } }), {
        code: 'event_value_invalid',
        pointer: '/a/b',
      });
    }
    assert.throws(() => auditDiff({}, loop), { code: 'event_too_deep' });
    assert.throws(() => auditDiff({}, { a: { _sd: 1 } }), { code: 'event_name_reserved', pointer: '/a/_sd' });
  });

  test('what is hidden is told to have changed, and shows nowhere, however deep it lies', () => {
    const before = { user: { password: 'old horse', name: 'a' }, keys: [{ token: 'tok_1', label: 'x' }] };
    const after = {
      user: { password: 'new horse', name: 'a' },
      keys: [],
      spare: { deep: [{ apiKey: 'ak_9' }] },
    };
    const changes = auditDiff(before, after);
    assert.deepEqual(changes, [
      { path: '/keys/0', from: { label: 'x', token: REDACTED } },
      { path: '/spare', to: { deep: [{ apiKey: REDACTED }] } },
      { path: '/user/password', from: REDACTED, to: REDACTED },
    ]);
    assert.doesNotMatch(JSON.stringify(changes), /horse|tok_1|ak_9/);
    const names = [
      'Password',
      'hashed_password',
      'passwordHash',
      'resetToken',
      'stripeSecretKey',
      'totp_secret',
    ];
    const more = [
      'api_key_hash',
      'ACCESS_KEY',
      'recovery-codes',
      'cvv',
      'clientSecret',
      'sessionToken',
      'pin',
    ];
    for (const name of [...names, ...more]) {
      assert.deepEqual(auditDiff({}, { [name]: 'x' }), [{ path: `/${name}`, to: REDACTED }], name);
      assert.deepEqual(auditDiff({ a: { [name]: 'x' } }, {}, { redact: [...redactDefault, '/b'] }), [
        { path: '/a', from: { [name]: REDACTED } },
      ]);
    }
    for (const name of ['passwordMinLength', 'sessionMinutes', 'tokenLifetime', 'secretary', 'shipping']) {
      assert.deepEqual(auditDiff({}, { [name]: 8 }), [{ path: `/${name}`, to: 8 }], name);
    }
    const redact = ['/*/salary', '/note'];
    assert.deepEqual(
      auditDiff({ a: { salary: 1 }, note: 'x' }, { a: { salary: 2 }, note: { y: 1 } }, { redact }),
      [
        { path: '/a/salary', from: REDACTED, to: REDACTED },
        { path: '/note', from: REDACTED, to: REDACTED },
      ],
    );
    assert.deepEqual(
      auditDiff({ n: 1, at: 1, x: { at: 2 } }, { n: 1, at: 2, x: { at: 3 } }, { ignore: ['/**/at'] }),
      [],
    );
    assert.deepEqual(auditDiff({}, { x: { at: 3, n: 1 } }, { ignore: ['/x/at'] }), [
      { path: '/x', to: { n: 1 } },
    ]);
  });

  test('with a key, equal hidden values have equal digests, and others others', () => {
    const digestKey = new Uint8Array(16).fill(7);
    const [first] = auditDiff({ password: 'a' }, { password: 'b' }, { digestKey });
    const [second] = auditDiff({ password: 'b' }, { password: 'a' }, { digestKey });
    assert.match(String(first!.from), /^hmac-sha256:[\w-]{43}$/);
    assert.deepEqual([first!.from, first!.to], [second!.to, second!.from]);
    assert.notEqual(first!.from, first!.to);
    assert.throws(() => auditDiff({}, {}, { digestKey: new Uint8Array(15) }), {
      code: 'pseudonym_key_invalid',
    });
  });

  test('nothing is cut off: at a limit it is whole, and past it refused', () => {
    const wide = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`f${at}`, at]));
    assert.equal(auditDiff({}, wide(limits.changesMax)).length, limits.changesMax);
    assert.throws(() => auditDiff({}, wide(limits.changesMax + 1)), { code: 'event_too_large' });
    const frame = JSON.stringify([{ path: '/t', to: '' }]).length;
    const fits = limits.disclosureBytesMax - 64 - frame;
    assert.equal(auditDiff({}, { t: 'x'.repeat(fits) }).length, 1);
    assert.throws(() => auditDiff({}, { t: 'x'.repeat(fits + 1) }), { code: 'event_too_large' });
    assert.throws(() => auditDiff({}, { ['n'.repeat(1024)]: 1 }), { code: 'event_too_large' });
  });

  test('unknown options and patterns that are no pointers are refused by name', () => {
    assert.throws(() => auditDiff({}, {}, { redacted: [] } as never), /did you mean redact/);
    assert.throws(() => auditDiff({}, {}, { ignore: ['password'] }), { code: 'option_invalid' });
  });
});

describe('who may do what', () => {
  const told = { actor: { type: 'user', id: 'u_1' }, reason: 'joins billing' };
  const subject = { type: 'user', id: 'u_7' };

  test('roleChanged says what was added and removed, once, with its reason', () => {
    assert.deepEqual(roleChanged({ ...told, subject, before: ['viewer'], after: ['billing', 'viewer'] }), {
      actor: told.actor,
      reason: told.reason,
      action: 'role.assigned',
      targets: [subject, { type: 'role', id: 'billing' }],
      changes: [{ path: '/roles/billing', to: true }],
    });
    const removed = roleChanged({
      ...told,
      subject,
      before: ['admin'],
      after: [],
      scope: { type: 'org', id: 'o_1' },
    });
    assert.equal(removed?.action, 'role.removed');
    assert.deepEqual(
      removed?.targets?.map(({ type }) => type),
      ['user', 'role', 'org'],
    );
    assert.equal(roleChanged({ ...told, subject, before: ['a', 'b'], after: ['b', 'a'] }), undefined);
    assert.throws(() => roleChanged({ ...told, reason: ' ', subject, before: [], after: ['a'] }), {
      code: 'option_invalid',
    });
    assert.throws(() => roleChanged({ ...told, subjekt: 1, subject, before: [], after: [] } as never), {
      code: 'option_unknown',
    });
  });

  test('policyUpdated and permissionChanged turn two states into one event', () => {
    const target = { type: 'policy', id: 'passwords' };
    const updated = policyUpdated({ ...told, target, before: { length: 8 }, after: { length: 14 } });
    assert.equal(updated?.action, 'policy.updated');
    assert.deepEqual(updated?.changes, [{ path: '/length', from: 8, to: 14 }]);
    const granted = permissionChanged({
      ...told,
      id: 'p-1',
      target,
      before: undefined,
      after: { read: true },
    });
    assert.equal(granted?.action, 'permission.changed');
    assert.equal(granted?.id, 'p-1');
    assert.equal(policyUpdated({ ...told, target, before: { a: 1 }, after: { a: 1 } }), undefined);
  });
});
