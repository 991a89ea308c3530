import { Command } from 'commander';
import { openLog } from '../log/index.ts';
import type { Io } from './io.ts';
import { revokeCommand, rotateCommand } from './key-change.ts';
import { keyLines } from './key-lines.ts';
import { mldsaKeyCommand } from './key-mldsa.ts';
import { rootCommand } from './key-root.ts';
import { wrapCommand } from './key-wrap.ts';
import { jsonOption, logOption } from './options.ts';
import { printPublicKeys, readPublicKeys } from './public-keys.ts';

const help = `
Examples:
  indelible key --log audit
  indelible key list --log audit

  The first prints the public keys of now: the log key is what verify --vkey and every C2SP tool want. The second prints
  every key that ever signed the log, and for which of its sizes.
`;

interface ShowOptions {
  readonly log: string;
  readonly json?: boolean;
}

/** `key --log DIR`, and what can be done with keys. */
export function keyCommand(io: Io): Command {
  const command = new Command('key')
    .description("print a log's public keys; replace or revoke its key")
    .addHelpText('after', help);
  command.addCommand(showCommand(io), { isDefault: true });
  command.addCommand(listCommand(io));
  command.addCommand(rotateCommand(io));
  command.addCommand(revokeCommand(io));
  command.addCommand(rootCommand(io));
  command.addCommand(wrapCommand(io));
  command.addCommand(mldsaKeyCommand(io));
  return command;
}

function showCommand(io: Io): Command {
  return new Command('show')
    .description("print a log's public keys")
    .addOption(logOption())
    .addOption(jsonOption('print them as JSON'))
    .action(async ({ log: dir, json }: ShowOptions) => {
      await using log = await openLog(dir, { readOnly: true });
      await printPublicKeys(io, await readPublicKeys(log), json);
    });
}

function listCommand(io: Io): Command {
  return new Command('list')
    .description('print every key that signed the log, and for which sizes')
    .addOption(logOption())
    .addOption(jsonOption('print them as JSON'))
    .action(async ({ log: dir, json }: ShowOptions) => {
      await using log = await openLog(dir, { readOnly: true });
      const history = await log.keys();
      const { origin, rootVkey, keys } = history;
      if (json === true) await io.out.json({ origin, rootVkey, keys });
      else await io.out.lines(keyLines(history, io.out.paint));
    });
}
