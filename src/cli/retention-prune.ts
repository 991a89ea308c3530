import { Command, Option } from 'commander';
import { type Log, openLog, type PruneResult } from '../log/index.ts';
import { openPublished, type PublishedLog } from '../publish/index.ts';
import type { Io } from './io.ts';
import { actorOption, given, jsonOption, keyOption, logOption, markOption } from './options.ts';
import { group } from './progress.ts';
import { type S3Place, s3Place } from './s3-options.ts';
import { type Shown, show } from './terminal.ts';

interface PruneCommandOptions extends S3Place {
  readonly log: string;
  readonly key?: string;
  readonly mark?: string;
  readonly archive?: string;
  readonly dryRun?: boolean;
  readonly despite?: string[];
  readonly by?: { readonly type: string; readonly id: string };
  readonly json?: boolean;
}

/** `retention prune`: removes the bytes of old entries, by prefix. */
export function pruneCommand(io: Io): Command {
  return new Command('prune')
    .description('remove the bytes of all old entries below an index, for good; hashes, ids and proofs stay')
    .addOption(logOption())
    .option('--archive <url>', 'where the log is published: every byte that goes is read there first')
    .option('--s3-endpoint <url>', 'an S3 server that is not AWS')
    .option('--s3-region <name>', 'region of the bucket')
    .addOption(
      new Option(
        '--despite <names>',
        'followers that nobody runs any more, and publications that are given up, separated by commas',
      ).argParser((text: string) => text.split(',').map((name) => name.trim())),
    )
    .option('--dry-run', 'count, and remove nothing')
    .addOption(actorOption('--by <type/id>', 'who prunes it'))
    .addOption(keyOption())
    .addOption(markOption())
    .addOption(jsonOption('print the result as JSON'))
    .action((options: PruneCommandOptions) => prune(io, options));
}

async function prune(io: Io, options: PruneCommandOptions): Promise<void> {
  const { log: dir, key, mark, archive: archiveUrl, despite, dryRun, by, json } = options;
  await using log = await openLog(dir, dryRun === true ? { readOnly: true } : given({ key, mark }));
  await using archive = archiveUrl === undefined ? undefined : await openArchive(log, archiveUrl, options);
  const result = await log.retention.prune(given({ archive, archiveUrl, despite, dryRun, by }));
  if (json === true) await io.out.json(result);
  else await io.out.lines(dryRun === true ? planLines(result) : prunedLines(result));
}

/** The archive is believed by the keys of the log itself: it is the log's own copy that is looked for. */
async function openArchive(log: Log, url: string, options: PruneCommandOptions): Promise<PublishedLog> {
  const { keys } = await log.keys();
  return openPublished(url, keys[0]!.vkey, { s3: s3Place(options) });
}

function planLines({ minimum, entries, before, stoppedBy }: PruneResult): Shown[] {
  return [
    show`${group(entries)} entries below index ${String(minimum)} would be pruned; all that was recorded before ${before} may go. Nothing was changed.`,
    ...stoppedLines(stoppedBy),
  ];
}

function prunedLines(result: PruneResult): Shown[] {
  const { minimum, entries, records, before, stoppedBy, isClean, residue, lagging, outOfReach } = result;
  if (records.length === 0)
    return [
      show`Nothing to prune: no further whole bundle was recorded before ${before}.`,
      ...stoppedLines(stoppedBy),
    ];
  return [
    show`${group(entries)} entries below index ${String(minimum)} pruned, recorded as entry ${records.map(String).join(', ')}`,
    ...stoppedLines(stoppedBy),
    isClean
      ? show`  No byte of them is left in the files of this log. Hashes and ids stay, and so do the log’s own entries.`
      : show`  Bytes of them may be left: ${residue ?? ''}. Opening the log to write tries again.`,
    ...lagging.map(
      ({ name, size }) => show`  The follower ${name} has not passed the entry: it stands at ${group(size)}.`,
    ),
    show`  Out of reach, and to be seen to elsewhere:`,
    ...outOfReach.map((what) => show`    ${what}`),
  ];
}

const stopped = {
  hold: (name: string) => show`  The hold ${name} keeps it from going further.`,
  follower: (name: string) => show`  The follower ${name} has not seen what comes next.`,
  publication: (name: string) => show`  What comes next is not published at ${name} yet.`,
} as const;

function stoppedLines(stoppedBy: PruneResult['stoppedBy']): Shown[] {
  return stoppedBy === undefined ? [] : [stopped[stoppedBy.kind](stoppedBy.name)];
}
