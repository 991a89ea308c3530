import type { JsonObject } from '../bytes/index.ts';
import type { RecordedEvent, RecordedTarget } from './model.ts';
import { searchText, tokenize } from './tokens.ts';

/** Fields whose values are compared as they are. */
export const wordFields = [
  'action',
  'outcome',
  'severity',
  'id',
  'source',
  'correlation',
  'ip',
  'session',
  'request',
] as const;

/** One of `wordFields`. */
export type WordField = (typeof wordFields)[number];

/**
 * What a query asks for, as plain data, so that it crosses threads and networks and can be turned into SQL.
 * `prefix` means that the value only begins so; an empty value with `prefix` is any value at all.
 */
export type Filter =
  /** Every one of them; none: everything. */
  | { readonly kind: 'all'; readonly filters: readonly Filter[] }
  /** At least one of them. */
  | { readonly kind: 'any'; readonly filters: readonly Filter[] }
  | { readonly kind: 'not'; readonly filter: Filter }
  /** A field has the value. */
  | { readonly kind: 'word'; readonly field: WordField; readonly value: string; readonly prefix: boolean }
  /** The actor, or one of the targets, has the value for its `type/id`, or for its id alone. */
  | {
      readonly kind: 'party';
      readonly field: 'actor' | 'target';
      readonly value: string;
      readonly prefix: boolean;
    }
  /** It happened at that time or later. */
  | { readonly kind: 'after'; readonly time: string }
  /** It happened before that time. */
  | { readonly kind: 'before'; readonly time: string }
  /** The words follow one another somewhere in the event; with `prefix`, the last of them only begins so. */
  | { readonly kind: 'text'; readonly tokens: readonly string[]; readonly prefix: boolean };

/** Whether an event is one that the filter asks for. The search index answers the same. */
export function matches(filter: Filter, event: RecordedEvent): boolean {
  return new Matcher(event).matches(filter);
}

/**
 * The text of a filter in the query language. `parseQuery` makes the same filter of it again, if it made this
 * one.
 */
export function formatFilter(filter: Filter): string {
  switch (filter.kind) {
    case 'all':
      return filter.filters
        .map((part) => (part.kind === 'all' ? parenthesised(part) : formatFilter(part)))
        .join(' ');
    case 'any':
      return formatAny(filter.filters);
    case 'not':
      return `-${formatOperand(filter.filter)}`;
    case 'word':
    case 'party':
      return `${filter.field}:${formatValue(filter.value, filter.prefix)}`;
    case 'text':
      return formatValue(filter.tokens.join(' '), filter.prefix);
    default:
      return `${filter.kind}:${filter.time}`;
  }
}

/** Terms of different kinds stand beside OR in parentheses only. */
function formatAny(filters: readonly Filter[]): string {
  const isOneKind = new Set(filters.map((part) => ('field' in part ? part.field : part.kind))).size === 1;
  return filters.map((part) => (isOneKind ? formatOperand(part) : parenthesised(part))).join(' OR ');
}

function formatOperand(filter: Filter): string {
  return filter.kind === 'all' || filter.kind === 'any' || filter.kind === 'not'
    ? parenthesised(filter)
    : formatFilter(filter);
}

function parenthesised(filter: Filter): string {
  return `(${filter.kind === 'all' && filter.filters.length === 0 ? '*' : formatFilter(filter)})`;
}

/** Characters that a value may have without quotes, wherever they stand. */
const bare = /^[\p{L}\p{N}\p{M}._~/@+:=-]+$/u;

function formatValue(value: string, prefix: boolean): string {
  if (value === '' && prefix) return '*';
  const text = bare.test(value) ? value : `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  return prefix ? `${text}*` : text;
}

/** Compares one event with any number of filters; its words are found once, when first asked for. */
class Matcher {
  readonly #event: RecordedEvent;
  #tokens: readonly string[] | undefined;

  constructor(event: RecordedEvent) {
    this.#event = event;
  }

  matches(filter: Filter): boolean {
    switch (filter.kind) {
      case 'all':
        return filter.filters.every((part) => this.matches(part));
      case 'any':
        return filter.filters.some((part) => this.matches(part));
      case 'not':
        return !this.matches(filter.filter);
      case 'word':
        return fits(wordOf(this.#event, filter.field), filter);
      case 'party':
        return this.#parties(filter.field).some(
          ({ type, id }) => fits(`${type}/${id}`, filter) || fits(id, filter),
        );
      case 'after':
        return this.#event.occurredAt >= filter.time;
      case 'before':
        return this.#event.occurredAt < filter.time;
      default:
        return this.#hasText(filter.tokens, filter.prefix);
    }
  }

  #parties(field: 'actor' | 'target'): readonly RecordedTarget[] {
    return field === 'actor' ? [this.#event.actor] : this.#event.targets;
  }

  #hasText(wanted: readonly string[], prefix: boolean): boolean {
    this.#tokens ??= tokenize(searchText(this.#event));
    return hasWords(this.#tokens, wanted, prefix);
  }
}

/** Whether the wanted words follow one another among these; with `prefix`, the last of them only begins so. */
export function hasWords(tokens: readonly string[], wanted: readonly string[], prefix: boolean): boolean {
  const last = wanted.length - 1;
  const begins = (token: string, position: number): boolean =>
    position === last && prefix ? token.startsWith(wanted[position]!) : token === wanted[position];
  for (let start = 0; start + last < tokens.length; start += 1) {
    if (wanted.every((_, position) => begins(tokens[start + position]!, position))) return true;
  }
  return false;
}

/**
 * The value of a field that a query can ask for; undefined if the event has none, or it is sealed away from
 * this reader.
 */
export function wordOf(event: RecordedEvent, field: WordField): string | undefined {
  switch (field) {
    case 'action':
    case 'outcome':
    case 'severity':
    case 'id':
      return event[field];
    case 'source':
      return event.source.service;
    case 'correlation':
      return event.correlationId;
    case 'ip':
      return contextWord(event.context, 'ip');
    case 'session':
      return contextWord(event.context, 'sessionId');
    default:
      return contextWord(event.context, 'requestId');
  }
}

function contextWord(context: JsonObject | undefined, name: string): string | undefined {
  const value = context !== undefined && Object.hasOwn(context, name) ? context[name] : undefined;
  return typeof value === 'string' ? value : undefined;
}

function fits(
  value: string | undefined,
  wanted: { readonly value: string; readonly prefix: boolean },
): boolean {
  if (value === undefined) return false;
  return wanted.prefix ? value.startsWith(wanted.value) : value === wanted.value;
}
