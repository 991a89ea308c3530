import { closeSync, existsSync, openSync } from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { equalBytes, LogError } from '../bytes/index.ts';
import { checkPrune } from './check-prune.ts';
import type {
  Append,
  Awaitable,
  Head,
  HeadTransaction,
  LogStore,
  Prune,
  Scouring,
  StoredEntry,
  TileHashes,
  TileId,
  Withdrawal,
} from './contract.ts';
import { openWritable } from './sqlite-connection.ts';
import { inOurWords, SQLITE_BUSY, SQLITE_FULL, sqliteCode, sqliteFailure } from './sqlite-failure.ts';
import { OpenFile } from './sqlite-open-file.ts';
import { pruneEntries } from './sqlite-prune.ts';
import { packDisclosures, SqliteReader } from './sqlite-reader.ts';
import { checkSchema, createSchema } from './sqlite-schema.ts';
import { scourDatabase } from './sqlite-scour.ts';

/** What a {@link SqliteStore} is given beside its path. */
export interface SqliteStoreOptions {
  /** Numbers in [0, 1) for the jitter of lock retries; they need not be secret. */
  readonly jitter: () => number;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
}

/**
 * Pauses between two attempts at the lock, milliseconds, by how long it has been waited for. Who has waited
 * longer asks more often: with pauses that grow, the latest comer wins and the earliest starves. Only a
 * lock that nobody moves for long is asked for rarely.
 */
const RETRIES = [
  { waitedMs: 4, pauseMs: 0.4 },
  { waitedMs: 100, pauseMs: 0.12 },
  { waitedMs: Number.POSITIVE_INFINITY, pauseMs: 2 },
] as const;

/** After it met another writer, a store stays polite for so long, milliseconds. */
const POLITE_MS = 100;

/** How long a polite writer leaves the lock alone after its commit, milliseconds: longer than a retry pause. */
const YIELD_MS = 0.6;

/** Give up on the lock after so long: somebody holds it and does nothing. */
const LOCK_MS_MAX = 60_000;

/**
 * A log in one SQLite file (`log.db`).
 *
 * Several processes may share the file. SQLite's own busy handler backs off ever longer and starves
 * one of two busy writers, so the lock is tried here, at short jittered pauses, and a writer that has
 * met another leaves a gap after each commit that is longer than such a pause.
 */
export class SqliteStore extends SqliteReader implements LogStore {
  readonly #db: DatabaseSync;
  readonly #options: SqliteStoreOptions;
  readonly #statements: Statements;
  readonly #files: OpenFile[];
  #contendedUntil = 0;
  #committedAt = 0;
  #dead = false;
  #ownWaiting = false;

  private constructor(path: string, db: DatabaseSync, options: SqliteStoreOptions) {
    super(db);
    this.#files = [new OpenFile(path), new OpenFile(`${path}-wal`)];
    this.#db = db;
    this.#options = options;
    this.#statements = prepare(db);
  }

