import { LogError, VerificationError } from '../bytes/index.ts';
import type { RecordedEvent } from '../event/index.ts';

/**
 * Empty pages in a row after which a search is given up. A page ends early, even empty, where looking took the server a
 * quarter of a second: so many are some minutes of honest work in which nothing was found.
 */
export const EMPTY_PAGES_MAX = 1000;

/** The longest cursor that is taken, characters. */
export const CURSOR_CHARACTERS_MAX = 4096;

/** The way from page to page of one search: it has to lead somewhere. */
export class PageCourse {
  readonly #order: 'index' | 'occurredAt';
  readonly #cursors = new Set<string>();
  #emptyPages = 0;
  #last: RecordedEvent | undefined;

  constructor(order: 'index' | 'occurredAt' = 'index') {
    this.#order = order;
  }

  /** Holds the events of the next page to those before: each is older. So no event comes twice, and an end is certain. */
  follow(events: readonly RecordedEvent[]): void {
    for (const event of events) {
      if (this.#last !== undefined && !this.#isOlder(event, this.#last)) {
        throw invalidPage(`shows ${event.id} at ${event.index} behind ${this.#last.index}, out of order`);
      }
      this.#last = event;
    }
  }

  /**
   * Takes note of where a page of so many events says that it goes on. Throws `VerificationError` `page_invalid` for a cursor
   * that was there before, `LogError` `query_stalled`.
   */
  go(events: number, next: string | undefined): void {
    this.#emptyPages = events === 0 ? this.#emptyPages + 1 : 0;
    if (next === undefined) return;
    if (next.length > CURSOR_CHARACTERS_MAX) {
      throw invalidPage(`goes on at a cursor of more than ${CURSOR_CHARACTERS_MAX} characters`);
    }
    if (this.#cursors.has(next)) throw invalidPage('goes on where an earlier one did');
    this.#cursors.add(next);
    if (this.#emptyPages < EMPTY_PAGES_MAX) return;
    throw new LogError('query_stalled', `the server answered ${this.#emptyPages} empty pages in a row`, {
      hint: 'narrow the query, by a time for example, or take pages yourself',
    });
  }

  #isOlder(event: RecordedEvent, last: RecordedEvent): boolean {
    if (this.#order === 'index' || event.occurredAt === last.occurredAt) return event.index < last.index;
    return event.occurredAt < last.occurredAt;
  }
}

/** The error for a page that is no answer to what was asked. */
export function invalidPage(
  what: string,
  details: Readonly<Record<string, unknown>> = {},
): VerificationError {
  return new VerificationError('page_invalid', `A page of the server ${what}.`, details);
}
