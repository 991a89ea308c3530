import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import {
  baselineOf,
  type CoverageFinding,
  type CoverageReport,
  compareBaseline,
  parseBaseline,
  type Standing,
  scanCoverage,
} from '../capture/index.ts';
import { exitStatus, UsageError } from './exit.ts';
import type { Io } from './io.ts';
import { jsonOption } from './options.ts';
import { group } from './progress.ts';
import { show } from './terminal.ts';

interface CoverageOptions {
  readonly baseline?: string;
  readonly update?: boolean;
  readonly json?: boolean;
}

const help = `
Example:
  indelible coverage ./src --baseline audit-baseline.json --update
  indelible coverage ./src --baseline audit-baseline.json

  Lists routes, server actions and writes of an ORM that nothing records, and ends with 1 if there is a new one. What the
  baseline names is known; --update writes it anew. A comment above ends the matter: // indelible-ignore: REASON
  It reads the sources with your own typescript, and runs nothing of them. docs/coverage.md has the rule.
`;

/** `coverage DIR`: what of an application writes and is not recorded. */
export function coverageCommand(io: Io): Command {
  return new Command('coverage')
    .description('list what an application writes and does not record')
    .argument('<dir>', 'folder of the sources')
    .addOption(new Option('--baseline <file>', 'what is known to be unrecorded; only what is new fails'))
    .addOption(new Option('--update', 'write the baseline instead of comparing with it'))
    .addOption(jsonOption('print the report as JSON'))
    .addHelpText('after', help)
    .action((dir: string, options: CoverageOptions) => runCoverage(io, dir, options));
}

async function runCoverage(io: Io, dir: string, { baseline, update, json }: CoverageOptions): Promise<void> {
  if (update === true && baseline === undefined)
    throw new UsageError('--update needs --baseline: the file to write');
  const report = await scanCoverage(dir);
  if (update === true && baseline !== undefined) {
    writeFileSync(baseline, `${JSON.stringify(baselineOf(report.found), null, 2)}\n`);
  }
  const standing = compareBaseline(report.found, readBaseline(baseline));
  if (standing.fresh.length > 0) io.status = exitStatus.evidence;
  if (json === true)
    await io.out.json({ ...report, new: standing.fresh, known: standing.known, gone: standing.gone });
  else await printReport(io, report, standing, baseline);
}

function readBaseline(file: string | undefined): ReturnType<typeof parseBaseline> {
  if (file === undefined) return { version: 1, unrecorded: [] };
  if (!existsSync(file)) throw new UsageError(`there is no baseline ${file}: --update writes one`);
  return parseBaseline(readFileSync(file, 'utf8'));
}

async function printReport(
  io: Io,
  { files, found }: CoverageReport,
  { fresh, known, gone }: Standing,
  baseline: string | undefined,
): Promise<void> {
  for (const finding of fresh) await io.out.line(show`${wordsFor(finding)}`);
  const recorded = found.filter((finding) => finding.recorded).length;
  await io.out.line(
    show`${group(files)} files: ${group(recorded)} of ${group(found.length)} that write are recorded, ${group(fresh.length)} new, ${group(known.length)} known.`,
  );
  if (gone.length > 0) {
    await io.words.line(
      show`${group(gone.length)} of ${baseline ?? ''} are recorded by now, or gone: --update drops them.`,
    );
  }
}

function wordsFor({ file, line, kind, by, name }: CoverageFinding): string {
  return `${file}:${line}  ${kind}  ${name}  (${by}) is not recorded`;
}
