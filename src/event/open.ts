import { canonicalString, type JsonObject, type JsonValue, VerificationError } from '../bytes/index.ts';
import { type Disclosure, digestDisclosure, parseDisclosure } from './disclosure.ts';
import type { Entry, EntryParty } from './entry.ts';
import type { RecordedActor, RecordedEvent, RecordedTarget, Seal, Withheld } from './model.ts';
import { escapeStep } from './refusal.ts';
import {
  eventFields,
  hasKind,
  isReservedName,
  isSealedFieldName,
  type Owner,
  reservedAction,
} from './rules.ts';

/** One sealed value of an entry, whether its disclosure is there or not. */
export interface SealedField extends Withheld {
  /** The entry's place in the log, its action, and when it was recorded. */
  readonly index: number;
  readonly action: string;
  readonly recordedAt: string;
  /** The position of its disclosure among those that were handed over; undefined if it is not there. */
  readonly disclosure?: number;
}

/** What is wrong with a disclosure. */
export type DisclosureProblem = 'conflicting' | 'malformed' | 'repeated' | 'unmatched';

/** A disclosure that does not belong to its entry, or cannot be read. */
export interface OpeningProblem {
  readonly code: DisclosureProblem;
  /** The position of the disclosure among those that were handed over. */
  readonly disclosure: number;
  /** What is wrong, as a clause: "disclosure 2 matches no digest of the entry". */
  readonly message: string;
}

/** An entry with its disclosures joined back. */
export interface OpenedEntry {
  readonly event: RecordedEvent;
  /** Every sealed value, in the order of the entry's text. */
  readonly fields: readonly SealedField[];
  /** What does not fit. A disclosure with a problem counts as not there. */
  readonly problems: readonly OpeningProblem[];
}

/**
 * Joins the disclosures back into the entry at `index`. Each is matched by its digest alone, so that none can
 * be exchanged for another, moved to another entry or altered; one that fits nowhere is reported, not thrown,
 * since an audit goes on. Values whose disclosure is not there are named in `event.withheld`.
 */
export function openEntry(entry: Entry, disclosures: readonly string[], index: number): OpenedEntry {
  const opening = new Opening(entry, disclosures, index);
  const event = opening.event();
  return { event, fields: opening.fields, problems: opening.problems() };
}

/** Where an object stands and whose the values are that it seals. */
interface Place {
  readonly pointer: string;
  readonly subjects: readonly string[];
  /** At the top of the entry: the names that belong to its digests. */
  readonly names?: readonly string[];
}

/** A value that a disclosure gave. */
interface Found extends Disclosure {
  /** The position of its disclosure. */
  readonly position: number;
}

type Fields = Record<string, JsonValue>;

class Opening {
  readonly fields: SealedField[] = [];
  readonly #entry: Entry;
  readonly #disclosures: readonly string[];
  readonly #index: number;
  readonly #byDigest: Disclosures;
  readonly #seals: ReadonlyMap<string, Seal> | undefined;
  readonly #problems: OpeningProblem[] = [];
  readonly #withheld: Withheld[] = [];
  readonly #subjects: Readonly<Record<Owner, readonly string[]>>;

