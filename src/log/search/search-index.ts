import type { DatabaseSync } from 'node:sqlite';
import { LogError, SQLITE_ERROR, type StoredEntry, sqliteCode, sqliteFailure } from '../../store/index.ts';
import type { Dictionary } from './dictionary.ts';
import { IndexConnection, type IndexCursor, REPAIR_HINT } from './index-connection.ts';
import {
  BUSY_TIMEOUT_MS,
  isDamage,
  isReplaced,
  isTemporary,
  openIndexFile,
  removeIndexFile,
  replaceIndexFile,
} from './index-file.ts';
import type { Zones } from './zones.ts';

/** Entries that should be applied at once: enough to merge few small segments, few enough that a query waits 50 ms at most. */
export const APPLY_ENTRIES = 2048;

/** SQLite's primary code for a lock that somebody else has (sqlite.org/rescode.html). */
const SQLITE_BUSY = 5;

/** How an index is opened. */
export interface SearchIndexOptions {
  /** Never writes, and makes nothing. Default false. */
  readonly readOnly?: boolean;
  /** Told why a damaged index was put aside and another begun. */
  readonly onReplaced?: (reason: string) => void;
}

/**
 * What came of {@link SearchIndex.apply}. `moved`: the index is not at the cursor that was expected, since another process
 * was faster or it was made anew; read the cursor again. `busy`: another process is writing; try later.
 */
export type Applied = 'applied' | 'moved' | 'busy';

/** The entries between two cursors, and the {@link SearchIndex.generation} for which they were read. */
export interface Slice {
  readonly from: IndexCursor;
  readonly to: IndexCursor;
  readonly generation?: number;
  /** Entries below it may be gone: the log was pruned to it. Default 0. */
  readonly minimum?: number;
}

/** What queries read with, within one transaction. */
export interface IndexView {
  readonly db: DatabaseSync;
  readonly dictionary: Dictionary;
  readonly zones: Zones;
  readonly cursor: IndexCursor;
}

/**
 * The search index of a log, `index.db`. It holds nothing that does not follow from the entries, and is followed by reading
 * them: `apply` them in order, from the cursor on. A damaged one is put aside and begun again. Several processes may have it
 * open and apply to it at once. Everything here is synchronous; calls never overlap.
 */
export class SearchIndex {
  readonly #path: string;
  readonly #readOnly: boolean;
  readonly #onReplaced: (reason: string) => void;
  #open: IndexConnection;
  #generation = 0;

  private constructor(path: string, options: SearchIndexOptions) {
    this.#path = path;
    this.#readOnly = options.readOnly ?? false;
    this.#onReplaced = options.onReplaced ?? (() => {});
    this.#open = this.#reopened();
  }

  /**
   * Opens the index at `path`, which is made if it is missing; an empty path is a temporary one. Throws `LogError`
   * `io_failed`, `disk_full`; with `readOnly`, `not_found` and `index_corrupt` where there is none, or none that can be used.
   */
  static open(path: string, options: SearchIndexOptions = {}): SearchIndex {
    return inOurWords(() => new SearchIndex(path, options));
  }

  /** Removes the index at `path` with everything that was put aside. Nobody should have it open. */
  static drop(path: string): void {
    removeIndexFile(path);
  }

  /**
   * Grows whenever another file is opened. What was read of the log for one file is not written into the next, which may have been
   * begun because the log holds less now.
   */
  get generation(): number {
    return this.#generation;
  }

  /** How far the index has come. */
  cursor(): IndexCursor {
    return this.read(({ cursor }) => cursor);
  }

