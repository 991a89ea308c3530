import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** One line of the table that explains a missed figure. */
export interface Cost {
  /** `main` or `worker`: the thread. */
  readonly thread: string;
  /** Function and file, or V8's own name in parentheses. */
  readonly where: string;
  /** Share of the thread's busy time that was spent in this very function, 0 to 1. */
  readonly share: number;
}

interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  samples: number[];
  timeDeltas: number[];
}

/**
 * The functions with the most self time of each thread that did much, out of the `.cpuprofile` files that V8 left in `dir`; where
 * several processes ran, threads of one number are added up. Time in which a thread slept does not count; native work (SQLite,
 * hashing) counts for the built-in function that was called.
 */
export function topCosts(dir: string, { each = 8 }: { each?: number } = {}): Cost[] {
  const threads = new Map<string, Map<string, number>>();
  for (const name of readdirSync(dir).filter((file) => file.endsWith('.cpuprofile'))) {
    const thread = threadOf(name);
    const times = threads.get(thread) ?? new Map<string, number>();
    threads.set(thread, addSelfTimes(times, join(dir, name)));
  }
  const busy = (times: ReadonlyMap<string, number>) =>
    [...times.values()].reduce((sum, time) => sum + time, 0);
  const busiest = Math.max(0, ...[...threads.values()].map(busy));
  return [...threads]
    .filter(([, times]) => busy(times) > busiest / 8)
    .sort(([a], [b]) => a.localeCompare(b))
    .flatMap(([thread, times]) =>
      [...times]
        .sort((a, b) => b[1] - a[1])
        .slice(0, each)
        .map(([where, time]) => ({ thread, where, share: time / busy(times) })),
    );
}

/** `CPU.<date>.<time>.<pid>.<thread>.<n>.cpuprofile`; thread 0 is the main one. */
function threadOf(name: string): string {
  const thread = basename(name).split('.')[4];
  return thread === '0' ? 'main' : `worker ${thread}`;
}

/** Adds one profile's microseconds by function to `times`. */
function addSelfTimes(times: Map<string, number>, path: string): Map<string, number> {
  const profile = JSON.parse(readFileSync(path, 'utf8')) as CpuProfile;
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  profile.samples.forEach((id, at) => {
    const name = names.get(id)!;
    if (name !== '(idle)') times.set(name, (times.get(name) ?? 0) + (profile.timeDeltas[at] ?? 0));
  });
  return times;
}

function nameOf({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  if (functionName.startsWith('(')) return functionName;
  const name = functionName === '' ? 'anonymous' : functionName;
  if (url === '') return `${name} (native)`;
  const file = /(?:dist|bench|node_modules)\/.*$/.exec(url)?.[0] ?? url;
  return `${name} ${file}:${lineNumber + 1}`;
}
