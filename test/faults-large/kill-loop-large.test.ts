// T1 with big counts: kill -9 while processes record, log after log. FAULTS_KILLS and FAULTS_SEED change how often and
// which; a failure prints its seed.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLog, openLog } from 'indelible';
import { faultEvent } from '../faults/support/fault-events.ts';
import { breaches } from '../faults/support/invariants.ts';
import { killLoop } from '../faults/support/kill-loop.ts';
import { seeded } from '../faults/support/random.ts';
import { origin } from '../faults/support/template.ts';
import { temporaryFolder } from '../support/folders.ts';

const KILLS = Number(process.env['FAULTS_KILLS'] ?? 300);
const SEED = Number(process.env['FAULTS_SEED'] ?? Date.now() % 1_000_000);
/** Kills of one log; then another is begun, so that logs of many sizes meet them. */
const KILLS_OF_A_LOG = 30;

test(`${KILLS} kills lose nothing that was acknowledged (seed ${SEED})`, async (t) => {
  const random = seeded(SEED);
  let [receipts, early, slowestMs] = [0, 0, 0];
  for (let done = 0; done < KILLS; done += KILLS_OF_A_LOG) {
    const folder = temporaryFolder(t);
    const dir = join(folder, 'log');
    await (await createLog(dir, { origin })).close();
    const witnessed = await killLoop(t, {
      folder,
      kills: Math.min(KILLS_OF_A_LOG, KILLS - done),
      recorders: 1 + random.below(4),
      random,
      manners: [
        { concurrency: 1, batch: 1, thread: 'worker' },
        { concurrency: 64, batch: 1, thread: 'worker', pauseMs: 10 },
        { concurrency: 1, batch: 256, thread: 'worker', pauseMs: 30 },
        { concurrency: 2, batch: 3000, thread: 'worker', pauseMs: 200 },
        { concurrency: 4, batch: 1, thread: 'caller', pauseMs: 2 },
      ],
    });
    const where = `seed ${SEED}, after ${done} kills`;
    const started = performance.now();
    const log = await openLog(dir, { thread: 'caller' });
    slowestMs = Math.max(slowestMs, performance.now() - started);
    const last = await log.record(faultEvent('last'));
    const held = [...new Set(witnessed.receipts.map(({ checkpoint }) => checkpoint))];
    const report = await log.verify({ vkey: witnessed.vkey, held });
    await log.close();
    assert.deepEqual(report.findings, [], where);
    const all = { ...witnessed, receipts: [...witnessed.receipts, last] };
    assert.deepEqual(breaches(join(dir, 'log.db'), all), [], where);
    receipts += witnessed.receipts.length;
    early += witnessed.killedEarly;
  }
  t.diagnostic(
    `${receipts} receipts held; ${early} of ${KILLS} kills came before a first receipt; ` +
      `the slowest recovery took ${slowestMs.toFixed(0)} ms`,
  );
});
