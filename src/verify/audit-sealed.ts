import type { Erasure } from '../event/index.ts';
import type { MissingValues } from './audit-model.ts';

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
 * Every record of an erasure behind the entry that is being judged, one per subject: the one that reaches furthest.
 *
 * A record covers the values of exactly its subject, in entries below the index that it names. A value of several subjects is
 * gone when any one of them has been erased, since it says something about each of them.
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
