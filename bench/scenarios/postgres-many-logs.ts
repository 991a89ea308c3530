import { runWriters } from '../pg-processes.ts';
import { makeLog, startBench } from '../postgres.ts';
import type { Figures, Task } from '../scenario.ts';

/**
 * Many logs in one database, two processes. A hundred that are all written at once with 64 callers each, beside one log with 64; the same
 * with no more than 1,024 callers in all; and ten thousand with traffic after Zipf's law, over three processes.
 */
export async function run({ dir, quick }: Task): Promise<Figures> {
  const bench = await startBench(dir);
  const seconds = quick ? 1 : 6;
  const make = async (prefix: string, count: number) => {
    const logs = [];
    for (let n = 0; n < count; n++) {
      const origin = `bench.example/${prefix}-${n}`;
      logs.push({ origin, key: await makeLog(bench, origin) });
    }
    return logs;
  };
  const task = (
    logs: { origin: string; key: string }[],
    n: number,
    callers: number,
    choice: 'own' | 'zipf',
  ) => ({
    url: bench.url,
    logs,
    callers,
    name: `${choice}-${logs.length}-${n}`,
    choice,
  });
  const one = await make('one', 1);
  const hundred = await make('hundred', quick ? 10 : 100);
  const single = await runWriters(
    [0, 1].map((n) => task(one, n, 32, 'own')),
    seconds,
  );
  const spread = await runWriters(
    [0, 1].map((n) => task(hundred, n, 3_200, 'own')),
    seconds,
  );
  const shared = await runWriters(
    [0, 1].map((n) => task(hundred, n, 512, 'own')),
    seconds,
  );
  const many = await make('many', quick ? 50 : 10_000);
  const zipf = await runWriters(
    [0, 1, 2].map((n) => task(many, n, 100, 'zipf')),
    seconds * 2,
  );
  await bench.end();
  return {
    one_rate: single.rate,
    hundred_rate: spread.rate,
    ratio: spread.rate / single.rate,
    hundred_1024_rate: shared.rate,
    zipf_rate: zipf.rate,
    zipf_p50_ms: zipf.p50Ms,
    zipf_p99_ms: zipf.p99Ms,
    zipf_open_logs: zipf.logs,
  };
}
