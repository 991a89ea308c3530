import { closeSync, existsSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { NOTE_BYTES_MAX, parseNote, withSignatures } from '../note/index.ts';
import { LogError, openReadable, SQLITE_BUSY, sqliteCode } from '../store/index.ts';

/** How long a statement waits for another process, milliseconds; what is written here is a few kilobytes. */
const BUSY_TIMEOUT_MS = 2_000;

const schema = `CREATE TABLE IF NOT EXISTS published (
  size INTEGER PRIMARY KEY,
  note BLOB NOT NULL,
  at INTEGER NOT NULL
) STRICT;
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
) STRICT, WITHOUT ROWID`;

/** Most bytes of a stored token that are read: more than any has that is believed. */
const TOKEN_BYTES_MAX = 150_000;

/** Columns of a time-stamp, so read that whatever somebody put into them is of the right kind, and bounded. */
const stampColumns = `min(max(CAST(size AS INTEGER), 0), ${Number.MAX_SAFE_INTEGER}) AS size,
  CAST(substr(authority, 1, 64) AS TEXT) AS authority, CAST(substr(token, 1, ${TOKEN_BYTES_MAX}) AS BLOB) AS token,
  CAST(substr(note, 1, ${NOTE_BYTES_MAX + 1}) AS BLOB) AS note, min(max(CAST(at AS INTEGER), 0), ${Number.MAX_SAFE_INTEGER}) AS at`;

/** How many of the newest published checkpoints stay, whatever their number in an hour. */
export const PUBLISHED_KEPT_MIN = 256;

/** A checkpoint that was shown to outside parties, with the signatures that they put under it so far. */
export interface PublishedCheckpoint {
  readonly size: number;
  /** The signed note, cosignatures included (c2sp.org/tlog-checkpoint). */
  readonly note: Uint8Array;
  /** When it was last changed: by this machine's clock, milliseconds since the epoch. */
  readonly at: number;
}

/** A time-stamp token over the text of a checkpoint's note (RFC 3161). */
export interface StampedCheckpoint {
  readonly size: number;
  /** The name of the time-stamping authority in this log's settings. */
  readonly authority: string;
  /** The TimeStampToken: a CMS SignedData in DER, with its certificates. */
  readonly token: Uint8Array;
  /** The note whose text was stamped. */
  readonly note: Uint8Array;
  /** When it was taken: by this machine's clock, milliseconds since the epoch. */
  readonly at: number;
}

/** A place where a log is published as static files (c2sp.org/tlog-tiles), and how far. */
export interface Publication {
  /** `file:///…`, `s3://…` or `https://…`, without any credential. */
  readonly url: string;
  /** How many entries were there when it was last published to. */
  readonly size: number;
  /** When that was: by this machine's clock, milliseconds since the epoch. */
  readonly at: number;
  /** Until when the place itself refuses to delete or replace what lies there (WORM), milliseconds since the epoch. */
  readonly retainUntil?: number;
}

/** What is remembered of a witness between two requests. */
export interface WitnessRecord {
  /** Where it takes checkpoints. */
  readonly url: string;
  /** The size of the largest checkpoint that it is known to have cosigned; 0 for none. */
  readonly size: number;
  /**
   * Why it is not asked any more: it holds another history (`fork`), or a longer one (`ahead`). It stays so until somebody looks,
   * and removes and adds the witness.
   */
  readonly refusal?: {
    readonly kind: 'fork' | 'ahead';
    /** The id of the entry that says so in the log, as soon as there is one. */
    readonly entry: string;
    /** The checkpoint that it would not cosign. */
    readonly note: Uint8Array;
  };
  readonly at: number;
}

/**
 * `anchors.db`: what outside parties have signed about a log. Unlike an index it cannot be derived again, and unlike the log it is
 * believed by nobody: whoever reads it checks each signature. Writes are durable when they return.
 */
export class AnchorStore {
  readonly #db: DatabaseSync;

  private constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** Opens the file, or makes it. Throws `LogError` `io_failed`. */
  static open(path: string): AnchorStore {
    return guarded(() => {
      if (path !== '') makePrivate(path);
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
   * lost. Answers the note with all of them. Throws `LogError` `rolled_back` where another checkpoint of this size was published.
   */
  addSignatures(published: PublishedCheckpoint, lines: readonly string[]): Uint8Array {
    const { size, note, at } = published;
    return guarded(() => {
      this.#db.exec('BEGIN IMMEDIATE');
      try {
        const row = this.#db.prepare('SELECT * FROM published WHERE size = ?').get(size);
        const known = row === undefined ? note : publishedOf(row).note;
        if (parseNote(known).text !== parseNote(note).text) {
          throw new LogError('rolled_back', `another checkpoint of ${size} entries was published before`, {
            hint: 'its history was replaced; stop writing and verify against receipts',
          });
        }
        const own = parseNote(note).signatures.map(({ line }) => line);
        const merged = withSignatures(known, [...own, ...lines]);
        if (row === undefined || merged.length > known.length) this.putPublished({ size, note: merged, at });
        this.#db.exec('COMMIT');
        return merged;
      } finally {
        if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      }
    });
  }

  /**
   * Drops published checkpoints that add nothing: of those behind the newest {@link PUBLISHED_KEPT_MIN}, each one that another of
   * the same hour follows, with at least as many bytes of signatures. A busy log publishes one every second.
   */
  thinPublished(): void {
    guarded(() => {
      this.#db
        .prepare(
          `DELETE FROM published WHERE size IN (
             SELECT older.size FROM published older
             WHERE older.size < (SELECT min(size) FROM (SELECT size FROM published ORDER BY size DESC LIMIT ?))
               AND EXISTS (SELECT 1 FROM published newer WHERE newer.size > older.size
                 AND newer.at / 3600000 = older.at / 3600000 AND length(newer.note) >= length(older.note)))`,
        )
        .run(PUBLISHED_KEPT_MIN);
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

  /** The newest published checkpoints, of at most `size` entries, largest first, at most `limit`. */
  newestPublished(limit = 1, size: number = Number.MAX_SAFE_INTEGER): PublishedCheckpoint[] {
    return guarded(() => {
      const rows = this.#db.prepare('SELECT * FROM published WHERE size <= ? ORDER BY size DESC LIMIT ?');
      return rows.all(size, limit).map(publishedOf);
    });
  }

  /** Keeps a token. */
  putTimestamp({ size, authority, token, note, at }: StampedCheckpoint): void {
    guarded(() => {
      this.#db
        .prepare(
          'INSERT OR REPLACE INTO timestamps (size, authority, token, note, at) VALUES (?, ?, ?, ?, ?)',
        )
        .run(size, authority, token, note, at);
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

type Row = Record<string, unknown>;

function publishedOf({ size, note, at }: Row): PublishedCheckpoint {
  return { size: Number(size), note: note as Uint8Array, at: Number(at) };
}

function witnessOf({ url, size, refusal, entry, note, at }: Row): WitnessRecord {
  return {
    url: String(url),
    size: Number(size),
    at: Number(at),
    ...((refusal === 'fork' || refusal === 'ahead') && {
      refusal: { kind: refusal, entry: String(entry), note: note as Uint8Array },
    }),
  };
}

function stampedOf({ size, authority, token, note, at }: Row): StampedCheckpoint {
  return {
    size: Number(size),
    authority: String(authority),
    token: token as Uint8Array,
    note: note as Uint8Array,
    at: Number(at),
  };
}

function publicationOf({ url, size, at, retain_until: retainUntil }: Row): Publication {
  return {
    url: String(url),
    size: Number(size),
    at: Number(at),
    ...(retainUntil !== null && { retainUntil: Number(retainUntil) }),
  };
}

/** Makes an empty file that its owner alone may read, as the log beside it; SQLite takes it for a new database. */
function makePrivate(path: string): void {
  try {
    closeSync(openSync(path, 'a', 0o600));
  } catch (cause) {
    throw new LogError('io_failed', `${path} cannot be opened: ${(cause as Error).message}`, { cause });
  }
}

/** Runs SQL and answers its failures in our own words. */
function guarded<Result>(run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    const code = sqliteCode(error);
    if (code === undefined) throw error;
    throw new LogError('io_failed', `anchors.db: ${(error as Error).message}`, {
      cause: error,
      retryable: code === SQLITE_BUSY,
    });
  }
}

/** Published checkpoints that an audit compares, newest first. */
const AUDITED_MAX = 256;

/**
 * The newest checkpoints that were published, as notes, for an audit; none where there is no such file. Nothing of them is believed.
 * Throws `LogError` `io_failed` where the file cannot be read.
 */
export function readPublished(path: string): string[] {
  const store = AnchorStore.openReadable(path);
  try {
    return (store?.newestPublished(AUDITED_MAX) ?? []).map(({ note }) => readText(note));
  } finally {
    store?.close();
  }
}

/** What is no text is no note: it is handed on as one that nobody has signed, and the audit says so. */
function readText(note: unknown): string {
  return note instanceof Uint8Array ? Buffer.from(note).toString('utf8') : String(note);
}
