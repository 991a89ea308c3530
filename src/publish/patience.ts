/** How long a file may take beside its bytes without being late, milliseconds: what lies far away answers in less. */
const FILE_MS = 1000;

/** Bytes that may take a millisecond: a quarter of a megabyte a second. */
const BYTES_PER_MS = 262;

/**
 * How long a server is waited for over all of its files, however it spreads the waiting: each file alone may be nearly as slow as a
 * single one may be, and a log has many. Time runs while anything is waited for, once for all that is waited for at once; each answer
 * earns {@link FILE_MS}, and each byte its part. Whoever is further behind than `limitMs` is waited for no longer. What was earned ahead
 * is not saved up; while nothing is waited for, what is behind melts away.
 */
export class Patience {
  readonly #limitMs: number;
  readonly #now: () => number;
  #since: number;
  #behind = 0;
  #waiting = 0;

  /** `now` is a monotonic clock, milliseconds. */
  constructor(limitMs: number, now: () => number) {
    this.#limitMs = limitMs;
    this.#now = now;
    this.#since = now();
  }

  /** Milliseconds until it ends, unless something comes; none or less once it has ended. */
  get left(): number {
    this.#pass();
    return this.#limitMs - this.#behind;
  }

  /** A file is waited for. */
  begin(): void {
    this.#pass();
    this.#waiting += 1;
  }

  /** So many bytes of one came. */
  took(bytes: number): void {
    this.#pass();
    this.#earn(bytes / BYTES_PER_MS);
  }

  /** One is there, or will not come. Where patience had ended, and nothing is waited for any more, it begins anew. */
  end(): void {
    const hasEnded = this.left <= 0;
    this.#earn(FILE_MS);
    this.#waiting -= 1;
    if (hasEnded && this.#waiting === 0) this.#behind = 0;
  }

  #pass(): void {
    const now = this.#now();
    const passed = now - this.#since;
    this.#since = now;
    if (this.#waiting > 0) this.#behind += passed;
    else this.#earn(passed);
  }

  #earn(ms: number): void {
    this.#behind = Math.max(0, this.#behind - ms);
  }
}
