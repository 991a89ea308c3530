import { Command } from 'commander';
import { openLog, type Tier } from '../log/index.ts';
import { exitStatus } from './exit.ts';
import type { Io } from './io.ts';
import { jsonOption, logOption } from './options.ts';
import { group } from './progress.ts';
import { type Painter, type Shown, show } from './terminal.ts';

const help = `
Example:
  indelible tier --log audit

  Says what vouches for a log, and what each adversary could still do to it unseen: computed out of what is there, never claimed. What
  witnesses and time-stamping authorities signed is verified and held against the log; verify reads every entry, which this does not.
`;

/** `tier --log DIR`: what vouches for a log, and what is left open. */
export function tierCommand(io: Io): Command {
  return new Command('tier')
    .description('say what vouches for a log, and who could still do what unseen')
    .addOption(logOption())
    .addOption(jsonOption('print it as JSON'))
    .addHelpText('after', help)
    .action(async ({ log: dir, json }: { log: string; json?: boolean }) => {
      await using log = await openLog(dir, { readOnly: true });
      const tier = await log.tier();
      if (tier.contradictions.length > 0) io.status = exitStatus.evidence;
      if (json === true) await io.out.json(tier);
      else await io.out.lines(tierLines(tier, io.out.paint));
    });
}

/** A tier in words. */
export function tierLines(tier: Tier, paint: Painter): Shown[] {
  const width = Math.max(...tier.layers.map(({ name }) => name.length));
  const answers = {
    whole: paint('green', 'answered'),
    part: paint('yellow', 'in part'),
    none: paint('red', 'open'),
  };
  return [
    show`${paint('bold', tier.origin)} · ${group(tier.size)} ${tier.size === 1 ? 'entry' : 'entries'} · root ${tier.root}`,
    ...tier.layers.map(
      ({ name, holds, says }) =>
        show`  ${holds ? paint('green', 'yes') : paint('dim', 'no ')}  ${name.padEnd(width)}  ${says}`,
    ),
    ...tier.contradictions.map((said) => show`  ${paint('red', 'contradicted')}  ${said}`),
    ...tier.warnings.map((said) => show`  ${paint('yellow', 'warning')}  ${said}`),
    show``,
    ...tier.exposure.flatMap(({ who, can, answeredBy, unseen, answered }) => [
      show`${who} can ${can}: ${answers[answered]}`,
      show`  ${paint('dim', 'answered by')}  ${answeredBy}`,
      show`  ${paint('dim', 'unseen     ')}  ${unseen}`,
    ]),
  ];
}
