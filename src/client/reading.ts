import { type JsonValue, VerificationError } from '../bytes/index.ts';
import {
  judge,
  type OpenedEntry,
  type RecordedEvent,
  type Removal,
  removalActions,
  removalOf,
} from '../event/index.ts';
import type { Answered } from './connection.ts';
import type { History } from './history.ts';
import { PageCourse } from './page-course.ts';
import { type Answer, listOf, readAnswer, textOf } from './problems.ts';
import { openShown, readShown, type ShownEntry } from './shown.ts';

/** Entries that one request for the records of erasures brings. */
const ERASURES_PAGE_MAX = 1000;

/** What reading works with. */
export interface ReadingOptions {
  readonly history: History;
  readonly log: string;
  /** One request, repeated while the failure may pass. */
  readonly ask: (path: string) => Promise<Answered>;
  /** Sees to it that the tree that was seen last holds so many entries. */
  readonly reach: (size: number) => Promise<void>;
}

/**
 * Makes events of what a server shows. Each is made of the bytes of its entry, which must be in the tree at that index, and
 * of disclosures that match the entry's digests. A value whose disclosure is not there must have been erased, by a record
 * that is in the log itself.
 */
export class Reading {
  readonly #options: ReadingOptions;
  /** Records of erasures that were proven to be in the log, where they stay. */
  #removals: readonly Removal[] = [];

  constructor(options: ReadingOptions) {
    this.#options = options;
  }

  /** One entry, by its id. Throws `VerificationError` `receipt_invalid` for another one, and as `open`. */
  async one(id: string): Promise<{ readonly shown: ShownEntry; readonly event: RecordedEvent }> {
    const { log } = this.#options;
    const shown = readShown(
      await this.#ask(`/v1/logs/${log}/events/${encodeURIComponent(id)}?include=entry`),
    );
    if (shown.parsed.id !== id) {
      const message = `The server shows another event than ${id}.`;
      throw new VerificationError('receipt_invalid', message, { id, index: shown.index });
    }
    const [event] = await this.#open([shown]);
    return { shown, event: event! };
  }

  /** One page of a search: its events in the order of the answer, and the answer. */
  async page(
    search: URLSearchParams,
  ): Promise<{ readonly events: RecordedEvent[]; readonly answer: Answer }> {
    const answer = await this.#ask(`/v1/logs/${this.#options.log}/events?${search}`);
    return { events: await this.#open(listOf(answer, 'events').map(readShown)), answer };
  }

  /**
   * Throws `VerificationError`: `inclusion_invalid` where an entry is not the tree's, `disclosure_unmatched`,
   * `malformed_disclosure`, `disclosure_missing`; what holding a checkpoint to the last one throws.
   */
  async #open(shown: readonly ShownEntry[]): Promise<RecordedEvent[]> {
    await this.#verifyEntries(shown);
    const opened = shown.map(openShown);
    if (!this.#areErased(opened)) {
      await this.#readRemovals();
      this.#requireErased(opened);
    }
    return opened.map(({ event }) => event);
  }

  async #verifyEntries(shown: readonly ShownEntry[]): Promise<void> {
    const { history, reach } = this.#options;
    await reach(shown.reduce((size, { index }) => Math.max(size, index + 1), 0));
    await history.verifyEntries(shown);
  }

  #areErased(opened: readonly OpenedEntry[]): boolean {
    return opened.every(({ fields }) => fields.every((field) => judge(field, this.#removals) !== 'missing'));
  }

  #requireErased(opened: readonly OpenedEntry[]): void {
    for (const { event, fields } of opened) {
      const field = fields.find((one) => judge(one, this.#removals) === 'missing');
      if (field === undefined) continue;
      const { id, index } = event;
      const { path } = field;
      const message = `The server shows ${id} without the value at ${path || '/'}, and the log has no record of its erasure.`;
      throw new VerificationError('disclosure_missing', message, { id, index, path });
    }
  }

  /** Everything that the server says was removed, as far as entries of the log prove it. */
  async #readRemovals(): Promise<void> {
    const removals: Removal[] = [];
    const course = new PageCourse();
    let cursor: string | undefined;
    do {
      const search = new URLSearchParams({
        q: removalActions.map((action) => `action:${action}`).join(' OR '),
        limit: String(ERASURES_PAGE_MAX),
        include: 'entry',
        ...(cursor === undefined ? {} : { cursor }),
      });
      const answer = await this.#ask(`/v1/logs/${this.#options.log}/events?${search}`);
      const shown = listOf(answer, 'events').map(readShown);
      await this.#verifyEntries(shown);
      for (const { parsed, index } of shown) removals.push(removalOf(parsed, index));
      cursor = nextOf(answer);
      course.go(shown.length, cursor);
    } while (cursor !== undefined);
    this.#removals = removals;
  }

  async #ask(path: string): Promise<Answer> {
    return readAnswer((await this.#options.ask(path)).text());
  }
}

/** Where an answer says that it goes on. */
export function nextOf(answer: Answer): string | undefined {
  const next: JsonValue | undefined = answer['next'];
  return next === undefined ? undefined : textOf(answer, 'next');
}
