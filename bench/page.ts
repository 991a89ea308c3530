import type { Machine } from './machine.ts';
import type { Cost } from './profile.ts';
import type { Check, Row } from './rows/index.ts';
import type { Figures, Listing } from './scenario.ts';
import { formatNumber } from './statistics.ts';

/** A row with its verdict. */
export interface Judged {
  readonly row: Row;
  readonly checks: readonly Check[];
}

/** All that one run found out. */
export interface Outcome {
  readonly machine: Machine;
  readonly size: number;
  readonly rounds: number;
  readonly command: string;
  readonly judged: readonly Judged[];
  readonly measured: readonly {
    readonly listing: Listing;
    readonly rounds: readonly Figures[];
    readonly median: Figures;
  }[];
  readonly profiles: ReadonlyMap<string, readonly Cost[]>;
}

/** `met`, `aim met`, or `MISSED` with what was missed. */
export function verdictOf({ checks }: Judged): string {
  const missed = checks.filter(({ reached }) => !reached);
  if (missed.length > 0) return `MISSED (${missed.map(({ says }) => says).join('; ')})`;
  const aims = checks.filter(({ aimed }) => aimed !== undefined);
  return aims.length > 0 && aims.every(({ aimed }) => aimed) ? 'aim met' : 'met';
}

/** The table for a terminal: one row in two lines, so that it fits. */
export function formatTable(judged: readonly Judged[]): string {
  return judged
    .map(
      (one) =>
        `${one.row.title}\n    ${one.checks.map(({ says }) => says).join('; ')}\n    ${verdictOf(one)}`,
    )
    .join('\n');
}

/** `docs/benchmarks.md`, whole. */
export function formatPage(outcome: Outcome): string {
  return [opening(outcome), table(outcome.judged), explanations(outcome), figures(outcome)]
    .join('\n\n')
    .concat('\n');
}

function opening({ machine, size, rounds, command }: Outcome): string {
  return `# Benchmarks

This page is written by \`npm run bench\`; do not edit it. It was made by

\`\`\`sh
${command}
\`\`\`

| | |
| --- | --- |
| commit | ${machine.commit} |
| processor | ${machine.cpu} |
| load | ${machine.load} |
| memory | ${machine.memory} |
| system | ${machine.system} |
| disk | ${machine.disk}; ${machine.sync} |
| versions | Node ${machine.node}, SQLite ${machine.sqlite} |
| large log | ${size.toLocaleString('en-US')} entries |
| figures | medians of ${rounds} rounds, each run in a new process; a round runs the baselines too |

The event is about 550 bytes of JSON with five sealed values (\`bench/events.ts\`). A write counts when \`record\` has resolved:
stored, integrated, signed and synced. The baselines (\`bench/baselines/\`) write to the same disk with the same durability
(WAL, \`synchronous=FULL\`), in the caller's own thread and with nothing sealed or signed. One scenario or one baseline is run by
\`npm run bench -- --only NAME\`.`;
}

function table(judged: readonly Judged[]): string {
  const lines = judged.map(({ row, checks }) => {
    const verdict = verdictOf({ row, checks });
    const marked = verdict.startsWith('MISSED') ? '**MISSED**' : verdict;
    return `| ${row.title} | ${row.reach} | ${row.aim} | ${checks.map(({ says }) => says).join('; ')} | ${marked} |`;
  });
  return `| | reach at least | aim | measured | |\n| --- | --- | --- | --- | --- |\n${lines.join('\n')}`;
}

function explanations({ judged, profiles }: Outcome): string {
  const missed = judged.filter((one) => verdictOf(one).startsWith('MISSED'));
  if (missed.length === 0) return 'No figure was missed.';
  const parts = missed.map((one) => {
    const costs = profiles.get(one.row.scenario) ?? [];
    const lines = costs.map(
      ({ thread, where, share }) => `| ${thread} | ${(share * 100).toFixed(1)}% | \`${where}\` |`,
    );
    const head = `### ${one.row.title}: ${verdictOf(one)}`;
    return `${head}\n\n| thread | of its busy time | function |\n| --- | --- | --- |\n${lines.join('\n')}`;
  });
  return `## What was missed, and where the time goes

Self time of the functions in a further run of the scenario under V8's sampling profiler. Work done by SQLite or OpenSSL counts
for the built-in function that called it.

${parts.join('\n\n')}`;
}

function figures({ measured }: Outcome): string {
  const parts = measured.map(({ listing, rounds, median }) => {
    const lines = Object.entries(median).map(([name, value]) => {
      const values = rounds.map((round) => round[name] ?? Number.NaN);
      const spread =
        rounds.length > 1
          ? `${formatNumber(Math.min(...values))} to ${formatNumber(Math.max(...values))}`
          : '';
      return `| ${name} | ${formatNumber(value)} | ${spread} |`;
    });
    return `### ${listing.name}\n\n${listing.about}\n\n| | median | range |\n| --- | --- | --- |\n${lines.join('\n')}`;
  });
  return `## All figures\n\n${parts.join('\n\n')}`;
}
