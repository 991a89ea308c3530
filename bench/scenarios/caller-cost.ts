import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLog } from 'indelible';
import { type BenchEvent, makeEvents } from '../events.ts';
import type { Figures, Task } from '../scenario.ts';

const OFFERED_PER_SECOND = 20_000;

/** How often the event loop's delay is sampled; a stall shows as what a sample is late by. */
const RESOLUTION_MS = 1;

/**
 * What recording costs the application's own thread: 20,000 events a second are offered in small portions, as requests would
 * bring them. The same load on a function that does nothing is measured before and subtracted, so that only the log's share counts.
 */
export async function run({ dir, quick }: Task): Promise<Figures> {
  // A slow disk makes the queue long; that must not end the measurement of what a call costs.
  const queue = { eventsMax: 1_000_000, charactersMax: 2 ** 30 };
  await using log = await createLog(join(dir, 'log'), { origin: 'bench.example/cost', queue });
  const events = makeEvents(0, 20_000);
  const count = quick ? 2_000 : 200_000;
  await offer(events, quick ? 500 : 40_000, (event) => log.record(event));
  await offer(events, quick ? 500 : 40_000, nothing);
  const empty = await offer(events, count, nothing);
  const real = await offer(events, count, (event) => log.record(event));
  return {
    caller_cpu_us: (real.cpuUs - empty.cpuUs) / count,
    process_cpu_us: (real.processUs - empty.processUs) / count,
    taken_per_second: (count * 1000) / real.elapsedMs,
    stall_max_ms: real.stallMaxMs,
    stall_p99_ms: real.stallP99Ms,
    empty_stall_max_ms: empty.stallMaxMs,
  };
}

async function nothing(_event: BenchEvent): Promise<void> {}

interface Cost {
  readonly cpuUs: number;
  readonly processUs: number;
  readonly elapsedMs: number;
  readonly stallMaxMs: number;
  readonly stallP99Ms: number;
}

async function offer(
  events: readonly BenchEvent[],
  count: number,
  take: (event: BenchEvent) => Promise<unknown>,
): Promise<Cost> {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  const before = { thread: process.threadCpuUsage(), process: process.cpuUsage(), time: performance.now() };
  const answers = countdown(count);
  for (let offered = 0; offered < count; await sleep(1)) {
    const due = Math.min(count, ((performance.now() - before.time) / 1000) * OFFERED_PER_SECOND);
    for (; offered < due; offered += 1)
      take(events[offered % events.length]!).then(answers.one, answers.fail);
  }
  await answers.all;
  const thread = process.threadCpuUsage(before.thread);
  const whole = process.cpuUsage(before.process);
  const elapsedMs = performance.now() - before.time;
  delays.disable();
  return {
    cpuUs: thread.user + thread.system,
    processUs: whole.user + whole.system,
    elapsedMs,
    stallMaxMs: Math.max(0, delays.max / 1e6 - RESOLUTION_MS),
    stallP99Ms: Math.max(0, delays.percentile(99) / 1e6 - RESOLUTION_MS),
  };
}

/** Resolves `all` at the `count`th answer; keeps no answer, as a web server would keep none. */
function countdown(count: number): { one: () => void; fail: (error: unknown) => void; all: Promise<void> } {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let left = count;
  const one = () => {
    left -= 1;
    if (left === 0) resolve();
  };
  return { one, fail: reject, all: promise };
}
