import { DatabaseSync } from 'node:sqlite';
import { base64Encode, concatBytes } from '../../bytes/index.ts';
import { Frontier, HASH_BYTES, type Hash } from '../../merkle/index.ts';
import { LogError, sqliteCode } from '../../store/index.ts';

/** SQLite's primary code for a lock that somebody else has (sqlite.org/rescode.html). */
const SQLITE_BUSY = 5;

/** How long a statement waits for another process, milliseconds; what is written here is a few bytes. */
const BUSY_TIMEOUT_MS = 2_000;

const schema = `CREATE TABLE IF NOT EXISTS cursors (
  name TEXT PRIMARY KEY,
  size INTEGER NOT NULL,
  root TEXT NOT NULL,
  frontier BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lease (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  holder TEXT NOT NULL,
  until INTEGER NOT NULL
) STRICT`;

/**
 * `followers.db`: how far each follower has come, and which process may run them.
 *
 * A cursor is a frontier, the compact range of all entries seen, so that its owner needs nothing else to extend it and to
 * compare itself with the log. `synchronous=NORMAL`: a power cut may take the last moves of a cursor back, and then the
 * entries behind it are delivered again, which is what followers are promised.
 */
export class CursorStore {
  readonly #db: DatabaseSync;

  private constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** Opens the file, or makes it. Throws `LogError` `io_failed`. */
  static open(path: string): CursorStore {
    return guarded(() => {
      const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
      try {
        db.exec(`PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA trusted_schema=OFF; ${schema}`);
        return new CursorStore(db);
      } catch (error) {
        db.close();
        throw error;
      }
    });
  }

  /** Takes the lease, or keeps it, until `now + lengthMs`. False where another holder's has not run out. */
  hold(holder: string, { now, lengthMs }: { readonly now: number; readonly lengthMs: number }): boolean {
    return guarded(() => {
      const taken = this.#db
        .prepare(
          `INSERT INTO lease (one, holder, until) VALUES (1, :holder, :until)
           ON CONFLICT (one) DO UPDATE SET holder = :holder, until = :until
           WHERE holder = :holder OR until <= :now OR until > :now + :longest`,
        )
        // A lease that reaches further than any lease lasts was taken by a clock that has been set back since.
        .run({ holder, until: now + lengthMs, now, longest: 10 * lengthMs });
      return Number(taken.changes) === 1;
    });
  }

  /** Gives the lease up, if it is still this holder's. */
  release(holder: string): void {
    guarded(() => this.#db.prepare('DELETE FROM lease WHERE holder = ?').run(holder));
  }

  /** How far a follower has come; the empty frontier where nothing is known of it. Throws `LogError` `log_damaged`. */
  load(name: string): Frontier {
    return guarded(() => {
      const row = this.#db.prepare('SELECT size, root, frontier FROM cursors WHERE name = ?').get(name);
      if (row === undefined) return Frontier.empty();
      const { size, root, frontier: stored } = row;
      const frontier = stored instanceof Uint8Array ? readFrontier(Number(size), stored) : undefined;
      if (frontier !== undefined && base64Encode(frontier.root()) === root) return frontier;
      throw new LogError('log_damaged', `followers.db: the cursor of ${name} does not fit its root`, {
        hint: 'somebody changed it; delete the row to let the follower begin anew',
      });
    });
  }

  /**
   * Moves a cursor on, in one transaction with the question whether `holder` still has the lease and nobody else moved it.
   * False where not: then another process is at work, and nothing was written.
   */
  move(
    holder: string,
    name: string,
    { from, to }: { readonly from: number; readonly to: Frontier },
  ): boolean {
    return guarded(() => {
      const moved = this.#db
        .prepare(
          `INSERT INTO cursors (name, size, root, frontier)
           SELECT :name, :size, :root, :frontier
           WHERE EXISTS (SELECT 1 FROM lease WHERE holder = :holder)
             AND :from = coalesce((SELECT size FROM cursors WHERE name = :name), 0)
           ON CONFLICT (name) DO UPDATE SET size = :size, root = :root, frontier = :frontier`,
        )
        .run({
          name,
          holder,
          from,
          size: to.size,
          root: base64Encode(to.root()),
          frontier: concatBytes(...to.hashes),
        });
      return Number(moved.changes) === 1;
    });
  }

  /** Every follower that has ever moved its cursor, and how far it has come. */
  list(): { readonly name: string; readonly size: number }[] {
    return guarded(() =>
      this.#db
        .prepare('SELECT name, size FROM cursors ORDER BY name')
        .all()
        .map(({ name, size }) => ({ name: String(name), size: Number(size) })),
    );
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }
}

function readFrontier(size: number, bytes: Uint8Array): Frontier | undefined {
  const hashes: Hash[] = [];
  for (let at = 0; at < bytes.length; at += HASH_BYTES) hashes.push(bytes.slice(at, at + HASH_BYTES));
  try {
    return Frontier.from(size, hashes);
  } catch {
    return undefined;
  }
}

/** Runs SQL and answers its failures in our own words. */
function guarded<Result>(run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    const code = sqliteCode(error);
    if (code === undefined) throw error;
    throw new LogError('io_failed', `followers.db: ${(error as Error).message}`, {
      cause: error,
      retryable: code === SQLITE_BUSY,
    });
  }
}
