import { LogError, misuse } from '../bytes/index.ts';
import { checkFilter } from './check-filter.ts';
import type { RecordedEvent } from './model.ts';
import type { Filter } from './query.ts';
import { parseQuery } from './query-parser.ts';

/** Events on a page where the caller does not say. */
export const PAGE_EVENTS_DEFAULT = 50;

/** Most events on a page. */
export const PAGE_EVENTS_MAX = 1000;

/** How a query is answered. */
export interface PageOptions {
  /** Events on a page, 1 to {@link PAGE_EVENTS_MAX}; when iterating, how many at most in all (no limit by default). */
  readonly limit?: number;
  /** Where an earlier page ended. */
  readonly cursor?: string;
  /** Newest first by the log's order (default), or by the time that the events give themselves. */
  readonly order?: 'index' | 'occurredAt';
}

/** One page of an answer. */
export interface Page {
  /** Newest first. */
  readonly events: readonly RecordedEvent[];
  /** Continues behind the last event; undefined on the last page. */
  readonly next?: string;
  /** The page covers the first so many entries of the log. */
  readonly complete: number;
  /** The size of the log when the page was made: `complete` is smaller when the index is behind. */
  readonly size: number;
}

/** Asks for a page of at most so many events, the first or the one at a cursor. */
export type AskPage = (limit: number, cursor: string | undefined) => Promise<Page>;

/** The filter that a query is, as text or as data. Throws misuse `query_invalid`, with the position. */
export function filterOf(query: string | Filter): Filter {
  if (typeof query === 'string') return parseQuery(query);
  checkFilter(query);
  return query;
}

/** Refuses options that a query does not have, beside `more`. Throws misuse `option_unknown`, `option_invalid`, `argument_invalid`. */
export function checkPageOptions(options: PageOptions, more: readonly string[] = []): void {
  if (typeof options !== 'object' || options === null) {
    throw misuse('type', 'argument_invalid', 'query takes an object of options');
  }
  const names = ['limit', 'cursor', 'order', ...more];
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue;
    throw misuse('type', 'option_unknown', `unknown option ${name}: known are ${names.join(', ')}`);
  }
  const { limit, cursor, order } = options;
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 1)) {
    throw misuse('range', 'option_invalid', 'limit must be a whole number of at least 1');
  }
  if (cursor !== undefined && typeof cursor !== 'string') {
    throw misuse('type', 'option_invalid', 'cursor must be the `next` of an earlier page');
  }
  if (order !== undefined && order !== 'index' && order !== 'occurredAt') {
    throw misuse('type', 'option_invalid', 'order must be index or occurredAt');
  }
}

/** The first page, or the one at `cursor`. */
export function onePage({ limit = PAGE_EVENTS_DEFAULT, cursor }: PageOptions, ask: AskPage): Promise<Page> {
  if (limit <= PAGE_EVENTS_MAX) return ask(limit, cursor);
  throw misuse('range', 'option_invalid', `a page holds at most ${PAGE_EVENTS_MAX} events; iterate for more`);
}

/**
 * The events of all pages, newest first. Throws `LogError` `index_behind`, with the hint, where the index does not cover the
 * log: a loop over an answer cannot see that some of it is missing; a page says so, and an error does.
 */
export async function* eachEvent(
  options: PageOptions,
  ask: AskPage,
  hint: string,
): AsyncGenerator<RecordedEvent, void, undefined> {
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  let cursor = options.cursor;
  while (left > 0) {
    const { events, next, complete, size } = await ask(Math.min(left, PAGE_EVENTS_MAX), cursor);
    if (complete < size && cursor === undefined) {
      const message = `the search index covers ${complete} of ${size} entries`;
      throw new LogError('index_behind', message, { retryable: true, hint });
    }
    yield* events;
    left -= events.length;
    cursor = next;
    if (cursor === undefined) return;
  }
}
