import { parseJson } from '../bytes/index.ts';
import type { Answer, Intake, Log, TakenIn } from '../log/index.ts';
import { systemClock } from '../platform/index.ts';
import { type HeadTransaction, isLogError, LogError } from '../store/index.ts';
import { wholeNumber } from './bytes-of.ts';
import { draftCaptured } from './captured-row.ts';
import { type Database, numberArray, type Row, type Session, withSession } from './client.ts';
import { inOurWords } from './failure.ts';
import { PostgresTransaction } from './head-transaction.ts';
import type { OutboxBody } from './outbox.ts';
import { sealWith } from './sealing.ts';

/** Rows that are taken at once, and the rest of the transactions that they are of. */
export const TAKE_ROWS = 512;

/** Pauses between two looks at the outbox, milliseconds: the shorter while rows keep coming. */
export const POLL_MS_MIN = 10;
export const POLL_MS_MAX = 50;

/** The reason for which a row was set aside, characters. */
const REASON_CHARACTERS_MAX = 2048;

/** Pause after a failure, milliseconds. */
const FAILED_MS = 500;

/** How an outbox stands. */
export interface OutboxState {
  /** Rows that wait. */
  readonly waiting: number;
  /** For how long the oldest has waited, milliseconds; 0 where none does. */
  readonly oldestMs: number;
  /** Rows that were set aside since the outbox was made. */
  readonly refused: number;
  /** Rows that this process has taken into the log. */
  readonly sequenced: number;
  /** Attempts of this process that failed. */
  readonly failures: number;
}

/** What a sequencer works with. */
export interface SequencerOptions {
  readonly log: Log;
  /** Where the outbox is: the database of the log, or the application's. */
  readonly database: Database;
  /** Whether that is the database of the log, so that rows are recorded and deleted in one transaction. */
  readonly isTogether: boolean;
  readonly warn: (message: string) => void;
}

interface Taken extends TakenIn {
  readonly seq: number;
}

/**
 * Takes what waits in an outbox into the log: in the order of the rows, whole transactions, each exactly once. Any number of processes
 * may run one; whoever has the head at the moment takes what is there.
 *
 * Behind the head's lock the rows are read with a fresh snapshot, so a transaction that committed before another began comes first:
 * its rows have the smaller numbers, and whoever sees the later ones sees them. Where outbox and log are in one database, rows are
 * deleted in the transaction that appends their entries. Where they are not, they are deleted behind it; a process that dies
 * between leaves them for the next, which is told by their ids that they are in the log already.
 */
export class Sequencer {
  readonly #options: SequencerOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #sequenced = 0;
  #failures = 0;
  #warned = '';

  constructor(options: SequencerOptions) {
    this.#options = options;
  }

  /** Begins to look; does nothing where it does already. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async state(): Promise<OutboxState> {
    const [row] = await this.#query('SELECT * FROM indelible.outbox_state($1)', [this.#options.log.origin]);
    return {
      waiting: wholeNumber(row?.['waiting'] ?? 0),
      oldestMs: Math.max(0, Math.round(Number(row?.['oldest_ms'] ?? 0))),
      refused: wholeNumber(row?.['refused'] ?? 0),
      sequenced: this.#sequenced,
      failures: this.#failures,
    };
  }

  /** Why an event was set aside; undefined where it was not. */
  async reason(id: string): Promise<{ code: string; reason: string } | undefined> {
    const [row] = await this.#query('SELECT * FROM indelible.outbox_reason($1, $2)', [
      this.#options.log.origin,
      id,
    ]);
    return row === undefined ? undefined : { code: String(row['code']), reason: String(row['reason']) };
  }

  /** Takes what waits now. Answers how many rows went into the log. */
  async drain(): Promise<number> {
    let total = 0;
    while (await this.#waits()) {
      const taken = await this.#take();
      total += taken;
      if (taken === 0) break;
    }
    return total;
  }

  async #run(): Promise<void> {
    let pauseMs = POLL_MS_MIN;
    while (!this.#stopping.signal.aborted) {
      try {
        const taken = (await this.#waits()) ? await this.#take() : 0;
        // Adaptive: at once while there is more than fits into one transaction, rarely while nothing comes.
        pauseMs =
          taken >= TAKE_ROWS
            ? 0
            : taken > 0
              ? POLL_MS_MIN
              : Math.min(POLL_MS_MAX, pauseMs * 2 || POLL_MS_MIN);
        this.#warned = '';
      } catch (error) {
        if (isLogError(error, 'closed')) return;
        this.#failures += 1;
        this.#say(error);
        pauseMs = FAILED_MS;
      }
      await this.#pause(pauseMs);
    }
  }

  async #waits(): Promise<boolean> {
    const [row] = await this.#query('SELECT indelible.outbox_waits($1) AS waits', [this.#options.log.origin]);
    return row?.['waits'] === true;
  }

  async #take(): Promise<number> {
    const { log, database, isTogether } = this.#options;
    if (isTogether) {
      const move = new Move(log);
      await log.take(move);
      this.#sequenced += move.moved;
      return move.handled;
    }
    return inOurWords('the outbox cannot be read', () =>
      withSession(database, async (session) => {
        const move = new Move(log, session);
        await log.take(move);
        await move.forget();
        this.#sequenced += move.moved;
        return move.handled;
      }),
    );
  }

  #query(text: string, values: readonly unknown[]): Promise<readonly Row[]> {
    return inOurWords('the outbox cannot be read', () =>
      withSession(this.#options.database, (session) => session.query(text, values)),
    );
  }

  #say(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (message === this.#warned) return;
    this.#warned = message;
    this.#options.warn(`the outbox could not be taken into the log: ${message}`);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (ms === 0) {
        setImmediate(resolve);
        return;
      }
      const timer = setTimeout(done, ms);
      const { signal } = this.#stopping;
      function done(): void {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      }
      signal.addEventListener('abort', done);
    });
  }
}

