import { Command } from 'commander';
import { openLog } from '../log/index.ts';
import type { Io } from './io.ts';
import { logOption } from './options.ts';
import { group } from './progress.ts';
import { show } from './terminal.ts';

const help = `
Example:
  indelible backup --log audit --to /backup/audit-2026-01-31

  The log may be in use. Keys are not copied: keep log.key safe by other means, and root.key offline.
  The copy is a log that query, prove and verify read as they read the original.
`;

/** `backup --log DIR --to DIR`: an online, consistent copy without keys. */
export function backupCommand(io: Io): Command {
  return new Command('backup')
    .description('copy a log while it is in use, without its keys')
    .addOption(logOption())
    .requiredOption('--to <dir>', 'folder to create the copy in')
    .addHelpText('after', help)
    .action(async ({ log: dir, to }: { log: string; to: string }) => {
      await using log = await openLog(dir, { readOnly: true });
      await log.backup(to);
      await using copy = await openLog(to, { readOnly: true });
      const { size } = await copy.checkpoint();
      await io.out.line(show`${log.origin}: ${group(size)} entries copied to ${to}, without keys`);
    });
}
