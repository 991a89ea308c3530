// What a log says of retention, held against what it does: records by another policy, values gone without one, values that outlived it.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { type RetentionPolicy, retentionAppliedEvent } from 'indelible/event';
import { StateFile } from 'indelible/monitor';
import { publishLog } from 'indelible/publish';
import { indelible } from '../cli/cli-process.ts';
import { urlOf } from '../publish/world.ts';
import { S3Double } from '../support/s3-double.ts';
import { codes, Watched } from './world.ts';

const DAY_MS = 86_400_000;
const atOnce = { approvedBy: ['p_1', 'p_2'], delayMs: 0 };
const policy: RetentionPolicy = [
  { match: 'user.signed_in', keep: '30d' },
  { match: '*', keep: '1y' },
];

/** A log with a policy, and the clock of this process in hand; its events are older than the policy asks for, and the monitor's grace. */
async function agedLog(
  t: TestContext,
  days = 38,
  daysAgo = 0,
): Promise<{ world: Watched; pass: (days: number) => void }> {
  let now = Date.now() - daysAgo * DAY_MS;
  t.mock.timers.enable({ apis: ['Date'], now });
  const world = await Watched.make(t, 4);
  await world.log.retention.set(policy, atOnce);
  const pass = (more: number): void => {
    now += more * DAY_MS;
    t.mock.timers.setTime(now);
  };
  pass(days);
  return { world, pass };
}

async function forge(world: Watched, rules: RetentionPolicy, below = 3): Promise<void> {
  await world.log.recordOwn(
    retentionAppliedEvent({
      rules: rules.map((rule) => ({ ...rule, before: '1970-01-01T00:00:00.000Z', below })),
      ...{ values: 1, entries: 1, digest: 'A'.repeat(43), policy: 0, heldBy: [] },
    }),
  );
  await world.publish();
}

describe('records of retention', () => {
  for (const kind of ['published', 'folder'] as const) {
    const placeOf = (world: Watched) => (kind === 'folder' ? { place: world.log.dir } : {});

    test(`that go by the policy in force are in order, also after it was changed: ${kind}`, async (t) => {
      const { world } = await agedLog(t);
      const look = () => world.look({ ...placeOf(world), wholeEveryMs: 1 });
      assert.ok((await world.log.retention.apply()).values > 0);
      await world.log.retention.set([{ match: '*', keep: '2y' }]);
      await forge(world, [{ match: '*', keep: '2y' }], 0);
      const report = await look();
      assert.deepEqual([codes(report), report.holds], [[], 0]);
    });

    test(`by another policy, or none, are told by the look that reads them: ${kind}`, async (t) => {
      const { world } = await agedLog(t, 0);
      const look = () => world.look({ ...placeOf(world) });
      await world.look({ ...placeOf(world) });
      await forge(world, [{ match: '*', keep: '1h' }]);
      const report = await look();
      assert.deepEqual(codes(report), ['retention_invalid']);
      assert.match(report.tell[0]!.message, /another policy/);
      // Whoever begins now finds the same, and so does the reading of everything: once, and not twice.
      const late = await world.look({ ...placeOf(world), state: `${world.state}2`, wholeEveryMs: 1 });
      assert.deepEqual(codes(late), ['retention_invalid']);
    });
  }

  test('where no policy is in force, and before a policy is that waits', async (t) => {
    const world = await Watched.make(t, 3);
    await forge(world, policy);
    const bare = await world.look();
    assert.match(
      bare.tell.find(({ code }) => code === 'retention_invalid')!.message,
      /no policy was in force/,
    );
    await world.log.retention.set(policy, { ...atOnce, delayMs: DAY_MS });
    await forge(world, policy);
    assert.deepEqual(codes(await world.look()), ['retention_invalid']);
  });

  for (const kind of ['published', 'folder'] as const)
    test(`that reach entries which were recorded later than they say: ${kind}`, async (t) => {
      const { world } = await agedLog(t, 0);
      const look = () =>
        world.look({ ...(kind === 'folder' && { place: world.log.dir }), wholeEveryMs: DAY_MS });
      await look();
      const { size } = await world.log.checkpoint();
      await forge(world, policy, size);
      const report = await look();
      assert.ok(codes(report).includes('retention_invalid'), codes(report).join());
      assert.ok(report.tell.some(({ message }) => /recorded later than it says/.test(message)));
      // What a record says stays said: it holds, and is told once.
      const again = await look();
      assert.deepEqual([codes(again), again.holds > 0], [[], true]);
    });

  test('of many applications over years by several rules, each is in order', async (t) => {
    const { world, pass } = await agedLog(t, 0);
    for (let round = 0; round < 12; round += 1) {
      pass(45);
      await world.grow(2);
      assert.ok((await world.log.retention.apply()).values > 0 || round === 0);
      await world.publish();
      const report = await world.look({ wholeEveryMs: round % 3 === 0 ? 1 : 0 });
      assert.deepEqual([codes(report), report.holds], [[], 0]);
    }
    const late = await world.look({ state: `${world.state}2` });
    assert.deepEqual([codes(late), late.holds], [[], 0]);
  });

  test('that reach ahead of themselves, or remove what had not passed its period', async (t) => {
    const { world } = await agedLog(t, 0);
    await world.look();
    await forge(world, policy, 999);
    const report = await world.look();
    assert.deepEqual(codes(report), ['retention_invalid']);
    assert.match(report.tell[0]!.message, /not as such an entry can be/);
  });

  test('cover what they cover: values of other actions that are gone are an alarm', async (t) => {
    const { world, pass } = await agedLog(t);
    await world.log.record({ action: 'user.removed', actor: { type: 'user', id: 'a', name: 'Ada' } });
    await world.log.retention.apply();
    await world.log.close();
    assert.deepEqual(codes(await world.look({ place: world.log.dir, wholeEveryMs: 1 })), []);
    const { Attacker } = await import('#dist/drill/attacker.js');
    new Attacker(world.log.dir).run('DELETE FROM disclosures');
    pass(0.001);
    const report = await world.look({ place: world.log.dir, wholeEveryMs: 1 });
    assert.deepEqual([...new Set(codes(report))], ['disclosure_missing']);
  });
});

