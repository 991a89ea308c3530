import { LogError, type StoredEntry } from '../../store/index.ts';
import type { ReaderHandle } from '../reader-thread.ts';

/** Entries that are read, and put into one block, at once. */
export const BLOCK_ENTRIES = 1024;

/**
 * The entries at ascending indexes as they are stored, neighbours read together. Throws `LogError` `log_damaged` where one is missing,
 * `entry_pruned`, which asking again mends, where it was pruned since the indexes were found.
 */
export async function* storedAt(
  reader: ReaderHandle,
  indexes: readonly number[],
): AsyncGenerator<StoredEntry> {
  let at = 0;
  while (at < indexes.length) {
    const from = indexes[at]!;
    let run = 1;
    while (run < BLOCK_ENTRIES && indexes[at + run] === from + run) run += 1;
    const entries = await reader.entries(from, from + run);
    if (entries.length !== run) throw await missingIn(reader, { entries, from, to: from + run });
    yield* entries;
    at += run;
  }
}

interface Stretch {
  readonly entries: readonly StoredEntry[];
  readonly from: number;
  readonly to: number;
}

/** Why entries of a stretch are not there. The minimum index only grows, so that it is asked now. */
async function missingIn(reader: ReaderHandle, { entries, from, to }: Stretch): Promise<LogError> {
  const here = new Set(entries.map(({ index }) => index));
  const minimum = await reader.minimum();
  for (let index = Math.max(from, minimum); index < to; index += 1)
    if (!here.has(index)) return damaged(`entries are missing between ${from} and ${to}`);
  return new LogError(
    'entry_pruned',
    `entries between ${from} and ${to} were pruned while the evidence was made`,
    {
      retryable: true,
      hint: 'make it again: it will be of the entries that are left',
    },
  );
}

/** What is thrown where something of the log is not there that should be. */
export function damaged(what: string): LogError {
  return new LogError('log_damaged', what, { hint: 'run verify: it names everything that was changed' });
}
