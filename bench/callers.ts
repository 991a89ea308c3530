import type { Log } from 'indelible';
import { makeEvents } from './events.ts';
import type { Figures } from './scenario.ts';
import { summarize } from './statistics.ts';

/** How many events are in flight, and how many are recorded and timed. */
export interface Load {
  readonly callers: number;
  readonly count: number;
}

/**
 * `callers` callers record `count` events in all, each awaiting its own receipt before the next. Every call is timed. An
 * eighth of the load goes before, untimed, because an application that records all day is compiled by then.
 */
export async function recordFromCallers(log: Log, { callers, count }: Load): Promise<Figures> {
  const events = makeEvents(0, Math.min(count, 20_000));
  await recordAll(log, events, { callers, count: Math.ceil(count / 8) });
  const before = { thread: process.threadCpuUsage(), process: process.cpuUsage() };
  const { latencies, elapsed } = await recordAll(log, events, { callers, count });
  const thread = process.threadCpuUsage(before.thread);
  const whole = process.cpuUsage(before.process);
  return {
    ...summarize(latencies, elapsed),
    caller_cpu_us: (thread.user + thread.system) / count,
    process_cpu_us: (whole.user + whole.system) / count,
  };
}

async function recordAll(
  log: Log,
  events: ReturnType<typeof makeEvents>,
  { callers, count }: Load,
): Promise<{ latencies: Float64Array; elapsed: number }> {
  const latencies = new Float64Array(count);
  let next = 0;
  const call = async () => {
    while (next < count) {
      const at = next++;
      const asked = performance.now();
      await log.record(events[at % events.length]!);
      latencies[at] = performance.now() - asked;
    }
  };
  const begin = performance.now();
  await Promise.all(Array.from({ length: callers }, call));
  return { latencies, elapsed: performance.now() - begin };
}
