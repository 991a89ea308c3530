import { parseArgs } from 'node:util';

/** What the command line of `npm run bench` says, checked. */
export interface Options {
  /** Entries of the log on which the large rows are measured. */
  readonly size: number;
  /** Small counts and one round: shows that the harness works, measures nothing worth quoting. */
  readonly quick: boolean;
  /** Names of the scenarios to run; empty means all. */
  readonly only: readonly string[];
  /** Folder in which the benchmark makes its own temporary folder; by default beside the project. */
  readonly dir: string | undefined;
  /** Keep the large log for the next run, and take one that is already there. */
  readonly keep: boolean;
  /** Rounds of each scenario, of which the median counts. */
  readonly rounds: number;
  /** Profile every scenario once, not only those that missed their figure. */
  readonly profile: boolean;
  /** Where the page is written; `undefined` means that this run writes none. */
  readonly out: string | undefined;
}

/** Entries of the large log unless `--size` says otherwise. */
export const SIZE_DEFAULT = 1_000_000;

/** The largest log the benchmark was made for; about 20 GB on disk. */
export const SIZE_MAX = 10_000_000;

/** Rounds of each scenario unless `--rounds` says otherwise. */
export const ROUNDS_DEFAULT = 3;

/** What `--help` prints. */
export const usage = `npm run bench -- [options]

  --only NAME[,NAME]  run these scenarios (and the baselines they are compared with); writes no page
  --size N            entries of the log for the large rows (default ${SIZE_DEFAULT}, to ${SIZE_MAX})
  --quick             small counts, one round, no page: a smoke test of the harness
  --rounds N          rounds of each scenario, the median counts (default ${ROUNDS_DEFAULT})
  --dir PATH          put the temporary folder here (default: beside the project)
  --keep              keep the large log for the next run, and reuse one that is there
  --profile           profile every scenario once, not only those that miss their figure
  --out PATH          write the page here (default docs/benchmarks.md, for a full run only)
  --list              print the names of the scenarios
`;

/** Parses the arguments after the script's name; throws with a sentence on anything unknown. */
export function parseOptions(
  args: readonly string[],
  page: string,
): Options & { list: boolean; help: boolean } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', multiple: true },
      size: { type: 'string' },
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      dir: { type: 'string' },
      keep: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      out: { type: 'string' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const only = (values.only ?? []).flatMap((names) => names.split(','));
  const complete = only.length === 0 && !values.quick;
  return {
    size: parseCount('--size', values.size, values.quick ? 2_000 : SIZE_DEFAULT, SIZE_MAX),
    quick: values.quick,
    only,
    dir: values.dir,
    keep: values.keep,
    rounds: parseCount('--rounds', values.rounds, values.quick ? 1 : ROUNDS_DEFAULT, 99),
    profile: values.profile,
    out: values.out ?? (complete ? page : undefined),
    list: values.list,
    help: values.help,
  };
}

function parseCount(name: string, text: string | undefined, otherwise: number, max: number): number {
  if (text === undefined) return otherwise;
  const count = Number(text.replaceAll('_', ''));
  if (!Number.isSafeInteger(count) || count < 1 || count > max) {
    throw new RangeError(`${name} takes a whole number from 1 to ${max}, not "${text}"`);
  }
  return count;
}