describe('values that have outlived the policy', () => {
  for (const kind of ['published', 'folder'] as const) {
    const placeOf = (world: Watched) => (kind === 'folder' ? { place: world.log.dir } : {});

    test(`are told once, by every look until the policy is applied: ${kind}`, async (t) => {
      const { world, pass } = await agedLog(t, 36);
      await world.publish();
      const look = () => world.look(placeOf(world));
      assert.deepEqual(codes(await look()), []);
      // 30 days, and the 7 of the grace.
      pass(1.5);
      const found = await look();
      assert.deepEqual(codes(found), ['retention_overdue']);
      assert.equal(found.tell.find(({ code }) => code === 'retention_overdue')?.kind, 'finding');
      const again = await look();
      assert.deepEqual([codes(again), again.holds], [[], 1]);
      await world.grow(1);
      assert.deepEqual(codes(await look()), []);
      assert.ok((await world.log.retention.apply()).values > 0);
      await world.publish();
      assert.equal((await look()).holds, 0);
      // And again, where it stops being applied.
      pass(40);
      assert.deepEqual(codes(await look()), ['retention_overdue']);
    });

    test(`the grace is the monitor's: ${kind}`, async (t) => {
      const { world, pass } = await agedLog(t, 31);
      await world.publish();
      const look = (retentionGraceMs: number, state: string) =>
        world.look({ ...placeOf(world), retentionGraceMs, state: world.state + state });
      assert.deepEqual(codes(await look(0, '0')), ['retention_overdue']);
      assert.deepEqual(codes(await look(2 * DAY_MS, '2')), []);
      pass(1.5);
      assert.deepEqual(codes(await look(2 * DAY_MS, '2')), ['retention_overdue']);
    });

    test(`a hold keeps them, until it is released: ${kind}`, async (t) => {
      const { world } = await agedLog(t);
      await world.log.holds.place({ name: 'court', to: '2999-01-01' });
      await world.publish();
      assert.deepEqual(codes(await world.look(placeOf(world))), []);
      await world.log.holds.release('court');
      await world.publish();
      assert.deepEqual(codes(await world.look(placeOf(world))), ['retention_overdue']);
      await world.log.holds.place({ name: 'of-one-person', subject: 'user/u_1' });
      await world.publish();
      assert.equal((await world.look(placeOf(world))).holds, 1);
    });

    test(`a person who was erased has none: ${kind}`, async (t) => {
      const { world } = await agedLog(t);
      for (let person = 0; person < 5; person += 1)
        await world.log.erase({
          subject: `user/u_${person}`,
          ...{ basis: 'gdpr-17', requestId: `r_${person}`, approvedBy: ['p_1', 'p_2'] },
        });
      await world.publish();
      const report = await world.look(placeOf(world));
      assert.deepEqual(codes(report), [], JSON.stringify(report.tell));
    });

    test(`a policy that has just come into force has the grace, too; entries it never removes have none: ${kind}`, async (t) => {
      const { world, pass } = await agedLog(t, 0);
      await world.log.retention.set([{ match: '*', keep: '50y' }]);
      pass(60);
      await world.log.retention.set([{ match: '*', keep: '1d' }], atOnce);
      await world.publish();
      assert.deepEqual(codes(await world.look(placeOf(world))), []);
      pass(8);
      assert.deepEqual(codes(await world.look(placeOf(world))), ['retention_overdue']);
      await world.log.retention.set([{ match: 'record.*', keep: '1d' }], atOnce);
      await world.publish();
      pass(8);
      assert.equal((await world.look(placeOf(world))).holds, 0);
    });
  }

  test('a query of a hold is known in the folder, and counts as all it may find where it is not', async (t) => {
    const { world } = await agedLog(t);
    await world.log.holds.place({ name: 'one', query: 'actor:user/u_1' });
    await world.publish();
    assert.deepEqual(codes(await world.look()), []);
    const folder = await world.look({ place: world.log.dir, state: `${world.state}2` });
    assert.deepEqual(codes(folder), ['retention_overdue']);
  });

  test('stand while nobody answers, and cost no memory', async (t) => {
    const { world } = await agedLog(t);
    await world.publish();
    await world.look();
    const away = await world.look({ place: 'http://127.0.0.1:9/logs/x' });
    assert.deepEqual([away.isReached, away.holds, codes(away)], [false, 1, []]);
    for (let change = 0; change < 100; change += 1)
      await world.log.retention.set([{ match: '*', keep: `${600 - change}h` }], {
        ...atOnce,
        delayMs: DAY_MS + change,
      });
    await world.publish();
    await world.look();
    const { changes } = new StateFile(world.state).load()!.retention;
    // The one in force, and those that come into force soonest.
    assert.equal(changes.length, 65);
    assert.equal(changes[1]?.to[0]?.keep, '600h');
    assert.ok(changes.every(({ notBefore }, at) => at === 0 || notBefore > changes[at - 1]!.notBefore));
  });

  test('a policy that says the same in other words has no grace of its own', async (t) => {
    const { world, pass } = await agedLog(t, 0);
    await world.log.retention.set([{ match: '*', keep: '1d' }], atOnce);
    const found: number[] = [];
    for (let change = 0; change < 4; change += 1) {
      pass(6);
      const same = change % 2 === 0 ? [{ match: 'user.*', keep: '1d' }] : [];
      await world.log.retention.set([...same, { match: '*', keep: '1d' }], atOnce);
      await world.publish();
      found.push((await world.look()).holds);
    }
    assert.deepEqual(found, [0, 1, 1, 1]);
    // Where one of them keeps a value longer, it has the grace.
    await world.log.retention.set([{ match: 'user.signed_in', keep: '90d' }], atOnce);
    pass(0.01);
    await world.log.retention.set([{ match: '*', keep: '1d' }], atOnce);
    pass(1);
    await world.publish();
    assert.equal((await world.look()).holds, 0);
    pass(8);
    assert.equal((await world.look()).holds, 1);
  });

  test('however often the policy is changed, what was in force is not forgotten', async (t) => {
    const { world, pass } = await agedLog(t, 0);
    await world.log.retention.set([{ match: '*', keep: '1d' }], atOnce);
    pass(5);
    for (let change = 0; change < 70; change += 1) {
      pass(0.1);
      await world.log.retention.set(
        [
          { match: `a.b${change}`, keep: '90y' },
          { match: '*', keep: '1d' },
        ],
        atOnce,
      );
    }
    await world.publish();
    assert.deepEqual(codes(await world.look()), ['retention_overdue']);
    assert.ok(new StateFile(world.state).load()!.retention.changes.length <= 64);
  });

  test('after an erasure a published log is not read again, nor when nothing is overdue', async (t) => {
    const { world } = await agedLog(t, 0);
    await world.look();
    await world.grow(600);
    await world.look();
    const judged = () => new StateFile(world.state).load()!.retention.judgedAt;
    const before = judged();
    world.ahead = 1000;
    const erasure = { basis: 'gdpr-17', requestId: 'r', approvedBy: ['p_1', 'p_2'] };
    await world.log.erase({ subject: 'user/u_1', ...erasure });
    await world.publish();
    await world.look();
    assert.equal(judged(), before);
    world.ahead = DAY_MS + 1000;
    await world.look();
    assert.ok(judged() > before);
  });

  for (const kind of ['published', 'folder'] as const)
    test(`a hold that is none is a finding, and keeps nothing: ${kind}`, async (t) => {
      const { world } = await agedLog(t);
      const { ownEvent } = await import('#dist/event/own.js');
      await world.log.recordOwn(ownEvent('log.hold_placed', { name: 'x', subject: 5 }) as never);
      await world.publish();
      const place = kind === 'folder' ? { place: world.log.dir } : {};
      const report = await world.look(place);
      assert.deepEqual(codes(report), ['retention_invalid', 'retention_overdue']);
      assert.match(report.tell.find(({ code }) => code === 'retention_invalid')!.message, /legal hold/);
      assert.equal((await world.look(place)).holds, 2);
    });

  test('the command line tells it, with its status and its grace', async (t) => {
    const { world } = await agedLog(t, 38, 38);
    await world.publish();
    const words = ['monitor', urlOf(world.public), '--vkey', world.log.vkey, '--once', '--json'];
    const found = indelible([...words, '--state', world.state]);
    assert.equal(found.status, 1, found.stderr);
    assert.match(found.stdout, /"code":"retention_overdue"/);
    const patient = indelible([...words, '--state', `${world.state}2`, '--retention-grace', '20d']);
    assert.equal(patient.status, 0, patient.stdout);
  });
});

