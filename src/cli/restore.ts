import { Command, Option } from 'commander';
import { restoreLog, type Unrestored } from '../publish/index.ts';
import { LogError } from '../store/index.ts';
import { exitStatus } from './exit.ts';
import type { Io } from './io.ts';
import { given, jsonOption } from './options.ts';
import { group, Progress } from './progress.ts';
import { s3Place } from './s3-options.ts';
import { type Shown, show } from './terminal.ts';
import { readTrust } from './verify-proof.ts';

const help = `
Example:
  indelible restore --from file:///srv/www/audit --to audit --vkey "$(cat log.vkey)"

  What is restored is compared with the signed checkpoint, and read back, before the folder gets its name. It holds no private key: query,
  prove and verify need none; to go on writing, put log.key there, and make sure that no other copy of this log is written to.
  Sealed values come back with --subject-keys, as far as their keys are there; without, verify calls them missing (disclosure_missing).
  Where some are missing all the same, and no erasure says why, what can be restored is, and the status is 1.
`;

interface Options {
  readonly from: string;
  readonly to: string;
  readonly vkey?: string;
  readonly policy?: string;
  readonly subjectKeys?: string;
  readonly oldestVersions?: boolean;
  readonly s3Endpoint?: string;
  readonly s3Region?: string;
  readonly json?: boolean;
}

/** `restore --from URL --to DIR`. */
export function restoreCommand(io: Io): Command {
  return new Command('restore')
    .description('rebuild a log from its published files')
    .requiredOption(
      '--from <url>',
      'where it is published: file:///path, s3://bucket/prefix or https://host/prefix',
    )
    .requiredOption('--to <dir>', 'folder to create the log in')
    .option('--vkey <key>', 'public log key to trust')
    .addOption(
      new Option('--policy <file>', 'tlog-policy to trust: log keys, witnesses, quorum').conflicts('vkey'),
    )
    .option('--subject-keys <file>', 'keys of the subjects, to restore sealed values')
    .option('--oldest-versions', 'in a bucket, read what was first written in place of what lies there now')
    .option('--s3-endpoint <url>', 'an S3 server that is not AWS')
    .option('--s3-region <name>', 'region of the bucket')
    .addOption(jsonOption('print what was restored as JSON'))
    .addHelpText('after', help)
    .action((options: Options) => restore(io, options));
}

async function restore(io: Io, options: Options): Promise<void> {
  const { from, to, subjectKeys } = options;
  const policy = await readTrust(options);
  const progress = new Progress(io.words, 'restoring');
  if (subjectKeys === undefined) {
    await io.words.line(
      show`Sealed values are not restored: without them, verify calls every one that no record covers missing (disclosure_missing). With --subject-keys they come back, as far as their keys are there.`,
    );
  }
  const restored = await untilInterrupted((signal) =>
    restoreLog({
      from,
      to,
      ...given({ policy, subjectKeys }),
      s3: { ...s3Place(options), ...given({ oldestVersions: options.oldestVersions }) },
      onProgress: (done, total) => progress.at(done, total),
      signal,
    }),
  ).finally(() => progress.end());
  const missing = restored.unrestored?.missing ?? 0;
  if (missing > 0) io.status = exitStatus.evidence;
  if (options.json === true) return io.out.json(restored);
  const { origin, size, root, disclosures, timestamps, timestampsUnread, key } = restored;
  await io.out.line(
    show`${origin}: ${group(size)} entries and ${group(disclosures)} sealed values restored to ${to}, without keys`,
  );
  if (timestamps > 0) {
    await io.out.line(
      show`${group(timestamps)} time-stamps of this log came with it: verify --tsa-ca judges them.`,
    );
  }
  if (timestampsUnread !== undefined) {
    await io.out.line(
      show`Its published time-stamps could not be read, or not all: ${timestampsUnread}. The log is whole without them.`,
    );
  }
  const by = key === 'pinned' ? 'by the key you gave' : 'by the key found inside; pin it with --vkey';
  await io.out.line(show`The same log: root ${root}, as its checkpoint signs it, ${by}.`);
  await io.out.lines(unrestoredLines(restored.unrestored));
}

/** Runs what leaves nothing behind when it is interrupted; the process then ends by the very signal. */
async function untilInterrupted<Result>(run: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const interruption = new AbortController();
  let by: NodeJS.Signals | undefined;
  const interrupt = (signal: NodeJS.Signals): void => {
    by = signal;
    interruption.abort(new LogError('closed', 'restoring was interrupted'));
  };
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    return await run(interruption.signal);
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    if (by !== undefined) process.kill(process.pid, by);
  }
}

/** What is said of sealed values that were not restored. */
function unrestoredLines({ erased, missing, example }: Unrestored = { erased: 0, missing: 0 }): Shown[] {
  const lines: Shown[] = [];
  if (erased > 0) lines.push(show`${group(erased)} sealed values were erased: they are not restored.`);
  if (missing > 0) {
    lines.push(
      show`${group(missing)} sealed values are missing, and no record says that they were erased, those of entry ${String(example)} for one: their files were changed or are gone, or these are not all keys. The rest is there; verify names every one (disclosure_missing).`,
    );
  }
  return lines;
}
