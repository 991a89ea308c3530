import { LogError } from '../bytes/index.ts';
import { systemClock } from '../platform/index.ts';
import { inWords } from './judge.ts';

/** How long one look may take in all where the log is published or served, milliseconds: an hour. */
export const LOOK_TIMEOUT_MS_DEFAULT = 3_600_000;

/** The longest time that a timer of Node can wait, milliseconds. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** When reading has to be over: each file comes within its own time, and there is no end of files. */
export class Deadline {
  readonly #ms: number;
  readonly #end: number;

  constructor(ms: number) {
    this.#ms = Math.min(ms, TIMER_MS_MAX);
    this.#end = systemClock.monotonic() + this.#ms;
  }

  /** Does something as long as there is time. Throws `LogError` `unreachable` when it is over, and what the work throws. */
  async keep<T>(work: () => Promise<T>): Promise<T> {
    const left = this.#end - systemClock.monotonic();
    if (left <= 0) throw this.#over();
    const over = Promise.withResolvers<never>();
    const timer = setTimeout(() => over.reject(this.#over()), left);
    try {
      return await Promise.race([work(), over.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  #over(): LogError {
    const message = `what is there could not be read within ${inWords(this.#ms)}`;
    return new LogError('unreachable', message, {
      retryable: true,
      hint: 'a longer time can be given (--look-timeout)',
    });
  }
}