test('a log in a bucket is followed, cut off, forged and put back there', async (t) => {
  const double = await S3Double.start(t);
  const world = await Watched.make(t, 300);
  const [place, s3] = ['s3://archive/logs/audit', { client: double.client(t), retention: { days: 10 } }];
  const publish = () =>
    publishLog(world.log, { to: place, s3, subjectKeys: join(world.folder, 'bucket-keys.db') });
  const look = (wholeEveryMs = 0) =>
    world.look({ place, s3, wholeEveryMs, subjectKeys: join(world.folder, 'bucket-keys.db') });
  await publish();
  const first = await look(1);
  assert.deepEqual([first.holds, first.isReached, first.isWhole], [0, true, true], first.problem);
  await world.grow(260);
  await publish();
  const second = await look(1);
  assert.deepEqual([second.holds, second.size], [0, (await world.log.checkpoint()).size]);
  assert.ok(second.added >= 260);
  // Faults of a bucket are no findings.
  double.behaviour.fault = () => 'error-before';
  const away = await look();
  assert.deepEqual([away.isReached, away.holds], [false, 0]);
  double.behaviour.fault = () => undefined;
  // An older checkpoint is put in the place of the newest.
  const key = [...double.objects.keys()].find((one) => one.endsWith('/checkpoint'))!;
  const versions = double.objects.get(key)!;
  const [oldest] = versions;
  versions.push({ ...oldest!, id: 'put-back' });
  assert.deepEqual(codes(await look()), ['rolled_back']);
  versions.pop();
  assert.equal((await look()).holds, 0);
  // A bundle that was read is written over.
  const bundle = [...double.objects.keys()].find((one) => one.includes('tile/entries/000'))!;
  const [good] = double.objects.get(bundle)!;
  const bytes = Buffer.from(good!.bytes!);
  bytes[900]! += 1;
  double.objects.get(bundle)!.push({ ...good!, bytes, id: 'forged' });
  const forged = await look(1);
  assert.ok(forged.isWhole && codes(forged).includes('tile_mismatch'), codes(forged).join());
});
