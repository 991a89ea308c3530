import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { makeEvents } from '../events.ts';
import { Helper, load, requestText, type Serving, type Usage } from '../http/served.ts';
import type { Figures, Task } from '../scenario.ts';
import { summarize } from '../statistics.ts';

const CONNECTIONS = 64;
const BATCH = 100;
const BATCH_CONNECTIONS = 8;

/**
 * Single events over 64 connections, then batches of 100 over eight, from another process. Each request has its key checked,
 * its event validated, sealed and made durable before the answer, and the search index follows at the same time.
 */
export async function run({ dir, quick }: Task): Promise<Figures> {
  const data = join(dir, 'server');
  mkdirSync(data);
  const count = quick ? 640 : 100_000;
  const events = makeEvents(0, Math.min(count, 10_000)).map((event) => JSON.stringify(event));
  await using server = new Helper('server.ts');
  const { port, key } = await server.ask<Serving>({ data });
  const path = '/v1/logs/main/events';

  const before = await server.ask<Usage>('usage');
  const single = await load({
    port,
    connections: CONNECTIONS,
    count,
    requests: events.map((body) => requestText('POST', path, { key, body })),
    status: 201,
  });
  const after = await server.ask<Usage>('usage');

  const batches = Array.from({ length: Math.ceil(events.length / BATCH) }, (_, at) => {
    const body = `[${events.slice(at * BATCH, (at + 1) * BATCH).join(',')}]`;
    return requestText('POST', path, { key, body });
  });
  const many = await load({
    port,
    connections: BATCH_CONNECTIONS,
    count: quick ? 16 : 1_500,
    requests: batches,
    status: 200,
  });
  const { rate, p50_ms, p99_ms, max_ms } = summarize(single.latencies, single.elapsed);
  const batch = summarize(many.latencies, many.elapsed);
  const { rssMb } = await server.ask<Usage>('usage');
  return {
    rate: rate!,
    p50_ms: p50_ms!,
    p99_ms: p99_ms!,
    max_ms: max_ms!,
    server_cpu_us: ((after.cpuMs - before.cpuMs) * 1000) / (count + Math.ceil(count / 8)),
    sender_cpu_us: single.cpuUs,
    batch_rate: batch['rate']! * BATCH,
    batch_p99_ms: batch['p99_ms']!,
    peak_rss_mb: rssMb,
  };
}
