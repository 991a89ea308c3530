import { Argument, InvalidArgumentError, Option } from 'commander';
import { parseDecimal } from '../bytes/index.ts';

/** Where the log lives: `--log DIR`. */
export function logOption(): Option {
  return new Option('--log <dir>', 'folder of the log').argParser(parseFolder).makeOptionMandatory();
}

/** The folder of a log as a word of its own: `<dir>`, or `[dir]` where it may be left out. */
export function folderArgument(name: '<dir>' | '[dir]', what: string): Argument {
  return new Argument(name, what).argParser(parseFolder);
}

/** The id of an event. */
export function idArgument(): Argument {
  return new Argument('<id>', 'id of the event').argParser((text: string) => {
    if (text === '') throw new InvalidArgumentError('An id is never empty.');
    return text;
  });
}

/** An empty name would mean the folder where one stands, which is what an unset variable leaves and nobody intends. */
function parseFolder(text: string): string {
  if (text === '') throw new InvalidArgumentError('Name the folder; . is the one where you are.');
  return text;
}

/** `--key PATH`, for commands that sign. */
export function keyOption(): Option {
  return new Option(
    '--key <path>',
    'file of the signing key (default: log.key in the folder of the log), or env:NAME, or kms:FILE',
  );
}

/** `--mark PATH`, for commands that compare the log with its high-water mark. */
export function markOption(): Option {
  return new Option(
    '--mark <path>',
    'file of the high-water mark (default: DIR.mark beside the folder of the log)',
  );
}

/** `--json`. */
export function jsonOption(what: string): Option {
  return new Option('--json', what);
}

/** Parses a count given on the command line: a whole number from 1. */
export function parseCount(text: string): number {
  let count: number;
  try {
    count = parseDecimal(text);
  } catch {
    throw new InvalidArgumentError('It is not a whole number.');
  }
  if (count === 0) throw new InvalidArgumentError('It must be at least 1.');
  return count;
}

/** Keeps the options that were given, under other names: what was not given is absent, not undefined. */
export function given<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const kept = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(kept) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Reads a span of time, as 72h, 3d or 30m: milliseconds. */
export function parseTime(text: string): number {
  const [, digits, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (digits === undefined || unit === undefined)
    throw new InvalidArgumentError('It is not a time, as 72h, 3d or 30m.');
  return parseDecimal(digits) * unitMs[unit]!;
}

/** An option whose value is an actor, `type/id`. What is no such thing is refused where the event is checked. */
export function actorOption(flags: string, what: string): Option {
  return new Option(flags, what).argParser((text: string) => {
    const slash = text.indexOf('/');
    return { type: text.slice(0, Math.max(0, slash)), id: text.slice(slash + 1) };
  });
}
