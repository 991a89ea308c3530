import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { Options } from './options.ts';
import { type Judged, type Outcome, verdictOf } from './page.ts';
import { type Cost, topCosts } from './profile.ts';
import { runInChild } from './run-child.ts';
import { type Figures, type Listing, scenarios } from './scenario.ts';
import { formatNumber, medians } from './statistics.ts';

/** Where a run takes place, and what its scenarios are told. */
export interface Setting {
  readonly dir: string;
  readonly task: { readonly log: string; readonly size: number; readonly quick: boolean };
  readonly options: Options;
}

/** Round by round rather than scenario by scenario, so that a disk that slows down slows the baselines too. */
export async function runRounds(
  listings: readonly Listing[],
  { dir, task, options }: Setting,
): Promise<Outcome['measured']> {
  const found = new Map<Listing, Figures[]>(listings.map((listing) => [listing, []]));
  for (let round = 0; round < options.rounds; round += 1) {
    for (const [listing, figures] of found) {
      if (listing.once && round > 0) continue;
      process.stdout.write(`\n${listing.name} (${round + 1} of ${listing.once ? 1 : options.rounds})\n`);
      const result = await orNothing(listing.name, runInChild({ module: listing.module, parent: dir, task }));
      if (result === undefined) continue;
      figures.push(result);
      for (const [name, value] of Object.entries(result)) {
        console.log(`  ${name.padEnd(20)} ${formatNumber(value)}`);
      }
    }
  }
  return [...found].map(([listing, rounds]) => ({ listing, rounds, median: medians(rounds) }));
}

/** A further, profiled run of each scenario that missed its figure. */
export async function explain(
  judged: readonly Judged[],
  { dir, task, options }: Setting,
): Promise<Map<string, Cost[]>> {
  const profiles = new Map<string, Cost[]>();
  for (const one of judged) {
    const name = one.row.scenario;
    if (profiles.has(name) || !(options.profile || verdictOf(one).startsWith('MISSED'))) continue;
    console.log(`\nprofiling ${name}`);
    const module = scenarios.find((listing) => listing.name === name)!.module;
    const folder = mkdtempSync(join(dir, 'profile-'));
    await orNothing(name, runInChild({ module, parent: dir, task, profiles: folder }));
    profiles.set(name, topCosts(folder));
  }
  return profiles;
}

/** What a run gave; where it failed, its stack is printed, the benchmark will exit with 1, and the hours before are not lost. */
async function orNothing(name: string, run: Promise<Figures>): Promise<Figures | undefined> {
  try {
    return await run;
  } catch (error) {
    process.exitCode = 1;
    console.error(`${name} failed:`, error);
    return undefined;
  }
}
