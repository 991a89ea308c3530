import { LogError, VerificationError } from '../bytes/index.ts';
import { RETRY_PAUSE_MS_MAX, RETRY_PAUSE_MS_MIN } from './connection.ts';
import type { AnsweredBatch, Delivered, Delivery } from './delivery.ts';
import { SPOOL_CHARACTERS_MAX } from './options.ts';
import { isRetryable } from './problems.ts';
import { breath, jitter, restfulPause, wallMs } from './runtime.ts';
import type { SpooledEvent, SpoolStore } from './state.ts';

/** Events in one request. */
export const BATCH_EVENTS_MAX = 500;

/** Characters in one request, about as many bytes; a single event may be larger. */
export const BATCH_CHARACTERS_MAX = 1024 * 1024;

/** Events that may wait in memory; beyond them `record` rejects with `overloaded`. */
export const OUTBOX_EVENTS_MAX = 65_536;

/** Characters that may wait in memory. */
export const OUTBOX_CHARACTERS_MAX = 128 * 1024 * 1024;

/** What became of an event: the server has it, the spool has it, or nobody. */
export type Outcome = Delivered | { readonly ok: 'spooled' };

/** What an outbox works with. */
export interface OutboxOptions {
  readonly delivery: Pick<Delivery, 'ask' | 'send' | 'verify'>;
  readonly retryMs: number;
  /** How long the server still asks to be left alone, milliseconds. */
  readonly restMs: () => number;
  readonly openSpool: (() => SpoolStore | Promise<SpoolStore>) | undefined;
  readonly spoolEventsMax: number;
  readonly closing: AbortSignal;
  readonly warn: (message: string) => void;
  /** Hears what became of an event that was in the spool. */
  readonly onDelivered: (text: string, outcome: Delivered) => void;
}

interface Waiting {
  readonly text: string;
  readonly untilMs: number;
  readonly settle: (outcome: Outcome) => void;
}

