import { openLog } from 'indelible';
import { known } from '../events.ts';
import { Helper, load, requestText, type Serving, type Usage } from '../http/served.ts';
import { largeData } from '../large-data.ts';
import type { Figures, Task } from '../scenario.ts';
import { percentile } from '../statistics.ts';

const CONNECTIONS = 4;

/**
 * Pages of 50 and proofs out of the large log, of which a copy is put under a server's roof as the log `large`. Four connections,
 * each with one question under way; the filters differ from page to page, the proofs are of entries all over the log.
 */
export async function run({ dir, log, size, quick }: Task): Promise<Figures> {
  const data = largeData(dir, log);
  const ids = await someIds(log, size);

  await using server = new Helper('server.ts');
  const { port, key } = await server.ask<Serving>({ data });
  const count = quick ? 40 : 4_000;
  const ask = async (paths: readonly string[]) => {
    const requests = paths.map((path) => requestText('GET', `/v1/logs/large/events${path}`, { key }));
    return await load({ port, connections: CONNECTIONS, count, requests, status: 200 });
  };
  const pages = await ask(Array.from({ length: 200 }, (_, at) => `?limit=50&q=${question(at)}`));
  const newest = await ask(['?limit=50']);
  const proofs = await ask(ids.map((id) => `/${id}/proof`));
  const { rssMb } = await server.ask<Usage>('usage');
  return {
    page_p50_ms: percentile(pages.latencies, 0.5),
    page_p99_ms: percentile(pages.latencies, 0.99),
    newest_p50_ms: percentile(newest.latencies, 0.5),
    newest_p99_ms: percentile(newest.latencies, 0.99),
    proof_p50_ms: percentile(proofs.latencies, 0.5),
    proof_p99_ms: percentile(proofs.latencies, 0.99),
    peak_rss_mb: rssMb,
  };
}

/** Busy actors and frequent actions, outcomes, targets: what a person clicks on. */
function question(at: number): string {
  const kinds = [
    '',
    `actor:${known.actor((at * 37) % 5000)}`,
    `action:${known.action(at % 50)}`,
    `target:${known.target((at * 397) % 40_000)}`,
    `outcome:${['denied', 'failure', 'success'][at % 3]}`,
  ];
  return encodeURIComponent(kinds[at % kinds.length]!);
}

async function someIds(dir: string, size: number): Promise<string[]> {
  await using log = await openLog(dir, { readOnly: true });
  const ids: string[] = [];
  for (let at = 0; at < 200; at += 1) {
    const index = Math.floor(((at * 0.618033988749895) % 1) * size);
    for await (const { entry } of log.entries({ from: index, to: index + 1 })) {
      ids.push((JSON.parse(Buffer.from(entry).toString()) as { id: string }).id);
    }
  }
  return ids;
}
