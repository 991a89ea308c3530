import { renameSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLog, type Log, watchSources } from 'indelible';
import { makeEvents } from '../events.ts';
import type { Figures, Task } from '../scenario.ts';

const BATCH = 256;
const BATCHES_IN_FLIGHT = 8;
const CHUNK = 16_384;

/** Records `size` events less the log's own first entry. The folder gets its name at the end: what bears it is whole. */
export async function run({ log: dir, size }: Task): Promise<Figures> {
  const draft = `${dir}.draft`;
  rmSync(draft, { recursive: true, force: true });
  rmSync(`${draft}.mark`, { force: true });
  const begin = performance.now();
  const log = await createLog(draft, { origin: 'bench.example/large' });
  const { size: own } = await log.checkpoint();
  for (let at = own; at < size; at += CHUNK) await recordChunk(log, at, Math.min(size, at + CHUNK), size);
  const elapsed = performance.now() - begin;
  await indexed(log, size);
  await watched(log, size);
  await log.close();
  renameSync(`${draft}.mark`, `${dir}.mark`);
  renameSync(draft, dir);
  return { rate: (size * 1000) / elapsed };
}

/** Waits until the search index covers the whole log, so that later scenarios find it finished. */
async function indexed(log: Log, size: number): Promise<void> {
  for (let complete = 0; complete < size; ) ({ complete } = await log.query('', { limit: 1 }).page());
}

/** Waits until the sources of the whole log are known, which a server otherwise reads out of it when it first opens it. */
async function watched(log: Log, size: number): Promise<void> {
  const { name } = watchSources(log);
  while (log.followers.list().find((follower) => follower.name === name)!.size < size) await sleep(100);
}

async function recordChunk(log: Log, begin: number, end: number, size: number): Promise<void> {
  const events = makeEvents(begin, end, size);
  let next = 0;
  const call = async () => {
    while (next < events.length) {
      const batch = events.slice(next, next + BATCH);
      next += BATCH;
      const refused = (await log.recordMany(batch)).find((result) => !result.ok);
      if (refused !== undefined) throw new Error('an event of the benchmark was refused', { cause: refused });
    }
  };
  await Promise.all(Array.from({ length: BATCHES_IN_FLIGHT }, call));
}