/**
 * Everything that is on its way to the server, in order: one request at a time, in which what gathered meanwhile goes
 * together. While the server works on one, the answer to the one before is verified. While the spool holds anything,
 * everything new goes behind it.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  #waiting: Waiting[] = [];
  #characters = 0;
  #running: Promise<void> | undefined;
  /** Answers are verified one after the other; never rejects. */
  #verifying: Promise<void> | undefined;
  #spool: Promise<SpoolStore> | undefined;
  #spooled = { events: 0, characters: 0 };
  #emptying: Promise<void> | undefined;
  /** Why the spool is not being emptied, where evidence failed: nobody is told "kept" then. */
  #distrust: VerificationError | undefined;
  #isClosed = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
    if (options.openSpool === undefined) return;
    // What an earlier life left is delivered before anything new; an error is met again by the first event.
    this.#open(options.openSpool).catch(() => {});
  }

  /** Whether the server is away, as far as is known: events go to the spool. */
  get isSpooling(): boolean {
    return this.#spooled.events > 0;
  }

  /** Events that wait in the spool. */
  get spooled(): number {
    return this.#spooled.events;
  }

  /** Whether another event would be refused. */
  get isFull(): boolean {
    return this.#waiting.length >= OUTBOX_EVENTS_MAX || this.#characters >= OUTBOX_CHARACTERS_MAX;
  }

  /** Takes an event. Throws `LogError` `closed`, `overloaded`. */
  push(text: string): Promise<Outcome> {
    if (this.#isClosed) throw new LogError('closed', 'the client is closed');
    if (this.isFull) {
      const hint = 'wait for some of them';
      throw new LogError('overloaded', `${this.#waiting.length} events wait to be sent`, {
        retryable: true,
        hint,
      });
    }
    return new Promise((settle) => {
      this.#waiting.push({ text, untilMs: wallMs() + this.#options.retryMs, settle });
      this.#characters += text.length;
      this.#running ??= this.#run();
    });
  }

  /** Resolves when nothing waits in memory: everything is at the server, in the spool, or refused. */
  async drained(): Promise<void> {
    while (this.#running !== undefined || this.#verifying !== undefined) {
      await this.#running;
      await this.#verifying;
    }
  }

  /** Refuses further events, waits for those that were taken, leaves the spool as it is on the disk. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.drained();
  }

  /** Gives the spool back, once `closing` has fired. */
  async closeSpool(): Promise<void> {
    await this.#emptying;
    const spool = await this.#spool?.catch(() => undefined);
    await spool?.close();
  }

  async #run(): Promise<void> {
    // One turn, so that callers of the same tick travel together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#takeBatch();
      await this.#handle(batch).catch((error) => refuseAll(batch, error));
    }
    this.#running = undefined;
  }

  #takeBatch(): Waiting[] {
    let characters = 0;
    let count = 0;
    for (const { text } of this.#waiting) {
      if (count > 0 && (count >= BATCH_EVENTS_MAX || characters + text.length > BATCH_CHARACTERS_MAX)) break;
      characters += text.length;
      count += 1;
    }
    this.#characters -= characters;
    return this.#waiting.splice(0, count);
  }

  /** Sends a batch, and leaves it to be verified while the next one is on its way. */
  async #handle(batch: readonly Waiting[]): Promise<void> {
    if (this.#spool !== undefined) {
      await this.#spool;
      if (this.isSpooling) return this.#keep(batch);
    }
    const texts = batch.map(({ text }) => text);
    let answered: AnsweredBatch;
    try {
      answered = await this.#options.delivery.ask(texts, batch[0]!.untilMs);
    } catch (error) {
      if (this.#spool === undefined || !isRetryable(error)) throw error;
      return this.#keep(batch);
    }
    await this.#verifying;
    this.#verifying = this.#verify(batch, answered).finally(() => {
      this.#verifying = undefined;
    });
    // What is to go into the spool goes there before anything later is sent.
    if (this.#spool !== undefined) await this.#verifying;
  }

  async #verify(batch: readonly Waiting[], answered: AnsweredBatch): Promise<void> {
    await breath();
    let told = 0;
    const again: Waiting[] = [];
    try {
      await this.#options.delivery.verify(answered, (from, delivered) => {
        again.push(...this.#settle(batch.slice(from, from + delivered.length), delivered));
        told = from + delivered.length;
      });
    } catch (error) {
      const rest = batch.slice(told);
      if (this.#spool === undefined || !isRetryable(error)) refuseAll(rest, error);
      else again.push(...rest);
    }
    await this.#tryAgain(again).catch((error) => refuseAll(again, error));
  }

  /** Tells each what became of it; returns those that were refused for the moment alone. */
  #settle(batch: readonly Waiting[], outcomes: readonly Delivered[]): Waiting[] {
    return batch.filter((waiting, position) => {
      const outcome = outcomes[position]!;
      const isPassing = !outcome.ok && isRetryable(outcome.error);
      if (isPassing && (this.#spool !== undefined || wallMs() < waiting.untilMs)) return true;
      waiting.settle(outcome);
      return false;
    });
  }

  async #tryAgain(again: readonly Waiting[]): Promise<void> {
    if (again.length === 0) return;
    if (this.#spool !== undefined) return this.#keep(again);
    await restfulPause(RETRY_PAUSE_MS_MIN * (1 + jitter()), this.#options.closing);
    this.#waiting.unshift(...again);
    for (const { text } of again) this.#characters += text.length;
    this.#running ??= this.#run();
  }

  /** Puts events into the spool, on the disk, and says so. */
  async #keep(batch: readonly Waiting[]): Promise<void> {
    if (this.#distrust !== undefined) throw this.#distrust;
    const spool = await this.#spool!;
    const kept: Waiting[] = [];
    let { events, characters } = this.#spooled;
    for (const waiting of batch) {
      if (events >= this.#options.spoolEventsMax || characters + waiting.text.length > SPOOL_CHARACTERS_MAX) {
        const hint = 'the server is away for long: make it reachable, or raise spoolEventsMax';
        const error = new LogError('spool_full', `${events} events wait in the spool`, {
          retryable: true,
          hint,
        });
        waiting.settle({ ok: false, error });
        continue;
      }
      events += 1;
      characters += waiting.text.length;
      kept.push(waiting);
    }
    if (kept.length === 0) return;
    await spool.append(kept.map(({ text }) => text));
    this.#spooled = { events, characters };
    for (const { settle } of kept) settle({ ok: 'spooled' });
    this.#startEmptying();
  }

  #open(openSpool: () => SpoolStore | Promise<SpoolStore>): Promise<SpoolStore> {
    this.#spool = (async () => {
      const spool = await openSpool();
      const { events, characters } = await spool.counts();
      this.#spooled = { events, characters };
      return spool;
    })();
    return this.#spool.then((spool) => {
      if (this.isSpooling) this.#startEmptying();
      return spool;
    });
  }

  #startEmptying(): void {
    this.#emptying ??= this.#empty().finally(() => {
      this.#emptying = undefined;
    });
  }

  /** Delivers the spool, oldest first, until it is empty or the client is closed. */
  async #empty(): Promise<void> {
    const { closing, delivery, restMs, warn } = this.#options;
    const spool = await this.#spool!;
    let failures = 0;
    while (this.isSpooling && !closing.aborted) {
      if (restMs() > 0) {
        await restfulPause(restMs(), closing);
        continue;
      }
      try {
        const batch = await spool.read(BATCH_EVENTS_MAX);
        const outcomes = await delivery.send(
          batch.map(({ text }) => text),
          0,
        );
        this.#distrust = undefined;
        if (await this.#takeOut(spool, batch, outcomes)) failures = 0;
        else failures += 1;
      } catch (error) {
        if (closing.aborted) return;
        failures += 1;
        if (error instanceof VerificationError) this.#distrust = error;
        if (failures === 1 || !isRetryable(error)) {
          warn(`the spool holds ${this.spooled} events and cannot be delivered: ${(error as Error).message}`);
        }
      }
      if (failures > 0) {
        const longest = Math.min(RETRY_PAUSE_MS_MIN * 2 ** failures, RETRY_PAUSE_MS_MAX);
        await restfulPause(longest * (0.5 + jitter() / 2), closing);
      }
    }
  }

  /** Takes out of the spool what the server has, up to the first that it refused for the moment. True if it had them all. */
  async #takeOut(
    spool: SpoolStore,
    batch: readonly SpooledEvent[],
    outcomes: readonly Delivered[],
  ): Promise<boolean> {
    for (const [at, { position, text }] of batch.entries()) {
      const outcome = outcomes[at]!;
      if (outcome.ok) continue;
      if (isRetryable(outcome.error) || outcome.error instanceof VerificationError) {
        if (at > 0) await this.#remove(spool, batch.slice(0, at), outcomes);
        if (outcome.error instanceof VerificationError) throw outcome.error;
        return false;
      }
      await spool.refuse(position, outcome.error.message);
      this.#options.warn(`an event in the spool was refused and set aside: ${outcome.error.message} ${text}`);
    }
    await this.#remove(spool, batch, outcomes);
    return true;
  }

  async #remove(
    spool: SpoolStore,
    batch: readonly SpooledEvent[],
    outcomes: readonly Delivered[],
  ): Promise<void> {
    await spool.remove(batch.at(-1)!.position);
    for (const [at, { text }] of batch.entries()) {
      this.#spooled = {
        events: this.#spooled.events - 1,
        characters: this.#spooled.characters - text.length,
      };
      this.#options.onDelivered(text, outcomes[at]!);
    }
  }
}

function refuseAll(batch: readonly Waiting[], error: unknown): void {
  for (const { settle } of batch) settle({ ok: false, error: error as Error });
}
