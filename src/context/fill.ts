import type { Actor, AuditEvent, EventContext } from '../event/index.ts';
import { type Ambient, currentContext, hearAction } from './ambient.ts';
import { activeTrace } from './telemetry.ts';

/**
 * An event that takes from its context what it does not say: the same, but that `actor` may be left out where the context has
 * one. The rules of the log see the event once it is filled.
 */
export type ContextualEvent = Omit<AuditEvent, 'actor'> & { readonly actor?: Actor | undefined };

/** An event, and what was filled into it. */
export interface FilledEvent {
  readonly event: unknown;
  /** The fields of its `context` that it did not say itself. */
  readonly names: readonly string[];
}

const nothing: readonly string[] = Object.freeze([]);

/**
 * Fills into an event what it leaves out: `actor`, and the fields of `context`. What it says itself always wins. An event that is
 * none, or cannot be read, is left for the rules of the log to refuse.
 */
export function fillEvent(event: unknown): FilledEvent {
  hearAction(event);
  return fill(event);
}

/**
 * The same event with what is around this code: for whoever notes now what is recorded later, and perhaps by then under another
 * actor. It counts as said by the event itself.
 */
export function withContext<Event extends Omit<ContextualEvent, 'actor'>>(event: Event): Event {
  return fill(event).event as Event;
}

function fill(event: unknown): FilledEvent {
  const ambient = currentContext();
  const context = contextHere(ambient);
  if (ambient?.actor === undefined && context === undefined) return { event, names: nothing };
  if (!isPlain(event)) return { event, names: nothing };
  const said = readAll(event);
  if (said === undefined) return { event, names: nothing };
  if (said['actor'] === undefined) {
    const actor = typeof ambient?.actor === 'function' ? ambient.actor() : ambient?.actor;
    if (actor !== undefined) said['actor'] = actor;
  }
  const own = said['context'];
  if (context === undefined || (own !== undefined && !isPlain(own))) return { event: said, names: nothing };
  const ownFields = own === undefined ? {} : readAll(own);
  if (ownFields === undefined) return { event: said, names: nothing };
  const names = Object.keys(context).filter((name) => ownFields[name] === undefined);
  if (names.length === 0) return { event: said, names };
  for (const name of names) ownFields[name] = context[name];
  said['context'] = ownFields;
  return { event: said, names };
}

/** What of `source` the context says. */
export function currentSource(): NonNullable<Ambient['source']> {
  return currentContext()?.source ?? {};
}

/** The context around this code, with the span that is active now rather than the one that the request came with. */
function contextHere(ambient: Ambient | undefined): EventContext | undefined {
  const trace = activeTrace();
  const around = ambient?.context;
  if (trace === undefined) return around;
  return { ...around, ...trace };
}

/** The fields of an object, each read once; undefined where reading throws: that is for the rules to tell. */
function readAll(object: object): Record<string, unknown> | undefined {
  try {
    return { ...object };
  } catch {
    return undefined;
  }
}

function isPlain(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
