// Where a log is published is noted beside it, and `tier` says so.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { publishLog } from 'indelible/publish';
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
  assert.equal(await untilOf(undefined), undefined);
  assert.equal(await untilOf(20), undefined);
});
