import type { Draft } from '../event/index.ts';
import { isLogError, LogError } from '../store/index.ts';
import type { CommitReply } from './commit.ts';

/** Limits of what may wait to be recorded; beyond them `record` refuses with `overloaded`. */
export interface QueueLimits {
  /** Events, waiting and under way. Default {@link QUEUE_EVENTS_MAX}. */
  readonly eventsMax?: number;
  /** Characters of their drafts. Default {@link QUEUE_CHARACTERS_MAX}. */
  readonly charactersMax?: number;
}

/** Default limit of events that wait, and are under way. */
export const QUEUE_EVENTS_MAX = 65_536;

/** Default limit of the characters of their drafts: about as many bytes of memory. */
export const QUEUE_CHARACTERS_MAX = 128 * 1024 * 1024;

/** Events that are handed over at once: few, so that the writer is at work while the caller still prepares the rest. */
const HANDOVER_EVENTS_MAX = 64;

/** Handovers that lie with the writer, who joins what has arrived into one transaction; more would only make a longer wait. */
const UNDERWAY_MAX = 16;

/** Hears what a writer did with what was handed over to it, for whoever watches. It must not throw. */
export interface CommitMeter {
  /** So many events were answered, together, after so long; so many of them were refused. */
  committed(events: number, refused: number, durationMs: number): void;
  /** None was: the error of all of them. */
  failed(error: unknown): void;
}

/** Receives what became of one event. */
export interface Waiter {
  recorded(index: number, leafHash: string, checkpoint: string): void;
  refused(error: unknown): void;
}

interface Queued {
  readonly draft: Draft;
  readonly waiter: Waiter;
}

/**
 * The caller's side of group commit. While the writer is busy, events gather here and go over together:
 * a message between threads costs more than an event.
 */
export class Queue {
  readonly #commit: (drafts: readonly Draft[]) => Promise<CommitReply>;
  readonly #meter: CommitMeter | undefined;
  readonly #eventsMax: number;
  readonly #charactersMax: number;
  #queued: Queued[] = [];
  #events = 0;
  #characters = 0;
  #underway = 0;
  #scheduled = false;
  #isLost = false;
  #idle: (() => void)[] = [];
  #roomy: (() => void)[] = [];

  constructor(
    commit: (drafts: readonly Draft[]) => Promise<CommitReply>,
    limits: QueueLimits = {},
    meter?: CommitMeter,
  ) {
    this.#meter = meter;
    this.#commit = commit;
    this.#eventsMax = limits.eventsMax ?? QUEUE_EVENTS_MAX;
    this.#charactersMax = limits.charactersMax ?? QUEUE_CHARACTERS_MAX;
  }

  /** Events that wait, and are under way. */
  get length(): number {
    return this.#events;
  }

  /** Whether the writer has said that it will record nothing more: only who opens the log again learns what landed. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** Whether another event would be refused. */
  get full(): boolean {
    return this.#events >= this.#eventsMax || this.#characters >= this.#charactersMax;
  }

  /** Takes an event in. Throws `LogError` `overloaded` (retryable) when too many wait. */
  push(draft: Draft, waiter: Waiter): void {
    if (this.full) {
      throw new LogError('overloaded', `${this.#events} events wait to be recorded`, {
        retryable: true,
        hint: 'wait for some of them, or raise queue.eventsMax',
      });
    }
    this.#events += 1;
    this.#characters += draft.length;
    this.#queued.push({ draft, waiter });
    if (this.#queued.length >= HANDOVER_EVENTS_MAX) this.#handOver();
    else this.#schedule();
  }

  /** Resolves when some of what waits has been answered. */
  async room(): Promise<void> {
    if (!this.full) return;
    await new Promise<void>((resolve) => {
      this.#roomy.push(resolve);
    });
  }

  /** Resolves when nothing waits any more. */
  async drained(): Promise<void> {
    if (this.#events === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle.push(resolve);
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#underway >= UNDERWAY_MAX) return;
    this.#scheduled = true;
    // Behind the microtasks that are queued now: callers that one answer released come back together.
    queueMicrotask(() => queueMicrotask(() => this.#handOver()));
  }

  #handOver(): void {
    this.#scheduled = false;
    while (this.#underway < UNDERWAY_MAX && this.#queued.length > 0) {
      const batch =
        this.#queued.length <= HANDOVER_EVENTS_MAX
          ? this.#queued
          : this.#queued.slice(0, HANDOVER_EVENTS_MAX);
      this.#queued = batch === this.#queued ? [] : this.#queued.slice(HANDOVER_EVENTS_MAX);
      this.#underway += 1;
      const handedOver = performance.now();
      this.#commit(batch.map(({ draft }) => draft)).then(
        (reply) => this.#answered(batch, reply, handedOver),
        (error) => this.#failed(batch, error),
      );
    }
  }

  #answered(batch: readonly Queued[], reply: CommitReply, handedOver: number): void {
    const { indexes, leafHashes, refusals, checkpoint } = reply;
    this.#left(batch);
    this.#meter?.committed(batch.length, refusals.length, performance.now() - handedOver);
    const errors = new Map(refusals.map(({ position, error }) => [position, error]));
    for (let position = 0; position < batch.length; position++) {
      const { waiter } = batch[position]!;
      const error = errors.size === 0 ? undefined : errors.get(position);
      if (error === undefined) waiter.recorded(indexes[position]!, leafHashes[position]!, checkpoint);
      else waiter.refused(error);
    }
  }

  #failed(batch: readonly Queued[], error: unknown): void {
    this.#left(batch);
    this.#isLost ||= isLogError(error, 'outcome_unknown') || isLogError(error, 'log_replaced');
    this.#meter?.failed(error);
    for (const { waiter } of batch) waiter.refused(error);
  }

  #left(batch: readonly Queued[]): void {
    this.#underway -= 1;
    this.#events -= batch.length;
    for (const { draft } of batch) this.#characters -= draft.length;
    if (this.#queued.length > 0) this.#schedule();
    if (!this.full) for (const resolve of this.#roomy.splice(0)) resolve();
    if (this.#events > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
