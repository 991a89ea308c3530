// Pauses that are longer than a timer of Node can wait are no pauses of a millisecond.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLog, openLog } from 'indelible';
import { publishTiles } from 'indelible/publish';
import { watchedLogs } from 'indelible/witness';
import { signIn, temporaryFolder } from '../support/folders.ts';
import { startWitness } from '../witness/world.ts';
import { urlOf } from './world.ts';

test('a log that is published and shown to witnesses once a month warns of no timer', async (t) => {
  const warnings: string[] = [];
  const note = ({ name }: Error): void => void warnings.push(name);
  process.on('warning', note);
  t.after(() => process.off('warning', note));
  const folder = temporaryFolder(t);
  const dir = join(folder, 'log');
  const everyMs = 30 * 86_400_000;
  const born = await createLog(dir, { origin: 'log.example/month', thread: 'caller', heartbeatMs: 0 });
  const { vkey } = born;
  await born.close();
  const witness = startWitness(t, watchedLogs([{ vkey }]), { now: () => Date.now() });
  const fetch = (to: string, init: RequestInit) => witness.handler(new Request(to, init));
  const witnesses = `log ${vkey}\nwitness w ${witness.keys[0]!.text} http://127.0.0.1:4041\nquorum w\n`;
  const published = Promise.withResolvers<void>();
  const to = urlOf(join(folder, 'public'));
  const log = await openLog(dir, {
    witnesses,
    publish: { everyMs, timeoutMs: 2_000, fetch },
    thread: 'caller',
    heartbeatMs: 0,
  });
  const onPublished = (): void => published.resolve();
  log.followers.add(publishTiles(log, { to, everyMs, disclosures: false, onPublished }));
  await log.record(signIn());
  await published.promise;
  await log.record(signIn());
  await sleep(400);
  await log.close();
  assert.deepEqual(warnings, []);
});
