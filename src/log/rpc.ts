import type { MessagePort } from 'node:worker_threads';
import { LogError, type LogErrorCode } from '../store/index.ts';
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

/** An error as it crosses a thread: structured cloning would keep the message and lose the code. */
interface PlainError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string | undefined;
  readonly fields: Readonly<Record<string, unknown>>;
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
    else waiting.reject(revive(error));
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
          call !== undefined && port.postMessage({ answer: call, error: plain(error) } satisfies Answer),
      );
  };
  port.on('message', take);
  return take;
}

/** An error as plain data, its code and other fields included. */
export function plain(error: unknown): PlainError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), fields: {} };
  const fields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(error)) {
    if (name === 'name' || typeof value === 'function') continue;
    if (value === undefined || typeof value !== 'object' || Array.isArray(value)) fields[name] = value;
  }
  if (error.cause instanceof Error) fields['cause'] = plain(error.cause);
  return { name: error.name, message: error.message, stack: error.stack, fields };
}

/** The inverse of {@link plain}: the same name, message, code; `LogError` and `TypeError` keep their class. */
export function revive({ name, message, stack, fields }: PlainError): Error {
  const { cause: below, ...rest } = fields;
  const cause = below === undefined ? undefined : revive(below as PlainError);
  const error =
    name === 'LogError'
      ? new LogError(rest['code'] as LogErrorCode, message, {
          retryable: rest['retryable'] === true,
          cause,
          ...(typeof rest['hint'] === 'string' ? { hint: rest['hint'] } : {}),
        })
      : Object.assign(make(name, message, cause), rest);
  if (stack !== undefined) error.stack = stack;
  return error;
}

function make(name: string, message: string, cause: unknown): Error {
  const options = cause === undefined ? undefined : { cause };
  if (name === 'TypeError') return new TypeError(message, options);
  if (name === 'RangeError') return new RangeError(message, options);
  const error = new Error(message, options);
  error.name = name;
  return error;
}
