import { ProblemError } from '../problem.ts';
import type { Caller } from '../route.ts';

/** Streams that one credential may have open at once, and all together. */
export const STREAMS_MAX = { ofOne: 16, ofAll: 1024 } as const;

/** Exports that one credential may have under way at once, and all together. */
export const EXPORTS_MAX = { ofOne: 4, ofAll: 64 } as const;

/** Seconds after which asking again is worth it. */
const RETRY_AFTER_S = 5;

/** Places for answers that go on for long: so many for each credential, so many in all. */
export class Places {
  readonly #what: string;
  readonly #most: { readonly ofOne: number; readonly ofAll: number };
  readonly #taken = new Map<string, number>();
  #all = 0;

  constructor(what: string, most: { readonly ofOne: number; readonly ofAll: number }) {
    this.#what = what;
    this.#most = most;
  }

  /** Takes a place, and answers what gives it back, once. Throws `too_many_open`, `server_busy`. */
  take(caller: Caller): () => void {
    const name = `${caller.kind} ${caller.id}`;
    const own = this.#taken.get(name) ?? 0;
    const wait = { retryAfter: RETRY_AFTER_S };
    if (own >= this.#most.ofOne) {
      const why = `This credential has ${own} ${this.#what} under way, as many as it may.`;
      throw new ProblemError(429, 'too_many_open', why, wait);
    }
    if (this.#all >= this.#most.ofAll) {
      throw new ProblemError(503, 'server_busy', `Too many ${this.#what} are under way.`, wait);
    }
    this.#taken.set(name, own + 1);
    this.#all += 1;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#all -= 1;
      const left = this.#taken.get(name)! - 1;
      if (left === 0) this.#taken.delete(name);
      else this.#taken.set(name, left);
    };
  }
}
