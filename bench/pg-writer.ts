/** One of the processes of the scenarios on PostgreSQL: opens its logs, records while the time lasts, reports. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { openPostgresLog, type PostgresLog } from 'indelible/postgres';
import pg from 'pg';
import { makeEvents } from './events.ts';

/** What a process is told. */
export interface PgWriterTask {
  readonly url: string;
  readonly logs: readonly { readonly origin: string; readonly key: string }[];
  readonly callers: number;
  readonly name: string;
  /** Which log a caller takes for its next event: each its own, or by Zipf's law. */
  readonly choice: 'own' | 'zipf';
}

/** When to begin and end, by the wall clock. */
export interface PgWriterSpan {
  readonly beginMs: number;
  readonly endMs: number;
}

const events = makeEvents(0, 5_000);
const [task] = (await once(process, 'message')) as [PgWriterTask];
const pool = new pg.Pool({ connectionString: task.url, max: 20 });
const opened = new Map<number, Promise<PostgresLog>>();

/** Opened when it is first written to, as a server of many tenants would. */
function logAt(at: number): Promise<PostgresLog> {
  let log = opened.get(at);
  if (log === undefined) {
    const { origin, key } = task.logs[at]!;
    // With many logs no mark is kept for each: it is a synced file a second.
    const place =
      task.logs.length === 1
        ? { key, mark: `${key}.${task.name}.mark` }
        : { key: () => readFileSync(key, 'utf8') };
    log = openPostgresLog(pool, { origin, ...place, heartbeatMs: 0, sequence: false, warn: () => {} });
    opened.set(at, log);
  }
  return log;
}

/** The harmonic weights of as many logs as there are, summed up. */
const weights = task.logs.map((_, at) => 1 / (at + 1));
let sum = 0;
const cumulated = weights.map((weight) => (sum += weight));

function choose(caller: number): number {
  if (task.choice === 'own') return caller % task.logs.length;
  const drawn = Math.random() * sum;
  return cumulated.findIndex((upTo) => upTo >= drawn);
}

if (task.choice === 'own') for (let at = 0; at < task.logs.length; at++) await logAt(at);
await Promise.all(events.slice(0, 1_000).map(async (event, n) => (await logAt(choose(n))).record(event)));
process.send!('ready');
const [span] = (await once(process, 'message')) as [PgWriterSpan];
await sleep(Math.max(0, span.beginMs - Date.now()));
const latencies: number[] = [];
const call = async (_: unknown, first: number): Promise<void> => {
  for (let at = first; Date.now() < span.endMs; at += task.callers) {
    const asked = performance.now();
    const log = await logAt(choose(first));
    await log.record(events[at % events.length]!);
    latencies.push(performance.now() - asked);
  }
};
await Promise.all(Array.from({ length: task.callers }, call));
await Promise.all([...opened.values()].map(async (log) => (await log).close()));
await pool.end();
process.send!({ latencies: Float64Array.from(latencies), logs: opened.size }, () => process.disconnect());
