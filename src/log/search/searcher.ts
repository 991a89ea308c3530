import { type Filter, matches, type RecordedEvent } from '../../event/index.ts';
import { systemClock } from '../../platform/index.ts';
import { LogError } from '../../store/index.ts';
import { type Candidate, Finder } from './candidates.ts';
import type { Dictionary, NameKind } from './dictionary.ts';
import { formatCursor, type PagePosition, parseCursor, type SearchOrder } from './page-cursor.ts';
import { type Plan, planFilter } from './plan.ts';
import type { IndexView, SearchIndex } from './search-index.ts';
import { type CandidateStream, IndexStream, TimeStream } from './streams.ts';

/** What is asked for. */
export interface SearchRequest {
  readonly filter: Filter;
  readonly order: SearchOrder;
  /** Most events on the page. */
  readonly limit: number;
  /** Where the page before it ended. */
  readonly cursor?: string;
}

/** A page of an answer. */
export interface SearchPage {
  /** Newest first. */
  readonly events: readonly RecordedEvent[];
  /** Continues where this page ends; undefined where nothing is left. A page that took too long ends early, even empty. */
  readonly next?: string;
  /** The answer is complete for the first so many entries of the log. */
  readonly complete: number;
}

/** Reads events out of the log: those at these indexes, in this order; an index without an entry is left out. */
export type FetchEvents = (indexes: readonly number[]) => readonly RecordedEvent[];

/** How long one page may take. */
export interface SearcherOptions {
  /** Milliseconds after which a page ends where it is. Default {@link PAGE_MS_MAX}. */
  readonly pageMsMax?: number;
  /** A monotonic clock, milliseconds. */
  readonly now?: () => number;
}

/** Milliseconds after which a page ends where it is: other queries wait meanwhile. */
export const PAGE_MS_MAX = 250;

/** Events that are fetched at once: more of them the more do not fit. */
const FETCH_MAX = 512;

/**
 * Answers queries. The index says where to look, the log what is there: each event is read from the log and held against the
 * filter before it is handed out. So the index can hide an event (`verify --index` finds that), but make none up.
 */
export class Searcher {
  readonly #index: SearchIndex;
  readonly #fetch: FetchEvents;
  readonly #pageMsMax: number;
  readonly #now: () => number;

  constructor(index: SearchIndex, fetch: FetchEvents, options: SearcherOptions = {}) {
    this.#index = index;
    this.#fetch = fetch;
    this.#pageMsMax = options.pageMsMax ?? PAGE_MS_MAX;
    this.#now = options.now ?? systemClock.monotonic;
  }

  /**
   * One page. Throws a misuse `cursor_invalid`; `LogError` `index_corrupt` where the index contradicts the log, or is damaged;
   * and whatever reading the log throws.
   */
  page(request: SearchRequest): SearchPage {
    const begun = request.cursor === undefined ? undefined : parseCursor(request.cursor, request);
    try {
      return this.#index.read((view) => this.#answer(view, request, begun));
    } catch (error) {
      throw error instanceof FetchFailure ? error.cause : error;
    }
  }

  #answer(view: IndexView, request: SearchRequest, begun: PagePosition | undefined): SearchPage {
    const size = Math.min(view.cursor.size, begun?.size ?? Number.POSITIVE_INFINITY);
    const plan = planFilter(request.filter, view.dictionary, view.cursor.size);
    if (plan.nothing) return { events: [], complete: size };
    const end = this.#now() + this.#pageMsMax;
    const isOver = (): boolean => this.#now() >= end;
    const stream = streamOf(view, plan, { request, begun, size, isOver });
    const page = new PageInProgress(request.limit);
    let count = request.limit + 1;
    do {
      const candidates = stream.next(count);
      this.#check(candidates, { view, filter: request.filter, page });
      if (page.isFull || candidates.length === 0) break;
      count = Math.min(FETCH_MAX, 2 * count);
    } while (!isOver());
    const position = page.isFull || !stream.isDone ? positionOf(stream, page, size) : undefined;
    const { events } = page;
    if (position === undefined) return { events, complete: size };
    return { events, complete: size, next: formatCursor(position, request) };
  }

  /** Fetches candidates and adds those that fit to the page. */
  #check(
    candidates: readonly Candidate[],
    { view, filter, page }: { view: IndexView; filter: Filter; page: PageInProgress },
  ): void {
    const events = candidates.length === 0 ? [] : this.#fetched(candidates.map(({ index }) => index));
    for (const [position, candidate] of candidates.entries()) {
      const event = events[position];
      if (event?.index !== candidate.index)
        throw contradiction(candidate.index, 'it covers the entry', 'there is none');
      checkColumns(candidate, event, view.dictionary);
      if (!page.take(candidate, matches(filter, event) ? event : undefined)) return;
    }
  }

  #fetched(indexes: readonly number[]): readonly RecordedEvent[] {
    try {
      return this.#fetch(indexes);
    } catch (error) {
      throw new FetchFailure(error);
    }
  }
}

