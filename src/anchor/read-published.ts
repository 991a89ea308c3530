import type { Publication, SignatureArrival } from './anchor-rows.ts';
import { AnchorStore } from './anchor-store.ts';
import { standingOf } from './published-order.ts';

/** Published checkpoints that an audit compares, newest first. */
const AUDITED_MAX = 256;

/** What was shown to witnesses, for an audit. */
export interface ReadPublished {
  /** The newest checkpoints that were published, and the newest of each witness, as notes. */
  readonly notes: readonly string[];
  /** How large the log was once signature lines under them were here, as far as it was noted. */
  readonly arrivals: readonly SignatureArrival[];
}

/**
 * The newest checkpoints that were published, for an audit; none where there is no such file. Nothing of them is believed. Throws
 * `LogError` `io_failed` where the file cannot be read.
 */
export function readPublished(path: string): ReadPublished {
  const store = AnchorStore.openReadable(path);
  try {
    const newest = store?.newestPublished(AUDITED_MAX) ?? [];
    // Behind them, what a witness signed last before it went away: no other says that it ever did.
    const standing = newest.length < AUDITED_MAX ? [] : (store?.everyPublished(standingOf) ?? []);
    const published = [...newest, ...standing.filter(({ size }) => size < newest.at(-1)!.size)];
    return {
      notes: published.map(({ note }) => readText(note)),
      arrivals: store?.arrivals(published) ?? [],
    };
  } finally {
    store?.close();
  }
}

/** What is no text is no note: it is handed on as one that nobody has signed, and the audit says so. */
function readText(note: unknown): string {
  return note instanceof Uint8Array ? Buffer.from(note).toString('utf8') : String(note);
}

/** The places where a log is published, as is noted beside it; none where there is no such file. Throws `LogError` `io_failed`. */
export function publicationsIn(path: string): Publication[] {
  const store = AnchorStore.openReadable(path);
  try {
    return store?.publications() ?? [];
  } finally {
    store?.close();
  }
}
