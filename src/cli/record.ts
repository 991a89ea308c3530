import { Command } from 'commander';
import { openLog } from '../log/index.ts';
import type { Io } from './io.ts';
import { keyOf } from './key-spec.ts';
import { readLines } from './lines.ts';
import { given, keyOption, logOption, markOption } from './options.ts';
import { RecordRun } from './record-run.ts';

/** Events handed to the log at once. */
const windowEvents = 1024;
/** Windows on their way to the disk while the next is being read. */
const windowsInFlight = 8;
/** Most bytes of a line: an entry and its sealed values at their limits, with every character written as an escape. */
const lineBytesMax = 2 * 1024 * 1024;

const help = `
Example:
  echo '{"action":"user.signed_in","actor":{"type":"user","id":"u_42"}}' | indelible record --log audit

  One JSON event a line in, one JSON receipt a line out, in the same order. A receipt is printed when its event is on
  the disk, never sooner. Keep receipts: with one of them a rewritten history is caught (verify --held).
  A line that is refused is named on stderr; the rest goes on, and the exit status is 2.
`;

interface RecordOptions {
  readonly log: string;
  readonly key?: string;
  readonly mark?: string;
  readonly service?: string;
}

/** `record --log DIR [FILE|-]`: events in, receipts out. */
export function recordCommand(io: Io): Command {
  return new Command('record')
    .description('record events, one JSON object a line, and print a receipt for each')
    .argument('[file]', 'file of events; nothing or - is standard input')
    .addOption(logOption())
    .addOption(keyOption())
    .addOption(markOption())
    .option('--service <name>', 'name of the service that records', 'cli')
    .addHelpText('after', help)
    .action((file: string | undefined, options: RecordOptions) => record(io, file, options));
}

async function record(
  io: Io,
  file: string | undefined,
  { log: dir, ...options }: RecordOptions,
): Promise<void> {
  await using log = await openLog(dir, given({ ...options, key: keyOf(options.key) }));
  const run = new RecordRun(io, log);
  const flying: Promise<void>[] = [];
  for await (const lines of readLines(file, io.stdin, lineBytesMax)) {
    for (let start = 0; start < lines.length; start += windowEvents) {
      const flight = run.take(lines.slice(start, start + windowEvents));
      // It is awaited below, but perhaps only after it has failed.
      flight.catch(() => undefined);
      flying.push(flight);
      if (flying.length > windowsInFlight) await flying.shift();
    }
  }
  await Promise.all(flying);
  await run.end();
}