/** An error of the log's, on its way past everything that heals the index. */
class FetchFailure extends Error {
  constructor(cause: unknown) {
    super('reading the log failed', { cause });
  }
}

/** The events that were found so far, and how far they reach. */
class PageInProgress {
  readonly events: RecordedEvent[] = [];
  readonly #limit: number;
  /** The last candidate that needs no further look. */
  last: Candidate | undefined;
  /** Whether there is an event behind the page. */
  isFull = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Takes the next candidate, with its event if it fits. False when it belongs to the next page. */
  take(candidate: Candidate, event: RecordedEvent | undefined): boolean {
    if (event !== undefined) {
      if (this.events.length === this.#limit) {
        this.isFull = true;
        return false;
      }
      this.events.push(event);
    }
    this.last = candidate;
    return true;
  }
}

function streamOf(
  { db, zones, cursor }: IndexView,
  plan: Plan,
  {
    request,
    begun,
    size,
    isOver,
  }: { request: SearchRequest; begun: PagePosition | undefined; size: number; isOver: () => boolean },
): CandidateStream {
  const { window } = plan;
  const isTimed = window.from > Number.NEGATIVE_INFINITY || window.to < Number.POSITIVE_INFINITY;
  if (isTimed || request.order === 'occurredAt') zones.refresh(cursor.size);
  const finder = new Finder(db, plan);
  if (request.order === 'occurredAt')
    return new TimeStream(finder, { zones, window, size, behind: begun?.behind });
  const below = Math.min(size, begun?.below ?? size);
  const ranges = isTimed ? zones.ranges(window, below) : below > 0 ? [{ from: 0, to: below }] : [];
  return new IndexStream(finder, { ranges, below, hasTerms: plan.terms !== undefined, isOver });
}

/** Where the next page goes on. */
function positionOf(stream: CandidateStream, { last, isFull }: PageInProgress, size: number): PagePosition {
  if (stream instanceof IndexStream) {
    return { size, below: isFull ? last!.index : stream.below };
  }
  return { size, behind: { occurred: last!.occurred, index: last!.index } };
}

/** The columns of the index have to say what the event says. They are exact, so a difference is no matter of chance. */
function checkColumns(candidate: Candidate, event: RecordedEvent, dictionary: Dictionary): void {
  const { index } = event;
  const compare = (kind: NameKind & keyof Candidate, said: string): void => {
    const claimed = dictionary.nameOf(kind, candidate[kind]);
    if (claimed !== said) throw contradiction(index, `${kind} ${claimed ?? 'unknown'}`, said);
  };
  compare('action', event.action);
  compare('outcome', event.outcome);
  compare('severity', event.severity ?? '');
  compare('actor', `${event.actor.type}/${event.actor.id}`);
  if (candidate.occurred !== Date.parse(event.occurredAt)) {
    throw contradiction(index, `occurredAt ${candidate.occurred} ms`, event.occurredAt);
  }
}

function contradiction(index: number, claimed: string, said: string): LogError {
  return new LogError(
    'index_corrupt',
    `entry ${index}: the search index says ${claimed}, the log says ${said}`,
    {
      hint: 'one of them was changed: run verify --index; if the log is sound, delete index.db, and it is made anew',
    },
  );
}
