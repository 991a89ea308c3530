// Where a log is published is noted beside it, and `tier` says so.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { publishLog } from 'indelible/publish';
import { S3TileStore } from '#dist/store/index.js';
import { temporaryFolder } from '../support/folders.ts';
import { S3Double } from '../support/s3-double.ts';
import { grow, smallLog, urlOf } from './world.ts';

const DAY_MS = 86_400_000;

test('a publication is noted with its size, and replaced by the next at the same place', async (t) => {
  const log = await smallLog(t, 3);
  const to = urlOf(join(temporaryFolder(t), 'public'));
  for (const events of [2, 5]) {
    await grow(log, events);
    const { size } = await publishLog(log, { to });
    const { published } = await log.tier();
    assert.deepEqual(
      published.map((one) => [one.url, one.size, one.retainUntil]),
      [[to, size, undefined]],
    );
  }
});

test('a place is locked until the first of its files is free, and not where some are without a lock', async (t) => {
  const double = await S3Double.start(t);
  const log = await smallLog(t, 3);
  const client = double.client(t);
  const to = 's3://archive/noted';
  const untilOf = async (days: number | undefined) => {
    await grow(log, 2);
    const retention = days === undefined ? {} : { retention: { days } };
    await publishLog(log, { to, s3: { client, ...retention }, disclosures: false });
    return (await log.tier()).published[0]?.retainUntil;
  };
  const first = await untilOf(10);
  assert.ok(Math.abs(Date.parse(first!) - Date.now() - 10 * DAY_MS) < 60_000);
  assert.equal(await untilOf(20), first);
  const shorter = await untilOf(1);
  assert.ok(Math.abs(Date.parse(shorter!) - Date.now() - DAY_MS) < 60_000);
  assert.equal(await untilOf(30), shorter);
  assert.equal(await untilOf(undefined), undefined);
  assert.equal(await untilOf(20), undefined);
});

test('in a locked bucket: every file before the checkpoint, the sealed values locked as all others, the note not later than any lock', async (t) => {
  const double = await S3Double.start(t);
  const log = await smallLog(t, 300);
  const to = 's3://archive/noted';
  const s3 = { client: double.client(t), retention: { days: 10 } };
  const puts = () =>
    double.requests.filter(({ method, key }) => method === 'PUT' && !key.includes('/probe/'));

  // One sealed file cannot be put: no checkpoint speaks of it, and nothing is noted.
  double.behaviour.fault = ({ method, key }) =>
    method === 'PUT' && key.includes('noted/disclosures/') ? 'skew' : undefined;
  await assert.rejects(publishLog(log, { to, s3 }), { code: 'not_permitted' });
  assert.equal(double.newest('noted/checkpoint'), undefined);
  assert.deepEqual((await log.tier()).published, []);

  delete double.behaviour.fault;
  const begun = puts().length;
  const { size } = await publishLog(log, { to, s3 });
  const order = puts()
    .slice(begun)
    .map(({ key }) => key);
  assert.equal(order.filter((key) => key.endsWith('/checkpoint')).length, 1);
  assert.equal(order.at(-1), 'noted/checkpoint');
  const files = [...double.objects].filter(([key]) => !key.includes('/probe/'));
  assert.ok(files.some(([key]) => key.startsWith('noted/disclosures/')));
  const until = files.flatMap(([, versions]) => versions.map((version) => version.until!));
  for (const [key, versions] of files)
    assert.deepEqual(new Set(versions.map(({ mode }) => mode)), new Set(['COMPLIANCE']), key);
  const [noted] = (await log.tier()).published;
  assert.equal(noted?.size, size);
  // Files of the attempt that failed were there already: since when they are locked nobody remembers.
  assert.equal(noted?.retainUntil, undefined);

  const fresh = 's3://archive/fresh';
  await publishLog(log, { to: fresh, s3 });
  const ends = [...double.objects]
    .filter(([key]) => key.startsWith('fresh/') && !key.includes('/probe/'))
    .flatMap(([, versions]) => versions.map((version) => version.until!));
  const locked = (await log.tier()).published.find(({ url }) => url === fresh)?.retainUntil;
  assert.ok(ends.length >= 6 && until.length >= 6);
  const early = Math.min(...ends) - Date.parse(locked!);
  assert.ok(early >= 0 && early < 60_000, `${locked} is ${early} ms before the first end`);
});

test('a bucket is asked for the lock of its checkpoint, and says none where there is none', async (t) => {
  const double = await S3Double.start(t);
  const client = double.client(t);
  const log = await smallLog(t, 3);
  const lockedAt = async (to: string, retention: { days: number; mode?: 'GOVERNANCE' } | undefined) => {
    await publishLog(log, { to, s3: { client, ...(retention && { retention }) }, disclosures: false });
    const bucket = await S3TileStore.reading(to, { client });
    return bucket.lockedUntil('checkpoint');
  };
  const until = await lockedAt('s3://archive/locked', { days: 10 });
  assert.ok(Math.abs(until! - Date.now() - 10 * DAY_MS) < 60_000);
  assert.equal(await lockedAt('s3://archive/soft', { days: 10, mode: 'GOVERNANCE' }), undefined);
  assert.equal(await lockedAt('s3://archive/open', undefined), undefined);
});
