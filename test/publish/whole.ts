// The whole life of a published log, each step in a process of its own: what is restored is what was recorded, and no step takes more
// memory than it may, however large the log.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createLog, openLog } from 'indelible';
import type { PublishStep } from '../../bench/publish-step.ts';
import { runPublishStep } from '../../bench/run-publish-step.ts';
import { temporaryFolder } from '../support/folders.ts';
import { urlOf } from './world.ts';

/** Events that are recorded together, and batches that are under way at once. */
const BATCH = 512;
const BATCHES_AT_ONCE = 8;

/**
 * Records, publishes, verifies and restores a log of so many entries, and compares the restored one with the first, entry by entry. Answers
 * the most memory of each step, megabytes.
 */
export async function wholeLife(
  t: TestContext,
  entries: number,
  peakRssMbMax: number,
): Promise<ReadonlyMap<string, number>> {
  const folder = temporaryFolder(t);
  const dir = join(folder, 'log');
  const { size, root } = await recorded(dir, entries);
  assert.equal(size, entries);
  const [url, to] = [urlOf(join(folder, 'pub')), join(folder, 'restored')];
  const peaks = new Map<string, number>();
  for (const step of ['publish', 'tree', 'full', 'restore'] satisfies PublishStep['step'][]) {
    const result = await runPublishStep({ step, log: dir, url, to });
    assert.deepEqual([result.size, result.root], [size, root], step);
    peaks.set(step, result.peakRssMb);
    t.diagnostic(
      `${step}: ${Math.round((size * 1000) / result.ms)} entries/s, at most ${Math.round(result.peakRssMb)} MB`,
    );
  }
  for (const [step, peak] of peaks)
    assert.ok(peak < peakRssMbMax, `${step} took ${peak} MB, more than ${peakRssMbMax}`);
  assert.deepEqual(await entriesOf(to), await entriesOf(dir));
  return peaks;
}

async function recorded(dir: string, entries: number): Promise<{ size: number; root: string }> {
  await using log = await createLog(dir, { origin: 'log.example/whole', heartbeatMs: 0 });
  let next = (await log.checkpoint()).size;
  const record = async (): Promise<void> => {
    while (next < entries) {
      const begin = next;
      next = Math.min(entries, begin + BATCH);
      const events = Array.from({ length: next - begin }, (_, at) => ({
        action: 'user.signed_in',
        actor: { type: 'user', id: `u_${(begin + at) % 1_000}` },
        targets: [{ type: 'document', id: `d_${begin + at}` }],
        correlationId: `c_${Math.floor((begin + at) / 7)}`,
      }));
      for (const result of await log.recordMany(events)) if (!result.ok) throw result.error;
    }
  };
  await Promise.all(Array.from({ length: BATCHES_AT_ONCE }, record));
  return log.checkpoint();
}

/** Every entry of a log by one hash over all of them, each with its index and its length, and the signed note. */
async function entriesOf(dir: string): Promise<{ count: number; hash: string; note: string }> {
  await using log = await openLog(dir, { readOnly: true });
  const hash = createHash('sha256');
  let count = 0;
  for await (const { index, entry } of log.entries()) {
    hash.update(`${index} ${entry.length} `).update(entry);
    count += 1;
  }
  return { count, hash: hash.digest('hex'), note: (await log.checkpoint()).note };
}
