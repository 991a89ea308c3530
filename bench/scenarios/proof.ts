import { type Log, openLog } from 'indelible';
import type { Figures, Task } from '../scenario.ts';
import { percentile } from '../statistics.ts';

const TILE_WIDTH = 256;

/**
 * Proofs of single entries: looked up by id, path read and checked against the signed root. Cold: each proof of another tile
 * of 256 entries, in no order, so that nothing of its lower path was read before; the first hundred are not timed, they compile
 * the code. Warm: the same again, the tiles just used. On this thread, so that the proof is measured; then, for comparison,
 * through the reading thread, as an application has it by default, where the way there and back is added.
 */
export async function run({ log: dir, size, quick }: Task): Promise<Figures> {
  const count = Math.min(quick ? 5 : 1_000, Math.floor(size / TILE_WIDTH));
  const here = await measure(dir, { size, count, thread: 'caller' });
  const there = await measure(dir, { size, count, thread: 'worker' });
  return {
    cold_p50_ms: percentile(here.cold, 0.5),
    cold_p99_ms: percentile(here.cold, 0.99),
    warm_p50_ms: percentile(here.warm, 0.5),
    warm_p99_ms: percentile(here.warm, 0.99),
    thread_cold_p50_ms: percentile(there.cold, 0.5),
    thread_warm_p50_ms: percentile(there.warm, 0.5),
  };
}

async function measure(
  dir: string,
  { size, count, thread }: { size: number; count: number; thread: 'caller' | 'worker' },
): Promise<{ cold: number[]; warm: number[] }> {
  await using log = await openLog(dir, { readOnly: true, thread });
  const tiles = Math.floor(size / TILE_WIDTH);
  const ids: string[] = [];
  for (let at = 0; at < count; at += 1) ids.push(await idOf(log, spread(at, tiles) * TILE_WIDTH + 77));
  const cold = await prove(log, ids);
  const few = ids.slice(-8);
  await prove(log, few);
  const warm = await prove(
    log,
    ids.map((_, at) => few[at % few.length]!),
  );
  return { cold: cold.slice(Math.min(100, count - 1)), warm };
}

async function prove(log: Log, ids: readonly string[]): Promise<number[]> {
  const latencies: number[] = [];
  for (const id of ids) {
    const asked = performance.now();
    await log.prove(id);
    latencies.push(performance.now() - asked);
  }
  return latencies;
}

async function idOf(log: Log, index: number): Promise<string> {
  for await (const { entry } of log.entries({ from: index, to: index + 1 })) {
    return (JSON.parse(Buffer.from(entry).toString()) as { id: string }).id;
  }
  throw new RangeError(`the log has no entry ${index}`);
}

/** The `at`th of `count` places in an order that jumps: steps of the golden section visit each before any twice. */
function spread(at: number, count: number): number {
  return Math.floor(((at * 0.618033988749895) % 1) * count);
}
