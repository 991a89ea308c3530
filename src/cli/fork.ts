import { Command, Option } from 'commander';
import { forkLog } from '../log/index.ts';
import type { Io } from './io.ts';
import { folderArgument, given, jsonOption, markOption } from './options.ts';
import { group } from './progress.ts';
import { show } from './terminal.ts';

interface ForkOptions {
  readonly origin: string;
  readonly to: string;
  readonly mark?: string;
  readonly rootVkey?: string;
  readonly json?: boolean;
}

const help = `
Example:
  indelible fork audit --origin example.com/audit-2 --to audit-2

  The way on after a restore that lost entries whose receipts others hold: going on under the old name would be a second
  history, and is refused. The new log has a name and keys of its own, and its second entry names the old one: its
  origin, size, root and last checkpoints. The old folder is not changed: keep it, it is the evidence of what it holds.
`;

/** Findings in the old log that are told one by one. */
const FINDINGS_MAX = 5;

/** `fork DIR --origin NEW --to DIR`: a new log in the place of one that cannot go on. */
export function forkCommand(io: Io): Command {
  return new Command('fork')
    .description('begin a new log in the place of one that cannot go on')
    .addArgument(folderArgument('<dir>', 'folder of the log that cannot go on'))
    .addOption(new Option('--origin <name>', 'name of the new log').makeOptionMandatory())
    .addOption(new Option('--to <dir>', 'folder to create the new log in').makeOptionMandatory())
    .addOption(markOption())
    .option('--root-vkey <vkey>', 'public root key that you keep elsewhere; no root.key is written then')
    .addOption(jsonOption('print the keys as JSON'))
    .addHelpText('after', help)
    .action((dir: string, options: ForkOptions) => fork(io, dir, options));
}

async function fork(io: Io, dir: string, { to, json, ...options }: ForkOptions): Promise<void> {
  const { left, created, findings } = await forkLog(dir, to, {
    service: 'cli',
    ...given(options),
    origin: options.origin,
  });
  const { vkey, rootVkey, rootKey } = created;
  if (json === true) await io.out.json({ origin: options.origin, vkey, rootVkey });
  else {
    await io.out.line(show`log key   ${vkey}`);
    await io.out.line(show`root key  ${rootVkey}`);
  }
  const { words } = io;
  await words.line(
    show`${words.paint('green', 'Created')} the log ${options.origin} in ${to}, in the place of ${left.origin}, of which ${group(left.size)} entries are left.`,
  );
  for (const { message } of findings.slice(0, FINDINGS_MAX))
    await words.line(show`${words.paint('yellow', 'The old log is damaged')}: ${message}`);
  if (findings.length > FINDINGS_MAX)
    await words.line(show`${group(findings.length - FINDINGS_MAX)} more: indelible verify ${dir}`);
  if (left.lastSeen !== undefined)
    await words.line(show`The mark remembers a later checkpoint of it, which stands in the new log as well.`);
  if (rootKey !== undefined)
    await words.line(
      show`${words.paint('yellow', `Move ${rootKey} offline now`)}: it alone can replace or revoke the log key.`,
    );
}
