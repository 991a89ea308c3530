import { runWriters } from '../pg-processes.ts';
import { makeLog, startBench } from '../postgres.ts';
import type { Figures, Task } from '../scenario.ts';

/** One log in PostgreSQL, two processes: 64 callers in all, then 1,024. */
export async function run({ dir, quick }: Task): Promise<Figures> {
  const bench = await startBench(dir);
  const origin = 'bench.example/callers';
  const key = await makeLog(bench, origin);
  const seconds = quick ? 1 : 8;
  const both = (callers: number) =>
    [0, 1].map((n) => ({
      url: bench.url,
      logs: [{ origin, key }],
      callers: callers / 2,
      name: `${callers}-${n}`,
      choice: 'own' as const,
    }));
  const few = await runWriters(both(64), seconds);
  const many = await runWriters(both(1024), seconds);
  await bench.end();
  return {
    rate_64: few.rate,
    p50_64_ms: few.p50Ms,
    p99_64_ms: few.p99Ms,
    rate_1024: many.rate,
    p99_1024_ms: many.p99Ms,
  };
}
