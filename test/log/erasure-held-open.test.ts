// Erasing while other processes have the log open, one of them for longer than it is waited for: what is answered is so, and what is
// left is removed by the next erasure, or by whoever opens the log next. Every byte of every file is searched.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { createLog, type Log, openLog } from 'indelible';
import { Child } from '../faults/support/processes.ts';
import { temporaryFolder } from '../support/folders.ts';
import { eventAbout, filesWith, markOf } from './erasure-world.ts';

const words = { basis: 'gdpr-17', requestId: 'R-1', approvedBy: ['p_1', 'p_2'] };

async function logWith(t: TestContext, count: number): Promise<{ folder: string; dir: string; log: Log }> {
  const folder = temporaryFolder(t);
  const dir = join(folder, 'log');
  const log = await createLog(dir, { origin: 'example.com/held-open', heartbeatMs: 0 });
  t.after(() => log.close());
  await log.recordMany(Array.from({ length: count }, (_, n) => eventAbout(n) as never));
  return { folder, dir, log };
}

/** Another process with the log open; `end` has it end in order. */
async function holding(t: TestContext, dir: string, role: string): Promise<{ end(): Promise<void> }> {
  const program = join(import.meta.dirname, 'holding-child.ts');
  const child = new Child(t, [process.execPath, program, JSON.stringify({ dir, role })], { ipc: true });
  const said = await Promise.race([
    once(child.process, 'message').then(() => 'ready'),
    child.ended.then(({ complaint }) => complaint),
  ]);
  assert.equal(said, 'ready');
  return {
    end: async () => {
      child.process.send('end');
      const { code, complaint } = await child.ended;
      assert.equal(code, 0, complaint);
    },
  };
}

test('a reader, a writer and a recorder of other processes: nothing of the person is left, and all of them go on', async (t) => {
  const { folder, dir, log } = await logWith(t, 1200);
  const others = await Promise.all(['reader', 'writer', 'recorder'].map((role) => holding(t, dir, role)));
  const before = (await log.checkpoint()).size;
  const { isClean, residue, values } = await log.erase({ subject: 'user/u_3', ...words });
  assert.ok(values > 0);
  assert.equal(isClean, true, residue);
  assert.deepEqual(filesWith(folder, markOf(3)), [], 'while they have it open');
  const { size } = await log.checkpoint();
  for (const end = Date.now() + 20_000; (await log.checkpoint()).size < size + 5; ) {
    assert.ok(Date.now() < end, 'the others record on');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await Promise.all(others.map((other) => other.end()));
  assert.deepEqual(filesWith(folder, markOf(3)), [], 'and when they are gone');
  assert.ok((await log.checkpoint()).size > before);
  assert.deepEqual((await log.verify()).findings, []);
});

/** An erasure under a transaction of another process that reads for longer than it is waited for. */
async function underTransaction(
  t: TestContext,
): Promise<{ folder: string; dir: string; log: Log; end(): Promise<void> }> {
  const { folder, dir, log } = await logWith(t, 300);
  // Pages with the person's values are in the write-ahead log, where the reader needs them.
  await log.record(eventAbout(9000, 3) as never);
  const other = await holding(t, dir, 'transaction');
  const started = performance.now();
  const result = await log.erase({ subject: 'user/u_3', ...words, filesWaitMs: 700 });
  assert.ok(performance.now() - started >= 700, 'it has waited');
  assert.equal(result.isClean, false);
  assert.match(result.residue!, /a reader kept log\.db-wal in use/);
  assert.ok(result.values > 0, 'it is erased all the same: no reader that begins now finds it');
  assert.equal((await log.get('e-3'))!.actor['name'], undefined);
  assert.ok(filesWith(folder, markOf(3)).length > 0, 'and what is answered is so');
  assert.ok(existsSync(join(dir, 'erasing.json')));
  assert.ok(
    filesWith(folder, markOf(3)).every((file) => /log\.db(-wal)?$/.test(file)),
    'in the files that it speaks of, and in no other',
  );
  return { folder, dir, log, end: () => other.end() };
}

test('a transaction that outlasts the wait: it says so, and the next erasure of anybody removes what is left', async (t) => {
  const { folder, dir, log, end } = await underTransaction(t);
  const again = await log.erase({ subject: 'user/u_3', ...words, filesWaitMs: 300 });
  assert.deepEqual(
    [again.isClean, again.values],
    [false, 0],
    'asked again meanwhile, it does not call it clean',
  );
  assert.match(again.residue!, /log\.db-wal/);
  const { size } = await log.checkpoint();
  await end();
  const other = await log.erase({ subject: 'user/u_2', ...words });
  assert.equal(other.isClean, true, other.residue);
  for (const person of [2, 3]) assert.deepEqual(filesWith(folder, markOf(person)), []);
  assert.equal(existsSync(join(dir, 'erasing.json')), false);
  assert.equal((await log.checkpoint()).size, size + 1);
  assert.deepEqual((await log.verify()).findings, []);
});

test('a transaction that outlasts the wait: erased once more, it is finished, and no second record is added', async (t) => {
  const { folder, dir, log, end } = await underTransaction(t);
  const { size } = await log.checkpoint();
  await end();
  const again = await log.erase({ subject: 'user/u_3', ...words });
  assert.deepEqual([again.isClean, again.alreadyErased! < size], [true, true], again.residue);
  assert.deepEqual(filesWith(folder, markOf(3)), []);
  assert.equal(existsSync(join(dir, 'erasing.json')), false);
  assert.equal((await log.checkpoint()).size, size);
});

test('a transaction that outlasts the wait: whoever opens the log next removes what is left', async (t) => {
  const { folder, dir, log, end } = await underTransaction(t);
  // The last connection to close would fold the write-ahead log into the file: this one, which only reads, keeps it from being the last.
  const idle = new DatabaseSync(join(dir, 'log.db'), { readOnly: true });
  t.after(() => idle.isOpen && idle.close());
  await log.close();
  await end();
  assert.ok(existsSync(join(dir, 'erasing.json')));
  const next = await openLog(dir, { heartbeatMs: 0 });
  assert.equal(existsSync(join(dir, 'erasing.json')), false);
  assert.deepEqual(filesWith(folder, markOf(3)), []);
  assert.deepEqual((await next.verify()).findings, []);
  await next.close();
});
