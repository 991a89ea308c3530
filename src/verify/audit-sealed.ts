import type { JsonObject, JsonValue } from '../bytes/index.ts';
import {
  digestDisclosure,
  type Entry,
  isPastRetention,
  type Removal,
  type RetentionReach,
} from '../event/index.ts';
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

/** Of a sealed value: whose it is, and where. */
export interface Sealed {
  readonly subjects: readonly string[];
  readonly index: number;
  readonly action: string;
}

/** Collects the sealed values of a chunk whose disclosures are not there, by whose they are, and of which action. */
export class MissingTally {
  readonly #bySubjects = new Map<
    string,
    { readonly subjects: readonly string[]; readonly action: string; readonly places: number[] }
  >();

  /** What has been collected. */
  get values(): MissingValues[] {
    return [...this.#bySubjects.values()];
  }

  /** Counts one value of the entry at `index`. Entries come by rising index. */
  add({ subjects, index, action }: Sealed): void {
    // Neither an action nor a subject holds control characters, so a newline between them makes the key unambiguous.
    const key = [action, ...subjects].join('\n');
    let found = this.#bySubjects.get(key);
    if (found === undefined) {
      found = { subjects, action, places: [] };
      this.#bySubjects.set(key, found);
    }
    const { places } = found;
    if (places.at(-2) === index) places[places.length - 1]! += 1;
    else places.push(index, 1);
  }
}

/**
 * Every record of an erasure, and of retention, behind the entry that is being judged: of each subject, and of each rule, the one
 * that reaches furthest.
 *
 * A record of an erasure covers the values of exactly its subject, in entries below the index that it names. A value of
 * several subjects is gone when any one of them has been erased, since it says something about each of them. A record of retention
 * covers every value of an entry whose action its first matching rule speaks of, below the index that this rule names.
 */
export class RemovalRecords {
  readonly #below = new Map<string, number>();
  /** By the patterns of their rules, in order: a log that applies one policy every day has one. */
  readonly #rules = new Map<string, readonly RetentionReach[]>();

  /** Adds a record. */
  add(removal: Removal): void {
    if ('rules' in removal) {
      const name = removal.rules.map(({ match }) => match).join('\n');
      const known = this.#rules.get(name);
      this.#rules.set(name, furthest(removal.rules, known ?? removal.rules));
      return;
    }
    const { subject, below } = removal;
    const known = this.#below.get(subject);
    if (known === undefined || known < below) this.#below.set(subject, below);
  }

  /** Whether a record covers a value. */
  cover({ subjects, index, action }: Sealed): boolean {
    if (subjects.some((subject) => index < (this.#below.get(subject) ?? 0))) return true;
    for (const rules of this.#rules.values()) if (isPastRetention({ rules }, { action, index })) return true;
    return false;
  }
}

function furthest(one: readonly RetentionReach[], other: readonly RetentionReach[]): RetentionReach[] {
  return one.map((rule, place) => (other[place]!.below > rule.below ? other[place]! : rule));
}
