// A process that does a little of everything that reaches the disk, on one thread: creates a log or opens one, records,
// repeats, fills a tile, closes. What became of each event goes to a file elsewhere, by another system call than those that
// are made to fail.
//
//   node scripted-writer.ts '{"dir": …, "outcomes": …, "origin": …}'

import { closeSync, openSync, writevSync } from 'node:fs';
import { type Log, openLog, type Receipt } from 'indelible';
import { faultEvent } from './fault-events.ts';
import { idsOf } from './writing.ts';

/** What became of one event, or of opening and closing the log. */
export type Outcome =
  | { readonly receipt: Receipt }
  | { readonly of: string; readonly error: string; readonly message: string };

/** The events of the script, in its order; each list is recorded at once. */
export const script: readonly (readonly string[])[] = [
  ['one'],
  ['two'],
  idsOf('many', 300),
  ['one'],
  ['three'],
  idsOf('few', 10),
  ['four'],
];

async function main({
  dir,
  outcomes,
  origin,
}: {
  dir: string;
  outcomes: string;
  origin: string;
}): Promise<void> {
  const file = openSync(outcomes, 'a');
  const say = (outcome: Outcome): void => {
    writevSync(file, [Buffer.from(`${JSON.stringify(outcome)}\n`)]);
  };
  const failed = (of: string, error: unknown): void => {
    const { name, message, code } = error as Error & { code?: string };
    say({ of, error: name === 'LogError' ? String(code) : name, message });
    process.exitCode = 3;
  };
  let log: Log;
  try {
    log = await openLog(dir, { thread: 'caller', createIfMissing: { origin }, warn: () => {} });
  } catch (error) {
    failed('open', error);
    return;
  }
  for (const ids of script) {
    const results = await log.recordMany(ids.map(faultEvent));
    for (const [position, result] of results.entries()) {
      if (result.ok) say({ receipt: result.receipt });
      else failed(ids[position]!, result.error);
    }
  }
  await log.close().catch((error: unknown) => failed('close', error));
  closeSync(file);
}

if (import.meta.main) await main(JSON.parse(process.argv[2] ?? ''));
