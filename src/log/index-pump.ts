import { base64Decode, base64Encode } from '../bytes/index.ts';
import { isLogError, LogError } from '../store/index.ts';
import { checkContinues } from './edge.ts';
import type { Reader } from './reader.ts';
import { APPLY_ENTRIES, type IndexCursor, type SearchIndex } from './search/index.ts';

/** How long to leave the index alone while another process writes to it, milliseconds. */
const BUSY_MS = 5;

/** How long to leave the index alone after it failed, milliseconds. */
const FAILED_MS = 1000;

/** How often entries of other processes are looked for while somebody waits, milliseconds. */
const POLL_MS = 20;

/**
 * Keeps the search index behind the log: a follower whose cursor lies in the index itself, in one
 * transaction with what it covers. It works in slices, so that questions are answered between them.
 */
export class IndexPump {
  readonly #reader: Reader;
  readonly #index: SearchIndex;
  readonly #warn: (message: string) => void;
  #running: Promise<void> | undefined;
  #stopped = false;
  /** The cursor that has been found to be one of this log's. */
  #checked: IndexCursor | undefined;
  #warned = '';

  constructor(reader: Reader, index: SearchIndex, warn: (message: string) => void) {
    this.#reader = reader;
    this.#index = index;
    this.#warn = warn;
  }

  /** Goes on where the index stands, unless it is at work already. */
  wake(): void {
    if (!this.#stopped) this.#running ??= this.#run();
  }

  /** Resolves when the index covers `size` entries, or when `waitMs` have passed. */
  async covers(size: number, waitMs: number): Promise<void> {
    const end = performance.now() + waitMs;
    while (this.#index.cursor().size < size && performance.now() < end && !this.#stopped) {
      this.wake();
      await Promise.race([this.#running, pause(POLL_MS)]);
    }
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      let pauseMs: number | undefined = 0;
      while (pauseMs !== undefined && !this.#stopped) {
        await pause(pauseMs);
        pauseMs = await this.#step();
      }
    } catch (error) {
      this.#say(error);
      await pause(FAILED_MS);
    } finally {
      this.#running = undefined;
    }
  }

  /** One slice. Answers how long to wait before the next one, or undefined where nothing is left to do. */
  async #step(): Promise<number | undefined> {
    const head = this.#reader.head();
    const from = this.#index.cursor();
    if (!(await this.#belongs(from))) return 0;
    if (from.size >= head.size) return undefined;
    // Slices end where tiles do, so that the root at their end can be read out of full tiles.
    const next = (Math.floor(from.size / APPLY_ENTRIES) + 1) * APPLY_ENTRIES;
    const size = Math.min(next, head.size);
    const root = size === head.size ? head.root : await this.#reader.rootAt(size);
    const to = { size, root: base64Encode(root) };
    const applied = this.#index.apply(this.#reader.store.readEntries(from.size, size), { from, to });
    if (applied === 'busy') return BUSY_MS;
    if (applied === 'applied') this.#checked = to;
    return 0;
  }

  /** Whether the index is one of this log. One that is not, or is of another history, is begun again. */
  async #belongs(cursor: IndexCursor): Promise<boolean> {
    const known = this.#checked;
    if (cursor.size === 0 || (known?.size === cursor.size && known.root === cursor.root)) return true;
    try {
      const state = { size: cursor.size, root: base64Decode(cursor.root) };
      await checkContinues(this.#reader.store, state, this.#reader.head());
      this.#checked = cursor;
      return true;
    } catch (error) {
      if (!isLogError(error, 'rolled_back')) throw error;
      this.#index.replace('it does not belong to this log as it is');
      return false;
    }
  }

  /** The same failure is said once. */
  #say(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const code = error instanceof LogError ? ` (${error.code})` : '';
    if (message === this.#warned) return;
    this.#warned = message;
    this.#warn(`the search index could not be moved on: ${message}${code}`);
  }
}

async function pause(ms: number): Promise<void> {
  await new Promise<void>((resolve) => {
    // Other messages of this thread are handled in between.
    if (ms === 0) setImmediate(resolve);
    else setTimeout(resolve, ms);
  });
}
