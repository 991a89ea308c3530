import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wholeLife } from './whole.ts';

/** Megabytes; test/faults-large/published-large.test.ts asks the same of a million. */
const PEAK_RSS_MB_MAX = 400;

test('a log of 80,000 entries is published, verified and restored, each in less memory than it may take', async (t) => {
  const peaks = await wholeLife(t, { entries: 80_000, sealed: false }, PEAK_RSS_MB_MAX);
  assert.equal(peaks.size, 4);
});

test('one of 20,000 entries with 100,000 sealed values, too', async (t) => {
  const peaks = await wholeLife(t, { entries: 20_000, sealed: true }, PEAK_RSS_MB_MAX);
  assert.equal(peaks.size, 4);
});
