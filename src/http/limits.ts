import type { Clock } from '../platform/index.ts';
import { ProblemError } from './problem.ts';

/** So many a second, and so many at once. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  at: number;
}

/** Buckets that are kept at once: beyond, the ones that rest are forgotten, full as they are. */
const BUCKETS_MAX = 10_000;

/** A token bucket for each name. */
export class TokenBuckets {
  readonly #rate: Rate;
  readonly #clock: Clock;
  readonly #buckets = new Map<string, Bucket>();

  constructor(rate: Rate, clock: Clock) {
    this.#rate = rate;
    this.#clock = clock;
  }

  /** Takes one token; false where there is none. */
  take(name: string): boolean {
    const bucket = this.#filled(name);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  /** Whether a token is left, without taking it. */
  has(name: string): boolean {
    return !this.#buckets.has(name) || this.#filled(name).tokens >= 1;
  }

  /** Whole seconds until there is a token again. */
  waitSeconds(name: string): number {
    return Math.max(1, Math.ceil((1 - this.#filled(name).tokens) / this.#rate.perSecond));
  }

  #filled(name: string): Bucket {
    const now = this.#clock.monotonic();
    const { perSecond, burst } = this.#rate;
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) {
      if (this.#buckets.size >= BUCKETS_MAX) this.#forget(now);
      const made = { tokens: burst, at: now };
      this.#buckets.set(name, made);
      return made;
    }
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * perSecond);
    bucket.at = now;
    return bucket;
  }

  /** Drops what would be full again; where nothing is, the oldest half. */
  #forget(now: number): void {
    const { perSecond, burst } = this.#rate;
    for (const [name, { tokens, at }] of this.#buckets) {
      if (tokens + ((now - at) / 1000) * perSecond >= burst) this.#buckets.delete(name);
    }
    if (this.#buckets.size < BUCKETS_MAX) return;
    let left = BUCKETS_MAX / 2;
    for (const name of this.#buckets.keys()) {
      if (left-- === 0) break;
      this.#buckets.delete(name);
    }
  }
}

/** Counts what is under way, and refuses more before everything grows slow. */
export class Gate {
  readonly #max: number;
  #underWay = 0;
  #closed = false;
  readonly #idle: (() => void)[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  get underWay(): number {
    return this.#underWay;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Lets one in. Throws `server_busy` where too many are. */
  enter(): void {
    if (this.#closed) throw busy('The server is stopping.');
    if (this.#underWay >= this.#max) throw busy('The server has as much to do as it can.');
    this.#underWay += 1;
  }

  leave(): void {
    this.#underWay -= 1;
    if (this.#underWay === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Lets nobody in any more; resolves when the last one left, or after `patienceMs`. */
  async close(patienceMs: number): Promise<void> {
    this.#closed = true;
    if (this.#underWay === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle.push(resolve);
    const timer = setTimeout(resolve, patienceMs);
    await promise;
    clearTimeout(timer);
  }
}

function busy(why: string): ProblemError {
  return new ProblemError(503, 'server_busy', why, { retryAfter: 1 });
}
