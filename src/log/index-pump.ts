import { base64Decode, base64Encode } from '../bytes/index.ts';
import { prunedAction, removalActions } from '../event/index.ts';
import { isLogError, LogError, type StoredEntry } from '../store/index.ts';
import { checkContinues } from './edge.ts';
import type { LogReading } from './reading.ts';
import { APPLY_ENTRIES, type IndexCursor, type SearchIndex } from './search/index.ts';

/** How long to leave the index alone while another process writes to it, milliseconds. */
const BUSY_MS = 5;

/** When the log and whoever asks have been quiet for so long, what `apply` left in pieces is merged, milliseconds. */
const QUIET_MS = 2000;

/** Merging goes in small steps with such pauses between them, milliseconds: a question is never far from its answer. */
const TIDY_REST_MS = 20;

/** How long to leave the index alone after it failed, milliseconds. */
const FAILED_MS = 1000;

/** While the log is being written and nobody waits, the index works in turns of about so long, milliseconds. */
const TURN_MS = 30;

/** A turn is followed by a rest of so many times its length. */
const REST_TIMES = 6;

/** A rest is never shorter, milliseconds: entries that gather cost a tenth of what they cost one by one. */
const REST_MS_MIN = 250;

/** An index that is further behind than so many entries does not rest. */
const REST_ENTRIES_BEHIND_MAX = 500_000;

/** How often entries of other processes are looked for while somebody waits, milliseconds. */
const POLL_MS = 20;

/**
 * Keeps the search index behind the log: a follower whose cursor lies in the index itself, in one
 * transaction with what it covers. It works in slices, so that questions are answered between them.
 */
export class IndexPump {
  readonly #reader: LogReading;
  readonly #index: SearchIndex;
  readonly #warn: (message: string) => void;
  #running: Promise<void> | undefined;
  #stopped = false;
  /** How many questions wait for the index. */
  #waiting = 0;
  #sizeSeen = 0;
  /** Whether it rests because there is nothing to index. */
  #isQuiet = false;
  /** Whether there may be something to merge. */
  #isUntidy = true;
  /** When the last question came, and the last slice was applied. */
  #busyAt = Number.NEGATIVE_INFINITY;
  /** How long this turn has been at work, milliseconds. */
  #turnMs = 0;
  #endPause: (() => void) | undefined;
  /** The index knows entries only as they were when the log had so many: what was erased before is not in it. */
  #cleanFrom = 0;
  /** The cursor that has been found to be one of this log's. */
  #checked: IndexCursor | undefined;
  #warned = '';

  constructor(reader: LogReading, index: SearchIndex, warn: (message: string) => void) {
    this.#reader = reader;
    this.#index = index;
    this.#warn = warn;
  }

