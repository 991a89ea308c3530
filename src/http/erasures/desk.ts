import { base64urlEncode, sha256Text } from '../../bytes/index.ts';
import { type ErasureStepName, erasureStepEvent } from '../../event/index.ts';
import { isLogError, type Log } from '../../log/index.ts';
import { type Clock, uuidv7 } from '../../platform/index.ts';
import type { ErasureAsked, ErasureState, ErasureWire } from '../../wire/index.ts';
import type { ServerDatabase } from '../database.ts';
import type { Logger } from '../handler-options.ts';
import { notFound, ProblemError } from '../problem.ts';
import type { Caller, Logs } from '../route.ts';

/** How often erasures are looked for that are due, milliseconds. */
const LOOK_MS = 15_000;

/** Erasures of one log that wait at the same time. */
export const ERASURES_OPEN_MAX = 1000;

/** What one list names. */
const LIST_MAX = 1000;

interface Row {
  readonly id: string;
  readonly log: string;
  readonly subject: string;
  readonly basis: string;
  readonly request_id: string;
  readonly state: 'pending' | 'approved' | 'blocked' | 'done' | 'cancelled';
  readonly requested_by: string;
  readonly requested_hand: string;
  readonly requested_at: number;
  readonly approved_by: string | null;
  readonly approved_at: number | null;
  readonly due_at: number | null;
  readonly ended_at: number | null;
  readonly why: string | null;
  readonly idx: number | null;
  readonly removed: number | null;
}

/** What a desk works with. */
export interface DeskParts {
  readonly database: ServerDatabase;
  readonly logs: Logs;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly delayMs: number;
}

/**
 * The erasures of a server: asked for by one person, approved by another, done after a delay. Where each stands is in `server.db`,
 * so that a new process goes on with it, and each step is an entry of the log that it concerns. Of a person nothing is kept here
 * but the subject.
 */
