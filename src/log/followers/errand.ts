import { isLogError } from '../../store/index.ts';
import type { FollowerState, FollowerStatus } from './follower.ts';
import { type Failure, lastErrorOf, Pauses } from './pause.ts';

/** How an errand went. */
export interface ErrandOutcome {
  /** Entries that it is done with. */
  readonly size: number;
  /** Entries that the log had. */
  readonly logSize: number;
  /** In how many milliseconds to look again. */
  readonly againInMs: number;
}

/**
 * An extension that does something with the newest checkpoint now and then, and needs none of the entries: stamps it, publishes it. It
 * is run under the lease of the log's followers and listed among them, and never holds up `record`.
 */
export interface Errand {
  /** As a follower's. */
  readonly name: string;
  /** The first pause after a failure, milliseconds; it doubles with each further one. */
  readonly retryMsMin: number;
  readonly retryMsMax: number;
  /**
   * Looks whether there is something to do, and does it. Calls never overlap. Where it throws `rolled_back` or `log_damaged`, it is left
   * alone until somebody looks; any other failure is tried again.
   */
  run(signal: AbortSignal): Promise<ErrandOutcome>;
  /** Hears of the first failure of a row. */
  failed?(error: unknown): void;
}

/** What an {@link ErrandRun} works with. */
export interface ErrandParts {
  readonly errand: Errand;
  /** Whether this process has the lease. */
  readonly isHolding: () => boolean;
  readonly signal: AbortSignal;
  readonly pollMs: number;
}

/** One errand, again and again. */
export class ErrandRun {
  readonly #parts: ErrandParts;
  readonly #pauses: Pauses;
  #size = 0;
  #lag = 0;
  #state: FollowerState = 'waiting';
  #failure: Failure | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(parts: ErrandParts) {
    this.#parts = parts;
    this.#pauses = new Pauses(parts.signal);
  }

  /** Goes to work. It ends with the signal. */
  start(): void {
    this.#running = this.#run();
  }

  /** Resolves when no work is under way any more. */
  stopped(): Promise<void> {
    return this.#running;
  }

  /** Ends a pause, unless it is one after a failure. */
  wake(): void {
    this.#pauses.wake();
  }

  status(): FollowerStatus {
    return {
      name: this.#parts.errand.name,
      size: this.#size,
      lag: this.#lag,
      state: this.#state,
      ...lastErrorOf(this.#failure),
    };
  }

  async #run(): Promise<void> {
    const { signal, isHolding, pollMs, errand } = this.#parts;
    while (!signal.aborted && this.#state !== 'refused') {
      if (!isHolding()) {
        this.#state = 'waiting';
        await this.#pauses.wait(pollMs);
        continue;
      }
      try {
        this.#state = 'applying';
        const { size, logSize, againInMs } = await errand.run(signal);
        [this.#size, this.#lag] = [size, Math.max(0, logSize - size)];
        [this.#state, this.#failure] = ['following', undefined];
        await this.#pauses.wait(againInMs);
      } catch (error) {
        await this.#failed(error);
      }
    }
    if (signal.aborted) this.#state = 'stopped';
  }

  async #failed(error: unknown): Promise<void> {
    const { signal, errand } = this.#parts;
    if (signal.aborted) return;
    const attempts = (this.#failure?.attempts ?? 0) + 1;
    this.#failure = { error, attempts };
    if (attempts === 1) errand.failed?.(error);
    if (isLogError(error, 'rolled_back') || isLogError(error, 'log_damaged')) {
      // Whatever vouches for the log from outside would vouch for a history that was replaced.
      this.#state = 'refused';
      return;
    }
    this.#state = 'failing';
    const pauseMs = Math.min(errand.retryMsMax, errand.retryMsMin * 2 ** Math.min(attempts - 1, 40));
    await this.#pauses.wait(pauseMs, { wakes: false });
  }
}
