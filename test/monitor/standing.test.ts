// A monitor over a log that is written to while it is read; what holds until it is mended; and how far signatures reach.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Log, openLog } from 'indelible';
import { utf8Decode, utf8Encode } from 'indelible/bytes';
import { retentionAppliedEvent, sourceEvent } from 'indelible/event';
import { StateFile } from 'indelible/monitor';
import {
  cosignerKeyFromSeed,
  formatCheckpoint,
  keyTypes,
  parseCosignerKey,
  parsePolicy,
  parseSignerKey,
  signerKeyFromSeed,
  signNote,
  withSignatures,
} from 'indelible/note';
import { watchedLogs } from 'indelible/witness';
import { signIn } from '../support/folders.ts';
import { startWitness } from '../witness/world.ts';
import { codes, Watched } from './world.ts';

const DAY_MS = 86_400_000;
const atOnce = { approvedBy: ['p_1', 'p_2'], delayMs: 0 };

test('a log whose witnesses cosign more while it is read was not put back', async (t) => {
  const world = await Watched.make(t, 3);
  const { dir, vkey } = world.log;
  await world.log.close();
  const witness = startWitness(t, watchedLogs([{ vkey }]), { now: () => Date.now() });
  const key = witness.keys.find(({ type }) => type === keyTypes.cosignatureV1)!;
  const text = `log ${vkey}\nwitness w ${key.text} http://127.0.0.1:4041\nquorum w\n`;
  const fetch = (to: string, init: RequestInit) => witness.handler(new Request(to, init));
  const publish = { everyMs: 20, timeoutMs: 2_000, fetch };
  await using log = await openLog(dir, { witnesses: text, publish, thread: 'caller', heartbeatMs: 0 });
  const witnessed = async () => (await log.record(signIn())).witnessed({ timeoutMs: 10_000 });
  await witnessed();
  const real = Log.prototype.checkpoint;
  t.mock.method(Log.prototype, 'checkpoint', async function (this: Log) {
    const checkpoint = await real.call(this);
    if (this !== log) await witnessed();
    return checkpoint;
  });
  for (let round = 0; round < 3; round += 1) {
    const report = await world.look({ place: dir, trust: parsePolicy(text), maxCosignatureAgeMs: 60_000 });
    assert.deepEqual([codes(report), report.holds, report.problem], [[], 0, undefined]);
  }
});

describe('what was found holds', () => {
  for (const wholeEveryMs of [0, DAY_MS])
    test(`by every look, though nothing is new: everything is read again every ${wholeEveryMs} ms`, async (t) => {
      const world = await Watched.make(t, 6);
      await world.log.retention.set([{ match: '*', keep: '7y' }], atOnce);
      await world.publish();
      await world.look({ wholeEveryMs });
      const rules = [{ match: '*', keep: '1h', before: '1970-01-01T00:00:00.000Z', below: 3 }];
      const forged = { rules, values: 1, entries: 1, digest: 'A'.repeat(43), policy: 0, heldBy: [] };
      await world.log.recordOwn(retentionAppliedEvent(forged));
      await world.publish();
      assert.deepEqual(codes(await world.look({ wholeEveryMs })), ['retention_invalid']);
      for (let round = 0; round < 2; round += 1) {
        const report = await world.look({ wholeEveryMs });
        assert.deepEqual([codes(report), report.holds], [[], 1]);
        await world.grow(1);
      }
    });

  test('a time that goes back, until everything was read and shows none', async (t) => {
    const now = Date.now();
    const world = await Watched.make(t, 3);
    await world.look();
    const state = new StateFile(world.state).load()!;
    // As if an entry of tomorrow had been seen.
    new StateFile(world.state).save({ ...state, recordedAt: new Date(now + DAY_MS).toISOString() });
    await world.grow(1);
    assert.deepEqual(codes(await world.look()), ['time_backwards']);
    assert.deepEqual([(await world.look()).holds, (await world.look()).holds], [1, 1]);
    const whole = await world.look({ wholeEveryMs: DAY_MS });
    assert.deepEqual([whole.isWhole, whole.holds], [true, 0]);
    assert.equal((await world.look({ wholeEveryMs: DAY_MS })).holds, 0);
  });

  test('numbers of a source that are missing, until they come', async (t) => {
    const world = await Watched.make(t, 1);
    const instance = '019ab000-0000-7000-8000-000000000001';
    const say = (seq: number | null, event: object) =>
      world.log.recordFor(event as never, {
        service: 'shop',
        credential: 'k1',
        counted: { instance, seq } as never,
      });
    for (const seq of [0, 1, 4]) await say(seq, signIn());
    await say(null, sourceEvent('stopped', { instance, seq: 4, unrecorded: [], everyMs: 1000 } as never));
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 60_000 });
    await world.grow(1);
    assert.deepEqual(codes(await world.look()), ['source_gap']);
    assert.deepEqual([codes(await world.look()), (await world.look()).holds], [[], 1]);
    await world.grow(1);
    assert.deepEqual([codes(await world.look()), (await world.look()).holds], [[], 1]);
    for (const seq of [2, 3]) await say(seq, signIn());
    await world.publish();
    assert.equal((await world.look()).holds, 0);
  });

  test('a state of an earlier time is read on, and judges nothing by a policy that it has not seen', async (t) => {
    const world = await Watched.make(t, 3);
    await world.log.retention.set([{ match: '*', keep: '7y' }], atOnce);
    await world.publish();
    await world.look();
    const [line] = readFileSync(world.state, 'utf8').split('\n');
    const { retention: _, flaws: __, ...older } = JSON.parse(line!);
    const text = JSON.stringify(older);
    writeFileSync(world.state, `${text}\nsha256 ${createHash('sha256').update(text).digest('hex')}\n`);
    const rules = [{ match: '*', keep: '7y', before: '1970-01-01T00:00:00.000Z', below: 0 }];
    const record = { rules, values: 0, entries: 0, digest: 'A'.repeat(43), policy: 3, heldBy: [] };
    await world.log.recordOwn(retentionAppliedEvent(record));
    await world.publish();
    const report = await world.look();
    assert.deepEqual([codes(report), report.holds], [[], 0]);
  });
});

