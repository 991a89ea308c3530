import { Command, Option } from 'commander';
import { csvColumns, csvRecord, csvRow, openEntry, parseEntry, type RecordedEvent } from '../event/index.ts';
import { type Log, openLog } from '../log/index.ts';
import type { Io } from './io.ts';
import { logOption } from './options.ts';
import { Progress } from './progress.ts';
import { safeJson } from './terminal.ts';

interface ExportOptions {
  readonly log: string;
  readonly format: 'jsonl' | 'csv';
}

/** Characters gathered before they are written: a write each event would spend most of the time in the kernel. */
const chunkCharacters = 64 * 1024;

const help = `
Examples:
  indelible export --log audit --format jsonl > events.jsonl
  indelible export --log audit --format csv -outcome:success > failures.csv

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
    .addHelpText('after', help)
    .action((words: string[], options: ExportOptions) => runExport(io, words.join(' ').trim(), options));
}

async function runExport(io: Io, text: string, options: ExportOptions): Promise<void> {
  await using log = await openLog(options.log, { readOnly: true });
  const write = options.format === 'csv' ? (event: RecordedEvent) => csvRecord(csvRow(event)) : jsonLine;
  const progress = new Progress(io.words, 'exporting');
  let chunk = options.format === 'csv' ? csvRecord(csvColumns) : '';
  let done = 0;
  try {
    // A search that cannot be answered whole throws: what was written so far ends with a failure, not with 0.
    for await (const event of text === '' ? everyEvent(log) : log.query(text)) {
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

function jsonLine(event: RecordedEvent): string {
  return `${safeJson(event)}\n`;
}

/** Every event of the log from its entries, without the search index: oldest first. */
async function* everyEvent(log: Log): AsyncGenerator<RecordedEvent> {
  for await (const { index, entry, disclosures } of log.entries()) {
    yield openEntry(parseEntry(entry), disclosures, index).event;
  }
}
