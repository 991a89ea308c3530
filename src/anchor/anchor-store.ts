import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { NOTE_BYTES_MAX, parseNote, withSignatures } from '../note/index.ts';
import { LogError, openReadable } from '../store/index.ts';
import { guarded, makePrivate } from './anchor-file.ts';
import {
  type Publication,
  type PublishedCheckpoint,
  publicationOf,
  publishedOf,
  type SignatureArrival,
  type StampedCheckpoint,
  stampedOf,
  type WitnessRecord,
  witnessOf,
} from './anchor-rows.ts';
import { linesOfNewKeys, withNewest } from './newest-signatures.ts';
import { needlessIn, publishedByPages } from './published-order.ts';
import { arrivalsOf, arrivalsSchema, putArrivals } from './signature-arrivals.ts';
import { putStamp, type StampsAtPlace, stampOrderSchema, stampsInOrder } from './stamp-order.ts';

/** How long a statement waits for another process, milliseconds; what is written here is a few kilobytes. */
const BUSY_TIMEOUT_MS = 2_000;

const schema = `CREATE TABLE IF NOT EXISTS published (
  size INTEGER PRIMARY KEY,
  note BLOB NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS refreshed (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  size INTEGER NOT NULL,
  note BLOB NOT NULL,
  at INTEGER NOT NULL
) STRICT;
${arrivalsSchema};
CREATE TABLE IF NOT EXISTS timestamps (
  size INTEGER NOT NULL,
  authority TEXT NOT NULL,
  token BLOB NOT NULL,
  note BLOB NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (size, authority)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS publications (
  url TEXT PRIMARY KEY,
  size INTEGER NOT NULL,
  at INTEGER NOT NULL,
  retain_until INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS witnesses (
  url TEXT PRIMARY KEY,
  size INTEGER NOT NULL,
  refusal TEXT,
  entry TEXT,
  note BLOB,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
${stampOrderSchema}`;

/** Most bytes of a stored token that are read: more than any has that is believed. */
const TOKEN_BYTES_MAX = 150_000;

/** Columns of a time-stamp, so read that whatever somebody put into them is of the right kind, and bounded. */
const stampColumns = `min(max(CAST(size AS INTEGER), 0), ${Number.MAX_SAFE_INTEGER}) AS size,
  CAST(substr(authority, 1, 64) AS TEXT) AS authority, CAST(substr(token, 1, ${TOKEN_BYTES_MAX}) AS BLOB) AS token,
  CAST(substr(note, 1, ${NOTE_BYTES_MAX + 1}) AS BLOB) AS note, min(max(CAST(at AS INTEGER), 0), ${Number.MAX_SAFE_INTEGER}) AS at`;

/**
 * `anchors.db`: what outside parties have signed about a log. Unlike an index it cannot be derived again, and unlike the log it is
 * believed by nobody: whoever reads it checks each signature. Writes are durable when they return.
 */
export class AnchorStore {
  readonly #db: DatabaseSync;

  private constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** Opens the file, or makes it, with the owner and the mode of `like` where that is given. Throws `LogError` `io_failed`. */
  static open(path: string, like?: string): AnchorStore {
    return guarded(() => {
      if (path !== '') makePrivate(path, like);
      const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
      try {
        db.exec(`PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF; ${schema}`);
        return new AnchorStore(db);
      } catch (error) {
        db.close();
        throw error;
      }
    });
  }

  /**
   * Opens the file for reading only; undefined where there is none. A file that is none of ours, or was made before a table came to
   * it, throws `LogError` `io_failed` when it is read.
   */
  static openReadable(path: string): AnchorStore | undefined {
    if (path === '' || !existsSync(path)) return undefined;
    return guarded(() => new AnchorStore(openReadable(path)));
  }

