import { Command, InvalidArgumentError, Option } from 'commander';
import {
  openLog,
  type PolicyInForce,
  type RetentionPreset,
  type RetentionResult,
  retentionPresets,
} from '../log/index.ts';
import type { Io } from './io.ts';
import { actorOption, given, jsonOption, keyOption, logOption, markOption, parseTime } from './options.ts';
import { group } from './progress.ts';
import { pruneCommand } from './retention-prune.ts';
import { tableLines } from './table.ts';
import { type Shown, show } from './terminal.ts';

interface Rule {
  readonly match: string;
  readonly keep: string;
}

interface SetOptions {
  readonly log: string;
  readonly key?: string;
  readonly mark?: string;
  readonly preset?: RetentionPreset;
  readonly approvedBy?: string[];
  readonly delay?: number;
  readonly entries?: 'keep' | 'archived' | 'delete';
  readonly by?: { readonly type: string; readonly id: string };
  readonly reason?: string;
}

const help = `
Examples:
  indelible retention set --log audit 'record.read=90d' '*=7y' --approved-by p_1,p_2
  indelible retention set --log audit --preset pci-dss --approved-by p_1,p_2 --delay 0h
  indelible retention show --log audit
  indelible retention plan --log audit
  indelible retention apply --log audit
  indelible retention set --log audit '*=7y' --entries archived --approved-by p_1,p_2
  indelible retention prune --log audit --archive file:///srv/www/audit

  Sealed values go when their period is over, counted from when they were recorded; entries and every proof stay. Of several
  rules that match an action, the first counts; what none matches is kept for ever, and so are the log's own entries. A period
  is a whole number with h, d (24 hours), w (7 days), mo (31 days) or y (366 days) behind it.
  A policy that keeps anything for a shorter time needs two people, and waits. A hold keeps what it covers.
  Entries themselves go by prefix only, with prune, where the policy says so: archived, when a published copy holds them; delete.
`;

/** `retention set|show|plan|apply|prune`: how long sealed values, and entries, are kept. */
export function retentionCommand(io: Io): Command {
  return new Command('retention')
    .description('set, show and apply how long sealed values and entries are kept')
    .addCommand(setCommand(io))
    .addCommand(showCommand(io))
    .addCommand(planCommand(io))
    .addCommand(applyCommand(io))
    .addCommand(pruneCommand(io))
    .addHelpText('after', help);
}

function setCommand(io: Io): Command {
  return new Command('set')
    .description('set the policy')
    .argument(
      '[rules...]',
      'action=period, as record.read=90d or *=7y; the first that matches counts',
      parseRule,
    )
    .addOption(logOption())
    .addOption(
      new Option('--preset <name>', `a common policy: ${Object.keys(retentionPresets).join(', ')}`).argParser(
        parsePreset,
      ),
    )
    .addOption(
      new Option(
        '--approved-by <a,b>',
        'ids of the people who approved it, two at least, where it shortens',
      ).argParser((text: string) => text.split(',').map((name) => name.trim())),
    )
    .addOption(
      new Option(
        '--delay <time>',
        'how long a policy that shortens waits, as 72h, 3d or 30m (default: 72h)',
      ).argParser(parseTime),
    )
    .addOption(
      new Option(
        '--entries <what>',
        'what becomes of entries that have passed the longest period (default: as it is)',
      ).choices(['keep', 'archived', 'delete']),
    )
    .addOption(actorOption('--by <type/id>', 'who sets it'))
    .option('--reason <text>', 'why; sealed, and never erased')
    .addOption(keyOption())
    .addOption(markOption())
    .action((rules: Rule[], options: SetOptions) => set(io, rules, options));
}

async function set(io: Io, rules: Rule[], options: SetOptions): Promise<void> {
  const { log: dir, key, mark, preset, delay, ...words } = options;
  if (preset !== undefined && rules.length > 0)
    throw new InvalidArgumentError('give rules, or a preset, not both');
  await using log = await openLog(dir, given({ key, mark }));
  const receipt = await log.retention.set(preset?.rules ?? rules, given({ ...words, delayMs: delay }));
  if (receipt === undefined) {
    await io.words.line(show`This policy is in force already. Nothing was recorded.`);
    return;
  }
  const { pending } = await log.retention.policy();
  await io.out.line(
    pending?.index === receipt.index
      ? show`The policy is in force from ${pending.notBefore} on, recorded as entry ${String(receipt.index)}`
      : show`The policy is in force, recorded as entry ${String(receipt.index)}`,
  );
}

function showCommand(io: Io): Command {
  return new Command('show')
    .description('the policy in force, and one that waits')
    .addOption(logOption())
    .addOption(jsonOption('print it as JSON'))
    .action(async ({ log: dir, json }: { log: string; json?: boolean }) => {
      await using log = await openLog(dir, { readOnly: true });
      const policy = await log.retention.policy();
      if (json === true) await io.out.json(policy);
      else await io.out.lines(policyLines(policy));
    });
}

