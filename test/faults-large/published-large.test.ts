// A log of a million entries, recorded, published, verified from its files and restored from them, in the memory that a tenth of it takes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wholeLife } from '../publish/whole.ts';

const SMALL = 100_000;
const LARGE = 1_000_000;

/** Megabytes that a step may take, and how much more it may take of the large log than of the small one. */
const PEAK_RSS_MB_MAX = 400;
const GROWTH_MB_MAX = 100;

test('a million entries are the same after publishing and restoring, and take no more memory than 100,000', async (t) => {
  const small = await wholeLife(t, SMALL, PEAK_RSS_MB_MAX);
  const large = await wholeLife(t, LARGE, PEAK_RSS_MB_MAX);
  for (const [step, peak] of large) {
    const growth = peak - small.get(step)!;
    assert.ok(growth < GROWTH_MB_MAX, `${step} took ${growth} MB more than of a tenth of the log`);
  }
});
