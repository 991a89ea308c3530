import { type Actor, openEntry, parseEntry, type RecordedEvent } from '../../event/index.ts';
import type { ReaderHandle } from '../reader-thread.ts';

/** How everything about a subject is asked for. */
export interface DiscloseOptions {
  /** Who asks the log to; the log itself by default. */
  readonly by?: Actor;
  /** The request that asked for it. */
  readonly requestId?: string;
}

/** Entries that are looked through before their events are handed over. */
const WINDOW_ENTRIES = 8 * 2048;

/**
 * Every event that names a subject, oldest first, with the sealed values that are the subject's. Values of others stay sealed: what
 * a person may see of themselves is not what they may see of others.
 */
export async function* eventsOf(reader: ReaderHandle, subject: string): AsyncGenerator<RecordedEvent> {
  const { size } = await reader.checkpoint();
  for (let from = 0; from < size; from += WINDOW_ENTRIES) {
    const { named } = await reader.scan({ from, to: Math.min(from + WINDOW_ENTRIES, size), subject });
    for (const index of named) {
      const [stored] = await reader.entries(index, index + 1);
      if (stored === undefined) continue;
      const entry = parseEntry(stored.entry);
      const { fields } = openEntry(entry, stored.disclosures, index);
      const theirs = fields.flatMap(({ disclosure, subjects }) =>
        disclosure !== undefined && subjects.includes(subject) ? [stored.disclosures[disclosure]!] : [],
      );
      yield openEntry(entry, theirs, index).event;
    }
  }
}
