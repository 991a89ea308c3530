import { Command } from 'commander';
import type { RecordedEvent } from '../event/index.ts';
import { openLog } from '../log/index.ts';
import { eventLines } from './event-lines.ts';
import { exitStatus } from './exit.ts';
import type { Io } from './io.ts';
import { idArgument, jsonOption, logOption } from './options.ts';
import { show } from './terminal.ts';

const help = `
Example:
  indelible show --log audit 01985f2c-6f1e-7c3a-9d6e-0a8f7c2b1e55
`;

/** `show --log DIR ID`: one event, whole. */
export function showCommand(io: Io): Command {
  return new Command('show')
    .description('show one event, whole')
    .addArgument(idArgument())
    .addOption(logOption())
    .addOption(jsonOption('print it as JSON'))
    .addHelpText('after', help)
    .action(async (id: string, { log: dir, json }: { log: string; json?: boolean }) => {
      await using log = await openLog(dir, { readOnly: true });
      const event: RecordedEvent | undefined = await log.get(id);
      if (event === undefined) {
        await io.words.line(show`No event has the id ${JSON.stringify(id)}.`);
        io.status = exitStatus.failed;
      } else if (json === true) await io.out.json(event);
      else await io.out.lines(eventLines(event, io.out.paint));
    });
}
