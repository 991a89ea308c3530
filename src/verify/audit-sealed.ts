import type { JsonObject, JsonValue } from '../bytes/index.ts';
import { digestDisclosure, type Entry, type Erasure } from '../event/index.ts';
import type { MissingValues } from './audit-model.ts';

/** Up to here, looking a digest up in a list is faster than making a set of it. */
const LISTED_MAX = 64;

/**
 * Whether each digest of the entry has its disclosure, and each disclosure its digest. What matches is, byte
 * for byte, what the log took, so that there is no need to read it. A no says nothing yet: it is for
 * `openEntry` to find out.
 */
export function allDisclosed(entry: Entry, disclosures: readonly string[]): boolean {
  const digests: JsonValue[] = [];
  collectDigests(entry, digests);
  if (digests.length !== disclosures.length || digests.length > LISTED_MAX) return false;
  for (const text of disclosures) {
    // Half a surrogate pair has no bytes to hash.
    const position = text.isWellFormed() ? digests.indexOf(digestDisclosure(text)) : -1;
    if (position < 0) return false;
    // Each digest once: the last one takes its place.
    digests[position] = digests.at(-1)!;
    digests.pop();
  }
  return true;
}

function collectDigests(container: JsonObject | readonly JsonValue[], digests: JsonValue[]): void {
  if (Array.isArray(container)) {
    for (const element of container as readonly JsonValue[]) {
      if (typeof element === 'object' && element !== null) collectDigests(element, digests);
    }
    return;
  }
  for (const name of Object.keys(container)) {
    const value = (container as JsonObject)[name]!;
    if (name === '_sd') digests.push(...(value as readonly JsonValue[]));
    else if (typeof value === 'object' && value !== null) collectDigests(value, digests);
  }
}

/** Collects the sealed values of a chunk whose disclosures are not there, by whose they are. */
export class MissingTally {
  readonly #bySubjects = new Map<
    string,
    { readonly subjects: readonly string[]; readonly places: number[] }
  >();

  /** What has been collected. */
  get values(): MissingValues[] {
    return [...this.#bySubjects.values()];
  }

  /** Counts one value of the entry `index`. Entries come by rising index. */
  add(subjects: readonly string[], index: number): void {
    // A subject holds no control characters, so a newline between them makes the key unambiguous.
    const key = subjects.join('\n');
    let found = this.#bySubjects.get(key);
    if (found === undefined) {
      found = { subjects, places: [] };
      this.#bySubjects.set(key, found);
    }
    const { places } = found;
    if (places.at(-2) === index) places[places.length - 1]! += 1;
    else places.push(index, 1);
  }
}

/**
 * Every record of an erasure behind the entry that is being judged, one per subject: the one that reaches
 * furthest.
 *
 * A record covers the values of exactly its subject, in entries below the index that it names. A value of
 * several subjects is gone when any one of them has been erased, since it says something about each of them.
 */
export class ErasureRecords {
  readonly #below = new Map<string, number>();

  /** Adds a record. */
  add({ subject, below }: Erasure): void {
    const known = this.#below.get(subject);
    if (known === undefined || known < below) this.#below.set(subject, below);
  }

  /** Whether a record covers the values of these subjects in the entry `index`. */
  cover(subjects: readonly string[], index: number): boolean {
    return subjects.some((subject) => index < (this.#below.get(subject) ?? 0));
  }
}