  constructor(entry: Entry, disclosures: readonly string[], index: number) {
    this.#entry = entry;
    this.#disclosures = disclosures;
    this.#index = index;
    this.#subjects = subjectsByOwner(entry);
    this.#seals = entry.seals && new Map(entry.seals.map((seal) => [seal.digest, seal]));
    this.#byDigest = new Disclosures(disclosures, (position, digest) => {
      if (digest === undefined) this.#problem('malformed', position, 'is not well-formed text');
      else this.#problem('repeated', position, 'is there twice');
    });
  }

  /** What did not fit, once the event has been joined. */
  problems(): OpeningProblem[] {
    for (const position of this.#byDigest.left()) {
      this.#problem('unmatched', position, 'matches no digest of the entry');
    }
    return this.#problems;
  }

  /** The event: its fields stand in an order that reads well. */
  event(): RecordedEvent {
    const entry = this.#entry;
    const values: Fields = {};
    this.#joinFields(values, entry, { pointer: '', subjects: [], names: entry.sealed ?? [] });
    const actor = this.#joinParty(entry.actor, '/actor') as RecordedActor;
    const targets = entry.targets.map((target, position) => this.#joinParty(target, `/targets/${position}`));
    for (const name of Object.keys(entry)) {
      if (openFields.has(name)) continue;
      define(
        values,
        name,
        this.#joinInside(entry[name]!, { pointer: `/${escapeStep(name)}`, subjects: this.#subjectsOf(name) }),
      );
    }

    const { id, occurredAt, recordedAt, action, outcome } = entry;
    let unknown: JsonObject | undefined;
    const event = {
      index: this.#index,
      id,
      occurredAt,
      recordedAt,
      action,
      outcome,
    } as Writable<RecordedEvent>;
    if (entry.severity !== undefined) event.severity = entry.severity;
    event.actor = actor;
    event.targets = targets;
    if (entry.correlationId !== undefined) event.correlationId = entry.correlationId;
    if (entry.causationId !== undefined) event.causationId = entry.causationId;
    for (const name of Object.keys(values)) {
      if (isSealedFieldName(name)) (event as unknown as Fields)[name] = values[name]!;
      else unknown = { ...unknown, [name]: values[name]! };
    }
    event.source = entry.source;
    if (entry.seals !== undefined)
      event.seals = entry.seals.map(({ path, subjects }) => ({ path, subjects }));
    event.withheld = this.#withheld;
    if (unknown !== undefined) event.unknown = unknown;
    return event;
  }

  /**
   * Whose a top-level field is: this follows from what is hashed alone, so that an erasure can be judged for
   * ever.
   */
  #subjectsOf(name: string): readonly string[] {
    return isSealedFieldName(name) ? this.#subjects[eventFields[name].owner] : [];
  }

  /** A person or thing, which is easier to read if it begins with what it is. */
  #joinParty(party: EntryParty, pointer: string): RecordedTarget {
    const { type, id } = party;
    const joined: Fields = { type, id };
    const subjects = this.#subjects.actor.length === 0 ? [] : [subjectOf(party)];
    this.#joinFields(joined, party, { pointer, subjects });
    for (const name of Object.keys(party)) {
      if (name === '_sd' || name === 'type' || name === 'id') continue;
      const path = `${pointer}/${escapeStep(name)}`;
      const isPrincipal = name === 'onBehalfOf' && pointer === '/actor';
      define(
        joined,
        name,
        isPrincipal
          ? this.#joinParty(party[name] as EntryParty, path)
          : this.#joinInside(party[name]!, { pointer: path, subjects }),
      );
    }
    return joined as RecordedTarget;
  }

  /** A value in the open, with the values that digests inside it stand for. */
  #joinInside(value: JsonValue, { pointer, subjects }: Place): JsonValue {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) {
      return (value as readonly JsonValue[]).map((element, position) =>
        this.#joinInside(element, { pointer: `${pointer}/${position}`, subjects }),
      );
    }
    const object = value as JsonObject;
    const joined: Fields = {};
    this.#joinFields(joined, object, { pointer, subjects });
    for (const name of Object.keys(object)) {
      if (name === '_sd') continue;
      define(
        joined,
        name,
        this.#joinInside(object[name]!, { pointer: `${pointer}/${escapeStep(name)}`, subjects }),
      );
    }
    return joined;
  }

  /**
   * Puts the values that an object's digests stand for into `joined`, in the order in which they were sealed.
   */
  #joinFields(joined: Fields, object: JsonObject, place: Place): void {
    const digests = object['_sd'] as readonly string[] | undefined;
    if (digests === undefined) return;
    const found: Found[] = [];
    for (let position = 0; position < digests.length; position += 1) {
      const digest = digests[position]!;
      const seal = this.#seals?.get(digest);
      const told = place.names?.[position] ?? lastStep(seal?.path);
      const given = this.#take(digest, object, { place, told, found });
      if (given !== undefined) insert(found, given);
      this.#note(digest, place, seal, told, given);
    }
    for (const { name, value } of found) define(joined, name, value);
  }

  /** Notes a sealed value, and whether it is withheld. */
  #note(
    digest: string,
    place: Place,
    seal: Seal | undefined,
    told: string | undefined,
    given: Found | undefined,
  ): void {
    const index = this.#index;
    if (given !== undefined) {
      const { name, position: disclosure } = given;
      const path = `${place.pointer}/${escapeStep(name)}`;
      this.fields.push({
        path,
        name,
        digest,
        subjects: this.#subjectsOfField(place, name, seal),
        index,
        action: this.#entry.action,
        recordedAt: this.#entry.recordedAt,
        disclosure,
      });
      return;
    }
    const subjects = this.#subjectsOfField(place, told, seal);
    const withheld: Withheld =
      told === undefined
        ? { path: place.pointer, digest, subjects }
        : { path: `${place.pointer}/${escapeStep(told)}`, name: told, digest, subjects };
    this.#withheld.push(withheld);
    const { action, recordedAt } = this.#entry;
    this.fields.push({ ...withheld, index, action, recordedAt });
  }

  #subjectsOfField(place: Place, name: string | undefined, seal: Seal | undefined): readonly string[] {
    // The log's own entries are never erasable (spec/sealing.md), so nothing in them belongs to anybody.
    if (this.#subjects.actor.length === 0) return [];
    if (seal !== undefined) return seal.subjects;
    return place.names !== undefined && name !== undefined ? this.#subjectsOf(name) : place.subjects;
  }

  /**
   * The value behind a digest, if its disclosure is there and can stand in `object`, where it is called
   * `told` if anything.
   */
  #take(
    digest: string,
    object: JsonObject,
    { place, told, found }: { place: Place; told: string | undefined; found: readonly Found[] },
  ): Found | undefined {
    const position = this.#byDigest.take(digest);
    if (position === undefined) return undefined;
    let disclosure: Disclosure;
    try {
      disclosure = parseDisclosure(this.#disclosures[position]!);
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      this.#problem('malformed', position, 'is no array of salt, name and value');
      return undefined;
    }
    const { salt, name, value } = disclosure;
    if (told !== undefined && name !== told) {
      this.#problem(
        'conflicting',
        position,
        `bears another name than ${canonicalString(told)}, which the entry gives it`,
      );
    } else if (Object.hasOwn(object, name) || found.some((other) => other.name === name)) {
      this.#problem(
        'conflicting',
        position,
        `bears the name ${canonicalString(name)}, which its object has already`,
      );
    } else if (holdsReserved(value)) {
      this.#problem('malformed', position, 'holds a name that sealing uses itself');
    } else if (place.names !== undefined && isSealedFieldName(name) && !hasKind(name, value)) {
      this.#problem('malformed', position, `holds a value that ${name} cannot have`);
    } else return { salt, name, value, position };
    return undefined;
  }

  #problem(code: DisclosureProblem, disclosure: number, what: string): void {
    this.#problems.push({ code, disclosure, message: `disclosure ${disclosure} ${what}` });
  }
}

