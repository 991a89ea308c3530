import { type JsonValue, VerificationError } from '../bytes/index.ts';
import type { Entry } from './entry.ts';
import type { Actor, AuditEvent, EventValue, RecordedEvent } from './model.ts';
import { subjectOf } from './open.ts';
import { ownEvent } from './own.ts';
import { type Filter, matches } from './query.ts';
import { parseQuery } from './query-parser.ts';
import { subjectText } from './rules.ts';

/**
 * Legal holds. A hold is what the log says: placed by one entry, released by another, and nothing else anywhere knows of it. What
 * it covers may not be erased, nor deleted by a policy of retention, until it is released.
 */

/**
 * What a hold covers: the values that fit everything it names. One that names nothing would cover the whole log, and is refused
 * where holds are placed.
 */
export interface Hold {
  /** 1 to 64 of `A-Z a-z 0-9 . _ -`. A name is used once in the life of a log. */
  readonly name: string;
  /** Values that belong to this subject, `type/id`. */
  readonly subject?: string;
  /** Values in events of this actor, and in events with this target, `type/id`. */
  readonly actor?: string;
  readonly target?: string;
  /** Values in events that occurred at `from` or later, and before `to`: RFC 3339. */
  readonly from?: string;
  readonly to?: string;
  /** Values in events that this query finds. */
  readonly query?: string;
}

/** Who placed or released a hold, and why. */
export interface HoldWords {
  readonly actor?: Actor;
  /** Sealed, and nobody's to erase. */
  readonly reason?: string;
}

/** What an entry says of a hold. */
export type HoldChange =
  | { readonly kind: 'placed'; readonly index: number; readonly at: string; readonly hold: Hold }
  | { readonly kind: 'released'; readonly index: number; readonly at: string; readonly name: string };

/** A hold that is in force. */
export interface PlacedHold extends Hold {
  /** The index and the time of the entry that placed it. */
  readonly index: number;
  readonly at: string;
}

const namePattern = /^[A-Za-z0-9._-]{1,64}$/;

/** What a record of a hold names in the open. */
const COVERS = 'subject actor target from to'.split(' ');

/** Whether a text can name a hold. */
export function isHoldName(name: unknown): name is string {
  return typeof name === 'string' && namePattern.test(name);
}

/** The id of the entry that places a hold, or releases it: since an id is recorded once, so is each of them. */
export function holdId(kind: HoldChange['kind'], name: string): string {
  return `log.hold_${kind}:${name}`;
}

/** `log.hold_placed`. A query may name persons, so it is sealed, and nobody's to erase. */
export function holdPlacedEvent(hold: Hold, { actor, reason }: HoldWords = {}): AuditEvent {
  const { query, ...open } = hold;
  const data = { ...open, ...(query !== undefined && { queries: [query] }) } as Record<string, EventValue>;
  return {
    ...ownEvent('log.hold_placed', data, actor),
    id: holdId('placed', hold.name),
    severity: 'high',
    ...(query !== undefined && { seals: [{ path: '/metadata/queries', subjects: [] }] }),
    ...(reason !== undefined && { reason }),
  };
}

/** `log.hold_released`. */
export function holdReleasedEvent(name: string, { actor, reason }: HoldWords = {}): AuditEvent {
  return {
    ...ownEvent('log.hold_released', { name }, actor),
    id: holdId('released', name),
    severity: 'high',
    ...(reason !== undefined && { reason }),
  };
}

/**
 * What an entry says of a hold; undefined where it is of something else. `event` is the entry with its disclosures joined: a hold
 * whose query is not there covers everything that the rest of it names. Throws `malformed_entry` where it does not say.
 */
export function holdChangeOf(entry: Entry, event: RecordedEvent): HoldChange | undefined {
  if (entry.action !== 'log.hold_placed' && entry.action !== 'log.hold_released') return undefined;
  const { index, recordedAt: at } = event;
  const data = (event.metadata ?? {}) as Readonly<Record<string, JsonValue>>;
  const { name, queries } = data;
  if (!isHoldName(name)) throw malformed('names no hold');
  if (entry.action === 'log.hold_released') return { kind: 'released', index, at, name };
  const hold: Record<string, string> = { name };
  for (const field of COVERS) {
    const value = data[field];
    if (value === undefined) continue;
    if (typeof value !== 'string') throw malformed(`has a ${field} that is no text`);
    hold[field] = value;
  }
  if (Array.isArray(queries) && typeof queries[0] === 'string') hold['query'] = queries[0];
  return { kind: 'placed', index, at, hold: hold as unknown as Hold };
}

/** The holds in force after these changes, in the order in which they were placed. */
export function holdsAfter(changes: Iterable<HoldChange>): PlacedHold[] {
  const holds = new Map<string, PlacedHold>();
  for (const change of [...changes].sort((one, other) => one.index - other.index)) {
    if (change.kind === 'released') holds.delete(change.name);
    else holds.set(change.hold.name, { ...change.hold, index: change.index, at: change.at });
  }
  return [...holds.values()];
}

/** The first of these holds that covers a value of an event, given whose the value is; undefined where none does. */
export function coveredByHold<One extends Hold>(
  holds: Iterable<One>,
  event: RecordedEvent,
  subjects: readonly string[],
): One | undefined {
  for (const hold of holds) if (covers(hold, event, subjects)) return hold;
  return undefined;
}

function covers(hold: Hold, event: RecordedEvent, subjects: readonly string[]): boolean {
  const { subject, actor, target, from, to, query } = hold;
  if (subject !== undefined && !subjects.includes(subject)) return false;
  if (actor !== undefined && !actorsOf(event).includes(actor)) return false;
  if (target !== undefined && !event.targets.some((one) => subjectOf(one) === target)) return false;
  if (from !== undefined && event.occurredAt < from) return false;
  if (to !== undefined && event.occurredAt >= to) return false;
  return query === undefined || matches(filterOf(query), event);
}

/** Whoever acted, and on whose behalf. */
function actorsOf({ actor }: RecordedEvent): string[] {
  const principal = actor.onBehalfOf;
  return [subjectOf(actor), ...(principal === undefined ? [] : [subjectOf(principal)])];
}

/** Parsing is a thousand times what comparing is: the last query is remembered. */
let parsed: { readonly text: string; readonly filter: Filter } | undefined;

function filterOf(text: string): Filter {
  if (parsed?.text !== text) parsed = { text, filter: parseQuery(text) };
  return parsed.filter;
}

/** Whether a text is a subject, `type/id`. */
export function isSubject(text: unknown): text is string {
  return (
    typeof text === 'string' && text.length <= (subjectText.charactersMax ?? 0) && subjectText.test(text)
  );
}

function malformed(what: string): VerificationError {
  return new VerificationError('malformed_entry', `The record of a hold ${what}.`, { pointer: '/metadata' });
}
