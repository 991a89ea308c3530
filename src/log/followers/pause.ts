import { TIMER_MS_MAX } from '../../platform/index.ts';
import { isLogError } from '../../store/index.ts';
import type { FollowerStatus } from './follower.ts';

/** What the last attempt failed with, and how many have failed since one that did not. */
export interface Failure {
  readonly error: unknown;
  readonly attempts: number;
}

/** Whether trying again would not mend it, and going on would pass on a history that was replaced, or write beside somebody else. */
export function isFinal(error: unknown): boolean {
  return (['rolled_back', 'log_damaged', 'archive_conflict'] as const).some((code) =>
    isLogError(error, code),
  );
}

/** A failure as a status tells it. */
export function lastErrorOf(failure: Failure | undefined): Pick<FollowerStatus, 'lastError'> {
  if (failure === undefined) return {};
  const { error, attempts } = failure;
  const code = (error as { code?: unknown } | undefined)?.code;
  const message = error instanceof Error ? error.message : String(error);
  return { lastError: { message, ...(typeof code === 'string' && { code }), attempts } };
}

/** The pauses of one row of work: one at a time, cut short by whoever wakes it, and by the end. */
export class Pauses {
  readonly #signal: AbortSignal;
  #wake: (() => void) | undefined;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', () => this.wake(), { once: true });
  }

  /** Ends a pause, unless it is one that only the end cuts short. */
  wake(): void {
    this.#wake?.();
  }

  /** Waits so long, or until somebody wakes it; without `wakes`, as after a failure, it is cut short by the end alone. */
  wait(ms: number, { wakes = true } = {}): Promise<void> {
    if (this.#signal.aborted) return Promise.resolve();
    return new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(done, Math.min(ms, TIMER_MS_MAX)).unref();
      this.#wake = () => {
        if (wakes || this.#signal.aborted) done();
      };
    });
  }
}
