// T10: the same event again: at once, from two processes, after restarts, after a lost answer.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLog, openLog, type Receipt } from 'indelible';
import { temporaryFolder } from '../support/folders.ts';
import { troubledIds } from './support/failing-writer.ts';
import { faultEvent } from './support/fault-events.ts';
import { breaches } from './support/invariants.ts';
import { Child, keptReceipts, programOf } from './support/processes.ts';
import { makeTemplate, origin } from './support/template.ts';

const COPIES = 100;

const place = ({ id, index, leafHash }: Receipt) => `${id} ${index} ${leafHash}`;

test(`one event, ${COPIES} times at once from each of two processes and again after each restart, is one entry`, async (t) => {
  const folder = temporaryFolder(t);
  const dir = join(folder, 'log');
  await (await createLog(dir, { origin })).close();
  const receipts: Receipt[] = [];
  for (let restart = 0; restart < 3; restart++) {
    const files = ['left', 'right'].map((name) => join(folder, `${name}-${restart}.receipts`));
    const children = files.map(
      (file) => new Child(t, programOf('repeater.ts', { dir, receipts: file, copies: COPIES })),
    );
    await using log = await openLog(dir);
    receipts.push(
      ...(await Promise.all(Array.from({ length: COPIES }, () => log.record(faultEvent('same'))))),
    );
    for (const { code, complaint } of await Promise.all(children.map(({ ended }) => ended))) {
      assert.equal(code, 0, complaint);
    }
    receipts.push(...files.flatMap(keptReceipts));
  }
  assert.equal(receipts.length, 9 * COPIES);
  assert.equal(new Set(receipts.map(place)).size, 1, 'every answer names one place');
  await using log = await openLog(dir);
  assert.deepEqual(breaches(join(dir, 'log.db'), { vkey: log.vkey, receipts }), []);
  await assert.rejects(log.record({ ...faultEvent('same'), reason: 'another' }), { code: 'id_conflict' });
  let same = 0;
  for await (const { entry } of log.entries())
    if (JSON.parse(Buffer.from(entry).toString()).id === 'same') same += 1;
  assert.equal(same, 1);
});

test('an answer that was lost between the commit and its release is found by repeating', async (t) => {
  const folder = temporaryFolder(t);
  const { vkey, receipts } = await makeTemplate(folder, 10);
  const dir = join(folder, 'log');
  const kept = join(folder, 'receipts');
  const { signal } = await new Child(
    t,
    programOf('failing-writer.ts', { dir, receipts: kept, point: 'step:committed' }),
  ).ended;
  assert.equal(signal, 'SIGKILL');
  await using log = await openLog(dir);
  const { size } = await log.checkpoint();
  const results = await log.recordMany(troubledIds.map(faultEvent));
  const repeats = results.map((result) => {
    assert.ok(result.ok);
    return result.receipt;
  });
  assert.equal((await log.checkpoint()).size, size, 'the repeats wrote nothing');
  assert.deepEqual(
    repeats.map(({ index }) => index),
    troubledIds.map((_, n) => size - 1 - troubledIds.length + n),
  );
  const known = [...receipts, ...keptReceipts(kept), ...repeats];
  assert.deepEqual(breaches(join(dir, 'log.db'), { vkey, receipts: known }), []);
});
