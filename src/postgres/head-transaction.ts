import { utf8Encode } from '../bytes/index.ts';
import { isPruning, removalActions } from '../event/index.ts';
import {
  type Append,
  checkPrune,
  type Head,
  type HeadTransaction,
  isLogError,
  LogError,
  type Prune,
  packDisclosures,
  type StoredEntry,
  type TileId,
  type Withdrawal,
} from '../store/index.ts';
import { wholeNumber } from './bytes-of.ts';
import { numberArray, packBytes, type Session, textArray } from './client.ts';
import { inOurWords, postgresFailure } from './failure.ts';
import { cut, headOf, Reading } from './reading.ts';

/** A writer that does nothing with the head for so long has died behind a broken line: the server lets the next one in, milliseconds. */
const HELD_MS_MAX = 10_000;

/** How long the head is waited for, milliseconds. */
const LOCK_MS_MAX = 60_000;

/** Entries whose disclosures are replaced in one call. */
const WITHDRAWN_AT_ONCE = 500;

/** How long a commit of which nothing was heard is looked into, milliseconds: longer than a dead writer may hold the head. */
export const RESOLVE_MS_MAX = 30_000;

/** The head, held in a transaction of the server. */
export class PostgresTransaction implements HeadTransaction {
  readonly taken: Head | undefined;
  /** The connection, for what is to happen in the same transaction. */
  readonly session: Session;
  readonly #log: number;
  readonly #reading: Reading;
  readonly #resolve: (entry: { index: number; bytes: Uint8Array }) => Promise<'landed' | 'lost'>;
  #staged: { readonly index: number; readonly bytes: Uint8Array } | undefined;
  #isOver = false;
  readonly #withdrawn: Withdrawal[] = [];
  #pruned: Prune | undefined;
  /** The partitions from which an erasure or a pruning takes rows; undefined where this is none. */
  partitions: Set<string> | undefined;
  /** What others wrote, as it came with the head. */
  #newer: { readonly from: number; readonly entries: readonly Uint8Array[] } | undefined;

