import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** What a server of the benchmark is started with. */
export interface ServeTask {
  /** The data directory; it must be there. */
  readonly data: string;
}

/** What it answers when it listens. */
export interface Serving {
  readonly port: number;
  /** A key that may write and read. */
  readonly key: string;
}

/** What it answers to the message `usage`. */
export interface Usage {
  /** Most resident memory until now. */
  readonly rssMb: number;
  /** CPU of all its threads until now. */
  readonly cpuMs: number;
}

/** What the load is. */
export interface LoadTask {
  readonly port: number;
  readonly connections: number;
  /** Requests in all; an eighth more goes before, untimed. */
  readonly count: number;
  /** Each whole, as it goes over the wire; taken in turn. */
  readonly requests: readonly string[];
  readonly status: number;
}

/** What the load found. */
export interface LoadReport {
  readonly latencies: Float64Array;
  readonly elapsed: number;
  /** CPU of the process that makes the load, per request. */
  readonly cpuUs: number;
}

/** A process that answers messages, one at a time. */
export class Helper implements AsyncDisposable {
  readonly #child: ChildProcess;

  /** `module` lies beside this file. */
  constructor(module: string) {
    this.#child = fork(new URL(module, import.meta.url), { serialization: 'advanced' });
  }

  /** Sends a message and resolves to the answer; rejects where the process ends instead. */
  async ask<Answer>(message: ServeTask | LoadTask | 'usage' | 'listen'): Promise<Answer> {
    const ended = new AbortController();
    const exit = once(this.#child, 'exit', { signal: ended.signal }).then(([code]) => {
      throw new Error(`a process of the benchmark ended with ${code} before it answered`);
    });
    exit.catch(() => {});
    this.#child.send(message);
    const [answer] = (await Promise.race([once(this.#child, 'message'), exit])) as [Answer];
    ended.abort();
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exit = once(this.#child, 'exit');
    if (this.#child.connected) this.#child.disconnect();
    await exit;
  }
}

/** Makes the load from a process of its own, so that it takes nothing of the server's time but the machine's. */
export async function load(task: LoadTask): Promise<LoadReport> {
  await using sender = new Helper('sender.ts');
  return await sender.ask<LoadReport>(task);
}

/** One request, as it goes over the wire. */
export function requestText(
  method: string,
  path: string,
  { key, body }: { key: string; body?: string },
): string {
  const lines = [`${method} ${path} HTTP/1.1`, 'host: 127.0.0.1', `authorization: Bearer ${key}`];
  if (body !== undefined) {
    lines.push('content-type: application/json', `content-length: ${Buffer.byteLength(body)}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n${body ?? ''}`;
}
