import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createLog } from 'indelible';
import { DISCLOSURES_PER_EVENT, makeEvents } from '../events.ts';
import type { PublishStep } from '../publish-step.ts';
import { runPublishStep } from '../run-publish-step.ts';
import type { Figures, Task } from '../scenario.ts';

/** Entries of the log whose sealed values are published too. */
const SEALED_ENTRIES = 20_000;

const BATCH = 256;

/**
 * Publishes the large log to a folder, entries and tree; verifies it from there on two threads, hashes and tree only and then with every
 * entry parsed; restores it from there. Each step has a process of its own, and the most memory is of the one that takes the most. Then
 * publishes a smaller log with its sealed values.
 */
export async function run({ dir, log, size, quick }: Task): Promise<Figures> {
  const [url, to] = [pathToFileURL(join(dir, 'pub')).href, join(dir, 'restored')];
  const peaks: number[] = [];
  const rate = async (step: PublishStep['step']) => {
    const { ms, peakRssMb } = await runPublishStep({ step, log, url, to });
    peaks.push(peakRssMb);
    return (size * 1000) / ms;
  };
  const publish_rate = await rate('publish');
  const tree_rate = await rate('tree');
  const full_rate = await rate('full');
  const restore_rate = await rate('restore');
  rmSync(to, { recursive: true });
  return {
    publish_rate,
    tree_rate,
    full_rate,
    restore_rate,
    peak_rss_mb: Math.max(...peaks),
    sealed_rate: await sealedRate(dir, quick ? 1_000 : SEALED_ENTRIES),
  };
}

/** Sealed values a second, of a log that is published for the first time, so that every subject gets its key. */
async function sealedRate(dir: string, entries: number): Promise<number> {
  const path = join(dir, 'sealed');
  mkdirSync(path);
  const log = await createLog(join(path, 'log'), { origin: 'bench.example/sealed' });
  const events = makeEvents(0, entries);
  for (let at = 0; at < entries; at += BATCH) {
    const refused = (await log.recordMany(events.slice(at, at + BATCH))).find((result) => !result.ok);
    if (refused !== undefined) throw new Error('an event of the benchmark was refused', { cause: refused });
  }
  await log.close();
  const { ms } = await runPublishStep({
    step: 'publish',
    log: log.dir,
    url: pathToFileURL(join(path, 'pub')).href,
    to: '',
    subjectKeys: join(path, 'subject-keys.db'),
  });
  return (entries * DISCLOSURES_PER_EVENT * 1000) / ms;
}