/**
 * Up to so many texts, comparing with each is quicker than hashing all. Beyond, it would be slow enough to be
 * an attack.
 */
const FEW = 32;

/** The disclosures that were handed over, by their digests. */
class Disclosures {
  /** The digest of each, undefined once it has been taken, or where it has none of its own. */
  readonly #digests: (string | undefined)[] = [];
  readonly #positions: Map<string, number> | undefined;

  /** `refuse` hears of texts that have no digest, and of digests that were there before. */
  constructor(texts: readonly string[], refuse: (position: number, digest: string | undefined) => void) {
    this.#positions = texts.length > FEW ? new Map() : undefined;
    for (let position = 0; position < texts.length; position += 1) {
      const text = texts[position]!;
      const digest = text.isWellFormed() ? digestDisclosure(text) : undefined;
      const isFree = digest !== undefined && this.#find(digest) === undefined;
      this.#digests.push(isFree ? digest : undefined);
      if (isFree) this.#positions?.set(digest, position);
      else refuse(position, digest);
    }
  }

  /** The position of the disclosure with this digest, once. */
  take(digest: string): number | undefined {
    const position = this.#find(digest);
    if (position !== undefined) this.#digests[position] = undefined;
    return position;
  }

  /** The positions of those that nobody took. */
  left(): number[] {
    const positions: number[] = [];
    for (let position = 0; position < this.#digests.length; position += 1) {
      if (this.#digests[position] !== undefined) positions.push(position);
    }
    return positions;
  }

  #find(digest: string): number | undefined {
    if (this.#positions === undefined) {
      const position = this.#digests.indexOf(digest);
      return position < 0 ? undefined : position;
    }
    const position = this.#positions.get(digest);
    return position === undefined || this.#digests[position] === undefined ? undefined : position;
  }
}

/** Puts a value among the others of its object, in the order in which they were sealed. */
function insert(found: Found[], value: Found): void {
  let place = found.length;
  for (; place > 0 && found[place - 1]!.position > value.position; place -= 1)
    found[place] = found[place - 1]!;
  found[place] = value;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * The subjects behind each kind of owner in this entry (spec/sealing.md). The log's own entries have none.
 */
function subjectsByOwner({ action, actor, targets }: Entry): Readonly<Record<Owner, readonly string[]>> {
  if (reservedAction.test(action))
    return { actor: [], 'first target, else actor': [], 'actor and first target': [] };
  const actorSubject = subjectOf(actor);
  const targetSubject = targets[0] === undefined ? actorSubject : subjectOf(targets[0]);
  const both = actorSubject === targetSubject ? [actorSubject] : [actorSubject, targetSubject];
  return {
    actor: [actorSubject],
    'first target, else actor': [targetSubject],
    'actor and first target': both,
  };
}

/** A subject: the name under which the values of a person or thing are erased. */
export function subjectOf({ type, id }: { readonly type: string; readonly id: string }): string {
  return `${type}/${id}`;
}

/**
 * The fields of an entry that stand in the open and hold nothing sealed, and the parties, which are joined
 * for themselves.
 */
const openFields: ReadonlySet<string> = new Set([
  ...[
    '_sd',
    '_sd_alg',
    'v',
    'nonce',
    'id',
    'occurredAt',
    'recordedAt',
    'action',
    'outcome',
    'severity',
    'actor',
    'targets',
  ],
  ...['correlationId', 'causationId', 'source', 'sealed', 'seals'],
]);

function lastStep(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  return path
    .slice(path.lastIndexOf('/') + 1)
    .replaceAll('~1', '/')
    .replaceAll('~0', '~');
}

/** Whether a disclosed value hides digests of its own: disclosures do not nest (spec/sealing.md). */
function holdsReserved(value: JsonValue): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return (value as readonly JsonValue[]).some(holdsReserved);
  return Object.keys(value).some(
    (name) => isReservedName(name) || holdsReserved((value as JsonObject)[name]!),
  );
}

/** Sets a field that may have any name: plain assignment to `__proto__` would set the prototype instead. */
function define(object: Record<string, JsonValue>, name: string, value: JsonValue): void {
  if (name === '__proto__')
    Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
  else object[name] = value;
}