function policyLines({ rules, entries, index, at, pending }: PolicyInForce): Shown[] {
  const inForce =
    index === undefined
      ? [show`No policy was ever set: everything is kept.`]
      : [
          show`In force by entry ${String(index)}, recorded ${at ?? ''}`,
          ...ruleLines(rules),
          ...keepingLines(entries),
        ];
  if (pending === undefined) return inForce;
  return [
    ...inForce,
    show`From ${pending.notBefore} on, by entry ${String(pending.index)}`,
    ...ruleLines(pending.rules),
    ...keepingLines(pending.entries),
  ];
}

function keepingLines(entries: PolicyInForce['entries']): Shown[] {
  if (entries === 'keep') return [];
  return entries === 'archived'
    ? [show`  entries are pruned when an archive holds them`]
    : [show`  entries are pruned`];
}

function ruleLines(rules: readonly Rule[]): Shown[] {
  if (rules.length === 0) return [show`  everything is kept`];
  return rules.map(({ match, keep }) => show`  ${match} for ${keep}`);
}

function planCommand(io: Io): Command {
  return new Command('plan')
    .description('count what has passed its period, and remove nothing')
    .addOption(logOption())
    .addOption(jsonOption('print the result as JSON'))
    .action(async ({ log: dir, json }: { log: string; json?: boolean }) => {
      await using log = await openLog(dir, { readOnly: true });
      const result = await log.retention.plan();
      if (json === true) await io.out.json(result);
      else await io.out.lines([...reachLines(result, io), ...planLines(result)]);
    });
}

function applyCommand(io: Io): Command {
  return new Command('apply')
    .description('remove the sealed values that have passed their period, for good')
    .addOption(logOption())
    .addOption(actorOption('--by <type/id>', 'who applies it'))
    .addOption(keyOption())
    .addOption(markOption())
    .addOption(jsonOption('print the result as JSON'))
    .action(async ({ log: dir, key, mark, by, json }: SetOptions & { json?: boolean }) => {
      await using log = await openLog(dir, given({ key, mark }));
      const result = await log.retention.apply(given({ by }));
      if (json === true) await io.out.json(result);
      else await io.out.lines(appliedLines(result));
    });
}

function reachLines({ rules }: RetentionResult, io: Io): Shown[] {
  if (rules.length === 0) return [show`No policy is in force: everything is kept.`];
  const rows = rules.map(({ match, keep, before, below }) => [match, keep, before, String(below)]);
  const columns = [
    { title: 'MATCH' },
    { title: 'KEEP' },
    { title: 'RECORDED BEFORE (UTC)' },
    { title: 'BELOW INDEX', align: 'right' as const },
  ];
  return tableLines(columns, rows, io.out.paint);
}

function planLines({ values, entries, held }: RetentionResult): Shown[] {
  return [
    show`${group(values)} values in ${group(entries)} entries would be removed. Nothing was changed.`,
    ...heldLines(held),
  ];
}

function appliedLines(result: RetentionResult): Shown[] {
  const { values, entries, records, held, isClean, residue, lagging, outOfReach } = result;
  if (records.length === 0) return [show`Nothing has passed its period.`, ...heldLines(held)];
  const indexes = records.map(String).join(', ');
  return [
    show`${group(values)} values in ${group(entries)} entries removed, recorded as entry ${indexes}`,
    ...heldLines(held),
    isClean
      ? show`  No byte of them is left in the files of this log.`
      : show`  Bytes of them may be left: ${residue ?? ''}. Opening the log to write tries again.`,
    ...lagging.map(
      ({ name, size }) => show`  The follower ${name} has not passed the entry: it stands at ${group(size)}.`,
    ),
    show`  Out of reach, and to be seen to elsewhere:`,
    ...outOfReach.map((what) => show`    ${what}`),
  ];
}

function heldLines(held: RetentionResult['held']): Shown[] {
  return held.map(({ hold, values }) => show`  The hold ${hold} keeps ${group(values)} values.`);
}

function parseRule(text: string, before: Rule[] | undefined): Rule[] {
  const at = text.lastIndexOf('=');
  if (at < 0) throw new InvalidArgumentError('A rule is written action=period, as record.read=90d.');
  return [...(before ?? []), { match: text.slice(0, at), keep: text.slice(at + 1) }];
}

function parsePreset(name: string): RetentionPreset {
  const found = Object.entries(retentionPresets).find(([known]) => known === name);
  if (found === undefined)
    throw new InvalidArgumentError(`Presets are ${Object.keys(retentionPresets).join(', ')}.`);
  return found[1];
}
