// A monitor over a log that is written to while it is read.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Log, openLog } from 'indelible';
import { keyTypes, parsePolicy } from 'indelible/note';
import { watchedLogs } from 'indelible/witness';
import { signIn } from '../support/folders.ts';
import { startWitness } from '../witness/world.ts';
import { codes, Watched } from './world.ts';

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
