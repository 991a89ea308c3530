import { join } from 'node:path';
import { Helper, load, requestText, type Serving, type Usage } from '../http/served.ts';
import type { Figures, Task } from '../scenario.ts';
import { summarize } from '../statistics.ts';

/**
 * What the middleware costs an Express application: the same route bare, with the context set, and with every call recorded. The
 * bare application of the same run is the baseline, since Express itself takes most of the time.
 */
export async function run({ dir, quick }: Task): Promise<Figures> {
  const count = quick ? 640 : 40_000;
  const bare = await measure('listen', count);
  const context = await measure({ data: join(dir, 'context') }, count);
  const calls = await measure({ data: join(dir, 'calls') }, count);
  return {
    bare_rate: bare.rate,
    bare_cpu_us: bare.cpuUs,
    context_rate: context.rate,
    context_cpu_us: context.cpuUs,
    calls_rate: calls.rate,
    calls_cpu_us: calls.cpuUs,
    calls_p99_ms: calls.p99Ms,
  };
}

async function measure(
  start: 'listen' | { readonly data: string },
  count: number,
): Promise<{ rate: number; p99Ms: number; cpuUs: number }> {
  await using server = new Helper('capture-server.ts');
  const { port } = await server.ask<Serving>(start);
  const before = await server.ask<Usage>('usage');
  const requests = [requestText('POST', '/invoices/in_7', { key: 'none', body: '' })];
  const { latencies, elapsed } = await load({ port, connections: 64, count, requests, status: 201 });
  const after = await server.ask<Usage>('usage');
  const { rate, p99_ms } = summarize(latencies, elapsed);
  // An eighth more goes before, untimed.
  const cpuUs = ((after.cpuMs - before.cpuMs) * 1000) / (count + Math.ceil(count / 8));
  return { rate: rate!, p99Ms: p99_ms!, cpuUs };
}