export class ErasureDesk {
  readonly #parts: DeskParts;
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(parts: DeskParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => void this.run(), LOOK_MS).unref();
  }

  /** The erasures of a log, the newest first. */
  list(log: string): ErasureWire[] {
    const rows = this.#parts.database.all<Row>(
      'SELECT * FROM erasure WHERE log = ? ORDER BY requested_at DESC, id DESC LIMIT ?',
      log,
      LIST_MAX,
    );
    return rows.map((row) => this.#described(row));
  }

  /** Throws `not_found`. */
  find(log: string, id: string): ErasureWire {
    return this.#described(this.#row(log, id));
  }

  /** Takes a request in. Throws `not_found`, `held`, and what the log throws for a subject that is none. */
  async request(open: Opened, asked: ErasureAsked, caller: Caller): Promise<ErasureWire> {
    const { database, clock } = this.#parts;
    const open_ =
      "SELECT count(*) AS count FROM erasure WHERE log = ? AND state NOT IN ('done', 'cancelled')";
    if (database.get<{ count: number }>(open_, open.name)!.count >= ERASURES_OPEN_MAX)
      throw new ProblemError(409, 'erasure_conflict', 'Too many erasures of this log wait already.');
    // Who will approve it is not known yet; what is asked for is looked at as it will be then.
    await open.log.erase({ ...asked, approvedBy: ['one', 'another'], dryRun: true });
    const now = clock.wall();
    const id = uuidv7(now);
    // The entry comes first: what no entry speaks of was not asked for.
    await this.#record(open.log, 'requested', { id, ...asked }, caller);
    database.run(
      `INSERT INTO erasure (id, log, subject, basis, request_id, state, requested_by, requested_hand, requested_at)
       VALUES (?, ?, ?, ?, ?, 'pending', ?, ?, ?)`,
      id,
      open.name,
      asked.subject,
      asked.basis,
      asked.requestId,
      nameOf(caller),
      handOf(caller),
      now,
    );
    return this.find(open.name, id);
  }

  /**
   * Lets the delay begin. Throws `not_found`; `approver_conflict` where the same hand asked for it; `erasure_conflict` where it does
   * not wait for this.
   */
  async approve(open: Opened, id: string, caller: Caller): Promise<ErasureWire> {
    const { database, clock, delayMs } = this.#parts;
    const row = this.#row(open.name, id);
    if (row.state !== 'pending') throw conflict(row.state);
    if (row.requested_by === nameOf(caller) || row.requested_hand === handOf(caller)) {
      throw new ProblemError(403, 'approver_conflict', 'Who asked for an erasure does not approve it.', {
        hint: 'another person approves it, with a key or a session of their own',
      });
    }
    const now = clock.wall();
    const dueAt = now + delayMs;
    await this.#record(open.log, 'approved', { ...askedOf(row), notBefore: dueAt }, caller);
    const changed = database.run(
      "UPDATE erasure SET state = 'approved', approved_by = ?, approved_at = ?, due_at = ? WHERE id = ? AND state = 'pending'",
      nameOf(caller),
      now,
      dueAt,
      id,
    );
    if (changed === 0) throw conflict(this.#row(open.name, id).state);
    return this.find(open.name, id);
  }

  /** Ends it before it is done. Throws `not_found`, `erasure_conflict`. */
  async cancel(open: Opened, id: string, caller: Caller): Promise<ErasureWire> {
    const { database, clock } = this.#parts;
    const row = this.#row(open.name, id);
    // Nothing is done while this is written: a cancelled erasure is not done after all.
    await this.#running;
    const changed = database.run(
      "UPDATE erasure SET state = 'cancelled', ended_at = ? WHERE id = ? AND state NOT IN ('done', 'cancelled')",
      clock.wall(),
      id,
    );
    if (changed === 0) throw conflict(this.#row(open.name, id).state);
    await this.#record(open.log, 'cancelled', askedOf(row), caller);
    return this.find(open.name, id);
  }

  /** Does what is due. Runs by itself every few seconds; one run at a time. */
  run(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Waits for an erasure that is under way; begins no other. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#running;
  }

  async #run(): Promise<void> {
    const { database, clock, logs, logger } = this.#parts;
    const due = database.all<Row>(
      "SELECT * FROM erasure WHERE state IN ('approved', 'blocked') AND due_at <= ? ORDER BY due_at, id",
      clock.wall(),
    );
    for (const row of due) {
      if (this.#isClosed) return;
      try {
        const taken = await logs.take(row.log);
        if (taken === undefined) continue;
        try {
          if (taken.damage !== undefined) throw taken.damage;
          await this.#execute(taken.log, row);
        } finally {
          taken.release();
        }
      } catch (error) {
        logger.error({ err: error, erasure: row.id }, 'an erasure could not be done');
        this.#block(row, isLogError(error) ? error.code : 'internal_error');
      }
    }
  }

  async #execute(log: Log, row: Row): Promise<void> {
    const { database, clock } = this.#parts;
    const { subject, basis, requestId } = askedOf(row);
    try {
      const approvedBy = [row.requested_by, row.approved_by!];
      const actor = { type: 'server', id: 'erasures' };
      const done = await log.erase({ subject, basis, requestId, approvedBy, actor });
      const { index = null, values, residue = null } = done;
      database.run(
        "UPDATE erasure SET state = 'done', ended_at = ?, idx = ?, removed = ?, why = ? WHERE id = ?",
        clock.wall(),
        index,
        values,
        residue,
        row.id,
      );
    } catch (error) {
      if (!isLogError(error, 'held')) throw error;
      if (row.state !== 'blocked') await this.#record(log, 'blocked', askedOf(row));
      this.#block(row, error.message);
    }
  }

  #block(row: Row, why: string): void {
    this.#parts.database.run("UPDATE erasure SET state = 'blocked', why = ? WHERE id = ?", why, row.id);
  }

  async #record(
    log: Log,
    step: ErasureStepName,
    about: ErasureAsked & { readonly id: string; readonly notBefore?: number },
    caller?: Caller,
  ): Promise<void> {
    const { id, subject, basis, requestId, notBefore } = about;
    const actor =
      caller === undefined
        ? { type: 'server', id: 'erasures' }
        : { type: kindOf(caller), id: caller.id, name: caller.name };
    const time = notBefore === undefined ? {} : { notBefore: new Date(notBefore).toISOString() };
    await log.recordOwn(erasureStepEvent(step, { erasure: id, subject, basis, requestId, ...time }, actor));
  }

  #row(log: string, id: string): Row {
    const row = this.#parts.database.get<Row>('SELECT * FROM erasure WHERE log = ? AND id = ?', log, id);
    if (row === undefined) throw notFound();
    return row;
  }

  #described(row: Row): ErasureWire {
    const isDue = row.state === 'approved' && (row.due_at ?? 0) <= this.#parts.clock.wall();
    const state: ErasureState = isDue ? 'due' : row.state;
    const time = (ms: number): string => new Date(ms).toISOString();
    return {
      ...askedOf(row),
      state,
      requestedBy: row.requested_by,
      requestedAt: time(row.requested_at),
      ...(row.approved_by === null ? {} : { approvedBy: row.approved_by }),
      ...(row.approved_at === null ? {} : { approvedAt: time(row.approved_at) }),
      ...(row.due_at === null ? {} : { dueAt: time(row.due_at) }),
      ...(row.ended_at === null ? {} : { endedAt: time(row.ended_at) }),
      ...(row.why === null || row.state === 'cancelled' ? {} : { why: row.why }),
      ...(row.idx === null ? {} : { index: row.idx }),
      ...(row.removed === null ? {} : { values: row.removed }),
    };
  }
}

/** A log that can be written, and its name. */
export interface Opened {
  readonly name: string;
  readonly log: Log;
}

function askedOf({ id, subject, basis, request_id: requestId }: Row): ErasureAsked & { readonly id: string } {
  return { id, subject, basis, requestId };
}

function kindOf({ kind }: Caller): string {
  return kind === 'key' ? 'api_key' : kind.replaceAll('-', '_');
}

function nameOf(caller: Caller): string {
  return `${kindOf(caller)}/${caller.id}`;
}

/**
 * Whose hand a credential is in, as far as a server can tell: two of one name count as one person's. What is kept is a hash, since
 * a session bears the name of a person.
 */
function handOf({ name }: Caller): string {
  return base64urlEncode(sha256Text(name.trim().toLowerCase()));
}

function conflict(state: ErasureState): ProblemError {
  return new ProblemError(409, 'erasure_conflict', `The erasure is ${state}.`);
}
