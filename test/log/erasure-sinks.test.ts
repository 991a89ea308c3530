// A sink that has copied events out of the log is told of an erasure, in order and behind what it concerns: whose values, below
// which index, which entry records it, and the digest by which it can tell that its copies were those. Also when it was away
// meanwhile, or was killed with a batch half done.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createLog, type Log } from 'indelible';
import { Child } from '../faults/support/processes.ts';
import { temporaryFolder } from '../support/folders.ts';
import { eventAbout, filesWith, markOf } from './erasure-world.ts';
import { copyingSink, noticesIn } from './sink.ts';

const words = { basis: 'gdpr-17', requestId: 'R-1', approvedBy: ['p_1', 'p_2'] };

async function world(t: TestContext): Promise<{ dir: string; out: string; log: Log }> {
  const folder = temporaryFolder(t);
  const dir = join(folder, 'log');
  const log = await createLog(dir, { origin: 'example.com/sinks', heartbeatMs: 0 });
  t.after(() => log.close());
  await log.recordMany(Array.from({ length: 140 }, (_, n) => eventAbout(n) as never));
  return { dir, out: join(folder, 'out'), log };
}

/** A process with the sink. `until` resolves when it has come so far. */
function sinkProcess(t: TestContext, dir: string, out: string) {
  const program = join(import.meta.dirname, 'sink-child.ts');
  const child = new Child(t, [process.execPath, program, JSON.stringify({ dir, out })], { ipc: true });
  let at = 0;
  child.process.on('message', (to: number) => {
    at = to;
  });
  return {
    async until(size: number): Promise<void> {
      while (at < size) {
        const end = await Promise.race([once(child.process, 'message').then(() => undefined), child.ended]);
        if (end !== undefined) assert.fail(end.complaint);
      }
    },
    async end(): Promise<void> {
      child.process.send('end');
      assert.equal((await child.ended).code, 0);
    },
    kill: () => child.kill(),
  };
}

test('a sink that is up is told before the erasure answers, and finds its copies by what it is told', async (t) => {
  const { out, log } = await world(t);
  let isThere: () => void;
  const copied = new Promise<void>((resolve) => {
    isThere = resolve;
  });
  const { size } = await log.checkpoint();
  log.followers.add(copyingSink(out, (to) => to >= size && isThere()));
  await copied;
  assert.ok(filesWith(out, markOf(3)).length >= 20, 'it has copied the values out');
  const { index, below, values, digest, lagging } = await log.erase({ subject: 'user/u_3', ...words });
  assert.deepEqual(lagging, []);
  const notice = { index, subject: 'user/u_3', below, values, digest };
  assert.deepEqual(noticesIn(out), [{ ...notice, mine: { values, digest } }], 'its copies were the log’s');
  assert.deepEqual(filesWith(out, markOf(3)), []);
  assert.ok(filesWith(out, markOf(2)).length >= 20, 'a neighbour’s are still there');
  await log.erase({ subject: 'user/u_3', ...words });
  assert.equal(noticesIn(out).length, 1, 'where nothing was left, there is nothing to be told');
});

test('a sink of another process that was down is named, and told when it is back; nothing comes to it after the notice', async (t) => {
  const { dir, out, log } = await world(t);
  const { size } = await log.checkpoint();
  const first = sinkProcess(t, dir, out);
  await first.until(size);
  await first.end();
  // Of these the sink has no copy when they are erased, and never gets one.
  await log.recordMany(Array.from({ length: 30 }, (_, n) => eventAbout(1000 + n) as never));
  const erased = await log.erase({ subject: 'user/u_3', ...words, followersWaitMs: 300 });
  const behind = erased.lagging.map(({ name }) => name);
  assert.deepEqual(behind, ['sink'], 'the answer says that somebody has not been told');
  assert.ok(filesWith(out, markOf(3)).length > 0, 'and keeps its copies');
  const second = sinkProcess(t, dir, out);
  await second.until(erased.index! + 1);
  const [notice, ...more] = noticesIn(out);
  assert.deepEqual(more, []);
  assert.deepEqual(
    [notice!.index, notice!.subject, notice!.below, notice!.values, notice!.digest],
    [erased.index, 'user/u_3', erased.below, erased.values, erased.digest],
  );
  assert.ok(notice!.mine.values > 0 && notice!.mine.values < erased.values, 'what it had, and no more');
  assert.deepEqual(filesWith(out, markOf(3)), []);
  await second.end();
  const third = sinkProcess(t, dir, out);
  await third.until((await log.record(eventAbout(2000, 2) as never)).index + 1);
  await third.end();
  assert.equal(noticesIn(out).length, 1, 'a new process does not hear of it again');
});

test('a sink that is killed with copies made and none acknowledged is told all the same', async (t) => {
  const { dir, out, log } = await world(t);
  for (const [round, person] of [3, 4].entries()) {
    const sink = sinkProcess(t, dir, out);
    // After its first batch it is killed: the next may be copied in part by then.
    await sink.until(50 * (round + 1));
    await sink.kill();
    await log.erase({ subject: `user/u_${person}`, ...words, followersWaitMs: 0 });
  }
  const last = sinkProcess(t, dir, out);
  await last.until((await log.checkpoint()).size);
  await last.end();
  const told = noticesIn(out).map(({ subject }) => subject);
  assert.deepEqual([...new Set(told)], ['user/u_3', 'user/u_4'], 'each, in their order');
  for (const person of [3, 4]) assert.deepEqual(filesWith(out, markOf(person)), []);
  assert.ok(filesWith(out, markOf(2)).length > 0);
});
