import { VerificationError } from '../bytes/index.ts';
import {
  checkPageOptions,
  eachEvent,
  type Filter,
  filterOf,
  formatFilter,
  matches,
  onePage,
  type Page,
  type PageOptions,
  type RecordedEvent,
} from '../event/index.ts';
import type { History } from './history.ts';
import { invalidPage, PageCourse } from './page-course.ts';
import { countOf } from './problems.ts';
import { nextOf, type Reading } from './reading.ts';

/** What a query is asked with. */
export interface QueryParts {
  readonly reading: Reading;
  readonly history: History;
}

/**
 * A search. Nothing is asked before it is iterated or a page is taken.
 *
 * Every event that it gives is an entry of the log, matches the query, and stands in the order that was asked for, once. That
 * none is missing, nothing proves; what `complete` and `size` of a page say is the server's word.
 */
export class Query implements AsyncIterable<RecordedEvent> {
  readonly filter: Filter;
  readonly #parts: QueryParts;
  readonly #options: PageOptions;

  /** Throws `query_invalid`, with the position, where the text is not a query; `option_unknown`, `option_invalid`. */
  constructor(parts: QueryParts, query: string | Filter, options: PageOptions) {
    checkPageOptions(options);
    this.filter = filterOf(query);
    this.#parts = parts;
    this.#options = options;
  }

  /** The first page, or the one at `cursor`. */
  page(): Promise<Page> {
    const course = new PageCourse(this.#options.order);
    return onePage(this.#options, (limit, cursor) => this.#page(limit, cursor, course));
  }

  /**
   * All events, newest first. Throws `LogError` `index_behind` where the server's index does not cover its log,
   * `query_stalled` where page after page is empty.
   */
  [Symbol.asyncIterator](): AsyncGenerator<RecordedEvent, void, undefined> {
    const course = new PageCourse(this.#options.order);
    const hint = 'wait and ask again, or take pages, which say how far they are complete';
    return eachEvent(this.#options, (limit, cursor) => this.#page(limit, cursor, course), hint);
  }

  async #page(limit: number, cursor: string | undefined, course: PageCourse): Promise<Page> {
    const { reading, history } = this.#parts;
    const search = new URLSearchParams({ limit: String(limit), include: 'entry' });
    const text = formatFilter(this.filter);
    if (text !== '') search.set('q', text);
    if (cursor !== undefined) search.set('cursor', cursor);
    if (this.#options.order !== undefined) search.set('order', this.#options.order);
    const asked = await history.seen();
    const { events, answer } = await reading.page(search);
    const [complete, size] = [countOf(answer, 'complete'), countOf(answer, 'size')];
    if (asked !== undefined && size < asked.size) {
      const message = `The server searches ${size} entries, and had signed ${asked.size} before it was asked.`;
      throw new VerificationError('rolled_back', message, { older: asked.note, size });
    }
    this.#check(events, { limit, complete });
    const next = nextOf(answer);
    course.follow(events);
    course.go(events.length, next);
    return { events, ...(next === undefined ? {} : { next }), complete, size };
  }

  /** Whether these events are an answer to what was asked. */
  #check(
    events: readonly RecordedEvent[],
    { limit, complete }: { readonly limit: number; readonly complete: number },
  ): void {
    if (events.length > limit)
      throw invalidPage(`holds ${events.length} events, where ${limit} were asked for`);
    for (const event of events) {
      const { id, index } = event;
      if (index >= complete)
        throw invalidPage(`covers ${complete} entries, and shows one at ${index}`, { index });
      if (!matches(this.filter, event))
        throw invalidPage(`shows ${id}, which does not match the query`, { id, index });
    }
  }
}
