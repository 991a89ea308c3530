// A log of a million entries, recorded, published, verified from its files and restored from them, in the memory that a tenth of it takes;
// and one with a million sealed values.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Life, wholeLife } from '../publish/whole.ts';

/** Megabytes that a step may take, and how much more it may take of the large log than of the small one. */
const PEAK_RSS_MB_MAX = 400;
const GROWTH_MB_MAX = 100;

async function takesNoMore(t: TestContext, small: Life): Promise<void> {
  const before = await wholeLife(t, small, PEAK_RSS_MB_MAX);
  const large = await wholeLife(t, { ...small, entries: 10 * small.entries }, PEAK_RSS_MB_MAX);
  for (const [step, peak] of large) {
    const growth = peak - before.get(step)!;
    assert.ok(growth < GROWTH_MB_MAX, `${step} took ${growth} MB more than of a tenth of the log`);
  }
}

test('a million entries are the same after publishing and restoring, and take no more memory than 100,000', (t) =>
  takesNoMore(t, { entries: 100_000, sealed: false }));

test('so are a million sealed values of 200,000 entries, and take no more than a tenth of them', (t) =>
  takesNoMore(t, { entries: 20_000, sealed: true }));
