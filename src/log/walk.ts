import { LogError, type StoredEntry } from '../store/index.ts';
import type { ReaderHandle } from './reader-thread.ts';

/** Entries that are read at once. */
const READ_ENTRIES = 512;

/**
 * Every entry with `from <= index < to`, ascending; those that were pruned are passed over. Throws `LogError` `log_damaged` at the first
 * that is missing.
 */
export async function* walk(reader: ReaderHandle, from: number, to: number): AsyncGenerator<StoredEntry> {
  let minimum = 0;
  let next = from;
  const passTo = async (index: number): Promise<void> => {
    if (next < index && index > minimum) minimum = await reader.minimum();
    if (next < index && index > minimum) throw missing(Math.max(next, minimum));
    next = index;
  };
  while (next < to) {
    const end = Math.min(next + READ_ENTRIES, to);
    for (const stored of await reader.entries(next, end)) {
      await passTo(stored.index);
      yield stored;
      next += 1;
    }
    await passTo(end);
  }
}

function missing(index: number): LogError {
  return new LogError('log_damaged', `entry ${index} is missing`, {
    hint: 'run verify: it names everything that was changed',
  });
}
