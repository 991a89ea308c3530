// A process that erases is killed at each step: whoever opens the log next finds the erasure not begun, or completes it; and
// no value is ever missing without a record.

import assert from 'node:assert/strict';
import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createLog, openLog } from 'indelible';
import { Child } from '../faults/support/processes.ts';
import { temporaryFolder } from '../support/folders.ts';
import { eventAbout, filesWith, markOf } from './erasure-world.ts';

const before = ['found', 'withdrawn', 'pending', 'appended'];
const after = ['committed', 'unindexed', 'scoured'];

let template: string | undefined;

async function copyOfLog(t: TestContext): Promise<string> {
  if (template === undefined) {
    template = temporaryFolder(t);
    await using log = await createLog(join(template, 'log'), { origin: 'example.com/erase', heartbeatMs: 0 });
    await log.recordMany(Array.from({ length: 300 }, (_, n) => eventAbout(n) as never));
    await log.query(markOf(3)).page();
  }
  const folder = temporaryFolder(t);
  cpSync(template, folder, { recursive: true });
  return folder;
}

test('killed at each step, it has not begun or is completed at the next opening', async (t) => {
  await copyOfLog(t);
  for (const step of [...before, ...after]) {
    await t.test(step, async (t) => {
      const folder = await copyOfLog(t);
      const dir = join(folder, 'log');
      const orders = JSON.stringify({ dir, subject: 'user/u_3', step });
      const child = new Child(t, [process.execPath, join(import.meta.dirname, 'erasing-child.ts'), orders]);
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
      const { findings, counts } = await log.verify();
      assert.deepEqual([findings, counts.missing], [[], 0]);
      if (after.includes(step)) assert.deepEqual(filesWith(folder, markOf(3)), []);
      else {
        assert.equal((await log.get('e-3'))!.actor['name'], `${markOf(3)} the person`);
        await log.erase({ subject: 'user/u_3', basis: 'b', requestId: 'R', approvedBy: ['a', 'b'] });
        assert.deepEqual(filesWith(folder, markOf(3)), []);
      }
    });
  }
});
