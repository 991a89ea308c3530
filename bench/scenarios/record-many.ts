import { join } from 'node:path';
import { createLog, type Log } from 'indelible';
import { type BenchEvent, makeEvents } from '../events.ts';
import type { Figures, Task } from '../scenario.ts';
import { percentile } from '../statistics.ts';

const BATCH = 256;

/** Batches of 256: first one caller that awaits each, then four such callers, so that preparing and storing overlap. */
export async function run({ dir, quick }: Task): Promise<Figures> {
  await using log = await createLog(join(dir, 'log'), { origin: 'bench.example/many' });
  const batches = split(makeEvents(0, quick ? 2 * BATCH : 80 * BATCH));
  const rounds = quick ? 1 : 5;
  await recordBatches(log, batches, { callers: 4, rounds: 1 });
  const one = await recordBatches(log, batches, { callers: 1, rounds });
  const four = await recordBatches(log, batches, { callers: 4, rounds: 2 * rounds });
  return { rate: one.rate, batch_p99_ms: one.batchP99, rate_four: four.rate };
}

async function recordBatches(
  log: Log,
  batches: readonly BenchEvent[][],
  { callers, rounds }: { callers: number; rounds: number },
): Promise<{ rate: number; batchP99: number }> {
  const latencies: number[] = [];
  let next = 0;
  const call = async () => {
    while (next < batches.length * rounds) {
      const batch = batches[next++ % batches.length]!;
      const asked = performance.now();
      const results = await log.recordMany(batch);
      latencies.push(performance.now() - asked);
      const refused = results.find((result) => !result.ok);
      if (refused !== undefined) throw new Error('an event of the benchmark was refused', { cause: refused });
    }
  };
  const begin = performance.now();
  await Promise.all(Array.from({ length: callers }, call));
  const elapsed = performance.now() - begin;
  return { rate: (next * BATCH * 1000) / elapsed, batchP99: percentile(latencies, 0.99) };
}

function split(events: readonly BenchEvent[]): BenchEvent[][] {
  return Array.from({ length: events.length / BATCH }, (_, at) => events.slice(at * BATCH, (at + 1) * BATCH));
}
