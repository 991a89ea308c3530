import { canonicalString, type JsonObject, type JsonValue, VerificationError } from '../bytes/index.ts';
import { type Disclosure, digestDisclosure, parseDisclosure } from './disclosure.ts';
import type { Entry, EntryParty } from './entry.ts';
import type { RecordedActor, RecordedEvent, RecordedTarget, Seal, Withheld } from './model.ts';
import { escapeStep } from './refusal.ts';
import { eventFields, type Owner, reservedAction, reservedNames, sealedFieldNames } from './rules.ts';

/** One sealed value of an entry, whether its disclosure is there or not. */
export interface SealedField extends Withheld {
  /** The entry's place in the log. */
  readonly index: number;
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
 * Joins the disclosures back into the entry at `index`. Each is matched by its digest alone, so that none can be exchanged for
 * another, moved to another entry or altered; one that fits nowhere is reported, not thrown, since an audit goes on. Values
 * whose disclosure is not there are named in `event.withheld`.
 */
export function openEntry(entry: Entry, disclosures: readonly string[], index: number): OpenedEntry {
  const opening = new Opening(entry, disclosures, index);
  const event = opening.event();
  return { event, fields: opening.fields, problems: opening.problems() };
}

/** Who owns the values of an object, by whether the object names them. */
interface Ownership {
  /** Whose the values are. */
  readonly subjects: readonly string[];
  /** At the top of the entry: the names that belong to its digests, and whose each of them is. */
  readonly named?: { readonly names: readonly string[]; readonly subjectsOf: (name: string) => readonly string[] };
}

class Opening {
  readonly fields: SealedField[] = [];
  readonly #entry: Entry;
  readonly #disclosures: readonly string[];
  readonly #index: number;
  /** The position of the disclosure that each digest stands for; those that are taken go out. */
  readonly #byDigest = new Map<string, number>();
  readonly #seals = new Map<string, Seal>();
  /** Whether this is one of the log's own entries, which are never erasable (DESIGN 5.3). */
  readonly #isOwn: boolean;
  readonly #problems: OpeningProblem[] = [];
  readonly #withheld: Withheld[] = [];

  constructor(entry: Entry, disclosures: readonly string[], index: number) {
    this.#entry = entry;
    this.#disclosures = disclosures;
    this.#index = index;
    this.#isOwn = reservedAction.test(entry.action);
    for (let position = 0; position < disclosures.length; position += 1) {
      const text = disclosures[position]!;
      if (!text.isWellFormed()) this.#problem('malformed', position, 'is not well-formed text');
      else {
        const digest = digestDisclosure(text);
        if (this.#byDigest.has(digest)) this.#problem('repeated', position, 'is there twice');
        else this.#byDigest.set(digest, position);
      }
    }
    for (const seal of entry.seals ?? []) this.#seals.set(seal.digest, seal);
  }

  /** What did not fit, once the event has been joined. */
  problems(): OpeningProblem[] {
    for (const position of this.#byDigest.values()) this.#problem('unmatched', position, 'matches no digest of the entry');
    return this.#problems;
  }

  /** The event: fields in an order that reads well. */
  event(): RecordedEvent {
    const entry = this.#entry;
    const subjectsOf = (name: string): readonly string[] => this.#subjectsOf(name);
    const top = this.#join(entry, '', { subjects: [], named: { names: entry.sealed ?? [], subjectsOf } });
    const { id, occurredAt, recordedAt, action, outcome, severity, correlationId, causationId, source, seals } = entry;
    const event = {
      index: this.#index,
      id,
      occurredAt,
      recordedAt,
      action,
      outcome,
      ...(severity !== undefined && { severity }),
      actor: top['actor'] as RecordedActor,
      targets: top['targets'] as readonly RecordedTarget[],
      ...(correlationId !== undefined && { correlationId }),
      ...(causationId !== undefined && { causationId }),
    };
    const values: Record<string, JsonValue> = {};
    for (const name of readingOrder) {
      const value = top[name];
      if (value !== undefined) values[name] = value;
    }
    const unknown = unknownFields(top, entry);
    return {
      ...event,
      ...values,
      source,
      ...(seals !== undefined && { seals: seals.map(({ path, subjects }) => ({ path, subjects })) }),
      withheld: this.#withheld,
      ...(unknown !== undefined && { unknown }),
    };
  }

  /** Whose a top-level field is: this follows from what is hashed alone, so that an erasure can be judged for ever. */
  #subjectsOf(name: string): readonly string[] {
    const owner = (sealedFieldNames as readonly string[]).includes(name)
      ? eventFields[name as (typeof sealedFieldNames)[number]].owner
      : undefined;
    return owner === undefined ? [] : this.#subjectsByOwner(owner);
  }

  #subjectsByOwner(owner: Owner): readonly string[] {
    const { actor, targets } = this.#entry;
    const actorSubject = subjectOf(actor);
    const targetSubject = targets[0] === undefined ? actorSubject : subjectOf(targets[0]);
    if (owner === 'actor') return [actorSubject];
    if (owner === 'first target, else actor' || actorSubject === targetSubject) return [targetSubject];
    return [actorSubject, targetSubject];
  }

  /** An object with the values that its digests stand for. */
  #join(object: JsonObject, pointer: string, ownership: Ownership): Record<string, JsonValue> {
    return this.#joinInto({}, object, { pointer, ownership });
  }

