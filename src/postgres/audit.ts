import { equalBytes, misuse, VerificationError } from '../bytes/index.ts';
import { parseEntry } from '../event/index.ts';
import { auditStamps, type LogReport, publishedOf, type VerifyOptions } from '../log/index.ts';
import { HASH_BYTES, TILE_WIDTH, type Tile, tileInTree } from '../merkle/index.ts';
import { NOTE_BYTES_MAX, parseCheckpoint, parseNote } from '../note/index.ts';
import { readTextFile } from '../platform/index.ts';
import { LogError, unpackDisclosures } from '../store/index.ts';
import {
  Audit,
  type AuditHead,
  type AuditRow,
  auditChunk,
  type Discovery,
  leafTiles,
  type Span,
} from '../verify/index.ts';
import { bytesOf } from './bytes-of.ts';
import { type Database, numberArray, type Row, type Session, textArray, withSession } from './client.ts';
import { examine } from './examine.ts';
import { inOurWords, sqlState } from './failure.ts';
import { requireSchema } from './migrate.ts';

/** Stray rows of one kind that are named. */
const STRAYS_MAX = 1000;

/** Where a log is to be found, for an audit. */
export interface AuditPlace {
  readonly origin: string;
  /** Where the mark lies; it is held against the log where it exists. */
  readonly mark?: string | undefined;
  /** Where `anchors.db` lies, in the folder of an instance. */
  readonly anchors?: string | undefined;
}

/**
 * Audits a log in a database: every byte that readers see is read again, at one moment, and what guards the tables is looked at as
 * by the doctor. It believes nothing and needs no key.
 */
export async function auditDatabase(
  database: Database,
  place: AuditPlace,
  options: VerifyOptions = {},
): Promise<LogReport> {
  if (options.index === true) {
    throw misuse(
      'range',
      'option_invalid',
      'the search index of a log in PostgreSQL is made anew by who searches: there is none to compare',
    );
  }
  return inOurWords('the log cannot be audited', () =>
    withSession(database, async (session) => {
      await requireSchema(session);
      await session.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      try {
        return await new DatabaseAudit(session, place, options).run();
      } catch (error) {
        const state = sqlState(error);
        if (state !== 'XX001' && state !== 'XX002') throw error;
        return unreadable(error as Error);
      } finally {
        await session.query('ROLLBACK');
      }
    }),
  );
}

/** The report on a log of which the server itself says that its pages or indexes are damaged: nothing behind them can be read. */
function unreadable(error: Error): LogReport {
  const whole = new Audit({ checkpoint: new Uint8Array(0), last: -1 });
  const what = `PostgreSQL finds the database damaged: ${error.message}`;
  whole.discover({ code: 'table_damaged', from: 0, to: 0, what, ofLog: true });
  return whole.conclude();
}

class DatabaseAudit {
  readonly #session: Session;
  readonly #place: AuditPlace;
  readonly #options: VerifyOptions;
  #log = '';

  constructor(session: Session, place: AuditPlace, options: VerifyOptions) {
    this.#session = session;
    this.#place = place;
    this.#options = options;
  }

