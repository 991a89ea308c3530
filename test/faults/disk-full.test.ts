// T6: the disk fills up while the log records, on a small file system of its own.

import assert from 'node:assert/strict';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { createLog, isLogError, type Log, openLog, verifyLog } from 'indelible';
import { verifyProof } from 'indelible/verify';
import { faultEvent } from './support/fault-events.ts';
import { breaches, type KeptReceipt } from './support/invariants.ts';
import { mountingRefused, mountSmall, run } from './support/rights.ts';
import { origin } from './support/template.ts';

const DISK_KIB = 4096;
const skip = mountingRefused;

/** Takes all the space that is left, down to the last byte, and returns how to give it back. */
function fillUp(folder: string): () => void {
  const path = join(folder, 'ballast');
  const file = openSync(path, 'w');
  for (let bytes = 65_536; bytes >= 1; bytes /= 2) {
    const block = Buffer.alloc(bytes, 1);
    try {
      for (;;) if (writeSync(file, block) < bytes) break;
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
    }
  }
  closeSync(file);
  return () => rmSync(path);
}

/** Records one event after the other until one fails; returns its failure. */
async function recordUntilFull(log: Log, receipts: KeptReceipt[], prefix: string): Promise<unknown> {
  for (let n = 0; n < 20_000; n++) {
    try {
      receipts.push(await log.record(faultEvent(`${prefix}-${n}`)));
    } catch (error) {
      return error;
    }
  }
  throw new Error('the disk did not fill up');
}

/** What must go on working while nothing can be written. */
async function mustStillRead(log: Log, receipts: readonly KeptReceipt[]): Promise<void> {
  const known = receipts[receipts.length >> 1]!;
  assert.equal((await log.get(known.id))?.index, known.index);
  const { proof, entry, index } = await log.prove(known.id);
  const verdict = verifyProof({ proof: Buffer.from(proof), entry, policy: { vkey: log.vkey } });
  assert.deepEqual([verdict.index, index], [known.index, known.index]);
  const report = await log.verify({
    vkey: log.vkey,
    held: receipts.slice(-1).map(({ checkpoint }) => checkpoint),
  });
  assert.deepEqual(report.findings, []);
  let entries = 0;
  for await (const _ of log.entries()) entries += 1;
  assert.equal(entries, (await log.checkpoint()).size);
}

function small(t: TestContext): { disk: string; dir: string } {
  const disk = mountSmall(t, DISK_KIB);
  return { disk, dir: join(disk, 'log') };
}

/** A log with two events that nobody has open. */
async function closedLog(dir: string): Promise<KeptReceipt[]> {
  await using log = await createLog(dir, { origin, thread: 'caller', warn: () => {} });
  return [await log.record(faultEvent('one')), await log.record(faultEvent('two'))];
}

for (const thread of ['worker', 'caller'] as const) {
  describe(`a full disk, on the ${thread} thread`, { skip }, () => {
    test('refuses, retryably; reads and verifies; records on without a gap once there is space', async (t) => {
      const { disk, dir } = small(t);
      const log = await createLog(dir, { origin, thread, warn: () => {} });
      const receipts: KeptReceipt[] = [await log.record(faultEvent('first'))];
      for (let round = 0; round < 3; round++) {
        const giveBack = fillUp(disk);
        const failure = await recordUntilFull(log, receipts, `round-${round}`);
        assert.ok(isLogError(failure, 'disk_full'), `${failure}`);
        assert.equal(failure.retryable, true);
        await mustStillRead(log, receipts);
        await assert.rejects(log.record(faultEvent('while-full')), { code: 'disk_full' });
        assert.deepEqual(breaches(join(dir, 'log.db'), { vkey: log.vkey, receipts }), []);
        giveBack();
        const { size } = await log.checkpoint();
        const retried = await log.record(faultEvent(`after-${round}`));
        assert.equal(retried.index, size, 'the next index follows without a gap');
        receipts.push(retried);
      }
      const retried = await log.record(faultEvent('while-full'));
      assert.equal(
        retried.index,
        (await log.checkpoint()).size - 1,
        'what was refused was not recorded in secret',
      );
      receipts.push(retried);
      await log.close();
      assert.deepEqual(breaches(join(dir, 'log.db'), { vkey: log.vkey, receipts }), []);
    });
  });
}

describe('a full disk', { skip }, () => {
  test('can be opened for reading, and refuses to be opened for writing in words of ours', async (t) => {
    const { disk, dir } = small(t);
    const receipts = await closedLog(dir);
    const giveBack = fillUp(disk);
    const reader = await openLog(dir, { readOnly: true, thread: 'caller' });
    await mustStillRead(reader, receipts);
    await reader.close();
    await openLog(dir, { thread: 'caller', warn: () => {} }).then(
      (writer) => writer.close(),
      (error: unknown) => assert.ok(isLogError(error), `${error}`),
    );
    giveBack();
    await using again = await openLog(dir, { thread: 'caller' });
    receipts.push(await again.record(faultEvent('three')));
    assert.deepEqual(breaches(join(dir, 'log.db'), { vkey: again.vkey, receipts }), []);
  });

  test('and a read-only one: a log that was closed is read and verified there', async (t) => {
    const { disk, dir } = small(t);
    const receipts = await closedLog(dir);
    run('mount', '-o', 'remount,ro', disk);
    const reader = await openLog(dir, { readOnly: true, thread: 'caller' });
    await mustStillRead(reader, receipts);
    await reader.close();
    assert.deepEqual((await verifyLog(dir, { vkey: reader.vkey })).findings, []);
    await assert.rejects(openLog(dir, { thread: 'caller' }), (error) => isLogError(error));
  });

  test('many callers at once: each gets a receipt that holds, or a failure that may be tried again', async (t) => {
    const { disk, dir } = small(t);
    await using log = await createLog(dir, { origin, warn: () => {} });
    const giveBack = fillUp(disk);
    const ids = Array.from({ length: 2000 }, (_, n) => `many-${n}`);
    const results = await log.recordMany(ids.map(faultEvent));
    const receipts = results.flatMap((result) => (result.ok ? [result.receipt] : []));
    const failures = results.flatMap((result) => (result.ok ? [] : [result.error]));
    assert.ok(failures.length > 0, 'the disk did not fill up');
    for (const failure of failures)
      assert.ok(isLogError(failure, 'disk_full') && failure.retryable, `${failure}`);
    giveBack();
    const again = await log.recordMany(ids.map(faultEvent));
    for (const result of again) {
      assert.ok(result.ok, result.ok ? '' : `${result.error}`);
      receipts.push(result.receipt);
    }
    assert.deepEqual(breaches(join(dir, 'log.db'), { vkey: log.vkey, receipts }), []);
    assert.equal((await log.checkpoint()).size, 2001);
  });
});
