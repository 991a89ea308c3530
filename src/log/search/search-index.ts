import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { VerificationError } from '../../bytes/index.ts';
import { LogError, SQLITE_ERROR, type StoredEntry, sqliteCode, sqliteFailure } from '../../store/index.ts';
import { Dictionary } from './dictionary.ts';
import {
  BUSY_TIMEOUT_MS,
  type IndexFile,
  isDamage,
  isReplaced,
  isTemporary,
  openIndexFile,
  removeIndexFile,
  replaceIndexFile,
} from './index-file.ts';
import { type Columns, Skimmer } from './skim.ts';
import { Terms } from './terms.ts';
import { Zones } from './zones.ts';

/** Entries that should be applied at once: enough to merge few small segments, few enough that a query waits 50 ms at most. */
export const APPLY_ENTRIES = 2048;

/** SQLite's primary code for a lock that somebody else has (sqlite.org/rescode.html). */
const SQLITE_BUSY = 5;

/** How far an index has come: it covers the first `size` entries, whose root (standard base64) is `root`. */
export interface IndexCursor {
  readonly size: number;
  readonly root: string;
}

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
  #open: Opened;

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

  /** How far the index has come. */
  cursor(): IndexCursor {
    return this.read(({ cursor }) => cursor);
  }

  /**
   * Indexes consecutive entries and moves the cursor from `from` to `to`, in one transaction. Throws `LogError` `io_failed`,
   * `disk_full` (nothing happened then), `log_damaged` where entries are missing between the two.
   */
  apply(
    entries: readonly StoredEntry[],
    { from, to }: { readonly from: IndexCursor; readonly to: IndexCursor },
  ): Applied {
    checkConsecutive(entries, from.size, to.size);
    return this.#guarded(() => {
      const { db } = this.#open;
      if (!begin(db)) return 'busy';
      try {
        const { size, root } = this.#open.cursor();
        const expected = size === from.size && root === from.root;
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

  #reopened(): Opened {
    return new Opened(openIndexFile(this.#path, { readOnly: this.#readOnly, onReplaced: this.#onReplaced }));
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

/** A connection with everything that is prepared on it. */
class Opened implements IndexFile {
  readonly db: DatabaseSync;
  readonly inode: number | undefined;
  readonly dictionary: Dictionary;
  readonly zones: Zones;
  readonly #cursor: StatementSync;
  readonly #move: StatementSync;
  readonly #event: StatementSync;
  readonly #terms: StatementSync;
  readonly #buffer = new Terms();
  readonly #skimmer = new Skimmer(this.#buffer);

  constructor({ db, inode }: IndexFile) {
    this.db = db;
    this.inode = inode;
    try {
      this.dictionary = new Dictionary(db);
      this.zones = new Zones(db);
      this.#cursor = db.prepare('SELECT size, root FROM state');
      this.#move = db.prepare('UPDATE state SET size = ?, root = ?');
      this.#event = db.prepare(
        'INSERT INTO events (idx, occurred, action, actor, outcome, severity) VALUES (?, ?, ?, ?, ?, ?)',
      );
      this.#terms = db.prepare('INSERT INTO terms (rowid, text) VALUES (?, ?)');
    } catch (error) {
      db.close();
      throw error;
    }
  }

  cursor(): IndexCursor {
    const { size, root } = this.#cursor.get() ?? {};
    if (typeof size === 'number' && typeof root === 'string') return { size, root };
    throw new LogError('index_corrupt', 'the search index does not say how far it has come', { hint: HINT });
  }

  /** Within a transaction. */
  write(entries: readonly StoredEntry[], to: IndexCursor): void {
    const times: number[] = [];
    for (const entry of entries) times.push(this.#writeEntry(entry));
    if (times.length > 0) this.zones.add(entries[0]!.index, times);
    this.dictionary.flush();
    this.#move.run(to.size, to.root);
  }

  #writeEntry(stored: StoredEntry): number {
    const terms = this.#buffer;
    terms.clear();
    const { occurred, action, outcome, severity, actorType, actorId } = this.#skim(stored);
    const { dictionary } = this;
    const actionNumber = dictionary.use('action', action);
    const actorNumber = dictionary.use('actor', actorType === '' ? '' : `${actorType}/${actorId}`);
    const outcomeNumber = dictionary.use('outcome', outcome);
    const severityNumber = dictionary.use('severity', severity);
    terms.markId('action', actionNumber);
    terms.markId('actor', actorNumber);
    terms.markId('actorType', dictionary.use('actorType', actorType));
    terms.markId('outcome', outcomeNumber);
    if (severity !== '') terms.markId('severity', severityNumber);
    this.#event.run(stored.index, occurred, actionNumber, actorNumber, outcomeNumber, severityNumber);
    this.#terms.run(stored.index, terms.bytes());
    return occurred;
  }

  /**
   * An entry that is none is found by no filter, but stands in its place: whoever comes upon it there reads the log, which
   * says so loudly.
   */
  #skim(stored: StoredEntry): Columns {
    try {
      return this.#skimmer.skim(stored);
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      this.#buffer.clear();
      return { occurred: 0, action: '', outcome: '', severity: '', actorType: '', actorId: '' };
    }
  }
}

const HINT = 'run verify --index, then delete index.db: it is made anew';

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

function checkConsecutive(entries: readonly StoredEntry[], from: number, to: number): void {
  if (entries.length === to - from && entries.every(({ index }, position) => index === from + position))
    return;
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
    if (isDamage(error)) throw damaged(error, { hint: HINT });
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
