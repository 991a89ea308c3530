/** One of the processes of `scenarios/processes.ts`: opens the log that it is told, records while the time lasts, reports. */
import { setTimeout as sleep } from 'node:timers/promises';
import { openLog } from 'indelible';
import { makeEvents } from './events.ts';
import type { WriterOrder, WriterReport } from './scenarios/processes.ts';

const events = makeEvents(0, 5_000);

process.once('message', async ({ log: dir, callers, beginMs, endMs }: WriterOrder) => {
  const log = await openLog(dir);
  // Until the common start each writer records a little, so that none is measured before it is compiled.
  while (Date.now() < beginMs - 500) await log.record(events[0]!);
  await sleep(beginMs - Date.now());
  const latencies: number[] = [];
  const call = async (_: unknown, first: number) => {
    for (let at = first; Date.now() < endMs; at += callers) {
      const asked = performance.now();
      await log.record(events[at % events.length]!);
      latencies.push(performance.now() - asked);
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  await log.close();
  const report: WriterReport = { latencies: Float64Array.from(latencies) };
  process.send!(report, () => process.disconnect());
});

process.send!('ready');
