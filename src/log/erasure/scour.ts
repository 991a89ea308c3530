import { isLogError, type LogStore, type Scouring } from '../../store/index.ts';
import { SearchIndex } from '../search/index.ts';
import { type ErasureStep, recorded } from './eraser.ts';
import type { Pending } from './pending.ts';

/** How long readers are waited for that keep the write-ahead log in use, milliseconds. */
export const SCOUR_MS_MAX = 30_000;

/** How long they are waited for where an opening finishes what another process began, milliseconds. */
const FINISH_MS_MAX = 5_000;

/** An erasure that a process began and did not finish. */
export interface Unfinished {
  readonly id: string;
  readonly subject: string;
  /** Its values in entries below this index are erased. */
  readonly below: number;
}

/** What follows the commit of an erasure: no file of the log keeps a byte of what is not in it any more. */
export class Scourer {
  readonly #store: LogStore;
  readonly #pending: Pending;
  readonly #index: string | undefined;
  readonly #at: (step: ErasureStep) => void | Promise<void>;

  constructor(parts: {
    readonly store: LogStore;
    readonly pending: Pending;
    /** The search index, a file; undefined or '' where it is none. */
    readonly index: string | undefined;
    readonly at: (step: ErasureStep) => void | Promise<void>;
  }) {
    this.#store = parts.store;
    this.#pending = parts.pending;
    this.#index = parts.index;
    this.#at = parts.at;
  }

  /**
   * Drops the search index, which is made anew from what is left, and has the store overwrite its files. What fails here leaves
   * the erasure done and its traces there: it is said, and done again when the log is opened next.
   */
  async scour(subjects: readonly string[], waitMs = SCOUR_MS_MAX): Promise<Scouring> {
    try {
      // If we die here, or anywhere below, `erasing.json` still says so, and all of it is done again.
      if (this.#index !== undefined && this.#index !== '') SearchIndex.drop(this.#index);
      await this.#at('unindexed');
      const scouring = (await this.#store.scour?.(waitMs, subjects)) ?? { isClean: true };
      await this.#at('scoured');
      return scouring;
    } catch (error) {
      if (!isLogError(error)) throw error;
      return { isClean: false, why: error.message };
    }
  }

  /** What other processes left unfinished: scoured now. What of it never came into the log is forgotten. */
  async finish(waitMs = FINISH_MS_MAX): Promise<{ unfinished: Unfinished[]; scouring: Scouring }> {
    const unfinished = await this.#lookUp();
    if (unfinished.length === 0) return { unfinished, scouring: { isClean: true } };
    const subjects = unfinished.map(({ subject }) => subject).filter((subject) => subject !== '');
    return { unfinished, scouring: await this.scour(subjects, waitMs) };
  }

  /** Says that nothing is left of these. */
  async settle(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const transaction = await this.#store.begin();
    try {
      this.#pending.remove(ids);
    } finally {
      await transaction.rollback();
    }
  }

  async #lookUp(): Promise<Unfinished[]> {
    if (this.#pending.ids().length === 0) return [];
    // Under the head lock: whoever wrote an id there has committed its entry, or never will.
    const transaction = await this.#store.begin();
    try {
      const ids = this.#pending.ids();
      const found = await recorded(transaction, ids);
      const never = ids.filter((id) => id !== 'unreadable' && !found.some((one) => one.id === id));
      this.#pending.remove(never);
      return ids.includes('unreadable') ? [...found, { id: 'unreadable', subject: '', below: 0 }] : found;
    } finally {
      await transaction.rollback();
    }
  }
}
