import type { JsonObject, JsonValue } from '../bytes/index.ts';
import {
  digestDisclosure,
  type Entry,
  isPastRetention,
  type Removal,
  type RetentionReach,
  ruleFor,
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

/** Of a sealed value: whose it is, where, and since when. */
export interface Sealed {
  readonly subjects: readonly string[];
  readonly index: number;
  readonly action: string;
  readonly recordedAt: string;
}

/** Collects the sealed values of a chunk whose disclosures are not there, by whose they are, and of which action. */
export class MissingTally {
  readonly #bySubjects = new Map<
    string,
    {
      readonly subjects: readonly string[];
      readonly action: string;
      readonly places: number[];
      readonly times: string[];
    }
  >();

  /** What has been collected. */
  get values(): MissingValues[] {
    return [...this.#bySubjects.values()];
  }

  /** Counts one value of the entry at `index`. Entries come by rising index. */
  add({ subjects, index, action, recordedAt }: Sealed): void {
    // Neither an action nor a subject holds control characters, so a newline between them makes the key unambiguous.
    const key = [action, ...subjects].join('\n');
    let found = this.#bySubjects.get(key);
    if (found === undefined) {
      found = { subjects, action, places: [], times: [] };
      this.#bySubjects.set(key, found);
    }
    const { places, times } = found;
    if (places.at(-2) === index) places[places.length - 1]! += 1;
    else {
      places.push(index, 1);
      times.push(recordedAt);
    }
  }
}

/**
 * Every record of an erasure, and of retention, behind the entry that is being judged: of each subject, and of each rule, what
 * reaches furthest.
 *
 * A record of an erasure covers the values of exactly its subject, in entries below the index that it names. A value of
 * several subjects is gone when any one of them has been erased, since it says something about each of them. A record of retention
 * covers every value of an entry whose action its first matching rule speaks of, below the index that this rule names, that was
 * recorded before the time that it names.
 */
export class RemovalRecords {
  readonly #below = new Map<string, number>();
  /** By the patterns of their rules, in order: a log that applies one policy every day has one. */
  readonly #rules = new Map<string, readonly ReachedRule[]>();

  /** Adds a record. */
  add(removal: Removal): void {
    if ('rules' in removal) {
      const name = removal.rules.map(({ match }) => match).join('\n');
      const known = this.#rules.get(name);
      this.#rules.set(
        name,
        removal.rules.map((rule, place) => reachedBy(rule, known?.[place]?.reaches ?? [])),
      );
      return;
    }
    const { subject, below } = removal;
    const known = this.#below.get(subject);
    if (known === undefined || known < below) this.#below.set(subject, below);
  }

  /** Whether a record covers a value. */
  cover({ subjects, ...place }: Sealed): boolean {
    if (subjects.some((subject) => place.index < (this.#below.get(subject) ?? 0))) return true;
    for (const rules of this.#rules.values()) {
      const reaches = ruleFor(rules, place.action)?.reaches ?? [];
      if (reaches.some((reach) => isPastRetention({ rules: [reach] }, place))) return true;
    }
    return false;
  }
}

/** How far the records of one rule reach: none of these, in index and in time, as far as another. */
interface ReachedRule {
  readonly match: string;
  readonly reaches: readonly RetentionReach[];
}

/** An honest log needs one: time and index rise together. What is forgotten excuses nothing. */
const REACHES_MAX = 16;

function reachedBy(rule: RetentionReach, known: readonly RetentionReach[]): ReachedRule {
  const { match } = rule;
  if (known.some((one) => isWithin(rule, one))) return { match, reaches: known };
  const others = known.filter((one) => !isWithin(one, rule));
  return { match, reaches: [...others, rule].slice(-REACHES_MAX) };
}

function isWithin(one: RetentionReach, other: RetentionReach): boolean {
  return one.below <= other.below && one.before <= other.before;
}
