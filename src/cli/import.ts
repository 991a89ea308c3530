import { Command, Option } from 'commander';
import { type ImportFormat, type ImportReport, importFormats, importRecords } from '../capture/index.ts';
import { openLog } from '../log/index.ts';
import { exitStatus } from './exit.ts';
import type { Io } from './io.ts';
import { keyOf } from './key-spec.ts';
import { readLines } from './lines.ts';
import { given, jsonOption, keyOption, logOption, markOption } from './options.ts';
import { group, Progress } from './progress.ts';
import { type Shown, show } from './terminal.ts';

interface ImportOptions {
  readonly log: string;
  readonly from: ImportFormat;
  readonly key?: string;
  readonly mark?: string;
  readonly json?: boolean;
}

const help = `
Example:
  indelible import --log audit --from cloudtrail trail.json.gz

  One JSON document a line, gzip or not; a CloudTrail file as AWS delivers it, {"Records": […]}, is fine too.
  github: {"event": "issues", "payload": {…}}, or a delivery as GitHub's API gives it.
  jsonl: events of our own. The original is kept, sealed. Nothing is skipped: what no rule fits, and what cannot be
  read, becomes import.unmapped. Importing a file twice records it once.
`;

/** `import --log DIR --from FORMAT FILE`: events that other systems wrote. */
export function importCommand(io: Io): Command {
  return new Command('import')
    .description('import records of another system')
    .argument('<file>', 'file of records; - is standard input')
    .addOption(logOption())
    .addOption(
      new Option('--from <format>', 'what the records are').choices(importFormats).makeOptionMandatory(),
    )
    .addOption(keyOption())
    .addOption(markOption())
    .addOption(jsonOption('print the report as JSON'))
    .addHelpText('after', help)
    .action((file: string, options: ImportOptions) => runImport(io, file, options));
}

async function runImport(io: Io, file: string, options: ImportOptions): Promise<void> {
  await using log = await openLog(options.log, {
    service: 'import',
    ...given({ key: keyOf(options.key), mark: options.mark }),
  });
  const progress = new Progress(io.words, 'importing');
  const said: Promise<void>[] = [];
  const say = (words: Shown): void => {
    const line = io.words.line(words);
    // It is awaited below, but perhaps only after it has failed.
    line.catch(() => undefined);
    said.push(line);
  };
  const report = await importRecords(log, readLines(file, io.stdin), {
    format: options.from,
    onProgress: (records) => progress.at(records),
    onRefused: ({ line, code, message }) => {
      progress.end();
      say(show`line ${line}: ${message} (${code})`);
    },
  }).finally(() => progress.end());
  await Promise.all(said);
  if (options.json === true) await io.out.json(report);
  else await printReport(io, report);
  if (report.refused > 0) io.status = exitStatus.misuse;
}

async function printReport(io: Io, report: ImportReport): Promise<void> {
  const { imported, repeated, unmapped, refused, originalsLeftOut } = report;
  await io.out.line(
    show`${group(imported)} imported, ${group(repeated)} repeated, ${group(unmapped)} unmapped, ${group(refused)} refused`,
  );
  if (originalsLeftOut > 0) {
    await io.words.line(
      show`${group(originalsLeftOut)} ${originalsLeftOut === 1 ? 'original was' : 'originals were'} not kept whole: the event has the digest.`,
    );
  }
  for (const [reason, count] of Object.entries(report.reasons)) {
    await io.words.line(show`${group(count)} unmapped: ${reason}`);
  }
}
