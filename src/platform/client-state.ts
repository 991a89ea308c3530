// The counterpart of `client/state-portable.ts`, chosen by the import condition `node` of `#client-state`.

import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { LogError } from '../bytes/index.ts';
import type { ClientState, SpooledEvent, SpoolStore } from '../client/index.ts';
import { replaceFile } from './files.ts';

/** SQLite's primary code for a lock that somebody else has (sqlite.org/rescode.html). */
const SQLITE_BUSY = 5;

/** SQLite's primary code for a full disk. */
const SQLITE_FULL = 13;

const schema = `CREATE TABLE IF NOT EXISTS waiting (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  text TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS refused (
  position INTEGER PRIMARY KEY,
  text TEXT NOT NULL,
  reason TEXT NOT NULL
) STRICT`;

/** How long a client waits for another that is about to write the checkpoint, milliseconds: that takes one sync of the disk. */
const LOCK_WAIT_MS_MAX = 10_000;

/** Opens, or makes, the folder in which a client keeps `checkpoint` and `spool.db`. */
export function openStateFolder(folder: string): ClientState {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, 'checkpoint');
  const read = (): string | undefined => (existsSync(path) ? readFileSync(path, 'utf8') : undefined);
  return {
    checkpoints: {
      read,
      write: (note, before) =>
        withLock(`${path}.lock`, () => {
          if (read() !== before) return false;
          replaceFile(path, note);
          return true;
        }),
    },
    openSpool: () => new SpoolFile(join(folder, 'spool.db')),
  };
}

/** Runs `work` while no other process runs its own under this lock: SQLite's, which dies with its holder, however that dies. */
function withLock<Result>(path: string, work: () => Result): Result {
  const db = guarded(path, () => new DatabaseSync(path, { timeout: LOCK_WAIT_MS_MAX }));
  try {
    guarded(path, () => db.exec('BEGIN IMMEDIATE'));
    return work();
  } finally {
    db.close();
  }
}

/** Says something to whoever runs this process. */
export function warn(message: string): void {
  process.emitWarning(message, { type: 'IndelibleWarning' });
}

/**
 * A spool in SQLite: each append is a transaction that has reached the disk, half of one is never seen, and the lock that
 * keeps a second process out dies with its holder, however that dies.
 */
class SpoolFile implements SpoolStore {
  readonly #db: DatabaseSync;

  constructor(path: string) {
    this.#db = guarded(path, () => {
      const db = new DatabaseSync(path, { timeout: 0 });
      try {
        db.exec('PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL');
        db.exec('PRAGMA trusted_schema=OFF; PRAGMA fullfsync=ON');
        db.exec(`BEGIN IMMEDIATE; ${schema}; COMMIT`);
        return db;
      } catch (error) {
        db.close();
        throw error;
      }
    });
  }

  append(texts: readonly string[]): void {
    this.#write(() => {
      const insert = this.#db.prepare('INSERT INTO waiting (text) VALUES (?)');
      for (const text of texts) insert.run(text);
    });
  }

  read(limit: number): SpooledEvent[] {
    const rows = this.#db.prepare('SELECT position, text FROM waiting ORDER BY position LIMIT ?').all(limit);
    return rows.map(({ position, text }) => ({ position: Number(position), text: String(text) }));
  }

  remove(position: number): void {
    this.#write(() => this.#db.prepare('DELETE FROM waiting WHERE position <= ?').run(position));
  }

  refuse(position: number, reason: string): void {
    this.#write(() => {
      const move = 'INSERT INTO refused SELECT position, text, ? FROM waiting WHERE position = ?';
      this.#db.prepare(move).run(reason, position);
      this.#db.prepare('DELETE FROM waiting WHERE position = ?').run(position);
    });
  }

  counts(): { events: number; characters: number; refused: number } {
    const waiting = this.#db.prepare('SELECT count(*) AS n, sum(length(text)) AS c FROM waiting').get();
    const refused = this.#db.prepare('SELECT count(*) AS n FROM refused').get();
    return {
      events: Number(waiting?.['n']),
      characters: Number(waiting?.['c'] ?? 0),
      refused: Number(refused?.['n']),
    };
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  #write(work: () => void): void {
    guarded('the spool', () => {
      this.#db.exec('BEGIN IMMEDIATE');
      try {
        work();
        this.#db.exec('COMMIT');
      } catch (error) {
        if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
        throw error;
      }
    });
  }
}

/** Runs SQL and answers its failures in our own words. */
function guarded<Result>(what: string, run: () => Result): Result {
  try {
    return run();
  } catch (cause) {
    const { errcode, message } = cause as { errcode?: number; message: string };
    const code = errcode === undefined ? undefined : errcode % 256;
    if (code === SQLITE_BUSY) {
      throw new LogError('spool_locked', `${what} is in use by another process`, {
        cause,
        hint: 'give each process a state folder of its own',
      });
    }
    if (code === SQLITE_FULL)
      throw new LogError('disk_full', `${what}: ${message}`, { cause, retryable: true });
    throw new LogError('io_failed', `${what}: ${message}`, { cause });
  }
}
