// Sealed values of many bundles are sealed and opened on threads: the same bytes, the same values, the same errors.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { LogError, openLog } from 'indelible';
import { publishLog, restoreLog, verifyPublished } from 'indelible/publish';
import { SUBJECT_KEYS_FILE, SubjectKeys, type TileStore } from 'indelible/store';
import { randomBytes } from '#dist/platform/index.js';
import { SealerOfMany } from '#dist/publish/sealer.js';
import { sealBundle } from '#dist/publish/sealing.js';
import { temporaryFolder } from '../support/folders.ts';
import { grow, smallLog, urlOf } from './world.ts';

/** Bundles of 256 entries; the first 16 are sealed on the caller's thread. */
const BUNDLES = 20;

/** Counts the threads that are started from here on. */
function startedThreads(t: TestContext): () => number {
  let started = 0;
  const count = (): void => {
    started += 1;
  };
  process.on('worker', count);
  t.after(() => process.off('worker', count));
  return () => started;
}

test('a long log: one thread seals, one opens, and every value is there again', async (t) => {
  const log = await smallLog(t, BUNDLES * 256);
  const folder = temporaryFolder(t);
  const [to, subjectKeys] = [urlOf(join(folder, 'pub')), join(log.dir, SUBJECT_KEYS_FILE)];
  const threads = startedThreads(t);
  await publishLog(log, { to });
  assert.equal(threads(), 1);

  const keys = SubjectKeys.reading(subjectKeys);
  t.after(() => keys.close());
  for (const index of [3, 18]) {
    const begin = index * 256;
    const path = `disclosures/${String(index).padStart(3, '0')}`;
    const entries = await log.reader.entries(begin, begin + 256);
    assert.deepEqual(
      readFileSync(join(folder, 'pub', path)),
      Buffer.from(sealBundle({ path, begin, entries }, keys)),
    );
  }

  await log.erase({ subject: 'user/u_1', basis: 'gdpr-17', requestId: 'r-1', approvedBy: ['p_1', 'p_2'] });
  await grow(log, 10);
  await publishLog(log, { to });
  assert.equal(threads(), 1);
  const report = await verifyPublished(to, { vkey: log.vkey, subjectKeys, threads: 0 });
  assert.deepEqual(report.findings, []);

  const { disclosures } = await restoreLog({ from: to, to: join(folder, 'restored'), subjectKeys });
  assert.equal(threads() > 1, true);
  await using restored = await openLog(join(folder, 'restored'), { readOnly: true, thread: 'caller' });
  let present = 0;
  const { size } = await log.checkpoint();
  for (let from = 0; from < size; from += 256) {
    const [ours, theirs] = [
      await log.reader.entries(from, from + 256),
      await restored.reader.entries(from, from + 256),
    ];
    assert.deepEqual(theirs, ours);
    present += theirs.reduce((sum, { disclosures: texts }) => sum + texts.length, 0);
  }
  assert.equal(disclosures, present);
  // Four of five people are still there, each with more than one value an entry.
  assert.ok(present > BUNDLES * 256 * 0.8);
});

test('a short one starts no thread', async (t) => {
  const log = await smallLog(t, 300);
  const threads = startedThreads(t);
  await publishLog(log, { to: urlOf(join(temporaryFolder(t), 'pub')) });
  assert.equal(threads(), 0);
});

test('what a thread throws comes back with its code, and what is asked after that is answered', async (t) => {
  const log = await smallLog(t, 256);
  const path = join(temporaryFolder(t), 'keys.db');
  const keys = SubjectKeys.open(path, randomBytes);
  t.after(() => keys.close());
  const sealer = new SealerOfMany(keys, path);
  t.after(() => sealer.close());
  const whole = { path: 'disclosures/000', begin: 0, entries: await log.reader.entries(0, 256) };
  const damaged = { ...whole, entries: [{ index: 0, entry: new Uint8Array(5), disclosures: [] }] };
  const threads = startedThreads(t);
  const here = await sealer.seal(whole);
  for (let bundle = 1; bundle < 16; bundle += 1) await sealer.seal(whole);
  assert.equal(threads(), 0);
  await assert.rejects(sealer.seal(damaged), { name: 'LogError', code: 'log_damaged' });
  assert.equal(threads(), 1);
  assert.deepEqual(Buffer.from(await sealer.seal(whole)), Buffer.from(here));

  const asked = sealer.seal(whole);
  await Promise.all([assert.rejects(asked, { code: 'worker_failed' }), sealer.close()]);
});

test('keys that the thread cannot open are an error with a code', async (t) => {
  const log = await smallLog(t, 1);
  const folder = temporaryFolder(t);
  const keys = SubjectKeys.open(join(folder, 'keys.db'), randomBytes);
  t.after(() => keys.close());
  const other = join(folder, 'other.db');
  writeFileSync(other, 'no database at all, and long enough to be seen as none '.repeat(100));
  const sealer = new SealerOfMany(keys, other);
  t.after(() => sealer.close());
  const one = { path: 'disclosures/000.p/1', begin: 0, entries: await log.reader.entries(0, 1) };
  for (let bundle = 0; bundle < 16; bundle += 1) await sealer.seal(one);
  await assert.rejects(sealer.seal(one), { name: 'LogError', code: 'io_failed' });
});

test('a publication that fails in the middle leaves no thread behind', async (t) => {
  const log = await smallLog(t, 40 * 256);
  const threads: Worker[] = [];
  const keep = (thread: Worker): void => void threads.push(thread);
  process.on('worker', keep);
  t.after(() => process.off('worker', keep));
  let puts = 0;
  const to: TileStore = {
    place: 'file:///nowhere',
    read: async () => undefined,
    putCheckpoint: async () => {},
    putImmutable: async (path) => {
      puts += 1;
      if (puts > 60 && path.startsWith('disclosures/'))
        throw new LogError('disk_full', 'there is no room left');
      return 'written';
    },
    close: async () => {},
  };
  await assert.rejects(publishLog(log, { to }), { code: 'disk_full' });
  const given = puts;
  await setTimeout(200);
  assert.equal(puts, given, 'nothing is put any more');
  assert.equal(threads.length, 1);
  // A thread that has ended has no id.
  assert.deepEqual(
    threads.map(({ threadId }) => threadId),
    [-1],
  );
});
