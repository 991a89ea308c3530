import { Command } from 'commander';
import { openLog } from '../log/index.ts';
import type { Io } from './io.ts';
import { mldsaKeyCommand } from './key-mldsa.ts';
import { jsonOption, logOption } from './options.ts';
import { printPublicKeys, readPublicKeys } from './public-keys.ts';

const help = `
Example:
  indelible key --log audit

  Prints the public keys. The log key is what verify --vkey and every C2SP tool want.
`;

/** `key --log DIR`: prints the public keys of a log. */
export function keyCommand(io: Io): Command {
  const command = new Command('key')
    .description("print a log's public keys")
    .addOption(logOption())
    .addOption(jsonOption('print them as JSON'))
    .addHelpText('after', help)
    .action(async ({ log: dir, json }: { log: string; json?: boolean }) => {
      await using log = await openLog(dir, { readOnly: true });
      await printPublicKeys(io, await readPublicKeys(log), json);
    });
  return command.addCommand(mldsaKeyCommand(io));
}
