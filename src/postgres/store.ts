import { equalBytes } from '../bytes/index.ts';
import { systemClock } from '../platform/index.ts';
import {
  type Head,
  isLogError,
  LogError,
  type LogStore,
  type Scouring,
  type StoredEntry,
  type TileId,
} from '../store/index.ts';
import { bytesOf, wholeNumber } from './bytes-of.ts';
import { type Database, withSession } from './client.ts';
import { inOurWords, postgresFailure } from './failure.ts';
import { PostgresTransaction, RESOLVE_MS_MAX, settleDurably, unknownOutcome } from './head-transaction.ts';
import { requireSchema } from './migrate.ts';
import { READ_ENTRIES, Reading } from './reading.ts';
import { forgetBeside, scourDatabase } from './scour.ts';

/** Pause between two looks, milliseconds. */
const RESOLVE_PAUSE_MS = 250;

/**
 * A log in PostgreSQL. Any number of processes write to it, and none leads: the row of the log's head is the only lock
 * (`SELECT … FOR UPDATE`), so different logs never wait for each other. What is written goes through one function of the schema,
 * which compares and swaps the head.
 *
 * A commit of which nothing is heard (the line broke) is looked up in the log, behind the head's lock, and only then answered.
 */
export class PostgresStore implements LogStore {
  readonly #database: Database;
  readonly #log: number;
  readonly #reading: Reading;
  #closed = false;
  /** The last transaction, and the partitions that removals have touched in those before it. */
  #last: PostgresTransaction | undefined;
  #partitions: Set<string> | undefined;

  private constructor(database: Database, log: number) {
    this.#database = database;
    this.#log = log;
    this.#reading = new Reading(log, (text, values) =>
      inOurWords('the log cannot be read', () =>
        withSession(database, (session) => session.query(text, values)),
      ),
    );
  }

  /**
   * The log of an origin, which is made, empty, with `create`. Throws `LogError` `log_missing`, `schema_missing`,
   * `schema_newer`, `not_permitted`, `unreachable`.
   */
  static async open(
    database: Database,
    origin: string,
    options: { create?: boolean } = {},
  ): Promise<PostgresStore> {
    return inOurWords('the log cannot be opened', () =>
      withSession(database, async (session) => {
        await requireSchema(session);
        if (options.create === true) {
          const [row] = await session.query('SELECT indelible.ensure_log($1) AS log', [origin]);
          return new PostgresStore(database, wholeNumber(row?.['log']));
        }
        const [row] = await session.query('SELECT log FROM indelible.logs WHERE origin = $1', [origin]);
        if (row === undefined) {
          throw new LogError('log_missing', `this database has no log of the origin ${origin}`, {
            hint: 'create it (createPostgresLog, indelible pg init), or pass createIfMissing',
          });
        }
        return new PostgresStore(database, wholeNumber(row['log']));
      }),
    );
  }

  head(): Promise<Head | undefined> {
    return this.#reading.head();
  }

  readEntries(from: number, to: number): Promise<StoredEntry[]> {
    return this.#reading.readEntries(from, to);
  }

  readEntryBytes(from: number, to: number): Promise<Uint8Array[]> {
    return this.#reading.readEntryBytes(from, to);
  }

  findIds(ids: readonly string[]): Promise<Map<string, number>> {
    return this.#reading.findIds(ids);
  }

  readTiles(tiles: readonly TileId[]): Promise<(Uint8Array | undefined)[]> {
    return this.#reading.readTiles(tiles);
  }

  /** The number under which the tables know the log. */
  get number(): number {
    return this.#log;
  }

  async begin(known?: number): Promise<PostgresTransaction> {
    if (this.#closed) throw new LogError('closed', 'the store is closed');
    return inOurWords('the head cannot be taken', async () => {
      const session = await this.#database.session();
      try {
        const transaction = await PostgresTransaction.begin(session, { log: this.#log, known }, (entry) =>
          this.#resolve(entry),
        );
        this.#notePartitions();
        this.#last = transaction;
        return transaction;
      } catch (error) {
        await session.query('ROLLBACK').catch(() => {});
        session.release(true);
        throw error;
      }
    });
  }

  /** Tables that held what was removed are written anew; readers of each wait while that is done. */
  async scour(waitMs: number, subjects: readonly string[], isWhole = false): Promise<Scouring> {
    this.#notePartitions();
    const partitions = isWhole ? undefined : this.#partitions;
    const scouring = await scourDatabase(this.#database, { log: this.#log, waitMs, subjects, partitions });
    if (scouring.isClean) this.#partitions = undefined;
    return scouring;
  }

  /** Refused events of the outbox that name these subjects. */
  forget(waitMs: number, subjects: readonly string[]): Promise<Scouring> {
    return forgetBeside(this.#database, { log: this.#log, waitMs, subjects });
  }

  #notePartitions(): void {
    const partitions = this.#last?.partitions;
    this.#last = undefined;
    if (partitions !== undefined) this.#partitions = new Set([...(this.#partitions ?? []), ...partitions]);
  }

  /** The connections are the application's. */
  close(): void {
    this.#closed = true;
  }

  /**
   * What became of a commit of which nothing was heard: looked up behind the head's lock, which the lost connection's transaction
   * holds until the server has ended it one way or the other. Throws a retryable `outcome_unknown` where the server is not to be
   * reached for long.
   */
  async #resolve(entry: { readonly index: number; readonly bytes: Uint8Array }): Promise<'landed' | 'lost'> {
    const end = systemClock.monotonic() + RESOLVE_MS_MAX;
    for (;;) {
      try {
        return await withSession(this.#database, async (session) => {
          await session.query('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE');
          await session.query(
            `SELECT size FROM indelible.take_head($1, NULL, ${RESOLVE_MS_MAX}, ${RESOLVE_MS_MAX})`,
            [this.#log],
          );
          const [row] = await session.query(READ_ENTRIES, [this.#log, entry.index, entry.index + 1]);
          await session.query('COMMIT');
          const isOurs = row !== undefined && equalBytes(bytesOf(row['entry']), entry.bytes);
          // That it is visible does not say that it has reached the disks that it was to reach: the commit of a message behind it does.
          if (isOurs) await settleDurably(session);
          return isOurs ? 'landed' : 'lost';
        });
      } catch (cause) {
        const failure = postgresFailure(cause, 'a commit cannot be looked up');
        const isWorthWaiting = isLogError(failure) && failure.retryable;
        if (!isWorthWaiting || systemClock.monotonic() > end) throw unknownOutcome(cause);
        await new Promise((resolve) => setTimeout(resolve, RESOLVE_PAUSE_MS));
      }
    }
  }
}

/** The origins of the logs of a database, in the order in which they were made. Throws `LogError` as `PostgresStore.open` does. */
export async function originsOf(database: Database): Promise<string[]> {
  return inOurWords('the logs cannot be listed', () =>
    withSession(database, async (session) => {
      await requireSchema(session);
      const rows = await session.query('SELECT origin FROM indelible.logs ORDER BY log');
      return rows.map(({ origin }) => String(origin));
    }),
  );
}
