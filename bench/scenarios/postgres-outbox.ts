import { setTimeout as sleep } from 'node:timers/promises';
import { Outbox, openPostgresLog } from 'indelible/postgres';
import type { PoolClient } from 'pg';
import { makeEvents } from '../events.ts';
import { inLanes } from '../lanes.ts';
import { type Bench, makeLog, startBench } from '../postgres.ts';
import type { Figures, Task } from '../scenario.ts';
import { median, percentile } from '../statistics.ts';

/** Turns of either kind, taken one after the other, so that both see the same server. */
const TURNS = 5;

/**
 * Transactions a second that update a row and record an event, beside the same with an insert into a plain audit table; how fast a full
 * outbox is drained; and how long after its commit an event is in the log, while nothing else happens.
 */
export async function run({ dir, quick }: Task): Promise<Figures> {
  const bench = await startBench(dir, 32);
  const origin = 'bench.example/outbox';
  const key = await makeLog(bench, origin);
  await bench.pool.query(`CREATE TABLE accounts (id integer PRIMARY KEY, balance bigint NOT NULL DEFAULT 0) WITH (fillfactor = 50);
    INSERT INTO accounts SELECT n FROM generate_series(0, 9999) n;
    CREATE TABLE audit_table (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), ts timestamptz NOT NULL DEFAULT now(), actor text NOT NULL,
      action text NOT NULL, target text, payload jsonb NOT NULL);
    CREATE INDEX ON audit_table (ts); CREATE INDEX ON audit_table (actor, ts); CREATE INDEX ON audit_table (action, ts)`);
  const events = makeEvents(0, 5_000);
  const outbox = new Outbox({ origin, service: 'bench' });
  const transaction = (record: (client: PoolClient, n: number) => Promise<unknown>) => async (n: number) => {
    const client = await bench.pool.connect();
    await client.query('BEGIN');
    await client.query('UPDATE accounts SET balance = balance + 1 WHERE id = $1', [(n * 7919) % 10_000]);
    await record(client, n);
    await client.query('COMMIT');
    client.release();
  };
  const plain = transaction((client, n) => {
    const { actor, action, targets, ...rest } = events[n % events.length]!;
    return client.query('INSERT INTO audit_table (actor, action, target, payload) VALUES ($1, $2, $3, $4)', [
      actor.id,
      action,
      targets[0]?.id ?? null,
      JSON.stringify(rest),
    ]);
  });
  const recorded = transaction((client, n) => outbox.recordIn(client, events[n % events.length]!));
  const rates: { plain: number[]; recorded: number[] } = { plain: [], recorded: [] };
  for (let turn = 0; turn < TURNS; turn++) {
    rates.plain.push(await inLanes(32, quick ? 200 : 1_500, plain));
    rates.recorded.push(await inLanes(32, quick ? 200 : 1_500, recorded));
  }

  const mark = `${key}.mark`;
  const audit = await openPostgresLog(bench.pool, {
    origin,
    key,
    mark,
    heartbeatMs: 0,
    sequence: false,
    warn: () => {},
  });
  const begin = performance.now();
  const drained = await audit.drainOutbox();
  const drainRate = (drained * 1000) / (performance.now() - begin);
  await audit.close();

  const lags = await commitToEntry(bench, { origin, key, mark }, quick ? 10 : 200);
  await bench.end();
  return {
    rate: median(rates.recorded),
    plain_rate: median(rates.plain),
    ratio: median(rates.recorded.map((rate, turn) => rate / rates.plain[turn]!)),
    drain_rate: drainRate,
    lag_p50_ms: percentile(lags, 0.5),
    lag_p99_ms: percentile(lags, 0.99),
  };
}

/** Milliseconds from the commit of a transaction until its event is in the log, while nothing else happens. */
async function commitToEntry(
  { pool }: Bench,
  log: { origin: string; key: string; mark: string },
  times: number,
): Promise<number[]> {
  const events = makeEvents(0, times);
  const live = await openPostgresLog(pool, { ...log, heartbeatMs: 0, warn: () => {} });
  const lags: number[] = [];
  for (let n = 0; n < times; n++) {
    const client = await pool.connect();
    await client.query('BEGIN');
    const id = await live.recordIn(client, { ...events[n]!, id: `lag-${n}` });
    await client.query('COMMIT');
    client.release();
    const committed = performance.now();
    while ((await pool.query('SELECT FROM indelible.ids WHERE id = $1', [id])).rows.length === 0)
      await sleep(1);
    lags.push(performance.now() - committed);
    await sleep(40 + Math.random() * 40);
  }
  await live.close();
  return lags;
}
