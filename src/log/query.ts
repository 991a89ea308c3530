import { misuse } from '../bytes/index.ts';
import { checkFilter, type Filter, parseQuery, type RecordedEvent } from '../event/index.ts';
import { LogError, type StoredEntry } from '../store/index.ts';
import type { ReaderHandle } from './reader-thread.ts';
import type { CountRequest, Counts } from './search/index.ts';

/** Events on a page where the caller does not say. */
export const PAGE_EVENTS_DEFAULT = 50;

/** Most events on a page. */
export const PAGE_EVENTS_MAX = 1000;

/** How long a query waits for the search index to cover what was recorded before it, milliseconds. */
export const INDEX_WAIT_MS_DEFAULT = 10_000;

/** How a query is answered. */
export interface QueryOptions {
  /** Events on a page, 1 to {@link PAGE_EVENTS_MAX}; when iterating, how many at most in all (no limit by default). */
  readonly limit?: number;
  /** Where an earlier page ended. */
  readonly cursor?: string;
  /** Newest first by the log's order (default), or by the time that the events give themselves. */
  readonly order?: 'index' | 'occurredAt';
  /** How long to wait for the index, milliseconds; a page says how far it is complete. */
  readonly waitMs?: number;
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

/** A page as it is asked for across threads. */
export interface PageRequest {
  readonly filter: Filter;
  readonly limit: number;
  readonly order: 'index' | 'occurredAt';
  readonly waitMs: number;
  readonly cursor?: string;
}

/** A page with what its events are made of, for whoever hands it on to be checked elsewhere. */
export interface Rows extends Page {
  /** SHA-256 of the leaf of each event, standard base64. */
  readonly leafHashes: readonly string[];
  /** The entry of each event, where it was asked for. */
  readonly stored?: readonly StoredEntry[];
}

/** Counts, and how much of the log they cover. */
export interface Stats extends Counts {
  readonly complete: number;
  readonly size: number;
}

/** Counts as they are asked for across threads. */
export interface StatsRequest extends CountRequest {
  readonly waitMs: number;
}

/** A search. Nothing is asked before it is iterated or a page is taken. */
export class Query implements AsyncIterable<RecordedEvent> {
  readonly filter: Filter;
  readonly #reader: ReaderHandle;
  readonly #options: QueryOptions;

  /** Throws `query_invalid`, with the position, where the text is not a query. */
  constructor(reader: ReaderHandle, query: string | Filter, options: QueryOptions) {
    checkOptions(options);
    if (typeof query !== 'string') checkFilter(query);
    this.filter = typeof query === 'string' ? parseQuery(query) : query;
    this.#reader = reader;
    this.#options = options;
  }

  /** The first page, or the one at `cursor`. */
  page(): Promise<Page> {
    const limit = this.#options.limit ?? PAGE_EVENTS_DEFAULT;
    if (limit > PAGE_EVENTS_MAX) {
      throw misuse(
        'range',
        'option_invalid',
        `a page holds at most ${PAGE_EVENTS_MAX} events; iterate for more`,
      );
    }
    return this.#page(limit, this.#options.cursor);
  }

  /** All events, newest first. Throws `LogError` `index_behind` where the index does not cover the log in time. */
  async *[Symbol.asyncIterator](): AsyncGenerator<RecordedEvent, void, undefined> {
    let left = this.#options.limit ?? Number.POSITIVE_INFINITY;
    let cursor = this.#options.cursor;
    while (left > 0) {
      const page = await this.#page(Math.min(left, PAGE_EVENTS_MAX), cursor);
      if (page.complete < page.size && cursor === undefined) {
        // A loop over an answer cannot see that some of it is missing; a page says so, and an error does.
        const message = `the search index covers ${page.complete} of ${page.size} entries`;
        throw new LogError('index_behind', message, {
          retryable: true,
          hint: 'wait and ask again, allow more waitMs, or take pages, which say how far they are complete',
        });
      }
      yield* page.events;
      left -= page.events.length;
      cursor = page.next;
      if (cursor === undefined) return;
    }
  }

  #page(limit: number, cursor: string | undefined): Promise<Page> {
    const { order = 'index', waitMs = INDEX_WAIT_MS_DEFAULT } = this.#options;
    const at = cursor === undefined ? {} : { cursor };
    return this.#reader.page({ filter: this.filter, limit, order, waitMs, ...at });
  }
}

function checkOptions(options: QueryOptions): void {
  if (typeof options !== 'object' || options === null) {
    throw misuse('type', 'argument_invalid', 'query takes an object of options');
  }
  for (const name of Object.keys(options)) {
    if (['limit', 'cursor', 'order', 'waitMs'].includes(name)) continue;
    throw misuse('type', 'option_unknown', `unknown option ${name}: known are limit, cursor, order, waitMs`);
  }
  const { limit, order, waitMs } = options;
  if (waitMs !== undefined && !(waitMs >= 0)) {
    throw misuse('range', 'option_invalid', 'waitMs must be a number of at least 0');
  }
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 1)) {
    throw misuse('range', 'option_invalid', 'limit must be a whole number of at least 1');
  }
  if (order !== undefined && order !== 'index' && order !== 'occurredAt') {
    throw misuse('type', 'option_invalid', 'order must be index or occurredAt');
  }
}
