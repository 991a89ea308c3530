/** One of the processes of `scenarios/processes.ts`: opens the log that it is told, records while the time lasts, reports. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Log, openLog } from 'indelible';
import { makeEvents } from './events.ts';
import type { WriterReport, WriterSpan, WriterTask } from './scenarios/processes.ts';

/** Recorded before the common start, so that no process is measured before its code is compiled. */
const WARMUP_EVENTS = 3_000;

const events = makeEvents(0, 5_000);

const [task] = (await once(process, 'message')) as [WriterTask];
const log = await openLog(task.log);
await Promise.all(events.slice(0, WARMUP_EVENTS).map((event) => log.record(event)));
process.send!('ready');

const [span] = (await once(process, 'message')) as [WriterSpan];
const report: WriterReport = { latencies: await record(log, task.callers, span) };
await log.close();
process.send!(report, () => process.disconnect());

async function record(log: Log, callers: number, { beginMs, endMs }: WriterSpan): Promise<Float64Array> {
  await sleep(Math.max(0, beginMs - Date.now()));
  const latencies: number[] = [];
  const call = async (_: unknown, first: number) => {
    for (let at = first; Date.now() < endMs; at += callers) {
      const asked = performance.now();
      await log.record(events[at % events.length]!);
      latencies.push(performance.now() - asked);
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  return Float64Array.from(latencies);
}