  private constructor(
    session: Session,
    log: number,
    taken: Head | undefined,
    resolve: (entry: { index: number; bytes: Uint8Array }) => Promise<'landed' | 'lost'>,
  ) {
    this.session = session;
    this.#log = log;
    this.taken = taken;
    this.#resolve = resolve;
    this.#reading = new Reading(log, (text, values) =>
      inOurWords('the log cannot be read', () => session.query(text, values)),
    );
  }

  /** Takes the head. Throws `LogError` `not_durable` where the server would answer before the disk has. */
  static async begin(
    session: Session,
    { log, known }: { readonly log: number; readonly known: number | undefined },
    resolve: (entry: { index: number; bytes: Uint8Array }) => Promise<'landed' | 'lost'>,
  ): Promise<PostgresTransaction> {
    // In one journey: the isolation that the lock rests on; and within the function limits for whoever is lost while holding it, and
    // durability where somebody has turned it off for this role or database.
    const [row] = await session.last(
      `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
       SELECT * FROM indelible.take_head(${log}, ${known ?? 'NULL'}, ${LOCK_MS_MAX}, ${HELD_MS_MAX})`,
    );
    if (row === undefined || row['durable'] === 'off' || row['fsync'] !== 'on') {
      throw new LogError('not_durable', 'the server acknowledges commits that are not on its disk', {
        hint: 'set fsync and synchronous_commit to on: what is acknowledged must survive a power cut',
      });
    }
    if (session.notices() === undefined && row['standbys'] !== '' && row['durable'] !== 'local') {
      throw new LogError(
        'not_durable',
        'this driver does not tell when the wait for a standby was cut short',
        {
          hint: 'use pg where there are synchronous standbys: postgres does not pass on what the server remarks',
        },
      );
    }
    const taken = row['size'] === null ? undefined : headOf(row);
    const transaction = new PostgresTransaction(session, log, taken, resolve);
    if (row['bytes'] !== null) transaction.#newer = { from: known!, entries: cut(row) };
    return transaction;
  }

  head(): Promise<Head | undefined> {
    return this.#reading.head();
  }

  readEntries(from: number, to: number): Promise<StoredEntry[]> {
    return this.#reading.readEntries(from, to);
  }

  async readEntryBytes(from: number, to: number): Promise<Uint8Array[]> {
    const newer = this.#newer;
    if (newer !== undefined && from >= newer.from && to <= newer.from + newer.entries.length) {
      return newer.entries.slice(from - newer.from, to - newer.from);
    }
    return this.#reading.readEntryBytes(from, to);
  }

  findIds(ids: readonly string[]): Promise<Map<string, number>> {
    return this.#reading.findIds(ids);
  }

  readTiles(tiles: readonly TileId[]): Promise<(Uint8Array | undefined)[]> {
    return this.#reading.readTiles(tiles);
  }

  async append(append: Append): Promise<void> {
    const { entries, tiles, head } = append;
    const size = this.taken?.size ?? 0;
    if (this.#staged !== undefined || head.size !== size + entries.length || entries.length === 0) {
      throw new LogError('store_contract', 'the append does not fit the head that was taken');
    }
    this.#staged = { index: size, bytes: entries[0]!.entry };
    const bytes = packBytes(entries.map(({ entry }) => entry));
    const texts = packBytes(entries.map(({ disclosures }) => packed(disclosures)));
    const hashes = packBytes(tiles.map((tile) => tile.hashes));
    await inOurWords('the append was refused', () =>
      this.session.query(
        `SELECT indelible.append($1::bigint, $2::bigint, $3::bytea, $4::text::text[], $5::bytea, $6::text::integer[],
           $7::bytea, $8::text::integer[], $9::text::integer[], $10::text::bigint[], $11::bytea, $12::text::integer[],
           $13::bigint, $14::bytea, $15::bigint, $16::bytea)`,
        [
          this.#log,
          this.taken === undefined ? null : this.taken.size,
          this.taken === undefined ? null : Buffer.from(this.taken.root),
          textArray(entries.map(({ id }) => id)),
          bytes.bytes,
          bytes.lengths,
          texts.bytes,
          texts.lengths,
          numberArray(tiles.map(({ level }) => level)),
          numberArray(tiles.map(({ index }) => index)),
          hashes.bytes,
          hashes.lengths,
          head.size,
          Buffer.from(head.root),
          head.recordedAt,
          Buffer.from(head.checkpoint),
        ],
      ),
    );
    // The server removes nothing before it has the record, which it looks for in this transaction.
    await this.#erase(append);
    await this.#takeAway(append);
  }

  withdraw(withdrawals: readonly Withdrawal[]): void {
    this.partitions ??= new Set();
    this.#withdrawn.push(...withdrawals);
  }

  async prune(prune: Prune): Promise<number> {
    checkPrune(prune, this.taken?.size ?? 0);
    if (this.#pruned !== undefined || this.#staged !== undefined)
      throw new LogError('store_contract', 'a transaction prunes once, before its append');
    const [row] = await inOurWords('the entries cannot be counted', () =>
      this.session.query(
        `SELECT count(*) AS entries FROM indelible.entries e WHERE e.log = $1::bigint AND e.idx < $2::bigint
           AND NOT EXISTS (SELECT FROM unnest($3::text::bigint[]) AS k(idx) WHERE k.idx = e.idx)`,
        [this.#log, prune.below, numberArray(prune.keep)],
      ),
    );
    this.partitions ??= new Set();
    this.#pruned = prune;
    return wholeNumber(row?.['entries']);
  }

  async #erase({ entries }: Append): Promise<void> {
    const at = entries.findIndex(({ entry }) => isRemoval(Buffer.from(entry)));
    for (let start = 0; start < this.#withdrawn.length; start += WITHDRAWN_AT_ONCE) {
      const some = this.#withdrawn.slice(start, start + WITHDRAWN_AT_ONCE);
      const kept = packBytes(some.map(({ disclosures }) => packed(disclosures)));
      const [row] = await inOurWords('the erasure was refused', () =>
        this.session.query(
          'SELECT indelible.withdraw($1::bigint, $2::bigint, $3::text::bigint[], $4::bytea, $5::text::integer[])::text AS months',
          [
            this.#log,
            (this.taken?.size ?? 0) + at,
            numberArray(some.map(({ index }) => index)),
            kept.bytes,
            kept.lengths,
          ],
        ),
      );
      for (const month of String(row?.['months'] ?? '').match(/\d+/g) ?? [])
        this.partitions?.add(`disclosures_${month}`);
    }
  }

  async #takeAway({ entries }: Append): Promise<void> {
    if (this.#pruned === undefined) return;
    const { below, keep } = this.#pruned;
    const at = entries.findIndex(({ entry }) => isPruning(entry));
    if (at === -1) throw withoutRecord();
    const [row] = await inOurWords('the pruning was refused', () =>
      this.session.query(
        'SELECT indelible.prune($1::bigint, $2::bigint, $3::bigint, $4::text::bigint[])::text AS partitions',
        [this.#log, (this.taken?.size ?? 0) + at, below, numberArray(keep)],
      ),
    );
    for (const name of String(row?.['partitions'] ?? '').match(/\w+/g) ?? []) this.partitions?.add(name);
  }

  async commit(): Promise<void> {
    const removes = this.#withdrawn.length > 0 || this.#pruned !== undefined;
    if (removes && this.#staged === undefined) throw withoutRecord();
    this.#isOver = true;
    try {
      await this.session.query('COMMIT');
    } catch (error) {
      this.session.release(true);
      await this.#lookUp(error);
      return;
    }
    const notices = this.session.notices();
    try {
      // The server may have given up waiting for a standby, and says so in passing (SQLSTATE 01000).
      if (notices?.includes('01000') === true) await settleDurably(this.session);
    } catch (cause) {
      this.session.release(true);
      throw unknownOutcome(cause);
    }
    this.session.release(false);
  }

  async rollback(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    try {
      await this.session.query('ROLLBACK');
      this.session.release(false);
    } catch {
      // The connection is gone, and with it the transaction.
      this.session.release(true);
    }
  }

  /** The answer to COMMIT did not come, or was a refusal. */
  async #lookUp(error: unknown): Promise<void> {
    const failure = postgresFailure(error, 'the commit failed');
    if (this.#staged === undefined) throw failure;
    if ((await this.#resolve(this.#staged)) === 'landed') return;
    if (isLogError(failure) && failure.retryable) throw failure;
    throw new LogError('unreachable', `the commit failed and left nothing: ${(error as Error).message}`, {
      retryable: true,
      cause: error,
    });
  }
}

function withoutRecord(): LogError {
  return new LogError('store_contract', 'a removal has no record in its own transaction');
}

/** Whether an entry records that values were removed. */
function isRemoval(entry: Buffer): boolean {
  return removalActions.some((action) => entry.includes(`"action":"${action}"`));
}

/** How often a commit behind ours is tried until the server has waited for its standbys. */
const SETTLE_TIMES = 5;

/**
 * Waits until everything that was committed before has reached where this server's commits have to reach: a commit of its own that
 * comes behind it in the server's own log, and that was not cut short. Throws where that does not succeed.
 */
export async function settleDurably(session: Session): Promise<void> {
  for (let attempt = 0; attempt < SETTLE_TIMES; attempt++) {
    session.notices();
    await session.query(`BEGIN; SET LOCAL statement_timeout = ${RESOLVE_MS_MAX};
      SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off';
      SELECT pg_logical_emit_message(true, 'indelible', '')`);
    await session.query('COMMIT');
    if (session.notices()?.includes('01000') !== true) return;
  }
  throw new LogError('unreachable', 'no standby has confirmed the commit', { retryable: true });
}

/** The error for a commit of which nobody can tell. */
export function unknownOutcome(cause: unknown): LogError {
  return new LogError('outcome_unknown', 'whether the commit landed could not be found out', {
    retryable: true,
    cause,
    hint: 'repeat with the same ids: a repeat tells what landed',
  });
}

/** The texts of an entry's disclosures in one column, as the SQLite store keeps them; undefined where there are none. */
function packed(disclosures: readonly string[]): Uint8Array | undefined {
  return disclosures.length === 0 ? undefined : utf8Encode(packDisclosures(disclosures));
}
