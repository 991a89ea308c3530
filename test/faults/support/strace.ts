import { readFileSync } from 'node:fs';

/** One call of the commit path that can be made to fail: the so-manieth of its name in the main thread. */
export interface CallSite {
  readonly call: string;
  readonly ordinal: number;
  /** The call as it was traced, shortened. */
  readonly text: string;
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
    if (rest.includes(folder))
      sites.push({ call, ordinal, text: `${call}(${rest.replaceAll(folder, '…')}`.slice(0, 120) });
  }
  return sites;
}

/** Whether a trace shows that the call was made to fail. */
export function wasInjected(output: string): boolean {
  const text = readFileSync(output, 'utf8');
  return text.includes('(INJECTED)') || text.includes('killed by SIGKILL');
}

/** At most `count` of these, spread evenly over all of them. */
export function spread<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, n) => items[Math.floor((n * items.length) / count)]!);
}
