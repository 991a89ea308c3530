import { LogError, misuse } from '../bytes/index.ts';
import { systemClock, TIMER_MS_MAX } from '../platform/index.ts';
import type { TileReader } from '../store/index.ts';
import { Patience } from './patience.ts';

/** How long one file may take, milliseconds. */
export const HTTP_TIMEOUT_MS_DEFAULT = 30_000;

/** How a published log is read over HTTP. */
export interface HttpOptions {
  /** Sent with every request: an `authorization`, where the log is not public. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * How long one file may take, milliseconds; {@link HTTP_TIMEOUT_MS_DEFAULT} by default. All files together may take as much longer
   * than one second for each and one for every 262,000 bytes.
   */
  readonly timeoutMs?: number;
  /** In place of the runtime's own. */
  readonly fetch?: typeof globalThis.fetch;
}

/** Where bundles lie. */
const ENTRIES_PATH = 'tile/entries/';

/** Addresses of this machine, which alone may be asked without TLS. */
const loopback = /^(?:localhost|127(?:\.[0-9]+){3}|\[::1\])$/;

/** Reads static files over HTTPS. It follows no redirect, and reads no more of an answer than it was asked for. */
export class HttpTiles implements TileReader {
  readonly place: string;
  readonly #base: URL;
  readonly #options: HttpOptions;
  readonly #patience: Patience;

  private constructor(base: URL, options: HttpOptions, now: () => number) {
    this.#base = base;
    this.place = base.href;
    this.#options = options;
    this.#patience = new Patience(options.timeoutMs ?? HTTP_TIMEOUT_MS_DEFAULT, now);
  }

  /**
   * Throws a misuse `option_invalid` for an address that is none, or is asked without TLS on another machine. `now` is a monotonic
   * clock, milliseconds.
   */
  static open(
    url: string,
    options: HttpOptions = {},
    now: () => number = () => systemClock.monotonic(),
  ): HttpTiles {
    const base = URL.parse(url.endsWith('/') ? url : `${url}/`);
    const isSafe =
      base?.protocol === 'https:' || (base?.protocol === 'http:' && loopback.test(base.hostname));
    if (base === null || !isSafe || base.username !== '' || base.search !== '' || base.hash !== '') {
      throw misuse(
        'type',
        'option_invalid',
        `a published log is read from https://host/prefix, not from ${JSON.stringify(url)}`,
      );
    }
    return new HttpTiles(base, options, now);
  }

  /** Throws `LogError` `entry_pruned` for a bundle whose entries the server has pruned, `not_permitted`, `unreachable`. */
  async read(path: string, bytesMax: number): Promise<Uint8Array | undefined> {
    const { headers = {}, timeoutMs = HTTP_TIMEOUT_MS_DEFAULT, fetch = globalThis.fetch } = this.#options;
    using waiting = new Waiting(this.#patience, timeoutMs);
    const { signal } = waiting;
    try {
      const answer = await fetch(new URL(path, this.#base), { headers, redirect: 'manual', signal });
      if (answer.status === 200) return await firstBytes(answer, bytesMax, waiting);
      await answer.body?.cancel();
      const isPruned = answer.status === 410 && path.startsWith(ENTRIES_PATH);
      if (answer.status === 404 || (answer.status === 410 && !isPruned)) return undefined;
      throw this.#refused(path, answer.status);
    } catch (error) {
      if (error instanceof LogError) throw error;
      throw new LogError('unreachable', `${this.place}${path} cannot be read: ${reasonOf(error)}`, {
        retryable: true,
        cause: error,
      });
    }
  }

  async close(): Promise<void> {}

  #refused(path: string, status: number): LogError {
    if (status === 410) {
      // A server prunes whole bundles, and goes on without them; nobody who has published files does.
      const message = `${this.place}${path} is gone: its entries were pruned, and lie in an archive of the log; what is left is read in its folder`;
      return new LogError('entry_pruned', message);
    }
    const isDenied = status === 401 || status === 403;
    return new LogError(
      isDenied ? 'not_permitted' : 'unreachable',
      `${this.place}${path} answers with status ${status}`,
      {
        retryable: status >= 500 || status === 429 || status === 408,
      },
    );
  }
}

/** The waiting for one file: it ends by its own timeout, or by the patience with all. */
class Waiting implements Disposable {
  readonly #patience: Patience;
  readonly #controller = new AbortController();
  readonly #own: NodeJS.Timeout;
  #shared: NodeJS.Timeout | undefined;

  constructor(patience: Patience, timeoutMs: number) {
    this.#patience = patience;
    patience.begin();
    const late = new Error(`it takes longer than ${timeoutMs} ms`);
    this.#own = setTimeout(() => this.#controller.abort(late), Math.min(timeoutMs, TIMER_MS_MAX));
    this.#look();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Some bytes came. Throws where they came too late. */
  took(bytes: number): void {
    if (this.#patience.left <= 0) this.#controller.abort(tooSlow());
    this.signal.throwIfAborted();
    this.#patience.took(bytes);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#own);
    clearTimeout(this.#shared);
    this.#patience.end();
  }

  #look(): void {
    const { left } = this.#patience;
    if (left <= 0) this.#controller.abort(tooSlow());
    else this.#shared = setTimeout(() => this.#look(), Math.min(Math.max(left, 1), TIMER_MS_MAX));
  }
}

function tooSlow(): Error {
  return new Error('it gives less than one file a second, or 262,000 bytes');
}

/** The beginning of an answer, one byte more than `bytesMax` at most: a server may send without end. */
async function firstBytes(answer: Response, bytesMax: number, waiting: Waiting): Promise<Uint8Array> {
  const { signal } = waiting;
  const parts: Uint8Array[] = [];
  let length = 0;
  const body = answer.body?.getReader();
  // Whatever made the answer, it ends with the waiting.
  signal.addEventListener('abort', () => void body?.cancel(signal.reason).catch(() => {}), { once: true });
  while (body !== undefined && length <= bytesMax) {
    const { done, value } = await body.read();
    waiting.took(value?.length ?? 0);
    if (done) break;
    parts.push(value);
    length += value.length;
  }
  await body?.cancel();
  const bytes = new Uint8Array(Math.min(length, bytesMax + 1));
  let at = 0;
  for (const part of parts) {
    const fitting = part.subarray(0, bytes.length - at);
    bytes.set(fitting, at);
    at += fitting.length;
  }
  return bytes;
}

/** `fetch` says "fetch failed" and keeps why to itself. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as { message?: unknown; cause?: { message?: unknown } };
  return String(cause?.message ?? message ?? error);
}
