import { Command, Option } from 'commander';
import { AnchorStore } from '../anchor/index.ts';
import { type Log, openLog } from '../log/index.ts';
import { type PublishOptions, publishLog } from '../publish/index.ts';
import type { Io } from './io.ts';
import { given, jsonOption, logOption, parseCount } from './options.ts';
import { group, Progress } from './progress.ts';
import { waitingLines, waitingOf } from './publish-waits.ts';
import { s3Place } from './s3-options.ts';
import { show } from './terminal.ts';

const help = `
Examples:
  indelible publish --log audit --to file:///srv/www/audit
  indelible verify file:///srv/www/audit --vkey "$(cat audit/log.vkey)"

  Static files as c2sp.org/tlog-tiles has them: what is there already is compared and never written again, the checkpoint comes last.
  The log may be in use; run it again for what was recorded, or time-stamped, since.
  Sealed values are published encrypted, under a key for each subject that is kept in subject-keys.db: erasing a subject destroys its key.
  On S3 each file is put where there is none, under Object Lock where --retain is given; a bucket that does not honour that is refused.
  Keep that file out of the archive, and its backups short.
`;

interface Options {
  readonly log: string;
  readonly to: string;
  readonly disclosures: boolean;
  readonly subjectKeys?: string;
  readonly retain?: number;
  readonly retainMode?: 'COMPLIANCE' | 'GOVERNANCE';
  readonly legalHold?: boolean;
  readonly s3Endpoint?: string;
  readonly s3Region?: string;
  readonly json?: boolean;
}

/** `publish --log DIR --to URL`. */
export function publishCommand(io: Io): Command {
  return new Command('publish')
    .description('publish a log as static files that anybody can verify')
    .addOption(logOption())
    .requiredOption('--to <url>', 'where to: file:///path or s3://bucket/prefix')
    .option('--no-disclosures', 'leave sealed values out instead of publishing them encrypted')
    .option(
      '--subject-keys <file>',
      'keys of the subjects (default: subject-keys.db in the folder of the log)',
    )
    .addOption(
      new Option(
        '--retain <days>',
        'S3 Object Lock: nothing is deleted or overwritten for so long',
      ).argParser(parseCount),
    )
    .addOption(
      new Option('--retain-mode <mode>', 'of the lock')
        .choices(['COMPLIANCE', 'GOVERNANCE'])
        .default('COMPLIANCE'),
    )
    .option('--legal-hold', 'S3 Object Lock: a legal hold on everything that is written')
    .option('--s3-endpoint <url>', 'an S3 server that is not AWS')
    .option('--s3-region <name>', 'region of the bucket')
    .addOption(jsonOption('print what was published as JSON'))
    .addHelpText('after', help)
    .action((options: Options) => publish(io, options));
}

async function publish(io: Io, options: Options): Promise<void> {
  const { log: dir, to, disclosures, subjectKeys, json } = options;
  const { retain, retainMode: mode, legalHold } = options;
  const retention = retain === undefined ? undefined : { days: retain, ...given({ mode }) };
  await using log = await openLog(dir, { readOnly: true });
  const progress = new Progress(io.words, 'publishing');
  const published = await publishLog(log, {
    to,
    s3: { ...s3Place(options), ...given({ retention, legalHold }) },
    disclosures,
    ...(given({ subjectKeys }) as Partial<PublishOptions>),
    onProgress: (done, total) => progress.at(done, total),
  }).finally(() => progress.end());
  const { size, root, note, added, written, timestamps, isHeld } = published;
  const logSize = (await log.checkpoint()).size;
  const soFar = { dir, policy: log.witnessPolicy, note, size, logSize, isHeld, shown: shownOf(log) };
  if (json === true)
    await io.out.json({
      ...{ origin: log.origin, to, size, root, added, written, timestamps },
      waits: waitingOf(soFar),
    });
  else {
    await io.out.line(
      show`${log.origin}: ${group(size)} entries are published at ${to}, ${group(added)} of them new, in ${group(written)} new files${timestamps === 0 ? '' : show`, ${group(timestamps)} time-stamps among them`}`,
    );
  }
  for (const line of waitingLines(soFar)) await io.words.line(line);
}

/** The newest checkpoint that witnesses were shown. */
function shownOf({ anchorsPath }: Log): { readonly note: Uint8Array; readonly size: number } | undefined {
  const anchors = AnchorStore.openReadable(anchorsPath);
  try {
    return anchors?.newestPublished()[0];
  } finally {
    anchors?.close();
  }
}
