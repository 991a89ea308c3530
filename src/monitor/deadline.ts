import { LogError } from '../bytes/index.ts';
import { systemClock, TIMER_MS_MAX } from '../platform/index.ts';
import { inWords } from './judge.ts';

/**
 * How long reading may take, milliseconds, where the log is published or served: in all while nobody known has signed the checkpoint
 * that is read, for the next file once somebody has. An hour.
 */
export const LOOK_TIMEOUT_MS_DEFAULT = 3_600_000;

/**
 * When reading has to be over. Each file comes within its own time; how many there are is for whoever made the checkpoint to say. While
 * that may be anybody, there is an end to all of them together. What somebody known has signed is as large as it is, and reading it goes
 * on as long as files come.
 */
export class Deadline {
  readonly #ms: number;
  #end: number;
  #isVouched = false;
  #waiting = 0;

  constructor(ms: number) {
    this.#ms = Math.min(ms, TIMER_MS_MAX);
    this.#end = systemClock.monotonic() + this.#ms;
  }

  /** Somebody known has signed what is read from now on. */
  vouch(): void {
    this.#isVouched = true;
    this.#renew();
  }

  /** Nobody known has, as far as can be said yet: reading has as much time as is left. */
  doubt(): void {
    this.#isVouched = false;
  }

  /**
   * Does something as long as there is time. `isSigned`: it is of what the checkpoint covers, so that there is an end to it. Throws
   * `LogError` `unreachable` when it is over, and what the work throws.
   */
  async keep<T>(work: () => Promise<T>, { isSigned = true } = {}): Promise<T> {
    // What passes while nothing is waited for is no fault of whoever answers.
    if (isSigned && this.#waiting === 0) this.#renew();
    if (this.#left <= 0) throw this.#over();
    const over = Promise.withResolvers<never>();
    let timer: NodeJS.Timeout;
    const wait = (): void => {
      const left = this.#left;
      if (left <= 0) over.reject(this.#over());
      else timer = setTimeout(wait, left);
    };
    wait();
    this.#waiting += 1;
    try {
      const done = await Promise.race([work(), over.promise]);
      if (isSigned) this.#renew();
      return done;
    } finally {
      this.#waiting -= 1;
      clearTimeout(timer!);
    }
  }

  get #left(): number {
    return this.#end - systemClock.monotonic();
  }

  #renew(): void {
    if (this.#isVouched) this.#end = systemClock.monotonic() + this.#ms;
  }

  #over(): LogError {
    const what = this.#isVouched ? 'the next file of what is there' : 'what is there';
    const message = `${what} could not be read within ${inWords(this.#ms)}`;
    return new LogError('unreachable', message, {
      retryable: true,
      hint: 'a longer time can be given (--look-timeout)',
    });
  }
}
