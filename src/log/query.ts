import { misuse } from '../bytes/index.ts';
import {
  checkPageOptions,
  eachEvent,
  type Filter,
  filterOf,
  onePage,
  type Page,
  type PageOptions,
  type RecordedEvent,
} from '../event/index.ts';
import type { StoredEntry } from '../store/index.ts';
import type { ReaderHandle } from './reader-thread.ts';
import type { CountRequest, Counts } from './search/index.ts';

/** How long a query waits for the search index to cover what was recorded before it, milliseconds. */
export const INDEX_WAIT_MS_DEFAULT = 10_000;

/** How a query is answered. */
export interface QueryOptions extends PageOptions {
  /** How long to wait for the index, milliseconds; a page says how far it is complete. */
  readonly waitMs?: number;
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
    checkPageOptions(options, ['waitMs']);
    if (options.waitMs !== undefined && !(options.waitMs >= 0)) {
      throw misuse('range', 'option_invalid', 'waitMs must be a number of at least 0');
    }
    this.filter = filterOf(query);
    this.#reader = reader;
    this.#options = options;
  }

  /** The first page, or the one at `cursor`. */
  page(): Promise<Page> {
    return onePage(this.#options, (limit, cursor) => this.#page(limit, cursor));
  }

  /** All events, newest first. Throws `LogError` `index_behind` where the index does not cover the log in time. */
  [Symbol.asyncIterator](): AsyncGenerator<RecordedEvent, void, undefined> {
    const hint = 'wait and ask again, allow more waitMs, or take pages, which say how far they are complete';
    return eachEvent(this.#options, (limit, cursor) => this.#page(limit, cursor), hint);
  }

  #page(limit: number, cursor: string | undefined): Promise<Page> {
    const { order = 'index', waitMs = INDEX_WAIT_MS_DEFAULT } = this.#options;
    const at = cursor === undefined ? {} : { cursor };
    return this.#reader.page({ filter: this.filter, limit, order, waitMs, ...at });
  }
}
