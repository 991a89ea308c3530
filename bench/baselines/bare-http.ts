import { makeEvents } from '../events.ts';
import { Helper, load, requestText, type Serving } from '../http/served.ts';
import type { Figures, Task } from '../scenario.ts';
import { summarize } from '../statistics.ts';

/**
 * Bare `node:http` under the load of the single events: it takes the body, looks at nothing, stores nothing, answers. What it
 * reaches is what this machine, this runtime and this sender leave to any server.
 */
export async function run({ quick }: Task): Promise<Figures> {
  const count = quick ? 640 : 100_000;
  const events = makeEvents(0, Math.min(count, 10_000)).map((event) => JSON.stringify(event));
  await using server = new Helper('bare-server.ts');
  const { port, key } = await server.ask<Serving>('listen');
  const requests = events.map((body) => requestText('POST', '/v1/logs/main/events', { key, body }));
  const { latencies, elapsed } = await load({ port, connections: 64, count, requests, status: 201 });
  return summarize(latencies, elapsed);
}