describe('signatures that are made of the first entries alone, again and again,', async () => {
  const { judgeCosignatures, judgeStamps } = await import('#dist/monitor/judge.js');
  const signer = parseSignerKey(signerKeyFromSeed('log.example/j', new Uint8Array(32).fill(3)));
  const key = cosignerKeyFromSeed('w.example', keyTypes.cosignatureV1, new Uint8Array(32).fill(7));
  const witness = parseCosignerKey(key);
  const policy = parsePolicy(`log ${signer.vkey}\nwitness w ${witness.key.text}\nquorum w\n`);
  const [nowMs, hourMs] = [Date.parse('2030-01-01T00:00:00Z'), 3_600_000];
  const note = (size: number) => {
    const text = formatCheckpoint({ origin: signer.name, size, root: new Uint8Array(32).fill(1) });
    const cosignature = witness.cosign(text, BigInt(nowMs / 1000 - 60));
    return withSignatures(signNote(text, [signer]), [cosignature]);
  };
  // Entry 499 is of two hours ago, and entry 500 of a moment ago.
  const times = [
    [0, nowMs - 9 * hourMs],
    [499, nowMs - 2 * hourMs],
    [500, nowMs - 1000],
  ] as const;
  const limits = { maxCosignatureAgeMs: hourMs, maxTimestampAgeMs: hourMs };
  const recordedAt = new Date(nowMs - 1000).toISOString();
  const facts = { nowMs, size: 1000, recordedAt, limits, times, origin: signer.name };

  for (const [size, found] of [
    [499, true],
    [500, false],
    [1000, false],
  ] as const) {
    test(`are old where they do not reach what is older than the limit: ${size}`, () => {
      const cosigned = judgeCosignatures([note(size)], { policy }, facts);
      assert.deepEqual(
        cosigned.map(({ code, from }) => [code, from]),
        found ? [['cosignature_old', size]] : [],
      );
      const verdict = { time: recordedAt, trust: 'anchored' };
      const stamp = { authority: 't', note: utf8Decode(note(size)), verdict };
      const stamped = judgeStamps([stamp as never], facts, utf8Encode);
      assert.deepEqual(
        stamped.map(({ code, from }) => [code, from]),
        found ? [['timestamp_old', size]] : [],
      );
    });
  }
});