  async run(): Promise<LogReport> {
    const [found] = await this.#session.query('SELECT log FROM indelible.logs WHERE origin = $1', [
      this.#place.origin,
    ]);
    if (found === undefined) {
      throw new LogError('log_missing', `this database has no log of the origin ${this.#place.origin}`);
    }
    this.#log = String(found['log']);
    const { vkey, policy, held, seenOutside, depth, onProgress } = this.#options;
    const mark = markAt(this.#place.mark);
    const { anchors: own, tsaCertificates: certificates } = this.#options;
    const stamps = await auditStamps({ path: this.#place.anchors, own, certificates });
    const published = publishedOf(this.#place.anchors ?? '');
    const trust = policy ?? (vkey === undefined ? undefined : { vkey });
    const head = await this.#head();
    const audit = new Audit(head, {
      ...(held === undefined ? {} : { held }),
      ...(seenOutside === undefined ? {} : { anchors: seenOutside }),
      ...(mark === undefined ? {} : { mark }),
      stamped: stamps.stamped,
      ...(published.notes.length === 0 ? {} : { published: published.notes, arrivals: published.arrivals }),
      ...(trust === undefined ? {} : { trust }),
      ...(depth === undefined ? {} : { depth }),
    });
    for (const discovery of await this.#surroundings(head, audit.end)) audit.discover(discovery);
    for (const discovery of stamps.discoveries) audit.discover(discovery);
    for (const discovery of published.discoveries) audit.discover(discovery);
    for (const span of audit.spans()) {
      const rows = await this.#rows(span);
      const tiles = await this.#tiles(leafTiles(span));
      audit.add(auditChunk({ ...span, rows, tiles }, audit.request));
      onProgress?.(audit.end - span.begin, audit.end);
    }
    return audit.conclude(await this.#tiles(audit.upperTiles()));
  }

  async #one(sql: string): Promise<Row> {
    const [row] = await this.#session.query(sql, [this.#log]);
    return row ?? {};
  }

  async #head(): Promise<AuditHead> {
    const { checkpoint } = await this.#one('SELECT checkpoint FROM indelible.heads WHERE log = $1');
    const { last, entries } = await this.#one(
      'SELECT coalesce(max(idx), -1) AS last, count(*) FILTER (WHERE idx >= 0) AS entries FROM indelible.entries WHERE log = $1',
    );
    const { ids } = await this.#one('SELECT count(*) AS ids FROM indelible.ids WHERE log = $1');
    return {
      checkpoint: checkpoint instanceof Uint8Array ? bytesOf(checkpoint) : new Uint8Array(0),
      last: Number(last),
      entries: Number(entries),
      ids: Number(ids),
    };
  }

  /** What stands beside the tree and must agree with it. */
  async #surroundings(head: AuditHead, end: number): Promise<Discovery[]> {
    const last = Math.max(end - 1, 0);
    const found: Discovery[] = (await examine(this.#session)).map(({ what }) => ({
      code: 'schema_changed',
      from: 0,
      to: last,
      what: `the database does not guard the log as it should: ${what}`,
    }));
    const row = await this.#one('SELECT size, root, recorded_at FROM indelible.heads WHERE log = $1');
    const signed = claimed(head.checkpoint);
    const root = row['root'];
    const agrees =
      signed !== undefined &&
      Number(row['size']) === signed.size &&
      root instanceof Uint8Array &&
      equalBytes(bytesOf(root), signed.root);
    if (!agrees) {
      const what = 'the columns of the head differ from its signed checkpoint';
      found.push({ code: 'column_changed', from: 0, to: last, what });
    }
    const [newest] = await this.#rows({ begin: head.last, end: head.last + 1 });
    if (newest !== undefined && Number(row['recorded_at']) !== timeOf(newest.entry)) {
      const what = 'the head gives another time than the last entry itself';
      found.push({ code: 'column_changed', from: last, to: last, what });
    }
    return [...found, ...(await this.#strays(end)), ...(await this.#strayTiles(end))];
  }

  async #strays(end: number): Promise<Discovery[]> {
    const kinds = [
      ['entries', 'index_repeated', 'entries stand before the first, where nobody reads', 'idx < 0'],
      [
        'disclosures',
        'disclosure_altered',
        'disclosures are kept for entries that are not there',
        `idx < 0 OR idx >= ${end}`,
      ],
      ['ids', 'id_mismatch', 'ids are listed for entries that are not there', `idx < 0 OR idx >= ${end}`],
    ] as const;
    const found: Discovery[] = [];
    for (const [table, code, what, where] of kinds) {
      const { count, first, last } = await this.#one(
        `SELECT count(*) AS count, min(idx) AS first, max(idx) AS last FROM indelible.${table} WHERE log = $1 AND (${where})`,
      );
      if (Number(count) === 0) continue;
      const place = (index: unknown): number => Math.max(Number(index), 0);
      found.push({ code, from: place(first), to: place(last), what: `${count} ${what}`, ofLog: true });
    }
    const { count } = await this.#one(
      `SELECT count(*) AS count FROM indelible.disclosures d WHERE d.log = $1 AND NOT EXISTS (
         SELECT FROM indelible.entries e WHERE e.log = d.log AND e.idx = d.idx AND e.month = d.month)`,
    );
    if (Number(count) > 0) {
      const what = `${count} rows of disclosures stand beside no entry`;
      found.push({ code: 'disclosure_altered', from: 0, to: Math.max(end - 1, 0), what, ofLog: true });
    }
    return found;
  }

  async #strayTiles(size: number): Promise<Discovery[]> {
    const rows = await this.#session.query(
      'SELECT level, idx, length(hashes) AS bytes FROM indelible.tiles WHERE log = $1 ORDER BY level, idx',
      [this.#log],
    );
    const found: Discovery[] = [];
    for (const row of rows) {
      const [level, index, bytes] = [Number(row['level']), Number(row['idx']), Number(row['bytes'])];
      const width = widthInTree(level, index, size);
      if (width > 0 && (level === 0 || bytes <= width * HASH_BYTES)) continue;
      const what = `A tile is stored that a log of ${size} entries does not have, or not so long: level ${level}, index ${index}`;
      found.push({
        code: 'tile_mismatch',
        from: 0,
        to: Math.max(size - 1, 0),
        what,
        ofLog: true,
        detail: { level, index },
      });
      if (found.length === STRAYS_MAX) break;
    }
    return found;
  }

  async #rows({ begin, end }: Span): Promise<AuditRow[]> {
    const rows = await this.#session.query(
      `SELECT e.idx, e.month, e.entry, d.texts FROM indelible.entries e
       LEFT JOIN indelible.disclosures d ON d.log = e.log AND d.idx = e.idx AND d.month = e.month
       WHERE e.log = $1 AND e.idx >= $2 AND e.idx < $3 ORDER BY e.idx`,
      [this.#log, begin, end],
    );
    const read = rows.map((row) => ({ row: auditRow(row), id: idOf(row['entry']) }));
    if (this.#options.depth === 'tree') return read.map(({ row }) => row);
    const known = await this.#ids(read.flatMap(({ id }) => id ?? []));
    return read.map(({ row, id }) => ({
      ...row,
      id: id !== undefined && known.get(id) === row.index ? id : null,
    }));
  }

  async #ids(ids: readonly string[]): Promise<Map<string, number>> {
    if (ids.length === 0) return new Map();
    const rows = await this.#session.query(
      'SELECT id, idx FROM indelible.ids WHERE log = $1 AND id = ANY($2::text::text[])',
      [this.#log, textArray(ids)],
    );
    return new Map(rows.map(({ id, idx }) => [String(id), Number(idx)]));
  }

  async #tiles(tiles: readonly Tile[]): Promise<(Uint8Array | undefined)[]> {
    if (tiles.length === 0) return [];
    const rows = await this.#session.query(
      `SELECT t.level, t.idx, t.hashes FROM unnest($2::text::integer[], $3::text::bigint[]) AS w(level, idx)
       JOIN indelible.tiles t ON t.log = $1 AND t.level = w.level AND t.idx = w.idx`,
      [this.#log, numberArray(tiles.map(({ level }) => level)), numberArray(tiles.map(({ index }) => index))],
    );
    const found = new Map(rows.map((row) => [`${row['level']}/${row['idx']}`, bytesOf(row['hashes'])]));
    return tiles.map(({ level, index }) => found.get(`${level}/${index}`));
  }
}