  /** A person or thing, which is easier to read if it begins with what it is. */
  #joinParty(party: EntryParty, pointer: string): JsonObject {
    const { type, id } = party;
    return this.#joinInto({ type, id }, party, { pointer, ownership: { subjects: [subjectOf(party)] } });
  }

  #joinInto(
    joined: Record<string, JsonValue>,
    object: JsonObject,
    { pointer, ownership }: { pointer: string; ownership: Ownership },
  ): Record<string, JsonValue> {
    const digests = object['_sd'] as readonly string[] | undefined;
    for (let position = 0; position < (digests?.length ?? 0); position += 1) {
      this.#joinField(joined, object, { digest: digests![position]!, pointer, ownership, position });
    }
    for (const name of Object.keys(object)) {
      if (name === '_sd' || name === '_sd_alg') continue;
      const value = object[name]!;
      const isContainer = typeof value === 'object' && value !== null;
      define(joined, name, isContainer ? this.#joinInside(value, `${pointer}/${escapeStep(name)}`, ownership) : value);
    }
    return joined;
  }

  #joinInside(value: JsonObject | readonly JsonValue[], pointer: string, ownership: Ownership): JsonValue {
    if (pointer === '/actor' || pointer === '/actor/onBehalfOf') return this.#joinParty(value as EntryParty, pointer);
    if (pointer === '/targets') {
      return (value as readonly EntryParty[]).map((target, position) => this.#joinParty(target, `/targets/${position}`));
    }
    const inside = ownership.named === undefined ? ownership : { subjects: ownership.named.subjectsOf(pointer.slice(1)) };
    if (!Array.isArray(value)) return this.#join(value as JsonObject, pointer, inside);
    return (value as readonly JsonValue[]).map((element, position) =>
      typeof element === 'object' && element !== null
        ? this.#joinInside(element as JsonObject, `${pointer}/${position}`, inside)
        : element,
    );
  }

  /** One digest: puts its value into `joined`, or notes that it is withheld. */
  #joinField(
    joined: Record<string, JsonValue>,
    object: JsonObject,
    { digest, pointer, ownership, position }: { digest: string; pointer: string; ownership: Ownership; position: number },
  ): void {
    const seal = this.#seals.get(digest);
    const told = ownership.named?.names[position] ?? lastStep(seal?.path);
    const disclosure = this.#byDigest.get(digest);
    const found = disclosure === undefined ? undefined : this.#read(disclosure, object, { told, joined });
    if (disclosure !== undefined) this.#byDigest.delete(digest);

    const name = found?.name ?? told;
    const subjects = this.#isOwn ? [] : (seal?.subjects ?? ownership.named?.subjectsOf(name ?? '') ?? ownership.subjects);
    const path = name === undefined ? pointer : `${pointer}/${escapeStep(name)}`;
    const field = { path, ...(name !== undefined && { name }), digest, subjects };
    if (found === undefined) {
      this.fields.push({ ...field, index: this.#index });
      this.#withheld.push(field);
    } else {
      this.fields.push({ ...field, index: this.#index, disclosure: disclosure! });
      define(joined, found.name, found.value);
    }
  }

  /** The disclosure at `position`, if it can stand where its digest does. */
  #read(
    position: number,
    object: JsonObject,
    { told, joined }: { told: string | undefined; joined: JsonObject },
  ): Disclosure | undefined {
    let disclosure: Disclosure;
    try {
      disclosure = parseDisclosure(this.#disclosures[position]!);
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      this.#problem('malformed', position, 'is no array of salt, name and value');
      return undefined;
    }
    const { name, value } = disclosure;
    if (told !== undefined && name !== told) {
      this.#problem('conflicting', position, `bears another name than ${canonicalString(told)}, which the entry gives it`);
    } else if (Object.hasOwn(object, name) || Object.hasOwn(joined, name)) {
      this.#problem('conflicting', position, `bears the name ${canonicalString(name)}, which its object has already`);
    } else if (holdsReserved(value)) {
      this.#problem('malformed', position, 'holds a name that sealing uses itself');
    } else return disclosure;
    return undefined;
  }

  #problem(code: DisclosureProblem, disclosure: number, what: string): void {
    this.#problems.push({ code, disclosure, message: `disclosure ${disclosure} ${what}` });
  }
}

/** A subject: the name under which the values of a person or thing are erased. */
export function subjectOf({ type, id }: { readonly type: string; readonly id: string }): string {
  return `${type}/${id}`;
}

const readingOrder = ['reason', 'error', 'changes', 'context', 'labels', 'metadata'];

/** The fields of an entry in the open that `RecordedEvent` has a place for, or that say nothing to a reader. */
const openFields: ReadonlySet<string> = new Set([
  ...Object.keys(eventFields).filter((name) => name !== 'clear'),
  'v',
  'nonce',
  'recordedAt',
  'source',
  'sealed',
]);

/** What a later writer has added, in the open or sealed. */
function unknownFields(top: JsonObject, entry: Entry): JsonObject | undefined {
  let unknown: Record<string, JsonValue> | undefined;
  for (const name of Object.keys(top)) {
    const isKnown = Object.hasOwn(entry, name) ? openFields.has(name) : readingOrder.includes(name);
    if (isKnown) continue;
    unknown ??= {};
    define(unknown, name, top[name]!);
  }
  return unknown;
}

function lastStep(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  return path.slice(path.lastIndexOf('/') + 1).replaceAll('~1', '/').replaceAll('~0', '~');
}

/** Whether a disclosed value hides digests of its own: disclosures do not nest (DESIGN 5.2). */
function holdsReserved(value: JsonValue): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return (value as readonly JsonValue[]).some(holdsReserved);
  return Object.keys(value).some((name) => reservedNames.includes(name) || holdsReserved((value as JsonObject)[name]!));
}

/** Sets a field that may have any name: plain assignment to `__proto__` would set the prototype instead. */
function define(object: Record<string, JsonValue>, name: string, value: JsonValue): void {
  if (name === '__proto__') Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
  else object[name] = value;
}
