import { LogError, misuse } from '../bytes/index.ts';
import { type Filter, formatFilter, openEntry, parseQuery, type RecordedEvent } from '../event/index.ts';
import type { Connection } from './connection.ts';
import type { History } from './history.ts';
import { countOf, listOf, readAnswer, textOf } from './problems.ts';
import { readShown } from './receipt.ts';
import { wallMs } from './runtime.ts';

/** Events on a page where the caller does not say. */
export const PAGE_EVENTS_DEFAULT = 50;

/** Most events on a page. */
export const PAGE_EVENTS_MAX = 1000;

/** How a query is answered. */
export interface QueryOptions {
  /** Events on a page, 1 to {@link PAGE_EVENTS_MAX}; when iterating, how many at most in all (no limit by default). */
  readonly limit?: number;
  /** Where an earlier page ended. */
  readonly cursor?: string;
  /** Newest first by the log's order (default), or by the time that the events give themselves. */
  readonly order?: 'index' | 'occurredAt';
}

/** One page of an answer. Every event on it is an entry of the log; that none is missing, nothing proves. */
export interface Page {
  /** Newest first. */
  readonly events: readonly RecordedEvent[];
  /** Continues behind the last event; undefined on the last page. */
  readonly next?: string;
  /** The page covers the first so many entries of the log, as the server says. */
  readonly complete: number;
  /** The size of the log when the page was made, as the server says. */
  readonly size: number;
}

/** What a query is asked with. */
export interface QueryParts {
  readonly connection: Connection;
  readonly history: History;
  readonly log: string;
  readonly retryMs: number;
  /** Sees to it that the history covers this many entries. */
  readonly reach: (size: number) => Promise<void>;
}

/** A search. Nothing is asked before it is iterated or a page is taken. */
export class Query implements AsyncIterable<RecordedEvent> {
  readonly filter: Filter;
  readonly #parts: QueryParts;
  readonly #options: QueryOptions;

  /** Throws `query_invalid`, with the position, where the text is not a query; `option_unknown`, `option_invalid`. */
  constructor(parts: QueryParts, query: string | Filter, options: QueryOptions) {
    checkOptions(options);
    this.filter = typeof query === 'string' ? parseQuery(query) : query;
    this.#parts = parts;
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

  /** All events, newest first. Throws `LogError` `index_behind` where the server's index does not cover its log. */
  async *[Symbol.asyncIterator](): AsyncGenerator<RecordedEvent, void, undefined> {
    let left = this.#options.limit ?? Number.POSITIVE_INFINITY;
    let cursor = this.#options.cursor;
    while (left > 0) {
      const page = await this.#page(Math.min(left, PAGE_EVENTS_MAX), cursor);
      if (page.complete < page.size && cursor === undefined) {
        const message = `the search index covers ${page.complete} of ${page.size} entries`;
        const hint = 'wait and ask again, or take pages, which say how far they are complete';
        throw new LogError('index_behind', message, { retryable: true, hint });
      }
      yield* page.events;
      left -= page.events.length;
      cursor = page.next;
      if (cursor === undefined) return;
    }
  }

  async #page(limit: number, cursor: string | undefined): Promise<Page> {
    const { connection, history, log, retryMs, reach } = this.#parts;
    const search = new URLSearchParams({ limit: String(limit), include: 'entry' });
    const text = formatFilter(this.filter);
    if (text !== '') search.set('q', text);
    if (cursor !== undefined) search.set('cursor', cursor);
    if (this.#options.order !== undefined) search.set('order', this.#options.order);
    const path = `/v1/logs/${log}/events?${search}`;
    const answer = readAnswer((await connection.ask({ path, untilMs: wallMs() + retryMs })).text());
    const shown = listOf(answer, 'events').map(readShown);
    await reach(Math.max(0, ...shown.map(({ index }) => index + 1)));
    await history.verifyEntries(shown);
    return {
      events: shown.map(({ parsed, disclosures, index }) => openEntry(parsed, disclosures, index).event),
      ...(answer['next'] === undefined ? {} : { next: textOf(answer, 'next') }),
      complete: countOf(answer, 'complete'),
      size: countOf(answer, 'size'),
    };
  }
}

function checkOptions(options: QueryOptions): void {
  for (const name of Object.keys(options)) {
    if (['limit', 'cursor', 'order'].includes(name)) continue;
    throw misuse('type', 'option_unknown', `unknown option ${name}: known are limit, cursor, order`);
  }
  const { limit, order } = options;
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 1)) {
    throw misuse('range', 'option_invalid', 'limit must be a whole number of at least 1');
  }
  if (order !== undefined && order !== 'index' && order !== 'occurredAt') {
    throw misuse('type', 'option_invalid', 'order must be index or occurredAt');
  }
}
