import { type Log, openLog } from 'indelible';
import { known } from '../events.ts';
import type { Figures, Task } from '../scenario.ts';
import { percentile } from '../statistics.ts';

const LIMIT = 50;
const DAY_MS = 86_400_000;

/** A kind of query, and its `at`th example: busy actors and idle ones, frequent actions and rare ones. */
const filtered: Readonly<Record<string, (at: number) => string>> = {
  actor: (at) => `actor:${known.actor((at * 37) % 5000)}`,
  nobody: (at) => `actor:user/u_none_${at}`,
  action: (at) => `action:${known.action(at % 50)}`,
  prefix: (at) => `action:${['user', 'role', 'invoice', 'api_key'][at % 4]}.*`,
  target: (at) => `target:${known.target((at * 397) % 40_000)}`,
  outcome: (at) => `outcome:${['denied', 'failure', 'success'][at % 3]}`,
  actor_action: (at) => `actor:${known.actor((at * 37) % 5000)} action:${known.action((at * 7) % 50)}`,
  rare_pair: (at) => `action:${known.action(49 - (at % 5))} target:${known.target((at * 11) % 300)}`,
  negated: (at) => `action:${known.action((at * 7) % 50)} -outcome:success`,
  window: (at) => `action:${known.action((at * 7) % 50)} after:${day(at)} before:${day(at, 3)}`,
};

const text: Readonly<Record<string, (at: number) => string>> = {
  word: (at) => known.word(at * 13),
  two_words: (at) => `${known.word(at * 13)} ${known.word(at * 29)}`,
  word_actor: (at) => `${known.word(at * 13)} actor:${known.actor((at * 37) % 5000)}`,
};

/** The newest 50 of many different queries, one at a time, as a screen would ask. */
export async function run({ log: dir, quick }: Task): Promise<Figures> {
  await using log = await openLog(dir);
  const count = quick ? 5 : 300;
  const figures: Figures = {};
  const measure = async (kinds: typeof filtered) => {
    const all: number[] = [];
    for (const [kind, example] of Object.entries(kinds)) {
      const latencies = await ask(log, example, count);
      figures[`${kind}_p50_ms`] = percentile(latencies, 0.5);
      figures[`${kind}_p99_ms`] = percentile(latencies, 0.99);
      all.push(...latencies);
    }
    return all;
  };
  await measure(filtered);
  const plain = await measure(filtered);
  const words = await measure(text);
  figures['p50_ms'] = percentile(plain, 0.5);
  figures['p99_ms'] = percentile(plain, 0.99);
  figures['text_p50_ms'] = percentile(words, 0.5);
  figures['text_p99_ms'] = percentile(words, 0.99);
  return figures;
}

async function ask(log: Log, example: (at: number) => string, count: number): Promise<number[]> {
  const latencies: number[] = [];
  for (let at = 0; at < count; at += 1) {
    const asked = performance.now();
    await log.query(example(at), { limit: LIMIT }).page();
    latencies.push(performance.now() - asked);
  }
  return latencies;
}

function day(at: number, length = 0): string {
  return new Date(Date.now() - (80 - (at % 70) - length) * DAY_MS).toISOString().slice(0, 10);
}
