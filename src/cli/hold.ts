import { Command } from 'commander';
import { openLog } from '../log/index.ts';
import type { Io } from './io.ts';
import { given, jsonOption, keyOption, logOption, markOption } from './options.ts';
import { tableLines } from './table.ts';
import { show } from './terminal.ts';

interface PlaceOptions {
  readonly log: string;
  readonly key?: string;
  readonly mark?: string;
  readonly subject?: string;
  readonly actor?: string;
  readonly target?: string;
  readonly from?: string;
  readonly to?: string;
  readonly query?: string;
  readonly by?: string;
  readonly reason?: string;
}

const help = `
Examples:
  indelible hold place --log audit case-17 --subject user/u_42 --by user/p_1
  indelible hold place --log audit case-18 --target invoice/inv_7 --from 2026-01-01 --to 2026-04-01
  indelible hold list --log audit
  indelible hold release --log audit case-17 --by user/p_1

  What a hold covers is not erased, nor deleted by a policy, until it is released. It covers what fits everything it
  names. A name is used once.
`;

/** `hold place|release|list`: what may not be erased. */
export function holdCommand(io: Io): Command {
  return new Command('hold')
    .description('place, release and list legal holds')
    .addCommand(placeCommand(io))
    .addCommand(releaseCommand(io))
    .addCommand(listCommand(io))
    .addHelpText('after', help);
}

function placeCommand(io: Io): Command {
  return new Command('place')
    .description('keep what it covers from being erased')
    .argument('<name>', 'name of the hold')
    .addOption(logOption())
    .option('--subject <type/id>', 'values that belong to this subject')
    .option('--actor <type/id>', 'values in events of this actor')
    .option('--target <type/id>', 'values in events with this target')
    .option('--from <time>', 'values in events at that time or later')
    .option('--to <time>', 'values in events before that time')
    .option('--query <query>', 'values in events that a query finds')
    .option('--by <type/id>', 'who places it')
    .option('--reason <text>', 'why; sealed, and never erased')
    .addOption(keyOption())
    .addOption(markOption())
    .action(async (name: string, { log: dir, key, mark, by, ...cover }: PlaceOptions) => {
      await using log = await openLog(dir, given({ key, mark }));
      const { index } = await log.holds.place({ name, ...given(cover), ...byWhom(by) });
      await io.out.line(show`${name} is in force, recorded as entry ${String(index)}`);
    });
}

function releaseCommand(io: Io): Command {
  return new Command('release')
    .description('let what it covers be erased again')
    .argument('<name>', 'name of the hold')
    .addOption(logOption())
    .option('--by <type/id>', 'who releases it')
    .option('--reason <text>', 'why; sealed, and never erased')
    .addOption(keyOption())
    .addOption(markOption())
    .action(async (name: string, { log: dir, key, mark, by, reason }: PlaceOptions) => {
      await using log = await openLog(dir, given({ key, mark }));
      const { index } = await log.holds.release(name, { ...given({ reason }), ...byWhom(by) });
      await io.out.line(show`${name} is released, recorded as entry ${String(index)}`);
    });
}

function listCommand(io: Io): Command {
  return new Command('list')
    .description('the holds that are in force')
    .addOption(logOption())
    .addOption(jsonOption('print one hold a line, as JSON'))
    .action(async ({ log: dir, json }: { log: string; json?: boolean }) => {
      await using log = await openLog(dir, { readOnly: true });
      const holds = await log.holds.list();
      if (json === true) for (const hold of holds) await io.out.json(hold);
      else if (holds.length === 0) await io.words.line(show`No hold is in force.`);
      else {
        const rows = holds.map(({ name, at, index, ...cover }) => [
          name,
          String(index),
          at,
          Object.entries(cover)
            .map(([field, value]) => `${field} ${value}`)
            .join(', '),
        ]);
        const columns = [
          { title: 'NAME' },
          { title: 'INDEX', align: 'right' as const },
          { title: 'PLACED (UTC)' },
          { title: 'COVERS' },
        ];
        await io.out.lines(tableLines(columns, rows, io.out.paint));
      }
    });
}

/** The actor of an entry, from `type/id`. What is no such thing is refused where the event is checked. */
function byWhom(text: string | undefined): { by?: { type: string; id: string } } {
  if (text === undefined) return {};
  const slash = text.indexOf('/');
  return { by: { type: text.slice(0, Math.max(0, slash)), id: text.slice(slash + 1) } };
}
