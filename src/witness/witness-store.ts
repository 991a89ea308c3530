import { closeSync, existsSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { LogError, OpenFile, SQLITE_BUSY, sqliteCode } from '../store/index.ts';

/** How long a statement waits for another process, milliseconds: a check and its answer take a few. */
const BUSY_TIMEOUT_MS = 2_000;

/** Marks the file as a witness's: "IWit" (sqlite.org/pragma.html, application_id). */
const APPLICATION_ID = 0x49_57_69_74;

/** The schema that this version makes and opens. */
const SCHEMA_VERSION = 1;

const schema = `CREATE TABLE logs (
  origin TEXT PRIMARY KEY,
  size INTEGER NOT NULL,
  root BLOB NOT NULL,
  note BLOB NOT NULL,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID`;

/** The largest checkpoint of one log that the witness has cosigned. */
export interface SeenCheckpoint {
  readonly size: number;
  readonly root: Uint8Array;
  /** The note, with the log's signature and the witness's own. */
  readonly note: Uint8Array;
}

/**
 * `witness.db`: what a witness has cosigned, which is all that it knows, and what it may never forget: a witness with an empty
 * database would cosign any history as the first it sees. So making it and opening it are two verbs, and opening refuses a file that
 * is not there.
 */
export class WitnessStore {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #files: readonly OpenFile[];

  private constructor(db: DatabaseSync, path: string) {
    this.#db = db;
    this.#path = path;
    this.#files = [new OpenFile(path), new OpenFile(`${path}-wal`)];
  }

  /** Makes the file. Throws `LogError` `witness_exists` where there is one. */
  static create(path: string): void {
    if (existsSync(path))
      throw new LogError('witness_exists', `there is a witness's database at ${path} already`);
    guarded(() => {
      closeSync(openSync(path, 'ax', 0o600));
      const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
      try {
        db.exec(
          `PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; BEGIN IMMEDIATE; ${schema};
           PRAGMA application_id=${APPLICATION_ID}; PRAGMA user_version=${SCHEMA_VERSION}; COMMIT`,
        );
      } finally {
        db.close();
      }
    });
  }

  /** Opens the file. Throws `LogError` `witness_missing` where there is none, `not_durable`, `io_failed`. */
  static open(path: string): WitnessStore {
    if (!existsSync(path)) {
      throw new LogError('witness_missing', `the witness's database ${path} is gone`, {
        hint: 'restore it as it was last; without it this key must never sign again: begin anew with another name',
      });
    }
    return guarded(() => {
      const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
      try {
        db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF');
        check(db);
        return new WitnessStore(db, path);
      } catch (error) {
        db.close();
        throw error;
      }
    });
  }

  /** The largest checkpoint of a log; undefined where none was ever cosigned. Throws as {@link advance}. */
  seen(origin: string): SeenCheckpoint | undefined {
    this.#requireInPlace();
    return guarded(() => this.#read(origin));
  }

  /**
   * Judges and keeps in one step that nobody else can come between, in this process or another. `judge` is shown what the log was
   * last, and answers what it is now, or throws, and then nothing changes. When this returns, what it returns is on the disk, in the
   * file that will be opened the next time. Throws `LogError` `witness_missing` where that file was removed or replaced meanwhile.
   */
  advance(
    origin: string,
    at: number,
    judge: (last: SeenCheckpoint | undefined) => SeenCheckpoint,
  ): SeenCheckpoint {
    this.#requireInPlace();
    return guarded(() => {
      this.#db.exec('BEGIN IMMEDIATE');
      try {
        const last = this.#read(origin);
        const next = judge(last);
        if (last === undefined) this.#insert(origin, next, at);
        else this.#replace(origin, last.size, next, at);
        this.#db.exec('COMMIT');
        this.#requireInPlace();
        return next;
      } finally {
        if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      }
    });
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  /** What is cosigned and then lost with a file that nobody finds again would be cosigned otherwise later. */
  #requireInPlace(): void {
    if (this.#files.every((file) => file.isInPlace())) return;
    throw new LogError('witness_missing', `the witness's database ${this.#path} was removed or replaced`, {
      hint: 'stop the witness and restore the file as it was last; without it this key must never sign again',
    });
  }

  #read(origin: string): SeenCheckpoint | undefined {
    const row = this.#db.prepare('SELECT size, root, note FROM logs WHERE origin = ?').get(origin);
    if (row === undefined) return undefined;
    const { size, root, note } = row;
    return { size: Number(size), root: root as Uint8Array, note: note as Uint8Array };
  }

  #insert(origin: string, { size, root, note }: SeenCheckpoint, at: number): void {
    this.#db
      .prepare('INSERT INTO logs (origin, size, root, note, at) VALUES (?, ?, ?, ?, ?)')
      .run(origin, size, root, note, at);
  }

  /** The old size stands in the condition once more: what was judged is what is replaced, or nothing is. */
  #replace(origin: string, oldSize: number, { size, root, note }: SeenCheckpoint, at: number): void {
    const { changes } = this.#db
      .prepare(
        'UPDATE logs SET size = ?, root = ?, note = ?, at = ? WHERE origin = ? AND size = ? AND ? >= size',
      )
      .run(size, root, note, at, origin, oldSize, size);
    if (Number(changes) !== 1)
      throw new LogError('io_failed', 'the database of the witness changed underneath');
  }
}

function check(db: DatabaseSync): void {
  const pragma = (name: string): unknown => Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0];
  if (pragma('application_id') !== APPLICATION_ID || pragma('user_version') !== SCHEMA_VERSION) {
    throw new LogError(
      'witness_missing',
      'the file is not the database of a witness that this version can read',
    );
  }
  // 2 is FULL: a cosignature that was sent and then forgotten would be worse than none.
  if (pragma('synchronous') !== 2) {
    throw new LogError('not_durable', 'the database of the witness does not wait for the disk');
  }
}

/** Runs SQL and answers its failures in our own words. */
function guarded<Result>(run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    const code = sqliteCode(error);
    if (code === undefined) throw error;
    throw new LogError('io_failed', `witness.db: ${(error as Error).message}`, {
      cause: error,
      retryable: code === SQLITE_BUSY,
    });
  }
}
