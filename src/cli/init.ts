import { Command, Option } from 'commander';
import { VerificationError } from '../bytes/index.ts';
import { createLog } from '../log/index.ts';
import { parseVerifierKey } from '../note/index.ts';
import { UsageError } from './exit.ts';
import type { Io } from './io.ts';
import { keyOf } from './key-spec.ts';
import { folderArgument, given, jsonOption, keyOption, markOption } from './options.ts';
import { printPublicKeys, readPublicKeys } from './public-keys.ts';
import { show } from './terminal.ts';

interface InitOptions {
  readonly origin: string;
  readonly key?: string;
  readonly reuseKey?: boolean;
  readonly mark?: string;
  readonly rootVkey?: string;
  readonly service?: string;
  readonly personalIds?: 'refuse' | 'allow' | 'pseudonymise';
  readonly json?: boolean;
}

const help = `
Example:
  indelible init audit --origin example.com/audit

  The origin names the log for ever, in every checkpoint and proof: a domain of yours and a path.
  Hand the printed log key to whoever is to check the log: with it they trust nothing else of yours.
`;

/** `init DIR --origin NAME`: creates a log and its keys. */
export function initCommand(io: Io): Command {
  return new Command('init')
    .description('create a log, its signing key and its root key')
    .addArgument(folderArgument('<dir>', 'folder to create the log in'))
    .addOption(
      new Option('--origin <name>', 'name of the log, as in example.com/audit').makeOptionMandatory(),
    )
    .addOption(keyOption())
    .option('--reuse-key', 'take the key that lies there, which has signed nothing yet')
    .addOption(markOption())
    .option('--root-vkey <vkey>', 'public root key that you keep elsewhere; no root.key is written then')
    .option('--service <name>', 'name of the service that creates it', 'cli')
    .addOption(
      new Option('--personal-ids <rule>', 'ids that look like a mail address are …').choices([
        'refuse',
        'allow',
        'pseudonymise',
      ]),
    )
    .addOption(jsonOption('print the keys as JSON'))
    .addHelpText('after', help)
    .action((dir: string, options: InitOptions) => init(io, dir, options));
}

/** Refuses what is no public key before the first file is made. It was the user who said it: misuse, not evidence. */
function checkRootKey(text: string): void {
  try {
    parseVerifierKey(text);
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    throw new UsageError(`--root-vkey: ${error.message}`);
  }
}

async function init(io: Io, dir: string, options: InitOptions): Promise<void> {
  const { origin, json, ...rest } = options;
  if (options.rootVkey !== undefined) checkRootKey(options.rootVkey);
  await using log = await createLog(dir, { origin, ...given({ ...rest, key: keyOf(rest.key) }) });
  await printPublicKeys(io, await readPublicKeys(log), json);
  const { paint } = io.words;
  await io.words.line(show`${paint('green', 'Created')} the log ${log.origin} in ${dir}.`);
  if (options.rootVkey === undefined) {
    await io.words.line(
      show`${paint('yellow', `Move ${dir}/root.key offline now`)}: it alone can replace or revoke the log key, and the log never needs it to run.`,
    );
  }
}
