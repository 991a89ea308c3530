import { Command } from 'commander';
import { createMldsaKey, logPaths } from '../log/index.ts';
import { parseVerifierKey } from '../note/index.ts';
import type { Io } from './io.ts';
import { logOption } from './options.ts';
import { show } from './terminal.ts';
import { vkeyOf } from './witness-list.ts';

const help = `
Example:
  indelible key mldsa --log audit

  Makes log.mldsa.key. While it lies in the folder, checkpoints that witnesses are shown bear a second signature.
`;

/** `key mldsa --log DIR`: makes the key of a log's second signature. */
export function mldsaKeyCommand(io: Io): Command {
  return new Command('mldsa')
    .description('make an ML-DSA-44 key, which signs published checkpoints a second time')
    .addOption(logOption())
    .addHelpText('after', help)
    .action(async ({ log: dir }: { readonly log: string }) => {
      const paths = logPaths(dir);
      const origin = parseVerifierKey(await vkeyOf(dir, paths)).name;
      await io.out.line(show`${createMldsaKey(paths.mldsaKey, origin)}`);
    });
}
