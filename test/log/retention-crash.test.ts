// A process that applies retention is killed at each step: whoever opens the log next finds it not begun, or completes it; and no
// value is ever missing without a record.

import assert from 'node:assert/strict';
import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openLog } from 'indelible';
import { Child } from '../faults/support/processes.ts';
import { temporaryFolder } from '../support/folders.ts';
import { filesWith, markOf } from './erasure-world.ts';
import { recordInThePast } from './past-log.ts';

const before = ['found', 'withdrawn', 'pending', 'appended'];
const after = ['committed', 'unindexed', 'scoured'];

test('killed at each step, an application has not begun or is completed at the next opening', async (t) => {
  const template = temporaryFolder(t);
  recordInThePast({
    dir: join(template, 'log'),
    daysAgo: 100,
    actions: Array.from({ length: 140 }, (_, n) => (n % 7 === 3 ? 'record.read' : 'record.written')),
  });
  {
    await using log = await openLog(join(template, 'log'), { heartbeatMs: 0 });
    const rules = [{ match: 'record.read', keep: '90d' }];
    await log.retention.set(rules, { approvedBy: ['p_1', 'p_2'], delayMs: 0 });
    await log.query(markOf(3)).page();
  }
  for (const step of [...before, ...after]) {
    await t.test(step, async (t) => {
      const folder = temporaryFolder(t);
      cpSync(template, folder, { recursive: true });
      const dir = join(folder, 'log');
      const orders = JSON.stringify({ dir, step, what: 'apply' });
      const child = new Child(t, [process.execPath, join(import.meta.dirname, 'retaining-child.ts'), orders]);
      const { signal, complaint } = await child.ended;
      assert.equal(signal, 'SIGKILL', complaint);
      {
        await using reading = await openLog(dir, { readOnly: true });
        const { findings, counts } = await reading.verify();
        assert.deepEqual(findings, [], 'also before anybody has opened it to write');
        assert.equal(counts.erased > 0, after.includes(step));
      }
      await using log = await openLog(dir, { heartbeatMs: 0 });
      assert.equal(existsSync(join(dir, 'erasing.json')), false);
      if (before.includes(step)) assert.equal((await log.retention.apply()).entries, 20);
      assert.deepEqual(filesWith(folder, markOf(3)), []);
      const { findings, counts } = await log.verify();
      assert.deepEqual([findings, counts.missing], [[], 0]);
    });
  }
});

test('killed at each step, a pruning has not begun or is completed at the next opening', async (t) => {
  const template = temporaryFolder(t);
  const actions = Array.from({ length: 300 }, () => 'record.read');
  recordInThePast({ dir: join(template, 'log'), daysAgo: 100, actions });
  {
    await using log = await openLog(join(template, 'log'), { heartbeatMs: 0 });
    const how = { approvedBy: ['p_1', 'p_2'], delayMs: 0, entries: 'delete' } as const;
    await log.retention.set([{ match: '*', keep: '90d' }], how);
    await log.query('e').page();
  }
  for (const step of [...before, ...after]) {
    await t.test(step, async (t) => {
      const folder = temporaryFolder(t);
      cpSync(template, folder, { recursive: true });
      const dir = join(folder, 'log');
      const orders = JSON.stringify({ dir, step, what: 'prune' });
      const child = new Child(t, [process.execPath, join(import.meta.dirname, 'retaining-child.ts'), orders]);
      const { signal, complaint } = await child.ended;
      assert.equal(signal, 'SIGKILL', complaint);
      {
        await using reading = await openLog(dir, { readOnly: true });
        const { findings, counts } = await reading.verify();
        assert.deepEqual(findings, [], 'also before anybody has opened it to write');
        assert.equal(counts.pruned > 0, after.includes(step));
      }
      await using log = await openLog(dir, { heartbeatMs: 0 });
      assert.equal(existsSync(join(dir, 'erasing.json')), false);
      if (before.includes(step)) assert.equal((await log.retention.prune()).minimum, 256);
      // What entry 200 says of itself, which nothing else does, is in no byte of any file.
      assert.deepEqual(filesWith(folder, '"id":"e-200"'), []);
      const found = await log.query('', { limit: 1000 } as never).page();
      assert.equal(found.events.length, (await log.checkpoint()).size - (await log.verify()).counts.pruned);
      assert.deepEqual((await log.verify({ index: true })).findings, []);
    });
  }
});