  /** Makes an empty log at `path`. Throws `LogError` `log_exists` where the file already holds a schema. */
  static create(path: string, options: SqliteStoreOptions): SqliteStore {
    // Sealed values lie here in the clear: the file is its owner's alone, and SQLite's other files take after it.
    if (!existsSync(path)) closeSync(openSync(path, 'wx', 0o600));
    return SqliteStore.#over(path, options, (db) => {
      const tables = db.prepare('SELECT count(*) AS tables FROM sqlite_schema').get()?.['tables'];
      if (tables !== 0) throw new LogError('log_exists', `${path} already holds a database`);
      createSchema(db);
    });
  }

  /** Opens the log at `path`, refusing one whose schema is not ours. */
  static open(path: string, options: SqliteStoreOptions): SqliteStore {
    return SqliteStore.#over(path, options, checkSchema);
  }

  static #over(path: string, options: SqliteStoreOptions, ready: (db: DatabaseSync) => void): SqliteStore {
    const db = openWritable(path);
    try {
      return inOurWords(`${path} cannot be opened`, () => {
        ready(db);
        return new SqliteStore(path, db, options);
      });
    } catch (error) {
      db.close();
      throw error;
    }
  }

  async begin(): Promise<HeadTransaction> {
    this.#assertAlive();
    this.#waitOurselves();
    await this.#beYielding();
    const started = this.#options.now();
    while (!this.#tryLock()) {
      const now = this.#options.now();
      this.#contendedUntil = now + POLITE_MS;
      if (now - started > LOCK_MS_MAX) {
        throw new LogError('overloaded', `another process held the log for ${LOCK_MS_MAX} ms`, {
          retryable: true,
        });
      }
      const { pauseMs } = RETRIES.find(({ waitedMs }) => now - started < waitedMs)!;
      await sleep(pauseMs * (0.5 + this.#options.jitter()));
    }
    try {
      for (const file of this.#files) file.requireInPlace();
      return new SqliteTransaction(this, this.#db, this.#statements, {
        isInPlace: () => this.#files.every((file) => file.isInPlace()),
        ended: (outcome) => this.#ended(outcome),
      });
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  /** Writers wait meanwhile: the file is written anew. */
  scour(waitMs: number, _subjects: readonly string[] = []): Promise<Scouring> {
    this.#assertAlive();
    this.#waitOurselves();
    return scourDatabase(this.#db, { waitMs, now: this.#options.now });
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  /** True when the lock is ours. */
  #tryLock(): boolean {
    try {
      this.#statements.begin.run();
      return true;
    } catch (error) {
      if (sqliteCode(error) === SQLITE_BUSY) return false;
      throw sqliteFailure(error, 'the lock could not be taken');
    }
  }

  /** Opening may wait inside SQLite; from the first commit on, waiting is ours. */
  #waitOurselves(): void {
    if (this.#ownWaiting) return;
    this.#db.exec('PRAGMA busy_timeout=0');
    this.#ownWaiting = true;
  }

  async #beYielding(): Promise<void> {
    const now = this.#options.now();
    if (now < this.#contendedUntil && now - this.#committedAt < YIELD_MS) {
      await sleep(YIELD_MS * (0.5 + this.#options.jitter()));
    }
  }

  #ended(outcome: 'committed' | 'rolled_back' | 'unknown'): void {
    if (outcome === 'unknown') this.#dead = true;
    this.#committedAt = this.#options.now();
  }

  #assertAlive(): void {
    if (this.#dead) {
      throw new LogError('outcome_unknown', 'this writer stopped: a commit had an unknown outcome', {
        hint: 'close the log, look at the disk, open it again',
      });
    }
  }
}

/** What a transaction tells its store, and asks of it. */
interface Household {
  /** Whether the files are still where others look for them. */
  readonly isInPlace: () => boolean;
  readonly ended: (outcome: 'committed' | 'rolled_back' | 'unknown') => void;
}

/** The lock and the statements that write under it. */
class SqliteTransaction implements HeadTransaction {
  readonly taken: Head | undefined;
  readonly #reader: SqliteReader;
  readonly #db: DatabaseSync;
  readonly #statements: Statements;
  readonly #household: Household;
  #isAppended = false;
  #isErasing = false;

  constructor(reader: SqliteReader, db: DatabaseSync, statements: Statements, household: Household) {
    this.#reader = reader;
    this.#db = db;
    this.#statements = statements;
    this.#household = household;
    this.taken = reader.head();
  }

  head(): Head | undefined {
    return this.#reader.head();
  }

  readEntries(from: number, to: number): StoredEntry[] {
    return this.#reader.readEntries(from, to);
  }

  findIds(ids: readonly string[]): Map<string, number> {
    return this.#reader.findIds(ids);
  }

  readTiles(tiles: readonly TileId[]): (Uint8Array | undefined)[] {
    return this.#reader.readTiles(tiles);
  }

  append(append: Append): void {
    const size = this.taken?.size ?? 0;
    if (append.head.size !== size + append.entries.length || append.entries.length === 0) {
      throw new LogError('store_contract', 'the append does not fit the head that was taken');
    }
    try {
      this.#insertEntries(append, size);
      for (const tile of append.tiles) this.#putTile(tile);
      this.#moveHead(append.head);
      this.#isAppended = true;
    } catch (error) {
      throw sqliteFailure(error, 'the append was refused');
    }
  }

  withdraw(withdrawals: readonly Withdrawal[]): void {
    const { keep, drop } = this.#statements;
    this.#isErasing = true;
    try {
      for (const { index, disclosures } of withdrawals) {
        if (disclosures.length === 0) drop.run(index);
        else keep.run(packDisclosures(disclosures), index);
      }
    } catch (error) {
      throw sqliteFailure(error, 'the erasure was refused');
    }
  }

  prune(prune: Prune): number {
    checkPrune(prune, this.taken?.size ?? 0);
    this.#isErasing = true;
    try {
      return pruneEntries(this.#db, prune);
    } catch (error) {
      throw sqliteFailure(error, 'the pruning was refused');
    }
  }

  commit(): Awaitable<void> {
    if (this.#isErasing && !this.#isAppended)
      throw new LogError('store_contract', 'a removal has no record in its own transaction');
    try {
      this.#statements.commit.run();
    } catch (error) {
      const full = sqliteCode(error) === SQLITE_FULL;
      this.#leave();
      this.#household.ended(full ? 'rolled_back' : 'unknown');
      if (full) throw sqliteFailure(error, 'nothing was written');
      throw new LogError('outcome_unknown', 'the commit failed; whether it reached the disk is unknown', {
        cause: error,
        hint: 'the writer stops for good; close the log, look at the disk, open it again',
      });
    }
    if (!this.#household.isInPlace()) {
      this.#household.ended('unknown');
      throw new LogError(
        'outcome_unknown',
        'the log was removed or replaced while the commit was under way',
        {
          hint: 'the writer stops for good; find out who did it, verify what lies there now, and open it again',
        },
      );
    }
    this.#household.ended('committed');
  }

  rollback(): void {
    this.#leave();
    this.#household.ended('rolled_back');
  }

  #leave(): void {
    try {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
    } catch {
      // SQLite has already rolled back, or the connection is gone: nothing of ours is left either way.
    }
  }

  #insertEntries({ entries }: Append, size: number): void {
    const { entry, disclosures, id } = this.#statements;
    let index = size;
    for (const added of entries) {
      entry.run(index, added.entry);
      if (added.disclosures.length > 0) disclosures.run(index, packDisclosures(added.disclosures));
      id.run(added.id, index);
      index += 1;
    }
  }

  #putTile({ level, index, hashes }: TileHashes): void {
    this.#statements.tile.run(level, index, hashes);
  }

  /** The compare and swap: the lock makes a lost race impossible, and this proves that it did. */
  #moveHead({ size, root, recordedAt, checkpoint }: Head): void {
    const { insertHead, updateHead } = this.#statements;
    const taken = this.taken;
    const changes =
      taken === undefined
        ? insertHead.run(size, root, recordedAt, checkpoint).changes
        : updateHead.run(size, root, recordedAt, checkpoint, taken.size, taken.root).changes;
    if (changes !== 1 || (taken !== undefined && equalBytes(taken.root, root))) {
      throw new LogError('head_moved', 'the head is not the one that was taken', { retryable: true });
    }
  }
}

type Statements = ReturnType<typeof prepare>;

function prepare(db: DatabaseSync) {
  const statement = (sql: string): StatementSync => db.prepare(sql);
  return {
    begin: statement('BEGIN IMMEDIATE'),
    commit: statement('COMMIT'),
    entry: statement('INSERT INTO entries (idx, entry) VALUES (?, ?)'),
    // The texts arrive as a string and are kept as its UTF-8 bytes: one copy less on the hot path.
    disclosures: statement('INSERT INTO disclosures (idx, texts) VALUES (?, CAST(? AS BLOB))'),
    keep: statement('UPDATE disclosures SET texts = CAST(? AS BLOB) WHERE idx = ?'),
    drop: statement('DELETE FROM disclosures WHERE idx = ?'),
    id: statement('INSERT INTO ids (id, idx) VALUES (?, ?)'),
    tile: statement(
      `INSERT INTO tiles (level, idx, hashes) VALUES (?, ?, ?)
       ON CONFLICT (level, idx) DO UPDATE SET hashes = excluded.hashes`,
    ),
    insertHead: statement(
      'INSERT INTO head (one, size, root, recorded_at, checkpoint) VALUES (1, ?, ?, ?, ?)',
    ),
    updateHead: statement(
      `UPDATE head SET size = ?, root = ?, recorded_at = ?, checkpoint = ?
       WHERE one = 1 AND size = ? AND root = ?`,
    ),
  };
}

/** Pauses for fractions of a millisecond, which timers cannot. */
async function sleep(ms: number): Promise<void> {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  const waiting = Atomics.waitAsync(cell, 0, 0, ms);
  if (!waiting.async) return;
  // Such a wait does not keep the process alive, so a timer does: a script that waits for its turn on its
  // own thread would otherwise end in the middle of a `record`, and with success.
  const alive = setTimeout(() => {}, LOCK_MS_MAX);
  await waiting.value;
  clearTimeout(alive);
}
