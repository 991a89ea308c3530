import { Command, Option } from 'commander';
import type { RecordedEvent } from '../event/index.ts';
import { openLog, type Page } from '../log/index.ts';
import { nameOf, paintOutcome, readableTime } from './event-lines.ts';
import { exitStatus } from './exit.ts';
import type { Io } from './io.ts';
import { given, jsonOption, logOption, parseCount } from './options.ts';
import { group } from './progress.ts';
import { tableLines } from './table.ts';
import { show } from './terminal.ts';

interface QueryOptions {
  readonly log: string;
  readonly limit: number;
  readonly order: 'index' | 'occurredAt';
  readonly cursor?: string;
  readonly json?: boolean;
}

/** Events of a listing if no limit is given. */
const limitDefault = 50;
/** Most events asked of the log at once. */
const pageEventsMax = 500;

const help = `
Examples:
  indelible query --log audit                                    the newest ${limitDefault}
  indelible query --log audit 'actor:user/u_42 action:role.*'    what one person did to roles
  indelible query --log audit '-outcome:success after:2026-01-01 "prod eu"' --json

Fields: actor target action outcome severity id source correlation ip session request after before.
A term in front of which stands - must not match; * ends a prefix; a list of values, a,b, is either; words are full text.
`;

/** `query --log DIR QUERY`: newest first. */
export function queryCommand(io: Io): Command {
  return new Command('query')
    .description('search a log, newest first')
    .argument('[query...]', 'what to look for; nothing matches all')
    .addOption(logOption())
    .addOption(new Option('--limit <n>', 'most events to print').argParser(parseCount).default(limitDefault))
    .addOption(new Option('--order <by>', 'newest by').choices(['index', 'occurredAt']).default('index'))
    .option('--cursor <text>', 'go on where an earlier page ended')
    .addOption(jsonOption('print one event a line, whole'))
    .addHelpText('after', help)
    .action((words: string[], options: QueryOptions) => query(io, words.join(' '), options));
}

async function query(io: Io, text: string, options: QueryOptions): Promise<void> {
  await using log = await openLog(options.log, { readOnly: true });
  const { order } = options;
  let cursor = options.cursor;
  let left = options.limit;
  // How far the answer is complete, its first page says: what later ones lack was recorded after the search began.
  let first: Page | undefined;
  const found: RecordedEvent[] = [];
  do {
    const limit = Math.min(left, pageEventsMax);
    const page = await log.query(text.trim(), { limit, order, ...given({ cursor }) }).page();
    left -= page.events.length;
    first ??= page;
    cursor = page.next;
    if (options.json !== true) found.push(...page.events);
    else for (const event of page.events) await io.out.json(event);
  } while (left > 0 && cursor !== undefined);
  if (options.json !== true) {
    await printTable(io, found);
    await io.words.line(show`${group(found.length)} found; complete up to size ${group(first.complete)}.`);
  }
  if (cursor !== undefined) await io.words.line(show`More with --cursor ${cursor}`);
  if (first.complete < first.size) await sayBehind(io, first);
}

/** An answer with holes must not look like a whole one: neither to a person nor to a script. */
async function sayBehind(io: Io, { complete, size }: Page): Promise<void> {
  await io.words.line(
    show`${io.words.paint('red', 'indelible:')} the answer is not complete: the search index covers ${group(complete)} of ${group(size)} entries (index_behind). Ask again in a moment; whoever uses the log brings the index up to date.`,
  );
  io.status = exitStatus.failed;
}

/** Columns of a terminal that time, outcome and the gaps take, and the least that anything else is cut to. */
const fixedColumns = 37;
const leastColumns = 12;

async function printTable(io: Io, events: readonly RecordedEvent[]): Promise<void> {
  if (events.length === 0) return;
  const terminal = io.out.columns;
  const longest = Math.max(...events.map(({ action }) => action.length));
  const actionMost = Math.min(longest, Math.max(leastColumns, Math.floor(terminal / 4)));
  const left = terminal - fixedColumns - String(events[0]?.index).length - actionMost;
  const share = Math.max(leastColumns, Math.floor(left / 2));
  // On a terminal who and what share the columns that the others leave; in a pipe nothing is cut.
  const cut = (most: number): { width_max?: number } => (terminal === 0 ? {} : { width_max: most });
  const columns = [
    { title: 'INDEX', align: 'right' as const },
    { title: 'WHEN (UTC)', ...cut(19) },
    { title: 'ACTION', ...cut(actionMost) },
    { title: 'OUTCOME' },
    { title: 'WHO', ...cut(share) },
    { title: 'WHAT', ...cut(share) },
  ];
  const rows = events.map((event) => [
    String(event.index),
    terminal === 0 ? readableTime(event.occurredAt) : readableTime(event.occurredAt).slice(0, 19),
    event.action,
    paintOutcome(event.outcome, io.out.paint),
    nameOf(event.actor),
    event.targets.map((target) => nameOf(target)).join(', '),
  ]);
  await io.out.lines(tableLines(columns, rows, io.out.paint));
}
