import type { PutResult, TileStore } from '../store/index.ts';

/** Files that are on their way at once: a folder syncs many for the price of one, and a bucket answers many at a time. */
const UNDERWAY_MAX = 64;

/** Puts many files, some at once, and stops at the first that fails. */
export class Puts {
  /** How many were new, and how many were there with the same bytes. */
  written = 0;
  present = 0;
  readonly #store: TileStore;
  readonly #underway = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(store: TileStore) {
    this.#store = store;
  }

  /** Puts a file; resolves when there is room for the next. Throws what an earlier one threw. */
  add(path: string, bytes: Uint8Array): Promise<void> {
    return this.run(() => this.#store.putImmutable(path, bytes));
  }

  /** Does a put that somebody else knows how to do. As {@link add}. */
  async run(work: () => Promise<PutResult>): Promise<void> {
    while (this.#underway.size >= UNDERWAY_MAX) await Promise.race(this.#underway);
    this.#check();
    const put = work()
      .then((result) => {
        this[result] += 1;
      })
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#underway.delete(put));
    this.#underway.add(put);
  }

  /** Resolves when every file is durable. Throws what one of them threw. */
  async done(): Promise<void> {
    await Promise.all(this.#underway);
    this.#check();
  }

  /** Resolves when nothing is under way any more, whatever came of it. */
  async settled(): Promise<void> {
    await Promise.all(this.#underway);
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
