/**
 * `npm run bench`: runs every scenario in processes of its own, compares the medians with the baselines of the same run and
 * with what the project set itself to reach, prints the table and writes `docs/benchmarks.md`. See `--help`.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureLargeLog } from './large-log.ts';
import { describeMachine, fileSystemOf, isMemoryDisk } from './machine.ts';
import { type Options, parseOptions, ROUNDS_DEFAULT, SIZE_DEFAULT, usage } from './options.ts';
import { formatPage, formatTable, type Judged, type Outcome } from './page.ts';
import type { Cost } from './profile.ts';
import { explain, runRounds } from './rounds.ts';
import { type Check, rows } from './rows/index.ts';
import { type Listing, scenarios } from './scenario.ts';

const project = fileURLToPath(new URL('..', import.meta.url));
const page = join(project, 'docs', 'benchmarks.md');

const options = parseOptions(process.argv.slice(2), page);
if (options.help) console.log(usage);
else if (options.list) for (const { name, about } of scenarios) console.log(`${name.padEnd(14)} ${about}`);
else await benchmark(options);

async function benchmark(options: Options): Promise<void> {
  const chosen = choose(options.only);
  const dir = makeFolder(options);
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  const machine = describeMachine(dir, project);
  for (const [name, value] of Object.entries(machine)) console.log(`${name.padEnd(8)} ${value}`);
  const log = join(options.keep ? dirname(dir) : dir, `indelible-bench-${options.size}`);
  const task = { log, size: options.size, quick: options.quick };

  const small = await runRounds(
    chosen.filter(({ large }) => !large),
    { dir, task, options },
  );
  const large = chosen.filter((listing) => listing.large);
  if (large.length > 0) await ensureLargeLog(dir, task);
  const measured = [...small, ...(await runRounds(large, { dir, task, options }))];

  const judged = judge(measured);
  const profiles = options.quick ? new Map() : await explain(judged, { dir, task, options });
  const command = commandOf(options);
  const outcome: Outcome = {
    machine,
    size: options.size,
    rounds: options.rounds,
    command,
    judged,
    measured,
    profiles,
  };
  console.log(`\n${formatTable(judged)}`);
  for (const [name, costs] of profiles) printCosts(name, costs);
  if (options.out !== undefined) {
    mkdirSync(dirname(options.out), { recursive: true });
    writeFileSync(options.out, formatPage(outcome));
    console.log(`\nwritten: ${relative(process.cwd(), options.out)}`);
  }
}

/** The named scenarios and the baselines they are compared with, in the order of the list. */
function choose(only: readonly string[]): Listing[] {
  for (const name of only) {
    if (!scenarios.some((listing) => listing.name === name))
      throw new RangeError(`no scenario "${name}"; see --list`);
  }
  const needed = rows.filter(({ scenario }) => only.includes(scenario)).flatMap(({ baselines }) => baselines);
  const names = new Set([...only, ...needed]);
  return scenarios.filter(({ name }) => names.size === 0 || names.has(name));
}

/** Beside the project, because that is the disk on which an application would keep its log; never silently in memory. */
function makeFolder({ dir }: Options): string {
  const folder = mkdtempSync(join(dir ?? beside(), 'indelible-bench-'));
  if (isMemoryDisk(folder)) {
    console.log(
      `WARNING: ${folder} is ${fileSystemOf(folder)}. Syncs cost nothing there; pass --dir on a real disk.`,
    );
  }
  return folder;
}

function beside(): string {
  const parent = dirname(project.replace(/\/$/, ''));
  try {
    rmSync(mkdtempSync(join(parent, 'indelible-bench-')), { recursive: true });
    return parent;
  } catch {
    return tmpdir();
  }
}

/** What repeats this run elsewhere: where its files lay is this machine's own affair. */
function commandOf({ only, size, rounds, quick }: Options): string {
  const given = [
    ...(only.length > 0 ? ['--only', only.join(',')] : []),
    ...(size === SIZE_DEFAULT ? [] : ['--size', String(size)]),
    ...(rounds === ROUNDS_DEFAULT ? [] : ['--rounds', String(rounds)]),
    ...(quick ? ['--quick'] : []),
  ];
  return ['npm run bench', ...(given.length > 0 ? ['--', ...given] : [])].join(' ');
}

/** A row that lacks a scenario's figures, its own or a baseline's, is missed: it did not run to its end. */
function judge(measured: Outcome['measured']): Judged[] {
  const byName = new Map(measured.map(({ listing, median }) => [listing.name, median]));
  const of = (name: string) => byName.get(name) ?? {};
  const failed: Check = { says: 'did not run to its end', reached: false };
  return rows
    .filter(({ scenario }) => byName.has(scenario))
    .map((row) => {
      const complete = [row.scenario, ...row.baselines].every((name) => Object.keys(of(name)).length > 0);
      return { row, checks: complete ? row.checks(of) : [failed] };
    });
}

function printCosts(name: string, costs: readonly Cost[]): void {
  console.log(`\nself time in ${name}`);
  for (const { thread, where, share } of costs) {
    console.log(`  ${thread.padEnd(10)} ${(share * 100).toFixed(1).padStart(5)}%  ${where}`);
  }
}
