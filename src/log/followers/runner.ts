import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { misuse } from '../../bytes/index.ts';
import { systemClock } from '../../platform/index.ts';
import { LogError } from '../../store/index.ts';
import { CursorStore } from './cursors.ts';
import { type Errand, ErrandRun } from './errand.ts';
import type { Follower, FollowerSource, FollowerStatus, LeaseTask } from './follower.ts';
import { Tail } from './tail.ts';

/** How long a process keeps the lease without renewing it, milliseconds. */
export const LEASE_MS_DEFAULT = 10_000;

/** How often a follower looks for entries that nobody announced, milliseconds: other processes write too. */
export const POLL_MS_DEFAULT = 250;

/** Longest pause before a follower that failed is tried again, milliseconds. */
export const RETRY_MS_MAX_DEFAULT = 60_000;

/** How followers are run. */
export interface FollowerOptions {
  readonly leaseMs?: number;
  readonly pollMs?: number;
  readonly retryMsMax?: number;
  /** The wall clock, milliseconds. All processes of a log share it: they are on one machine. */
  readonly now?: () => number;
  /** Told of a follower that is left alone for good, `refused`. */
  readonly warn?: (message: string) => void;
}

const namePattern = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/**
 * Runs the followers of one log: `log.followers`.
 *
 * Of all processes that have the log open, the one that holds the lease runs its followers; the others wait, and one of
 * them takes over when the lease runs out. So each process should add the same followers. Each follower is run by itself, so that one that fails holds up no other.
 */
export class FollowerRunner {
  readonly #source: FollowerSource;
  readonly #path: string;
  readonly #holder = randomUUID();
  readonly #options: Required<FollowerOptions>;
  readonly #tails = new Map<string, Tail | ErrandRun>();
  readonly #tasks = new Map<LeaseTask, Promise<void>>();
  readonly #stopping = new AbortController();
  #cursors: CursorStore | undefined;
  #lease: NodeJS.Timeout | undefined;
  #holding = false;
  #stopped: Promise<void> | undefined;

  /** `path` is `followers.db`; it is made when the first follower is added. */
  constructor(source: FollowerSource, path: string, options: FollowerOptions = {}) {
    this.#source = source;
    this.#path = path;
    this.#options = {
      leaseMs: LEASE_MS_DEFAULT,
      pollMs: POLL_MS_DEFAULT,
      retryMsMax: RETRY_MS_MAX_DEFAULT,
      now: systemClock.wall,
      warn: () => {},
      ...options,
    };
  }

  /**
   * Starts a follower where it left off; at the beginning if its name is new. Throws a misuse `option_invalid` where the
   * name is no name or is taken, `LogError` `closed`, `io_failed`.
   */
  add(follower: Follower): void {
    this.#checkName(follower.name);
    if (typeof follower.apply !== 'function') {
      throw misuse('type', 'option_invalid', `the follower ${follower.name} has no function apply`);
    }
    const cursors = this.#admit(follower.name);
    const tail = new Tail({
      follower,
      source: this.#source,
      cursors,
      holder: this.#holder,
      isHolding: () => this.#holding,
      signal: this.#stopping.signal,
      pollMs: this.#options.pollMs,
      retryMsMax: this.#options.retryMsMax,
      warn: this.#options.warn,
    });
    this.#tails.set(follower.name, tail);
    tail.start();
  }

  /**
   * Starts an errand, which has no cursor and sees no entries. Throws as {@link add}.
   * @internal
   */
  addErrand(errand: Errand): void {
    this.#checkName(errand.name);
    this.#admit(errand.name);
    const run = new ErrandRun({
      errand,
      isHolding: () => this.#holding,
      signal: this.#stopping.signal,
      pollMs: this.#options.pollMs,
    });
    this.#tails.set(errand.name, run);
    run.start();
  }

  #checkName(name: unknown): void {
    if (this.#stopped !== undefined) throw new LogError('closed', 'the log is closed');
    if (typeof name !== 'string' || !namePattern.test(name)) {
      throw misuse('type', 'option_invalid', 'a follower needs a name: 1 to 64 of a-z 0-9 . _ -');
    }
  }

  /** Takes a name, and sees to the lease under which its owner is run. */
  #admit(name: string): CursorStore {
    if (this.#tails.has(name)) throw misuse('type', 'option_invalid', `there is a follower ${name} already`);
    return this.#begin();
  }

  /**
   * Starts a task that runs under the lease. Throws `LogError` `closed`, `io_failed`.
   * @internal
   */
  addTask(task: LeaseTask): void {
    if (this.#stopped !== undefined) throw new LogError('closed', 'the log is closed');
    this.#begin();
    this.#tasks.set(task, task.run({ isHolding: () => this.#holding, signal: this.#stopping.signal }));
  }

  /** How each follower is doing, in the order in which they were added; then the witnesses. */
  list(): FollowerStatus[] {
    const tails = [...this.#tails.values()].map((tail) => tail.status());
    return [...tails, ...[...this.#tasks.keys()].flatMap((task) => task.list())];
  }

  /** Followers of the log, of any process, that have seen fewer than `size` entries. */
  behind(size: number): { readonly name: string; readonly size: number }[] {
    if (this.#stopped !== undefined || (this.#cursors === undefined && !existsSync(this.#path))) return [];
    this.#cursors ??= CursorStore.open(this.#path);
    const kept = this.#cursors.list();
    const added = [...this.#tails.keys()].filter((name) => !kept.some((one) => one.name === name));
    return [...kept, ...added.map((name) => ({ name, size: 0 }))].filter((one) => one.size < size);
  }

  /** Says that there may be new entries. Cheap; without it followers find them by themselves a little later. */
  wake(): void {
    for (const tail of this.#tails.values()) tail.wake();
    for (const task of this.#tasks.keys()) task.wake();
  }

  /** Stops all followers, waits for batches that they are at, and gives the lease up. Idempotent. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#stopping.abort(new LogError('closed', 'the log is closed'));
    clearInterval(this.#lease);
    await Promise.all([...this.#tails.values()].map((tail) => tail.stopped()));
    await Promise.all(this.#tasks.values());
    try {
      if (this.#holding) this.#cursors?.release(this.#holder);
    } catch {
      // It runs out by itself.
    }
    this.#cursors?.close();
  }

  /** Opens the file, and takes part in the lease. */
  #begin(): CursorStore {
    this.#cursors ??= CursorStore.open(this.#path);
    if (this.#lease === undefined) this.#keepLease();
    return this.#cursors;
  }

  /** Takes the lease now, and again well before it runs out. */
  #keepLease(): void {
    const { leaseMs, now } = this.#options;
    const renew = (): void => {
      try {
        const held = this.#cursors!.hold(this.#holder, { now: now(), lengthMs: leaseMs });
        if (held && !this.#holding) this.wake();
        this.#holding = held;
      } catch {
        // Nobody knows; a cursor does not move without the lease anyway.
        this.#holding = false;
      }
    };
    this.#lease = setInterval(renew, Math.ceil(leaseMs / 3)).unref();
    renew();
  }
}
