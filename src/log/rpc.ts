import type { MessagePort } from 'node:worker_threads';
import { type PlainError, plainError, reviveError } from '../platform/index.ts';
import { LogError } from '../store/index.ts';
import type { Seat } from './worker-pool.ts';

/** Methods that one side offers to the other; arguments and results are structured-cloned. */
export type Methods = Readonly<Record<string, (...args: never[]) => unknown>>;

interface Call {
  /** Undefined where no answer is wanted. */
  readonly call: number | undefined;
  readonly method: string;
  readonly args: readonly unknown[];
}

interface Answer {
  readonly answer: number;
  readonly value?: unknown;
  readonly error?: PlainError;
}

/** Calls methods at a place on another thread. It keeps the process alive only while an answer is due. */
export class Remote {
  readonly #seat: Seat;
  readonly #port: MessagePort;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>();
  #calls = 0;
  #gone: LogError | undefined;

  /** `warn` receives what the thread has to say that answers no call. */
  constructor(seat: Seat, warn: (message: string) => void) {
    this.#seat = seat;
    this.#port = seat.port;
    this.#port.on('message', (message: Answer | { readonly warning: string }) => {
      if ('warning' in message) warn(message.warning);
      else this.#answered(message);
    });
    this.#port.unref();
    seat.onLost((cause) => this.#lost(cause));
  }

  /** Calls one method. Rejects with what it threw, or with `LogError` `worker_failed` when the thread is gone. */
  call<Result>(method: string, ...args: readonly unknown[]): Promise<Result> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    const call = this.#calls++;
    if (this.#waiting.size === 0) this.#port.ref();
    this.#port.postMessage({ call, method, args } satisfies Call);
    return new Promise<Result>((resolve, reject) => {
      this.#waiting.set(call, { resolve: resolve as (value: unknown) => void, reject });
    });
  }

  /** Whether the thread has ended, or been left: no call will be answered any more. */
  get isGone(): boolean {
    return this.#gone !== undefined;
  }

  /** Calls one method and waits for nothing: neither an answer nor the end of the process. */
  tell(method: string): void {
    if (this.#gone === undefined)
      this.#port.postMessage({ call: undefined, method, args: [] } satisfies Call);
  }

  /** Leaves the thread, which ends if nobody else is on it. */
  async leave(): Promise<void> {
    this.#gone ??= new LogError('closed', 'the log is closed');
    this.#rejectWaiting(this.#gone);
    await this.#seat.leave();
  }

  #answered({ answer, value, error }: Answer): void {
    const waiting = this.#waiting.get(answer);
    if (waiting === undefined) return;
    this.#waiting.delete(answer);
    if (this.#waiting.size === 0) this.#port.unref();
    if (error === undefined) waiting.resolve(value);
    else waiting.reject(reviveError(error));
  }

  #lost(cause: unknown): void {
    this.#gone ??= new LogError(
      'worker_failed',
      'the thread of the log ended; what it was doing is unknown',
      {
        cause,
        hint: 'open the log again; repeats with the same ids tell what landed',
      },
    );
    this.#rejectWaiting(this.#gone);
  }

  #rejectWaiting(why: LogError): void {
    for (const { reject } of this.#waiting.values()) reject(why);
    this.#waiting.clear();
    this.#port.unref();
  }
}

/** Answers calls that arrive at `port`. Returns a function that takes one message, for a loop that drains the port. */
export function serve(port: MessagePort, methods: Methods): (message: unknown) => void {
  const take = (message: unknown): void => {
    const { call, method, args } = message as Call;
    const run = methods[method] as ((...args: readonly unknown[]) => unknown) | undefined;
    Promise.resolve()
      .then(() => {
        if (run === undefined) throw new TypeError(`no method ${method}`);
        return run(...args);
      })
      .then(
        (value) => call !== undefined && port.postMessage({ answer: call, value } satisfies Answer),
        (error) =>
          call !== undefined && port.postMessage({ answer: call, error: plainError(error) } satisfies Answer),
      );
  };
  port.on('message', take);
  return take;
}