  /** Keeps a published checkpoint; one of the same size is replaced. */
  putPublished({ size, note, at }: PublishedCheckpoint): void {
    guarded(() => {
      this.#db
        .prepare(
          'INSERT INTO published (size, note, at) VALUES (?, ?, ?) ON CONFLICT (size) DO UPDATE SET note = excluded.note, at = excluded.at',
        )
        .run(size, note, at);
    });
  }

  /**
   * Puts signature lines under a published checkpoint, which is kept if it was not. In one transaction, so that nobody's lines are
   * lost. Of several lines by one key the first stays, which says since when the checkpoint was there; the newest of each key are
   * kept beside it, as one more note over the same text. `logSize` says how many entries the log had once the lines were here, where
   * that was read after they had come. Answers the note with the newest of all. Throws `LogError` `rolled_back` where another
   * checkpoint of this size was published.
   */
  addSignatures(published: PublishedCheckpoint, lines: readonly string[], logSize?: number): Uint8Array {
    const { size, note, at } = published;
    return this.exclusively(() => {
      const row = this.#db.prepare('SELECT * FROM published WHERE size = ?').get(size);
      const known = row === undefined ? note : publishedOf(row).note;
      if (parseNote(known).text !== parseNote(note).text) {
        throw new LogError('rolled_back', `another checkpoint of ${size} entries was published before`, {
          hint: 'its history was replaced; stop writing and verify against receipts',
        });
      }
      const own = parseNote(note).signatures.map(({ line }) => line);
      const merged = withSignatures(known, linesOfNewKeys(known, [...own, ...lines]));
      if (row === undefined || merged.length > known.length) this.putPublished({ size, note: merged, at });
      const newest = this.#refresh({ size, note: merged, at }, lines);
      if (logSize !== undefined) putArrivals(this.#db, { size, lines, logSize });
      return newest;
    });
  }

  /**
   * How many entries the log had once signature lines under published checkpoints were here; nothing of a line of which that was not
   * noted.
   */
  arrivals(published: readonly Pick<PublishedCheckpoint, 'size' | 'note'>[]): SignatureArrival[] {
    return guarded(() => (this.#has('arrivals') ? arrivalsOf(this.#db, published) : []));
  }

  /** Keeps the newest line of each key, where a key has signed this checkpoint before. */
  #refresh({ size, note, at }: PublishedCheckpoint, lines: readonly string[]): Uint8Array {
    const row = this.#db.prepare('SELECT * FROM refreshed WHERE size >= ?').get(size);
    const known = new Set(parseNote(note).signatures.map(({ line }) => line));
    const isAgain = lines.some((line) => !known.has(line));
    const before = row === undefined ? undefined : publishedOf(row);
    // What is asked about a smaller checkpoint, and answered late, refreshes nothing.
    if (before === undefined ? !isAgain : before.size > size) return note;
    const newest = withNewest(before?.note ?? note, lines);
    this.#db
      .prepare('INSERT OR REPLACE INTO refreshed (one, size, note, at) VALUES (1, ?, ?, ?)')
      .run(size, newest, at);
    return newest;
  }

  /** Drops published checkpoints that add nothing: see {@link needlessIn}. */
  thinPublished(): void {
    this.exclusively(() => {
      const drop = this.#db.prepare('DELETE FROM published WHERE size = ?');
      for (const size of needlessIn(publishedByPages(this.#db, Number.MAX_SAFE_INTEGER, undefined)))
        drop.run(size);
      this.#db.exec(
        'DELETE FROM arrivals WHERE size NOT IN (SELECT size FROM published UNION SELECT size FROM refreshed)',
      );
    });
  }

  /**
   * Runs `act` while no other process writes here, in one transaction. What it changes beside this file, the policy, is changed by one
   * at a time as well: the lock ends with the process that holds it, however that ends.
   */
  exclusively<Result>(act: () => Result): Result {
    return guarded(() => {
      this.#db.exec('BEGIN IMMEDIATE');
      try {
        const result = act();
        this.#db.exec('COMMIT');
        return result;
      } finally {
        if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      }
    });
  }

  /** What is remembered of the witness at this address; undefined where it was never asked. */
  witness(url: string): WitnessRecord | undefined {
    return guarded(() => {
      const row = this.#db.prepare('SELECT * FROM witnesses WHERE url = ?').get(url);
      return row === undefined ? undefined : witnessOf(row);
    });
  }

  /** Remembers it. */
  putWitness({ url, size, refusal, at }: WitnessRecord): void {
    guarded(() => {
      this.#db
        .prepare(
          'INSERT OR REPLACE INTO witnesses (url, size, refusal, entry, note, at) VALUES (?, ?, ?, ?, ?, ?)',
        )
        .run(url, size, refusal?.kind ?? null, refusal?.entry ?? null, refusal?.note ?? null, at);
    });
  }

  /** Forgets it. */
  dropWitness(url: string): void {
    guarded(() => {
      this.#db.prepare('DELETE FROM witnesses WHERE url = ?').run(url);
    });
  }

  /** The published checkpoints of at least `size` entries, smallest first, at most `limit`. */
  publishedFrom(size: number, limit = 1): PublishedCheckpoint[] {
    return guarded(() => {
      const rows = this.#db.prepare('SELECT * FROM published WHERE size >= ? ORDER BY size LIMIT ?');
      return rows.all(size, limit).map(publishedOf);
    });
  }

  /**
   * The newest published checkpoints, of at most `size` entries, largest first, at most `limit`; one that was signed again comes twice,
   * with its newest signatures first.
   */
  newestPublished(limit = 1, size: number = Number.MAX_SAFE_INTEGER): PublishedCheckpoint[] {
    return guarded(() => {
      const again = this.#has('refreshed') ? 'UNION ALL SELECT 0, size, note, at FROM refreshed' : '';
      const rows = this.#db.prepare(
        `SELECT size, note, at FROM (SELECT 1 AS place, size, note, at FROM published ${again})
         WHERE size <= ? ORDER BY size DESC, place LIMIT ?`,
      );
      return rows.all(size, limit).map(publishedOf);
    });
  }

  /** What `look` makes of every published checkpoint of at most `size` entries, in the order of {@link newestPublished}, read by pages. */
  everyPublished<Result>(
    look: (published: Iterable<PublishedCheckpoint>) => Result,
    size: number = Number.MAX_SAFE_INTEGER,
  ): Result {
    return guarded(() => {
      const row = this.#has('refreshed') ? this.#db.prepare('SELECT * FROM refreshed').get() : undefined;
      return look(publishedByPages(this.#db, size, row && publishedOf(row)));
    });
  }

  /** A file that is only read may be of before there was such a table. */
  #has(table: 'arrivals' | 'refreshed' | 'timestamps_published'): boolean {
    return this.#db.prepare('SELECT 1 FROM sqlite_schema WHERE name = ?').get(table) !== undefined;
  }

  /** Keeps a token: the newest of its authority over this size, and under a number of its own. */
  putTimestamp(stamp: StampedCheckpoint): void {
    guarded(() => putStamp(this.#db, stamp));
  }

  /** Every token that was ever kept, in the order in which they came, from this number on, at most `limit`. */
  numberedTimestamps(from: number, limit = 1): (StampedCheckpoint & { readonly number: number })[] {
    return guarded(() => {
      const rows = this.#db.prepare(
        `SELECT number, ${stampColumns} FROM ${stampsInOrder(this.#db)} WHERE number >= ? ORDER BY number LIMIT ?`,
      );
      return rows.all(from, limit).map((row) => ({ ...stampedOf(row), number: Number(row['number']) }));
    });
  }

  /** How many numbers are given to tokens. */
  timestampNumbers(): number {
    return guarded(() => {
      const row = this.#db.prepare(`SELECT max(number) AS newest FROM ${stampsInOrder(this.#db)}`).get();
      return Number(row?.['newest'] ?? -1) + 1;
    });
  }

  /** The first number whose token is over a checkpoint of more entries than this; undefined where there is none. */
  firstTimestampBeyond(size: number): number | undefined {
    return guarded(() => {
      const rows = this.#db.prepare(
        `SELECT min(number) AS number FROM ${stampsInOrder(this.#db)} WHERE size > ?`,
      );
      const number = rows.get(size)?.['number'];
      return typeof number === 'number' ? number : undefined;
    });
  }

  /** Keeps how far the tokens are published at one place. */
  putTimestampsPublished({ url, handled, next }: StampsAtPlace): void {
    guarded(() => {
      this.#db
        .prepare('INSERT OR REPLACE INTO timestamps_published (url, handled, next) VALUES (?, ?, ?)')
        .run(url, handled, next);
    });
  }

  /** How far the tokens are published at a place; undefined where nobody remembers. */
  timestampsPublished(url: string): StampsAtPlace | undefined {
    return guarded(() => {
      if (!this.#has('timestamps_published')) return undefined;
      const row = this.#db.prepare('SELECT * FROM timestamps_published WHERE url = ?').get(url);
      return row && { url, handled: Number(row['handled']), next: Number(row['next']) };
    });
  }

  /** The tokens over checkpoints of at least `size` entries, smallest first, at most `limit`. */
  timestampsFrom(size: number, limit = 1): StampedCheckpoint[] {
    return guarded(() => {
      const rows = this.#db.prepare(
        `SELECT ${stampColumns} FROM timestamps WHERE size >= ? ORDER BY size, authority LIMIT ?`,
      );
      return rows.all(size, limit).map(stampedOf);
    });
  }

  /** The newest tokens, largest checkpoint first, at most `limit`. */
  newestTimestamps(limit = 1): StampedCheckpoint[] {
    return guarded(() => {
      const rows = this.#db.prepare(
        `SELECT ${stampColumns} FROM timestamps ORDER BY size DESC, authority LIMIT ?`,
      );
      return rows.all(limit).map(stampedOf);
    });
  }

  /** The newest token of one authority; undefined if there is none. */
  newestTimestampOf(authority: string): StampedCheckpoint | undefined {
    return guarded(() => {
      const rows = this.#db.prepare(
        `SELECT ${stampColumns} FROM timestamps WHERE authority = ? ORDER BY size DESC LIMIT 1`,
      );
      return rows.all(authority).map(stampedOf)[0];
    });
  }

  /** Which checkpoints of at most `size` entries each authority has stamped: by authority, then by size. */
  timestampsUpTo(size: number): Pick<StampedCheckpoint, 'size' | 'authority'>[] {
    return guarded(() => {
      const rows = this.#db.prepare(
        'SELECT size, authority FROM timestamps WHERE size <= ? ORDER BY authority, size',
      );
      return rows
        .all(size)
        .map((row) => ({ size: Number(row['size']), authority: String(row['authority']) }));
    });
  }

  /** The token of an authority over the checkpoint of this size; undefined if there is none. */
  timestamp({
    size,
    authority,
  }: Pick<StampedCheckpoint, 'size' | 'authority'>): StampedCheckpoint | undefined {
    return guarded(() => {
      const rows = this.#db.prepare(
        `SELECT ${stampColumns} FROM timestamps WHERE size = ? AND authority = ?`,
      );
      return rows.all(size, authority).map(stampedOf)[0];
    });
  }

  /** Keeps how far the log is published at one place; what was known of the same place is replaced. */
  putPublication({ url, size, at, retainUntil }: Publication): void {
    guarded(() => {
      this.#db
        .prepare('INSERT OR REPLACE INTO publications (url, size, at, retain_until) VALUES (?, ?, ?, ?)')
        .run(url, size, at, retainUntil ?? null);
    });
  }

  /** The places where the log is published, by their address. */
  publications(): Publication[] {
    return guarded(() =>
      this.#db.prepare('SELECT * FROM publications ORDER BY url').all().map(publicationOf),
    );
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }
}