describe('the times of witnesses', async () => {
  const { judgeWitnesses } = await import('#dist/monitor/judge.js');
  const signer = parseSignerKey(signerKeyFromSeed('log.example/t', new Uint8Array(32).fill(4)));
  const [one, two, three] = [1, 2, 3].map((seed) =>
    parseCosignerKey(
      cosignerKeyFromSeed(`w${seed}.example`, keyTypes.cosignatureV1, new Uint8Array(32).fill(seed)),
    ),
  );
  const [nowMs, hourMs] = [Date.parse('2030-01-01T00:00:00Z'), 3_600_000];
  const [fresh, old, ahead] = [nowMs / 1000 - 60, nowMs / 1000 - 7200, nowMs / 1000 + 315_360_000];
  const policyOf = (needed: number) =>
    parsePolicy(
      `log ${signer.vkey}\nwitness w1 ${one!.key.text}\nwitness w2 ${two!.key.text}\nwitness w3 ${three!.key.text}\ngroup some ${needed} w1 w2 w3\nquorum some\n`,
    );
  const text = formatCheckpoint({ origin: signer.name, size: 9, root: new Uint8Array(32).fill(1) });
  const recordedAt = new Date(nowMs - 7 * hourMs).toISOString();
  const limits = { maxCosignatureAgeMs: hourMs };
  const times = [[0, nowMs - 9 * hourMs]] as const;
  const facts = { nowMs, size: 9, recordedAt, limits, times, origin: signer.name, arrivals: [] };

  for (const [what, needed, seconds, found] of [
    ['that are young enough are enough', 2, [fresh, fresh, old], []],
    ['that the quorum needs are as old as the oldest of them', 2, [fresh, old, old], ['cosignature_old']],
    ['that are ahead by years vouch for nothing', 1, [ahead], ['cosignature_old', 'time_contradicted']],
    ['that nobody can write down vouch for nothing', 1, [2 ** 62], ['cosignature_old', 'time_contradicted']],
    ['that are ahead do not complete a quorum', 2, [fresh, ahead], ['cosignature_old', 'time_contradicted']],
    ['that are ahead take nothing from those that are not', 1, [fresh, ahead], ['time_contradicted']],
    ['that are a little ahead are good', 1, [nowMs / 1000 + 200], []],
  ] as const) {
    test(what, () => {
      const cosignatures = seconds.map((at, place) => [one, two, three][place]!.cosign(text, BigInt(at)));
      const note = withSignatures(signNote(text, [signer]), cosignatures);
      const told = judgeWitnesses([note], { policy: policyOf(needed) }, facts);
      assert.deepEqual(
        told.map(({ code }) => code),
        found,
        JSON.stringify(told),
      );
    });
  }
});

test('when entries were recorded is remembered in bounded space, the nearer the more exactly', async () => {
  const { TimeMarks, thereAt } = await import('#dist/monitor/times.js');
  const marks = new TimeMarks();
  const [everyMs, count] = [30 * 60_000, 200_000];
  const at = (index: number) => index * everyMs;
  for (let index = 0; index < count; index += 1) marks.see(index, new Date(at(index)).toISOString());
  assert.ok(marks.kept.length <= 2048);
  const now = at(count - 1);
  for (const index of [0, 1, 5000, 100_000, 190_000, 199_000, count - 1]) {
    const earliest = marks.earliest(index)!;
    assert.ok(earliest <= at(index));
    const apart = Math.max(2 * everyMs, ((now - at(index)) * 2.5) / 64);
    assert.ok(at(index) - earliest <= apart, `${index}: ${at(index) - earliest}`);
    assert.ok(thereAt(marks.kept, at(index)) <= index + 1);
  }
  assert.equal(marks.earliest(5, 6), undefined);
});

describe('a clock of the monitor that was ahead', () => {
  test('does not keep everything from being read again', async (t) => {
    const world = await Watched.make(t, 3);
    world.ahead = 3650 * DAY_MS;
    await world.look({ wholeEveryMs: DAY_MS });
    world.ahead = 0;
    assert.equal((await world.look({ wholeEveryMs: DAY_MS })).isWhole, true);
    assert.equal((await world.look({ wholeEveryMs: DAY_MS })).isWhole, false);
  });

  test('accuses no entry of having come late', async (t) => {
    const world = await Watched.make(t, 3);
    world.ahead = DAY_MS;
    await world.look({ place: world.log.dir });
    world.ahead = 0;
    await world.grow(1);
    const report = await world.look({ place: world.log.dir });
    assert.deepEqual([codes(report), report.holds, report.added > 0], [[], 0, true]);
  });
});
