import { Command, Option } from 'commander';
import { csvColumns, csvRecord, csvRow, openEntry, parseEntry, type RecordedEvent } from '../event/index.ts';
import { type Log, openLog } from '../log/index.ts';
import { UsageError } from './exit.ts';
import type { Io } from './io.ts';
import { given, keyOption, logOption, markOption } from './options.ts';
import { Progress } from './progress.ts';
import { safeJson } from './terminal.ts';

interface ExportOptions {
  readonly log: string;
  readonly format: 'jsonl' | 'csv';
  readonly subject?: string;
  readonly request?: string;
  readonly key?: string;
  readonly mark?: string;
}

/** Characters gathered before they are written: a write each event would spend most of the time in the kernel. */
const chunkCharacters = 64 * 1024;

const help = `
Examples:
  indelible export --log audit --format jsonl > events.jsonl
  indelible export --log audit --format csv -outcome:success > failures.csv

  indelible export --log audit --subject user/u_42 --request R-18 > u_42.jsonl

  Without a query the whole log, oldest first; with one, what it matches, newest first. JSON lines are exact. CSV is
  for spreadsheets: a cell that one would run as a formula begins with an apostrophe.
`;

/** `export --log DIR --format jsonl|csv [QUERY]`: every event, on stdout. */
export function exportCommand(io: Io): Command {
  return new Command('export')
    .description('write events to stdout')
    .argument('[query...]', 'only what matches; nothing exports all')
    .addOption(logOption())
    .addOption(
      new Option('--format <format>', 'how to write them').choices(['jsonl', 'csv']).default('jsonl'),
    )
    .option(
      '--subject <type/id>',
      'everything that is held about a subject, and nothing sealed of others; recorded',
    )
    .option('--request <id>', 'with --subject: the request that asked for it')
    .addOption(keyOption())
    .addOption(markOption())
    .addHelpText('after', help)
    .action((words: string[], options: ExportOptions) => runExport(io, words.join(' ').trim(), options));
}

async function runExport(io: Io, text: string, options: ExportOptions): Promise<void> {
  const { subject, request: requestId, key, mark } = options;
  if (subject !== undefined && text !== '') throw new UsageError('--subject stands for a query of its own');
  // What is held about a person is handed out under a record of it, so the log is opened to write.
  const opening = subject === undefined ? { readOnly: true } : given({ key, mark });
  await using log = await openLog(options.log, opening);
  const write = options.format === 'csv' ? (event: RecordedEvent) => csvRecord(csvRow(event)) : jsonLine;
  const progress = new Progress(io.words, 'exporting');
  let chunk = options.format === 'csv' ? csvRecord(csvColumns) : '';
  let done = 0;
  try {
    // A search that cannot be answered whole throws: what was written so far ends with a failure, not with 0.
    for await (const event of wanted(log, text, subject, requestId)) {
      chunk += write(event);
      done += 1;
      if (chunk.length < chunkCharacters) continue;
      await io.out.write(chunk);
      chunk = '';
      progress.at(done);
    }
  } finally {
    progress.end();
  }
  await io.out.write(chunk);
}

function wanted(
  log: Log,
  text: string,
  subject: string | undefined,
  requestId: string | undefined,
): AsyncIterable<RecordedEvent> {
  if (subject !== undefined) return log.disclose(subject, given({ requestId }));
  return text === '' ? everyEvent(log) : log.query(text);
}

function jsonLine(event: RecordedEvent): string {
  return `${safeJson(event)}\n`;
}

/** Every event of the log from its entries, without the search index: oldest first. */
async function* everyEvent(log: Log): AsyncGenerator<RecordedEvent> {
  for await (const { index, entry, disclosures } of log.entries()) {
    yield openEntry(parseEntry(entry), disclosures, index).event;
  }
}
