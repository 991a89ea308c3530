import { closeSync, existsSync, openSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { LogError } from '../bytes/index.ts';
import { SQLITE_BUSY, sqliteCode } from './sqlite-failure.ts';

/** The file with the keys of subjects, in the folder of a log. */
export const SUBJECT_KEYS_FILE = 'subject-keys.db';

/** Bytes of a subject's key (AES-256). */
export const SUBJECT_KEY_BYTES = 32;

/** The subject of values that belong to nobody: those of the log's own entries, which are never erased. */
export const NOBODY = '';

/** How long a statement waits for another process, milliseconds. */
const BUSY_TIMEOUT_MS = 5_000;

/** How often the write-ahead log is emptied in vain before somebody is told. */
const TRUNCATE_ATTEMPTS = 50;

const TRUNCATE_PAUSE_MS = 20;

/** Subjects whose keys are remembered, about 200 bytes each. */
const KNOWN_MAX = 32_768;

const schema = `CREATE TABLE IF NOT EXISTS keys (
  subject TEXT PRIMARY KEY,
  key BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS destroyed (
  subject TEXT PRIMARY KEY,
  below INTEGER NOT NULL
) STRICT, WITHOUT ROWID`;

/** What is known of a subject: the key for its values in entries from `below` on, if it has one. Those before it have none. */
interface Known {
  readonly key: Uint8Array | undefined;
  readonly below: number;
}

/**
 * `subject-keys.db`: the keys under which the archive of a log holds sealed values, one a subject.
 *
 * Files in an archive cannot be taken back, so what is erased there is the key: once it is destroyed, the values of its subject
 * are noise, in every copy of every file. That holds only if no copy of the key outlives it: this file has backups of its own, kept
 * for as short a time as can be, and never in the archive. Writes are durable when they return.
 */
export class SubjectKeys {
  readonly #db: DatabaseSync;
  readonly #random: (bytes: number) => Uint8Array;
  readonly #key: StatementSync;
  readonly #below: StatementSync;
  readonly #version: StatementSync;
  /** What was read or made here, for as long as nobody else writes to the file. */
  readonly #known = new Map<string, Known>();
  #knownAt: unknown;

  private constructor(db: DatabaseSync, random: (bytes: number) => Uint8Array) {
    this.#db = db;
    this.#random = random;
    this.#key = db.prepare('SELECT key FROM keys WHERE subject = ?');
    this.#below = db.prepare('SELECT below FROM destroyed WHERE subject = ?');
    this.#version = db.prepare('PRAGMA data_version');
  }

  /** Opens the file, or makes it, its owner's alone. `random` makes new keys. Throws `LogError` `io_failed`. */
  static open(path: string, random: (bytes: number) => Uint8Array): SubjectKeys {
    return guarded(() => {
      if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600));
      const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
      try {
        db.exec(
          `PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; PRAGMA trusted_schema=OFF; ${schema}`,
        );
        return new SubjectKeys(db, random);
      } catch (error) {
        db.close();
        throw error;
      }
    });
  }

  /** Opens the file for reading: it makes no key. Throws `LogError` `key_missing` where there is none. */
  static reading(path: string): SubjectKeys {
    if (!existsSync(path)) throw new LogError('key_missing', `there are no keys of subjects at ${path}`);
    return guarded(() => {
      const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, readOnly: true });
      return new SubjectKeys(db, () => {
        throw new LogError('read_only', 'the keys of subjects were opened for reading only');
      });
    });
  }

  /** Whose keys were destroyed in the file at `path`: an erasure destroys them at once, and its record is published when the log is next. */
  static destroyedIn(path: string): readonly { readonly subject: string; readonly below: number }[] {
    const keys = SubjectKeys.reading(path);
    try {
      return keys.destroyed();
    } finally {
      keys.close();
    }
  }

  /**
   * The keys for values in the entry `index`, by subject; made where there was none. A subject whose values below an index were
   * destroyed has none for entries below that index, and never gets one.
   */
  keysFor(
    wanted: Iterable<{ readonly subject: string; readonly index: number }>,
  ): (subject: string, index: number) => Uint8Array | undefined {
    const found = new Map<string, Known>();
    guarded(() => {
      this.#forgetIfChanged();
      const asked = [...wanted].filter(({ subject, index }) => {
        const known = this.#known.get(subject);
        if (known !== undefined) found.set(subject, known);
        return known === undefined || (known.key === undefined && index >= known.below);
      });
      if (asked.length > 0) this.#readOrMake(asked, found);
    });
    return (subject, index) => {
      const known = found.get(subject);
      return known === undefined || index < known.below ? undefined : known.key;
    };
  }

  /** The key of a subject, if it has one now. */
  find(subject: string): Uint8Array | undefined {
    return guarded(() => {
      const key = this.#key.get(subject)?.['key'];
      if (key === undefined) return undefined;
      if (key instanceof Uint8Array && key.length === SUBJECT_KEY_BYTES) return key;
      throw new LogError('log_damaged', 'subject-keys.db holds a key that is none');
    });
  }

  /**
   * Destroys the keys of subjects: their values in entries below `below` are unreadable from now on wherever they were published,
   * those that belong to others as well included. No new key is ever made for entries below it. When this returns, the keys are gone
   * from the file and from its write-ahead log. Repeating it changes nothing. Throws `LogError` `io_failed`, `retryable` where
   * somebody who reads keeps the write-ahead log from being emptied: the keys are deleted then, and a copy of them is left there.
   */
  destroy(subjects: readonly string[], below: number): void {
    guarded(() => {
      this.#db.exec('BEGIN IMMEDIATE');
      try {
        for (const subject of subjects) {
          if (subject === NOBODY || below <= this.#destroyedBelow(subject)) continue;
          this.#db.prepare('DELETE FROM keys WHERE subject = ?').run(subject);
          this.#db
            .prepare(
              'INSERT INTO destroyed (subject, below) VALUES (?, ?) ON CONFLICT (subject) DO UPDATE SET below = excluded.below',
            )
            .run(subject, below);
        }
        this.#db.exec('COMMIT');
      } catch (error) {
        if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
        throw error;
      } finally {
        this.#known.clear();
      }
      this.#empty();
    });
  }

  /** Whose keys were destroyed, for values in entries below which index. */
  destroyed(): { readonly subject: string; readonly below: number }[] {
    return guarded(() =>
      this.#db
        .prepare('SELECT subject, below FROM destroyed')
        .all()
        .map(({ subject, below }) => ({ subject: String(subject), below: Number(below) })),
    );
  }

  /** Below which index the values of a subject have no key any more; 0 where none was destroyed. */
  destroyedBelow(subject: string): number {
    return guarded(() => this.#destroyedBelow(subject));
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  /** Reads what is there of the subjects, and makes the keys that they need. What is made is remembered when it is durable. */
  #readOrMake(
    asked: readonly { readonly subject: string; readonly index: number }[],
    found: Map<string, Known>,
  ): void {
    const read = new Map<string, Known>();
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      for (const { subject, index } of asked) {
        const { key = this.find(subject), below = this.#destroyedBelow(subject) } = read.get(subject) ?? {};
        read.set(subject, { key: key ?? (index < below ? undefined : this.#make(subject)), below });
      }
      this.#db.exec('COMMIT');
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
    if (this.#known.size + read.size > KNOWN_MAX) this.#known.clear();
    for (const [subject, known] of read) {
      found.set(subject, known);
      this.#known.set(subject, known);
    }
  }

  /** Somebody else, an erasure above all, may have written to the file. */
  #forgetIfChanged(): void {
    const version = this.#version.get()?.['data_version'];
    if (version === this.#knownAt) return;
    this.#known.clear();
    this.#knownAt = version;
  }

  #make(subject: string): Uint8Array {
    const key = this.#random(SUBJECT_KEY_BYTES);
    this.#db.prepare('INSERT INTO keys (subject, key) VALUES (?, ?)').run(subject, key);
    return key;
  }

  #destroyedBelow(subject: string): number {
    return Number(this.#below.get(subject)?.['below'] ?? 0);
  }

  /** Empties the write-ahead log, in which the pages with the keys still lie. */
  #empty(): void {
    const cell = new Int32Array(new SharedArrayBuffer(4));
    for (let attempt = 0; attempt < TRUNCATE_ATTEMPTS; attempt += 1) {
      if (this.#db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()?.['busy'] === 0) return;
      Atomics.wait(cell, 0, 0, TRUNCATE_PAUSE_MS);
    }
    throw new LogError(
      'io_failed',
      'subject-keys.db: somebody reads it, and its write-ahead log could not be emptied',
      {
        retryable: true,
        hint: 'repeat it: until then a copy of the destroyed keys lies in subject-keys.db-wal',
      },
    );
  }
}

/** Runs SQL and answers its failures in our own words. */
function guarded<Result>(run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    const code = sqliteCode(error);
    if (code === undefined) throw error;
    throw new LogError('io_failed', `subject-keys.db: ${(error as Error).message}`, {
      cause: error,
      retryable: code === SQLITE_BUSY,
    });
  }
}