  /** Goes on where the index stands, unless it is at work already. */
  wake(): void {
    if (this.#isQuiet) this.#endPause?.();
    if (!this.#stopped) this.#running ??= this.#run();
  }

  /** Resolves when the index covers `size` entries, or when `waitMs` have passed. */
  async covers(size: number, waitMs: number): Promise<void> {
    const end = performance.now() + waitMs;
    this.#waiting += 1;
    this.#busyAt = performance.now();
    this.#endPause?.();
    try {
      while (!this.#isCovered(size) && performance.now() < end && !this.#stopped) {
        this.wake();
        await Promise.race([this.#running, sleep(POLL_MS)]);
      }
    } finally {
      this.#waiting -= 1;
    }
  }

  /** An index that has not been compared with the log yet covers nothing: it may be another log's. */
  #isCovered(size: number): boolean {
    return this.#checked !== undefined && this.#index.cursor().size >= size;
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#endPause?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      let pauseMs: number | undefined = 0;
      while (pauseMs !== undefined && !this.#stopped) {
        await this.#pause(pauseMs);
        pauseMs = await this.#step();
      }
    } catch (error) {
      this.#say(error);
      await this.#pause(FAILED_MS);
    } finally {
      this.#running = undefined;
    }
  }

  /** One slice. Answers how long to wait before the next one, or undefined where nothing is left to do. */
  async #step(): Promise<number | undefined> {
    this.#isQuiet = false;
    const started = performance.now();
    const head = await this.#reader.head();
    const from = this.#index.cursor();
    const { generation } = this.#index;
    if (!(await this.#belongs(from))) return 0;
    if (from.size === 0) this.#cleanFrom = head.size;
    if (from.size >= head.size) return this.#tidy();
    // Slices end where tiles do, so that the root at their end can be read out of full tiles.
    const next = (Math.floor(from.size / APPLY_ENTRIES) + 1) * APPLY_ENTRIES;
    const size = Math.min(next, head.size);
    const root = size === head.size ? head.root : await this.#reader.rootAt(size);
    const to = { size, root: base64Encode(root) };
    const entries = await this.#reader.store.readEntries(from.size, size);
    if (from.size > 0 && entries.some((entry) => this.#isErasure(entry))) {
      this.#index.restart();
      // Whatever is in the new file was read after the erasure, whoever writes it.
      this.#cleanFrom = head.size;
      return 0;
    }
    const isWhole = entries.length === size - from.size;
    const minimum = isWhole ? 0 : (await this.#reader.pruned()).minimum;
    const applied = this.#index.apply(entries, { from, to, generation, minimum });
    // Another process is at the same work: only a question is in a hurry.
    if (applied === 'busy') return this.#waiting > 0 ? BUSY_MS : REST_MS_MIN;
    if (applied === 'applied') {
      if (size === head.size) await this.#reader.hashNewest(head);
      this.#checked = to;
      this.#isUntidy = true;
      this.#busyAt = performance.now();
    }
    return this.#rest(head.size, size, performance.now() - started);
  }

  /**
   * Whether an entry records an erasure that the index does not follow yet: it was built from values that are gone. The process that
   * erases drops the file; an index of another process, or of another machine, is begun anew here.
   */
  #isErasure({ index, entry }: StoredEntry): boolean {
    if (index < this.#cleanFrom) return false;
    const bytes = Buffer.from(entry.buffer, entry.byteOffset, entry.length);
    return [...removalActions, prunedAction].some((action) => bytes.includes(`"action":"${action}"`));
  }

  /** Leaves the machine to whoever is recording, unless somebody waits for the index or it falls too far behind. */
  #rest(size: number, covered: number, sliceMs: number): number {
    const isGrowing = size > this.#sizeSeen;
    const isUrgent = this.#waiting > 0 || size - covered > REST_ENTRIES_BEHIND_MAX;
    this.#turnMs += sliceMs;
    const isTurnOver = covered === size || this.#turnMs >= TURN_MS;
    if (!isTurnOver || isUrgent) return 0;
    const restMs = isGrowing ? Math.max(REST_MS_MIN, this.#turnMs * REST_TIMES) : 0;
    this.#sizeSeen = size;
    this.#turnMs = 0;
    return restMs;
  }

  /** There is nothing to index. Answers as `#step` does. */
  #tidy(): number | undefined {
    if (!this.#isUntidy) return undefined;
    this.#isQuiet = true;
    const quietMs = performance.now() - this.#busyAt;
    if (quietMs < QUIET_MS) return QUIET_MS - quietMs;
    this.#isUntidy = this.#index.tidy();
    return this.#isUntidy ? TIDY_REST_MS : undefined;
  }

  /** Whether the index is one of this log. One that is not, or is of another history, is begun again. */
  async #belongs(cursor: IndexCursor): Promise<boolean> {
    const known = this.#checked;
    if (cursor.size === 0 || (known?.size === cursor.size && known.root === cursor.root)) return true;
    try {
      const state = { size: cursor.size, root: base64Decode(cursor.root) };
      await checkContinues(this.#reader.store, state, await this.#reader.head());
      this.#checked = cursor;
      return true;
    } catch (error) {
      if (!isLogError(error, 'rolled_back')) throw error;
      this.#index.replace('it does not belong to this log as it is');
      return false;
    }
  }

  /** Lets other messages of this thread through, and rests; a question that comes meanwhile ends the rest. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (ms === 0) {
        setImmediate(resolve);
        return;
      }
      const timer = setTimeout(resolve, ms);
      timer.unref();
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
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

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
