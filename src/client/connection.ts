import { LogError, utf8Decode } from '../bytes/index.ts';
import type { ClientPlace } from './options.ts';
import { errorOfProblem, invalidAnswer, isRetryable, readAnswer } from './problems.ts';
import { jitter, pause, wallMs } from './runtime.ts';

/** The largest answer that is taken, bytes. */
export const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

/** The first pause before a request is repeated, milliseconds; each further one may be twice as long. */
export const RETRY_PAUSE_MS_MIN = 100;

/** The longest pause, milliseconds, unless the server asks for a longer one. */
export const RETRY_PAUSE_MS_MAX = 10_000;

/** The longest time for which a server is left alone because it asks for that, milliseconds. */
export const RETRY_AFTER_MS_MAX = 300_000;

/** How a connection behaves. */
export interface ConnectionOptions extends ClientPlace {
  readonly key: string;
  readonly fetch: typeof fetch;
  /** How long one request may take, milliseconds. */
  readonly timeoutMs: number;
}

/** One request. */
export interface Ask {
  /** From the server's address on, with its query string. */
  readonly path: string;
  readonly body?: string;
  /** Until when it is repeated where the failure may pass. */
  readonly untilMs: number;
}

/** An answer that is a success. */
export interface Answered {
  readonly bytes: Uint8Array;
  text(): string;
}

/** Requests with the key, repeated with growing pauses while the failure may pass. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #closing = new AbortController();
  #restUntilMs = 0;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** Fires when the client is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** How long the server still asks to be left alone (`Retry-After`), milliseconds. */
  get restMs(): number {
    return Math.min(Math.max(0, this.#restUntilMs - wallMs()), RETRY_AFTER_MS_MAX);
  }

  /** Ends pauses and requests. */
  close(): void {
    this.#closing.abort();
  }

  /** Throws what the server's problem stands for; `LogError` `unreachable` where nobody answers, `answer_invalid`. */
  async ask(ask: Ask): Promise<Answered> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#once(ask);
      } catch (error) {
        const longest = Math.min(RETRY_PAUSE_MS_MIN * 2 ** attempt, RETRY_PAUSE_MS_MAX);
        const wait = this.restMs + longest * (0.5 + jitter() / 2);
        if (!isRetryable(error) || wallMs() + wait > ask.untilMs || this.closing.aborted) throw error;
        await pause(wait, this.closing);
      }
    }
  }

  async #once({ path, body }: Ask): Promise<Answered> {
    const { base, key, timeoutMs } = this.#options;
    const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), this.closing]);
    const headers: Record<string, string> = { authorization: `Bearer ${key}` };
    if (body !== undefined) headers['content-type'] = 'application/json';
    let response: Response;
    let bytes: Uint8Array;
    try {
      response = await this.#options.fetch(`${base}${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers,
        signal,
        // A redirect would carry the key to wherever it points.
        redirect: 'error',
        ...(body === undefined ? {} : { body }),
      });
      bytes = await readBounded(response);
    } catch (cause) {
      if (cause instanceof LogError) throw cause;
      if (this.closing.aborted) throw new LogError('closed', 'the client is closed', { cause });
      throw new LogError('unreachable', `no answer from ${base}: ${reasonOf(cause)}`, {
        cause,
        retryable: true,
        hint: 'of an event that was being sent it is unknown whether it was recorded: repeat it with the same id',
      });
    }
    if (response.ok) return { bytes, text: () => decode(bytes) };
    const restMs = Math.min(retryAfterMs(response.headers.get('retry-after')), RETRY_AFTER_MS_MAX);
    this.#restUntilMs = Math.max(this.#restUntilMs, wallMs() + restMs);
    throw problemOf(response, bytes);
  }
}

function problemOf({ status, headers }: Response, bytes: Uint8Array): Error {
  // Proxies answer in pages of their own; the status still says something.
  const isJson = headers.get('content-type')?.includes('json') === true;
  try {
    return errorOfProblem(isJson ? readAnswer(decode(bytes)) : {}, status);
  } catch {
    return errorOfProblem({}, status);
  }
}

/** `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date. 0 where there is none that can be read. */
function retryAfterMs(header: string | null): number {
  if (header === null) return 0;
  if (/^[0-9]{1,6}$/.test(header)) return Number(header) * 1000;
  const ms = new Date(header).getTime() - wallMs();
  return ms > 0 ? ms : 0;
}

function decode(bytes: Uint8Array): string {
  try {
    return utf8Decode(bytes);
  } catch (cause) {
    throw invalidAnswer('it is not UTF-8', cause);
  }
}

async function readBounded(response: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  if (response.body !== null) {
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      length += value.length;
      if (length > ANSWER_BYTES_MAX) {
        await reader.cancel();
        throw invalidAnswer(`it has more than ${ANSWER_BYTES_MAX} bytes`);
      }
      parts.push(value);
    }
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** The message at the bottom of a chain of causes: `fetch failed` says nothing. */
function reasonOf(error: unknown): string {
  let last = error;
  while (last instanceof Error && last.cause !== undefined) last = last.cause;
  return last instanceof Error ? last.message || last.name : String(last);
}
