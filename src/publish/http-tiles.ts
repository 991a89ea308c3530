import { LogError, misuse } from '../bytes/index.ts';
import type { TileReader } from '../store/index.ts';

/** How long one file may take, milliseconds. */
export const HTTP_TIMEOUT_MS_DEFAULT = 30_000;

/** How a published log is read over HTTP. */
export interface HttpOptions {
  /** Sent with every request: an `authorization`, where the log is not public. */
  readonly headers?: Readonly<Record<string, string>>;
  /** How long one file may take, milliseconds; {@link HTTP_TIMEOUT_MS_DEFAULT} by default. */
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

  private constructor(base: URL, options: HttpOptions) {
    this.#base = base;
    this.place = base.href;
    this.#options = options;
  }

  /** Throws a misuse `option_invalid` for an address that is none, or is asked without TLS on another machine. */
  static open(url: string, options: HttpOptions = {}): HttpTiles {
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
    return new HttpTiles(base, options);
  }

  /** Throws `LogError` `entry_pruned` for a bundle whose entries the server has pruned, `not_permitted`, `unreachable`. */
  async read(path: string, bytesMax: number): Promise<Uint8Array | undefined> {
    const { headers = {}, timeoutMs = HTTP_TIMEOUT_MS_DEFAULT, fetch = globalThis.fetch } = this.#options;
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      const answer = await fetch(new URL(path, this.#base), { headers, redirect: 'error', signal });
      if (answer.status === 200) return await firstBytes(answer, bytesMax);
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
        retryable: status >= 500 || status === 429,
      },
    );
  }
}

/** The beginning of an answer, one byte more than `bytesMax` at most: a server may send without end. */
async function firstBytes(answer: Response, bytesMax: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  const body = answer.body?.getReader();
  while (body !== undefined && length <= bytesMax) {
    const { done, value } = await body.read();
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