function markAt(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readTextFile(path, NOTE_BYTES_MAX);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new LogError('io_failed', `the mark ${path} cannot be read: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** What the stored checkpoint says, before anybody has verified it. */
function claimed(note: Uint8Array): { size: number; root: Uint8Array } | undefined {
  return quietly(() => parseCheckpoint(parseNote(note).text));
}

function idOf(entry: unknown): string | undefined {
  return entry instanceof Uint8Array ? quietly(() => parseEntry(bytesOf(entry)).id) : undefined;
}

function timeOf(entry: Uint8Array): number | undefined {
  return quietly(() => Date.parse(parseEntry(entry).recordedAt));
}

/** What `read` answers, or undefined where the evidence cannot be read: the audit itself says that. */
function quietly<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof VerificationError) return undefined;
    throw error;
  }
}

function auditRow(row: Row): AuditRow {
  const index = Number(row['idx']);
  const entry = bytesOf(row['entry']);
  const problem = (what: string) => ({ problem: { code: 'column_changed' as const, what } });
  const recordedAt = timeOf(entry);
  const misplaced =
    recordedAt !== undefined && monthOf(recordedAt) !== Number(row['month'])
      ? problem('it stands in the partition of another month')
      : {};
  const texts = row['texts'];
  if (texts === null || texts === undefined) return { index, entry, disclosures: [], ...misplaced };
  const disclosures = quietly(() => unpackDisclosures(bytesOf(texts)));
  if (disclosures === undefined)
    return { index, entry, disclosures: [], ...problem('the disclosures are not text any more') };
  if (disclosures.length === 0)
    return { index, entry, disclosures, ...problem('a row of disclosures without any') };
  return { index, entry, disclosures, ...misplaced };
}

/** The partition in which an entry of this time stands: months since the year 0, in UTC. */
function monthOf(ms: number): number {
  const time = new Date(ms);
  return time.getUTCFullYear() * 12 + time.getUTCMonth();
}

/** Hashes that the stored tile has in a log of `size` entries; 0 where none is stored. */
function widthInTree(level: number, index: number, size: number): number {
  if (level < 0 || level > 6 || index < 0 || index > size) return 0;
  const width = tileInTree({ level, index }, size)?.width ?? 0;
  return level === 0 && width < TILE_WIDTH ? 0 : width;
}
