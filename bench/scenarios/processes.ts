import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createLog } from 'indelible';
import type { Figures, Task } from '../scenario.ts';
import { percentile } from '../statistics.ts';

const PROCESSES = 4;

/** What the parent first tells a writer, who opens the log and answers that it is ready. */
export interface WriterTask {
  readonly log: string;
  readonly callers: number;
}

/** The time of day at which the writing starts and ends, the same for all. */
export interface WriterSpan {
  readonly beginMs: number;
  readonly endMs: number;
}

/** What a writer answers. */
export interface WriterReport {
  readonly latencies: Float64Array;
}

/**
 * Four processes record on one log for the same seconds: how much each got, and how long their callers waited. First one
 * caller in each, which is the harshest on fairness (every event is a fight for the lock), then 16 in each.
 */
export async function run({ dir, quick }: Task): Promise<Figures> {
  const seconds = quick ? 0.4 : 6;
  const single = await write(join(dir, 'single'), { callers: 1, seconds });
  const many = await write(join(dir, 'many'), { callers: 16, seconds });
  return {
    rate_1: single.rate,
    slowest_share_1: single.slowest,
    p99_ms_1: single.p99,
    max_ms_1: single.max,
    rate_16: many.rate,
    slowest_share_16: many.slowest,
    p99_ms_16: many.p99,
    max_ms_16: many.max,
  };
}

interface Shared {
  readonly rate: number;
  readonly slowest: number;
  readonly p99: number;
  readonly max: number;
}

async function write(
  log: string,
  { callers, seconds }: { callers: number; seconds: number },
): Promise<Shared> {
  await (await createLog(log, { origin: 'bench.example/processes' })).close();
  const writers = Array.from({ length: PROCESSES }, () =>
    fork(new URL('../writer.ts', import.meta.url), { serialization: 'advanced' }),
  );
  await Promise.all(writers.map((writer) => ask(writer, { log, callers } satisfies WriterTask)));
  const beginMs = Date.now() + 300;
  const span: WriterSpan = { beginMs, endMs: beginMs + seconds * 1000 };
  const reports = (await Promise.all(writers.map((writer) => ask(writer, span)))) as WriterReport[];
  const counts = reports.map(({ latencies }) => latencies.length);
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) throw new Error('no process recorded anything');
  const all = Float64Array.from(reports.flatMap(({ latencies }) => [...latencies]));
  return {
    rate: total / seconds,
    slowest: Math.min(...counts) / total,
    p99: percentile(all, 0.99),
    max: percentile(all, 1),
  };
}

/** Sends a message and resolves to the answer; rejects where the writer ends instead. */
async function ask(writer: ChildProcess, message: WriterTask | WriterSpan): Promise<unknown> {
  const ended = new AbortController();
  const exit = once(writer, 'exit', { signal: ended.signal }).then(([code]) => {
    throw new Error(`a writer ended with ${code} before it answered`);
  });
  exit.catch(() => {});
  writer.send(message);
  const [answer] = (await Promise.race([once(writer, 'message'), exit])) as [unknown];
  ended.abort();
  return answer;
}
