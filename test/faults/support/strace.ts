import { readFileSync } from 'node:fs';

/** One call of the commit path that can be made to fail: the so-manieth of its name in the main thread. */
export interface CallSite {
  readonly call: string;
  readonly ordinal: number;
  /** What it was made on, within the folder that was watched; random parts of names are left out. */
  readonly file: string;
}

/** The command that traces `calls` of a program, with the paths behind file descriptors, into `output`. */
export function tracing(calls: readonly string[], output: string, command: readonly string[]): string[] {
  return ['strace', '-f', '-y', '-qq', '-s', '0', '-o', output, '-e', `trace=${calls.join(',')}`, ...command];
}

/** The command that makes one call of a program fail, or kills the program as it makes it. */
export function injecting(
  site: CallSite,
  effect: string,
  output: string,
  command: readonly string[],
): string[] {
  const { call, ordinal } = site;
  const inject = `inject=${call}:${effect}:when=${ordinal}`;
  return ['strace', '-f', '-qq', '-s', '0', '-o', output, '-e', `trace=${call}`, '-e', inject, ...command];
}

/** The calls in a trace that the main thread made on something within `folder`. */
export function callSites(output: string, folder: string): CallSite[] {
  const lines = readFileSync(output, 'utf8').split('\n');
  const main = lines[0]?.split(/\s/, 1)[0];
  const counts = new Map<string, number>();
  const sites: CallSite[] = [];
  for (const line of lines) {
    const [, thread, call, rest = ''] = /^(\d+) +(\w+)\((.*)/.exec(line) ?? [];
    if (call === undefined || thread !== main) continue;
    const ordinal = (counts.get(call) ?? 0) + 1;
    counts.set(call, ordinal);
    const file = pathWithin(rest, folder);
    if (file !== undefined) sites.push({ call, ordinal, file });
  }
  return sites;
}

/** The first path in the arguments of a call that lies in `folder`: a text, or behind a file descriptor. */
function pathWithin(args: string, folder: string): string | undefined {
  const at = args.indexOf(folder);
  if (at < 0) return undefined;
  const path = /^[^">]*/.exec(args.slice(at + folder.length))?.[0] ?? '';
  return path.replaceAll(/\.[0-9a-f]{12}\./g, '.*.');
}

/** Whether a trace shows that the call was made to fail. */
export function wasInjected(output: string): boolean {
  const text = readFileSync(output, 'utf8');
  return text.includes('(INJECTED)') || text.includes('killed by SIGKILL');
}

/** At most `count` calls of each name on each file, spread evenly. */
export function sample(sites: readonly CallSite[], count: number): CallSite[] {
  const groups = Map.groupBy(sites, ({ call, file }) => `${call} ${file}`);
  return [...groups.values()].flatMap((group) => {
    if (group.length <= count) return group;
    return Array.from({ length: count }, (_, n) => group[Math.floor((n * group.length) / count)]!);
  });
}
