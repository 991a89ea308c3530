import { TILE_WIDTH } from '../merkle/index.ts';
import { AskedThread } from './asked-thread.ts';
import {
  type DisclosureReading,
  type DisclosuresOf,
  openDisclosures,
  type SealedFile,
} from './disclosure-reading.ts';

/** Logs of so few entries are opened on the caller's thread: starting another would take longer. */
const ENTRIES_HERE = 16 * TILE_WIDTH;

/** Megabytes of short-lived objects on the thread. */
const YOUNG_MB_MAX = 16;

/** Opens the files with the disclosures of bundles, asked for one after the other. */
export interface Unsealer {
  open(files: readonly SealedFile[]): Promise<DisclosuresOf>;
  close(): Promise<void>;
}

/**
 * Opens the sealed values of a log of so many entries: on a thread, but for a small one, so that what that leaves to the garbage
 * collector lies in a heap that may not grow. Throws `LogError` `key_missing`.
 */
export function unsealerFor(reading: DisclosureReading, size: number): Unsealer {
  // Opened here in any case: that there are no keys is said at once.
  const here = openDisclosures(reading);
  if (size <= ENTRIES_HERE) return { open: async (files) => here(files), close: async () => {} };
  const thread = new AskedThread<readonly SealedFile[], DisclosuresOf>(
    new URL('./unseal-worker.js', import.meta.url),
    { data: reading, what: 'opens sealed values', youngMbMax: YOUNG_MB_MAX },
  );
  return { open: (files) => thread.ask(files), close: () => thread.close() };
}
