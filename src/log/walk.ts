import { LogError, type StoredEntry } from '../store/index.ts';
import type { ReaderHandle } from './reader-thread.ts';

/** Entries that are read at once. */
const READ_ENTRIES = 512;

/** Every entry with `from <= index < to`, ascending. Throws `LogError` `log_damaged` at the first that is missing. */
export async function* walk(reader: ReaderHandle, from: number, to: number): AsyncGenerator<StoredEntry> {
  let next = from;
  while (next < to) {
    const end = Math.min(next + READ_ENTRIES, to);
    for (const stored of await reader.entries(next, end)) {
      if (stored.index !== next) throw missing(next);
      yield stored;
      next += 1;
    }
    if (next !== end) throw missing(next);
  }
}

function missing(index: number): LogError {
  return new LogError('log_damaged', `entry ${index} is missing`, {
    hint: 'run verify: it names everything that was changed',
  });
}
