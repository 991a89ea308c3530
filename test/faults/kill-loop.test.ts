// T1: kill -9, again and again, while several processes record.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLog, openLog } from 'indelible';
import { temporaryFolder } from '../support/folders.ts';
import { faultEvent } from './support/fault-events.ts';
import { breaches } from './support/invariants.ts';
import { killLoop } from './support/kill-loop.ts';
import { Child, keptReceipts, pause, programOf } from './support/processes.ts';
import { seeded } from './support/random.ts';
import { origin } from './support/template.ts';

const KILLS = 20;
const SEED = 20_260_101;

test(`${KILLS} kills while three processes record lose nothing that was acknowledged`, async (t) => {
  const folder = temporaryFolder(t);
  const dir = join(folder, 'log');
  await (await createLog(dir, { origin })).close();
  const witnessed = await killLoop(t, {
    folder,
    kills: KILLS,
    recorders: 3,
    random: seeded(SEED),
    manners: [
      { concurrency: 1, batch: 1, thread: 'worker' },
      { concurrency: 16, batch: 1, thread: 'worker', pauseMs: 5 },
      { concurrency: 2, batch: 300, thread: 'worker', pauseMs: 50 },
      { concurrency: 4, batch: 1, thread: 'caller', pauseMs: 2 },
    ],
  });
  assert.ok(
    witnessed.receipts.length > 100,
    `only ${witnessed.receipts.length} receipts: the loop tried nothing`,
  );
  assert.deepEqual(breaches(join(dir, 'log.db'), witnessed), []);
  t.diagnostic(
    `${witnessed.receipts.length} receipts held; ${witnessed.killedEarly} of ${KILLS} kills came before a first receipt`,
  );

  await using log = await openLog(dir);
  const held = [...new Set(witnessed.receipts.map(({ checkpoint }) => checkpoint))];
  const report = await log.verify({ vkey: witnessed.vkey, held });
  assert.deepEqual(report.findings, [], 'the log\u2019s own verifier agrees with the independent one');
  const again = witnessed.receipts[7]!;
  assert.equal((await log.record(faultEvent(again.id))).index, again.index, 'a repeat finds its place');
});

test('processes that create one log at the same moment, and are killed at it, leave one log', async (t) => {
  const random = seeded(SEED);
  for (let round = 0; round < 5; round++) {
    const folder = temporaryFolder(t);
    const dir = join(folder, 'log');
    const orders = { dir, origin, concurrency: 1, batch: 1, thread: 'caller', eventsMax: 3 };
    const start = (name: string): Child =>
      new Child(t, programOf('recorder.ts', { ...orders, name, receipts: join(folder, `${name}.receipts`) }));
    const killed = ['k0', 'k1'].map(start);
    await pause(60 + random.below(120));
    await Promise.all(killed.map((child) => child.kill()));
    const names = ['a', 'b', 'c'];
    for (const { code, complaint } of await Promise.all(names.map((name) => start(name).ended))) {
      assert.equal(code, 0, `round ${round}: ${complaint}`);
    }
    const log = await openLog(dir, { readOnly: true });
    await log.close();
    const receipts = [...names, 'k0', 'k1'].flatMap((name) => keptReceipts(join(folder, `${name}.receipts`)));
    assert.ok(receipts.length >= 9);
    assert.deepEqual(breaches(join(dir, 'log.db'), { vkey: log.vkey, receipts }), [], `round ${round}`);
    assert.equal(readdirSync(dir).filter((name) => name === 'log.db').length, 1);
  }
});