  /**
   * Indexes consecutive entries and moves the cursor from `from` to `to`, in one transaction. Throws `LogError` `io_failed`,
   * `disk_full` (nothing happened then), `log_damaged` where entries are missing between the two.
   */
  apply(entries: readonly StoredEntry[], { from, to, generation, minimum = 0 }: Slice): Applied {
    checkConsecutive(entries, { from: from.size, to: to.size, minimum });
    return this.#guarded(() => {
      const { db } = this.#open;
      if (!begin(db)) return 'busy';
      try {
        const { size, root } = this.#open.cursor();
        const isSame = generation === undefined || generation === this.#generation;
        const expected = isSame && size === from.size && root === from.root;
        if (expected) this.#open.write(entries, to);
        db.exec(expected ? 'COMMIT' : 'ROLLBACK');
        return expected ? 'applied' : 'moved';
      } catch (error) {
        this.#open.dictionary.forget();
        if (db.isTransaction) db.exec('ROLLBACK');
        throw error;
      }
    }, 'moved');
  }

  /**
   * Merges a little of what `apply` has left in pieces: queries look into each piece, and are up to twice as fast without.
   * For when there is nothing else to do. True while there is more to merge.
   */
  tidy(): boolean {
    return this.#guarded(() => {
      const { db } = this.#open;
      if (!begin(db)) return false;
      try {
        const isMerged = this.#open.merge();
        db.exec('COMMIT');
        return !isMerged;
      } catch (error) {
        if (db.isTransaction) db.exec('ROLLBACK');
        throw error;
      }
    }, false);
  }

  /** Runs `work` on one state of the index. Throws `LogError` `index_corrupt`, `io_failed`. */
  read<Result>(work: (view: IndexView) => Result): Result {
    return this.#guarded(() => {
      const { db, dictionary, zones } = this.#open;
      db.exec('BEGIN');
      try {
        const cursor = this.#open.cursor();
        return work({ db, dictionary, zones, cursor });
      } finally {
        if (db.isTransaction) db.exec('ROLLBACK');
      }
    });
  }

  /**
   * Puts the index aside and begins again, from nothing: for whoever finds that its cursor is none of the log's. Not with
   * `readOnly`.
   */
  replace(reason: string): void {
    inOurWords(() => this.#replace(reason, this.#open.inode));
  }

  /** Removes the index, with everything that was put aside, and begins again: nothing of what it held is to be kept. */
  restart(): void {
    inOurWords(() => {
      this.close();
      if (!isTemporary(this.#path)) removeIndexFile(this.#path);
      this.#open = this.#reopened();
    });
  }

  /** What the index takes on the disk, bytes, and how many entries it covers. */
  stats(): { readonly size: number; readonly bytes: number } {
    return this.read(({ db, cursor }) => {
      const number = (name: string): number =>
        Number(Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
      return { size: cursor.size, bytes: number('page_count') * number('page_size') };
    });
  }

  /** Folds the write-ahead log into the file as far as readers allow, and closes it. Idempotent. */
  close(): void {
    const { db } = this.#open;
    if (db.isOpen) db.close();
  }

  #reopened(): IndexConnection {
    this.#generation += 1;
    return new IndexConnection(
      openIndexFile(this.#path, { readOnly: this.#readOnly, onReplaced: this.#onReplaced }),
    );
  }

  /**
   * Runs `work` on the file that is there now. One that turns out to be damaged is replaced, and the result is `otherwise` or,
   * without it, an error that says to try again.
   */
  #guarded<Result>(work: () => Result, otherwise?: Result): Result {
    return inOurWords(() => {
      if (isReplaced(this.#path, this.#open)) this.#renew();
      try {
        return work();
      } catch (error) {
        if (!this.#isReplacedFor(error)) throw error;
        if (otherwise !== undefined) return otherwise;
        throw damaged(error, { retryable: true, hint: 'it is being made anew' });
      }
    });
  }

  /** Whether the index has been replaced because of an error: damage, or a table that has been dropped or altered. */
  #isReplacedFor(error: unknown): boolean {
    if (this.#readOnly || isTemporary(this.#path)) return false;
    const reason = (error as Error).message;
    if (isDamage(error)) {
      this.#replace(reason, this.#open.inode);
      return true;
    }
    return sqliteCode(error) === SQLITE_ERROR && this.#replace(reason);
  }

  #replace(reason: string, inode?: number): boolean {
    this.close();
    const replaced = replaceIndexFile(this.#path, { reason, damaged: inode, onReplaced: this.#onReplaced });
    this.#open = this.#reopened();
    return replaced;
  }

  #renew(): void {
    this.close();
    this.#open = this.#reopened();
  }
}

/** Begins to write, if nobody else is writing: waiting would keep queries waiting, too. */
function begin(db: DatabaseSync): boolean {
  db.exec('PRAGMA busy_timeout = 0');
  try {
    db.exec('BEGIN IMMEDIATE');
    return true;
  } catch (error) {
    if (sqliteCode(error) === SQLITE_BUSY) return false;
    throw error;
  } finally {
    db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
  }
}

function checkConsecutive(
  entries: readonly StoredEntry[],
  { from, to, minimum }: { readonly from: number; readonly to: number; readonly minimum: number },
): void {
  let next = from;
  const isPassed = (index: number): boolean => next === index || (next < index && index <= minimum);
  const isWhole = entries.every(({ index }) => {
    const isNext = isPassed(index);
    next = index + 1;
    return isNext;
  });
  if (isWhole && isPassed(to)) return;
  throw new LogError('log_damaged', `entries are missing between ${from} and ${to}`, {
    hint: 'run verify: it names everything that was changed',
  });
}

/** What SQLite and the file system throw leaves the index as a `LogError`. */
function inOurWords<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (error instanceof LogError) throw error;
    if (isDamage(error)) throw damaged(error, { hint: REPAIR_HINT });
    if (sqliteCode(error) !== undefined) throw sqliteFailure(error, 'the search index');
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new LogError('io_failed', `the search index: ${(error as Error).message}`, { cause: error });
  }
}

function damaged(cause: unknown, options: { readonly retryable?: boolean; readonly hint: string }): LogError {
  return new LogError('index_corrupt', `the search index is damaged: ${(cause as Error).message}`, {
    cause,
    ...options,
  });
}
