import { Command, Option } from 'commander';
import { type ErasureResult, openLog } from '../log/index.ts';
import type { Io } from './io.ts';
import { given, jsonOption, keyOption, logOption, markOption } from './options.ts';
import { group } from './progress.ts';
import { type Shown, show } from './terminal.ts';

interface EraseOptions {
  readonly log: string;
  readonly key?: string;
  readonly mark?: string;
  readonly subject: string;
  readonly basis: string;
  readonly request: string;
  readonly approvedBy: string[];
  readonly subjectKeys?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const help = `
Examples:
  indelible erase --log audit --subject user/u_42 --basis gdpr-17 --request R-17 --approved-by p_1,p_2 --dry-run
  indelible erase --log audit --subject user/u_42 --basis gdpr-17 --request R-17 --approved-by p_1,p_2

  The sealed values of the subject and their salts leave the log, its search index and every byte of its files; ids, actions,
  times and outcomes stay, and so does every proof. What is given here is recorded in the open for ever: name no person.
  There is no way back. Where the log was published with its sealed values, the subject's key is destroyed. Backups, exports and other copies are not reached; they are listed afterwards.
`;

/** `erase --log DIR --subject TYPE/ID …`: a person's values, for good. */
export function eraseCommand(io: Io): Command {
  return new Command('erase')
    .description('erase the sealed values of one subject, for good')
    .addOption(logOption())
    .addOption(subjectOption())
    .addOption(basisOption())
    .addOption(requestOption())
    .addOption(approvedByOption())
    .addOption(keyOption())
    .addOption(markOption())
    .option(
      '--subject-keys <file>',
      'keys under which values were published (default: subject-keys.db in the folder of the log)',
    )
    .option('--dry-run', 'count, and erase nothing')
    .addOption(jsonOption('print the result as JSON'))
    .addHelpText('after', help)
    .action((options: EraseOptions) => erase(io, options));
}

/** Whose values are erased. */
export function subjectOption(): Option {
  return new Option('--subject <type/id>', 'whose values').makeOptionMandatory();
}

/** On what ground. */
export function basisOption(): Option {
  return new Option('--basis <text>', 'on what ground, as gdpr-17').makeOptionMandatory();
}

/** Who asked for it. */
export function requestOption(): Option {
  return new Option('--request <id>', 'the request that asked for it').makeOptionMandatory();
}

/** Who approved it. */
export function approvedByOption(): Option {
  return new Option('--approved-by <a,b>', 'ids of the people who approved it, two at least')
    .argParser((text: string) => text.split(',').map((name) => name.trim()))
    .makeOptionMandatory();
}

async function erase(io: Io, options: EraseOptions): Promise<void> {
  const { log: dir, subject, basis, request: requestId, approvedBy, dryRun = false, json } = options;
  const places = given({ key: options.key, mark: options.mark, subjectKeys: options.subjectKeys });
  await using log = await openLog(dir, dryRun ? { readOnly: true } : places);
  const result = await log.erase({ subject, basis, requestId, approvedBy, dryRun });
  if (json === true) await io.out.json(result);
  else await io.out.lines(resultLines(result, dryRun));
}

/** What an erasure did, for people. */
export function resultLines(result: ErasureResult, isTrial: boolean): Shown[] {
  const { subject, values, entries, index, alreadyErased, isClean, residue, lagging, outOfReach } = result;
  const before = show`${subject}: nothing is left to erase since entry ${String(alreadyErased)} recorded it. Nothing was recorded.`;
  if (isTrial && alreadyErased !== undefined) return [before];
  const counts = show`${group(values)} values in ${group(entries)} entries`;
  if (isTrial) return [show`${subject}: ${counts} would be erased. Nothing was changed.`];
  return [
    alreadyErased === undefined
      ? show`${subject}: ${counts} erased, recorded as entry ${String(index)}`
      : before,
    isClean
      ? show`  No byte of them is left in the files of this log.`
      : show`  Bytes of them may be left: ${residue ?? ''}. The next erasure tries again, and so does opening the log to write.`,
    ...lagging.map(
      ({ name, size }) => show`  The follower ${name} has not passed the entry: it stands at ${group(size)}.`,
    ),
    show`  Out of reach, and to be seen to elsewhere:`,
    ...outOfReach.map((what) => show`    ${what}`),
  ];
}
