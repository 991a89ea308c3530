// The whole life of a published log, each step in a process of its own: what is restored is what was recorded, and no step takes more
// memory than it may, however large the log.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type AuditEvent, createLog, openLog } from 'indelible';
import { DISCLOSURES_PER_EVENT, makeEvent } from '../../bench/events.ts';
import type { PublishStep } from '../../bench/publish-step.ts';
import { runPublishStep } from '../../bench/run-publish-step.ts';
import { temporaryFolder } from '../support/folders.ts';
import { urlOf } from './world.ts';

/** Events that are recorded together, and batches that are under way at once. */
const BATCH = 512;
const BATCHES_AT_ONCE = 8;

/** A log whose life is watched. */
export interface Life {
  readonly entries: number;
  /** Whether each entry has five sealed values, which are published, verified and restored too. */
  readonly sealed: boolean;
}

/**
 * Records, publishes, verifies and restores a log, and compares the restored one with the first, entry by entry. Answers the most memory
 * of each step, megabytes.
 */
export async function wholeLife(
  t: TestContext,
  { entries, sealed }: Life,
  peakRssMbMax: number,
): Promise<ReadonlyMap<string, number>> {
  const folder = temporaryFolder(t);
  const dir = join(folder, 'log');
  const { size, root } = await recorded(dir, { entries, sealed });
  assert.equal(size, entries);
  const [url, to] = [urlOf(join(folder, 'pub')), join(folder, 'restored')];
  const keys = sealed ? { subjectKeys: join(folder, 'subject-keys.db') } : {};
  const peaks = new Map<string, number>();
  for (const step of ['publish', 'tree', 'full', 'restore'] satisfies PublishStep['step'][]) {
    const result = await runPublishStep({ step, log: dir, url, to, ...keys });
    assert.deepEqual([result.size, result.root], [size, root], step);
    peaks.set(step, result.peakRssMb);
    t.diagnostic(
      `${step}: ${Math.round((size * 1000) / result.ms)} entries/s, at most ${Math.round(result.peakRssMb)} MB`,
    );
  }
  for (const [step, peak] of peaks)
    assert.ok(peak < peakRssMbMax, `${step} took ${peak} MB, more than ${peakRssMbMax}`);
  const restored = await entriesOf(to, sealed);
  assert.deepEqual(restored, await entriesOf(dir, sealed));
  // The first entry is the log's own.
  if (sealed) assert.ok(restored.values >= (entries - 1) * DISCLOSURES_PER_EVENT);
  return peaks;
}

async function recorded(dir: string, { entries, sealed }: Life): Promise<{ size: number; root: string }> {
  await using log = await createLog(dir, { origin: 'log.example/whole', heartbeatMs: 0 });
  let next = (await log.checkpoint()).size;
  const end = Date.now();
  const record = async (): Promise<void> => {
    while (next < entries) {
      const begin = next;
      next = Math.min(entries, begin + BATCH);
      const events = Array.from({ length: next - begin }, (_, at) =>
        sealed ? makeEvent(begin + at, { count: entries, end }) : plainEvent(begin + at),
      );
      for (const result of await log.recordMany(events)) if (!result.ok) throw result.error;
    }
  };
  await Promise.all(Array.from({ length: BATCHES_AT_ONCE }, record));
  return log.checkpoint();
}

function plainEvent(at: number): AuditEvent {
  return {
    action: 'user.signed_in',
    actor: { type: 'user', id: `u_${at % 1_000}` },
    targets: [{ type: 'document', id: `d_${at}` }],
    correlationId: `c_${Math.floor(at / 7)}`,
  };
}

/**
 * Every entry of a log by one hash over all of them, each with its index and its length, and the signed note; with its sealed values,
 * and how many there are, where they are asked for.
 */
async function entriesOf(
  dir: string,
  sealed: boolean,
): Promise<{ count: number; values: number; hash: string; note: string }> {
  await using log = await openLog(dir, { readOnly: true });
  const hash = createHash('sha256');
  let [count, values] = [0, 0];
  const { size, note } = await log.checkpoint();
  while (count < size) {
    for (const { index, entry, disclosures } of await log.reader.entries(count, count + 1024)) {
      assert.equal(index, count);
      hash.update(`${index} ${entry.length} `).update(entry);
      count += 1;
      if (!sealed) continue;
      hash.update(disclosures.join('\n'));
      values += disclosures.length;
    }
  }
  return { count, values, hash: hash.digest('hex'), note };
}