/** One step: rows out of the outbox, entries into the log. */
class Move implements Intake {
  /** Rows that are in the log. */
  moved = 0;
  /** Those, and the ones that were set aside. */
  handled = 0;
  readonly #log: Log;
  /** Where the outbox is, if not in the database of the log. */
  readonly #apart: Session | undefined;
  #taken: Taken[] = [];
  #done: number[] = [];
  #aside: { seq: number; code: string; why: string }[] = [];

  constructor(log: Log, apart?: Session) {
    this.#log = log;
    this.#apart = apart;
  }

  async take(transaction: HeadTransaction): Promise<readonly TakenIn[]> {
    // A commit that is tried again reads again.
    this.#taken = [];
    this.#done = [];
    this.#aside = [];
    const session = this.#sessionOf(transaction);
    const rows = await inOurWords('the outbox cannot be read', () =>
      session.query('SELECT * FROM indelible.outbox_take($1, $2)', [this.#log.origin, TAKE_ROWS]),
    );
    for (const row of rows) this.#draft(row);
    return this.#taken;
  }

  async settle(transaction: HeadTransaction, answers: readonly Answer[]): Promise<void> {
    for (const [at, answer] of answers.entries()) {
      const { seq } = this.#taken[at]!;
      if ('error' in answer) this.#aside.push({ seq, code: answer.error.code, why: answer.error.message });
      else this.#done.push(seq);
    }
    this.moved = this.#done.length;
    this.handled = this.moved + this.#aside.length;
    if (this.#apart === undefined) await this.forget(this.#sessionOf(transaction));
  }

  /** Takes what is in the log out of the outbox, and sets aside what cannot get there. */
  async forget(session = this.#apart!): Promise<void> {
    await inOurWords('the outbox cannot be written', async () => {
      if (this.#done.length > 0) {
        const seqs = numberArray(this.#done);
        await session.query('SELECT indelible.outbox_done($1, $2::text::bigint[])', [this.#log.origin, seqs]);
      }
      await this.#setAside(session);
    });
  }

  async #setAside(session: Session): Promise<void> {
    for (const { seq, code, why } of this.#aside) {
      await session.query('SELECT indelible.outbox_set_aside($1, $2::bigint, $3, $4)', [
        this.#log.origin,
        seq,
        code,
        // The reason may repeat what the row says, and no text of PostgreSQL holds a NUL.
        why.toWellFormed().replaceAll('\u0000', '\u{fffd}').slice(0, REASON_CHARACTERS_MAX),
      ]);
    }
    this.#aside = [];
  }

  #sessionOf(transaction: HeadTransaction): Session {
    if (this.#apart !== undefined) return this.#apart;
    if (transaction instanceof PostgresTransaction) return transaction.session;
    throw new LogError('store_contract', 'an outbox is taken within a transaction of PostgreSQL');
  }

  /** Makes a row a draft; one that cannot become an entry is poison to nobody but itself. */
  #draft(row: Row): void {
    const seq = wholeNumber(row['seq']);
    try {
      this.#taken.push({ seq, ...this.#read(row) });
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      this.#aside.push({
        seq,
        code: typeof code === 'string' ? code : 'outbox_row_invalid',
        why: error instanceof Error ? error.message : String(error),
      });
    }
  }

  /** What a trigger wrote is sealed when it is taken; what was handed in, with what was drawn for it then. */
  #read(row: Row): TakenIn {
    const id = String(row['id']);
    const body = String(row['body']);
    if (row['kind'] !== 'event') {
      const atMs = Math.min(Number(row['at_ms']), systemClock.wall());
      const captured = {
        id,
        kind: String(row['kind']),
        body,
        xid: String(row['xid']),
        rowXid: String(row['row_xid']),
        atMs,
      };
      return { draft: draftCaptured(captured, (event) => this.#log.draft(event)) };
    }
    const { event, source, filled, handedInAt, sealing } = parseJson(body) as unknown as OutboxBody;
    if (event?.id !== id)
      throw new LogError('outbox_row_invalid', 'the row and its event have different ids');
    const draft = this.#log.draft(event, source, {
      ...(filled !== undefined && { filled }),
      ...(handedInAt !== undefined && { occurredAt: handedInAt }),
    });
    return sealing === undefined ? { draft } : { draft, sealed: sealWith(draft, sealing) };
  }
}
