import { isLogError, type LogStore, type Scouring } from '../../store/index.ts';
import { SearchIndex } from '../search/index.ts';
import { SCOUR_MS_MAX } from './erase.ts';
import { type ErasureStep, recorded } from './eraser.ts';
import type { Pending } from './pending.ts';

/** How long they are waited for where an opening finishes what another process began, milliseconds. */
const FINISH_MS_MAX = 5_000;

/** An erasure that a process began and did not finish. */
export interface Unfinished {
  readonly id: string;
  readonly subject: string;
  /** Its values in entries below this index are erased. */
  readonly below: number;
}

/** What came of erasures that were not finished. */
export interface Finished {
  readonly unfinished: readonly Unfinished[];
  readonly scouring: Scouring;
}

/** What follows the commit of an erasure: no file of the log keeps a byte of what is not in it any more. */
export class Scourer {
  readonly #store: LogStore;
  readonly #pending: Pending;
  readonly #index: string | undefined;
  readonly #at: (step: ErasureStep) => void | Promise<void>;
  /** Erasures of this process that are not settled: the store knows where their values were. */
  readonly #own = new Set<string>();

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
  async scour(
    subjects: readonly string[],
    { waitMs = SCOUR_MS_MAX, isWhole = false } = {},
  ): Promise<Scouring> {
    return this.#told(async () => {
      // If we die here, or anywhere below, `erasing.json` still says so, and all of it is done again.
      if (this.#index !== undefined && this.#index !== '') SearchIndex.drop(this.#index);
      await this.#at('unindexed');
      const scouring = (await this.#store.scour?.(waitMs, subjects, isWhole)) ?? { isClean: true };
      await this.#at('scoured');
      return scouring;
    });
  }

  /** An erasure of this process has begun: it is in what {@link finish} finishes, once it is in the log. */
  begun(id: string): void {
    this.#own.add(id);
  }

  /**
   * What is unfinished, of this process and of others, is scoured now. What of it never came into the log is forgotten. The caller
   * settles it where nothing is left.
   */
  async finish(waitMs = FINISH_MS_MAX): Promise<Finished> {
    const unfinished = await this.#lookUp();
    if (unfinished.length === 0) return { unfinished, scouring: { isClean: true } };
    const subjects = unfinished.map(({ subject }) => subject).filter((subject) => subject !== '');
    const isWhole = unfinished.some(({ id }) => !this.#own.has(id));
    return { unfinished, scouring: await this.scour(subjects, { waitMs, isWhole }) };
  }

  /** What lies beside the log and names a subject of whom nothing is in it: removed now. */
  forget(subject: string): Promise<Scouring> {
    return this.#told(async () => (await this.#store.forget?.(SCOUR_MS_MAX, [subject])) ?? { isClean: true });
  }

  /** What fails is said: it leaves the erasure done, and its traces there. */
  async #told(work: () => Promise<Scouring>): Promise<Scouring> {
    try {
      return await work();
    } catch (error) {
      if (!isLogError(error)) throw error;
      return { isClean: false, why: error.message };
    }
  }

  /** Says that nothing is left of these. */
  async settle(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    for (const id of ids) this.#own.delete(id);
    const transaction = await this.#store.begin();
    try {
      this.#pending.remove(ids);
    } finally {
      await transaction.rollback();
    }
  }

  async #lookUp(): Promise<Unfinished[]> {
    if (this.#pending.ids().length === 0 && this.#own.size === 0) return [];
    // Under the head lock: whoever wrote an id there has committed its entry, or never will.
    const transaction = await this.#store.begin();
    try {
      const ids = [...new Set([...this.#pending.ids(), ...this.#own])];
      const found = await recorded(transaction, ids);
      const never = ids.filter((id) => id !== 'unreadable' && !found.some((one) => one.id === id));
      this.#pending.remove(never);
      return ids.includes('unreadable') ? [...found, { id: 'unreadable', subject: '', below: 0 }] : found;
    } finally {
      await transaction.rollback();
    }
  }
}
