/** Runs writers on PostgreSQL in processes of their own, all at the same time. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { PgWriterSpan, PgWriterTask } from './pg-writer.ts';

/** What all writers together have done. */
export interface Together {
  readonly rate: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Logs that were open, in all processes. */
  readonly logs: number;
}

/** Starts the writers, lets them record for `seconds`, and adds up. */
export async function runWriters(tasks: readonly PgWriterTask[], seconds: number): Promise<Together> {
  const module = fileURLToPath(new URL('./pg-writer.ts', import.meta.url));
  const children = tasks.map((task) => {
    const child = fork(module, { serialization: 'advanced' });
    child.send(task);
    return child;
  });
  await Promise.all(children.map((child) => once(child, 'message')));
  const beginMs = Date.now() + 100;
  const span: PgWriterSpan = { beginMs, endMs: beginMs + seconds * 1000 };
  const reports = await Promise.all(
    children.map(async (child) => {
      child.send(span);
      const [report] = (await once(child, 'message')) as [{ latencies: Float64Array; logs: number }];
      await once(child, 'exit');
      return report;
    }),
  );
  const latencies = Float64Array.from(reports.flatMap(({ latencies: own }) => [...own])).sort();
  const at = (share: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  return {
    rate: latencies.length / seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    logs: reports.reduce((total, { logs }) => total + logs, 0),
  };
}
