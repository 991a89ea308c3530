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
 * The functions with the most self time of each thread that did much, out of the `.cpuprofile` files that V8 left in `dir`. Time in which a
 * thread slept does not count; native work (SQLite, hashing) counts for the built-in function that was called.
 */
export function topCosts(dir: string, { each = 8 }: { each?: number } = {}): Cost[] {
  const files = readdirSync(dir).filter((name) => name.endsWith('.cpuprofile'));
  const threads = files.map((name) => ({ thread: threadOf(name), ...selfTimes(join(dir, name)) }));
  const busiest = Math.max(0, ...threads.map(({ busy }) => busy));
  return threads
    .filter(({ busy }) => busy > busiest / 8)
    .sort((a, b) => a.thread.localeCompare(b.thread))
    .flatMap(({ thread, busy, times }) =>
      [...times]
        .sort((a, b) => b[1] - a[1])
        .slice(0, each)
        .map(([where, time]) => ({ thread, where, share: time / busy })),
    );
}

/** `CPU.<date>.<time>.<pid>.<thread>.<n>.cpuprofile`; thread 0 is the main one. */
function threadOf(name: string): string {
  const thread = basename(name).split('.')[4];
  return thread === '0' ? 'main' : `worker ${thread}`;
}

function selfTimes(path: string): { busy: number; times: Map<string, number> } {
  const profile = JSON.parse(readFileSync(path, 'utf8')) as CpuProfile;
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const times = new Map<string, number>();
  let busy = 0;
  profile.samples.forEach((id, at) => {
    const name = names.get(id)!;
    if (name === '(idle)') return;
    const time = profile.timeDeltas[at] ?? 0;
    busy += time;
    times.set(name, (times.get(name) ?? 0) + time);
  });
  return { busy, times };
}

function nameOf({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  if (functionName.startsWith('(')) return functionName;
  const name = functionName === '' ? 'anonymous' : functionName;
  if (url === '') return `${name} (native)`;
  const file = /(?:dist|bench|node_modules)\/.*$/.exec(url)?.[0] ?? url;
  return `${name} ${file}:${lineNumber + 1}`;
}
