import { base64Encode } from '../../bytes/index.ts';
import { openEntry, parseEntry } from '../../event/index.ts';
import type { Proof, Rows } from '../../log/index.ts';
import { hashLeaf } from '../../merkle/index.ts';
import type { StoredEntry } from '../../store/index.ts';
import type { EventWire } from '../../wire/index.ts';

/** Events as they travel, with their leaves, and their entries where they were asked for. */
export function wireEvents({ events, leafHashes, stored }: Rows): EventWire[] {
  return events.map((event, position) => {
    const entry = stored?.[position];
    return {
      ...event,
      leafHash: leafHashes[position]!,
      ...(entry === undefined ? {} : { bytes: bytesOf(entry) }),
    };
  });
}

/** One entry as an event that travels. */
export function wireEvent(stored: StoredEntry, withBytes: boolean): EventWire {
  const { event } = openEntry(parseEntry(stored.entry), stored.disclosures, stored.index);
  const leafHash = base64Encode(hashLeaf(stored.entry));
  return { ...event, leafHash, ...(withBytes ? { bytes: bytesOf(stored) } : {}) };
}

/** The bytes of an entry, for a reader who checks. */
export function bytesOf({ entry, disclosures }: Pick<StoredEntry | Proof, 'entry' | 'disclosures'>): {
  readonly entry: string;
  readonly disclosures: readonly string[];
} {
  return { entry: base64Encode(entry), disclosures };
}
