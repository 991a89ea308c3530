import { base64urlEncode, sha256Text } from '../../bytes/index.ts';
import type { Actor, AuditEvent, ErasureStepName } from '../../event/index.ts';
import { isLogError, type Log } from '../../log/index.ts';
import { type Clock, uuidv7 } from '../../platform/index.ts';
import type { ErasureState, RequestWire } from '../../wire/index.ts';
import type { ServerDatabase } from '../database.ts';
import type { Logger } from '../handler-options.ts';
import { notFound, type ProblemCode, ProblemError } from '../problem.ts';
import type { Caller, Logs } from '../route.ts';

/** How often requests are looked for that are due, milliseconds. */
const LOOK_MS = 15_000;

/** Requests of one kind and one log that wait at the same time. */
export const ERASURES_OPEN_MAX = 1000;

/** What one list names. */
const LIST_MAX = 1000;

/** What is asked for, as it is kept. */
export interface AskedRow {
  /** Of an erasure; '' otherwise. */
  readonly subject: string;
  readonly basis: string;
  readonly request_id: string;
  /** Of a change of the policy of retention, as JSON; null otherwise. */
  readonly policy: string | null;
}

/** What was done. */
export interface Executed {
  readonly index?: number | undefined;
  readonly values?: number | undefined;
  /** What is left. */
  readonly residue?: string | undefined;
}

/** Something that takes two people and time: what one desk is for. */
export interface RequestKind<Asked> {
  readonly name: 'erasure' | 'retention';
  /** What it is called in messages: `erasure`. */
  readonly noun: string;
  readonly conflict: ProblemCode;
  keep(asked: Asked): AskedRow;
  read(row: AskedRow): Asked;
  /** Refuses what cannot be done. Answers what was done where one person is enough, and it was done at once, or before. */
  begin(log: Log, asked: Asked, by: Actor): Promise<Executed | undefined>;
  /** Does it. Throws `LogError` `held` where it has to wait for somebody. */
  execute(log: Log, asked: Asked, approvedBy: readonly string[]): Promise<Executed>;
  /** The entry that says of a step. */
  step(
    step: ErasureStepName,
    about: { readonly id: string; readonly asked: Asked; readonly notBefore?: string },
    by: Actor,
  ): AuditEvent;
}

interface Row extends AskedRow {
  readonly id: string;
  readonly log: string;
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
export interface DeskParts<Asked> {
  readonly kind: RequestKind<Asked>;
  readonly database: ServerDatabase;
  readonly logs: Logs;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly delayMs: number;
}

/**
 * What takes two people on a server, of one kind: asked for by one person, approved by another, done after a delay. Where each
 * request stands is in `server.db`, so that a new process goes on with it, and each step is an entry of the log that it concerns. Of
 * a person nothing is kept here but the subject.
 */
export class RequestDesk<Asked extends object> {
  readonly #parts: DeskParts<Asked>;
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(parts: DeskParts<Asked>) {
    this.#parts = parts;
    this.#timer = setInterval(() => void this.run(), LOOK_MS).unref();
  }

  /** The requests of a log, the newest first. */
  list(log: string): (Asked & RequestWire)[] {
    const { database, kind } = this.#parts;
    const rows = database.all<Row>(
      'SELECT * FROM erasure WHERE log = ? AND kind = ? ORDER BY requested_at DESC, id DESC LIMIT ?',
      log,
      kind.name,
      LIST_MAX,
    );
    return rows.map((row) => this.#described(row));
  }

  /** Throws `not_found`. */
  find(log: string, id: string): Asked & RequestWire {
    return this.#described(this.#row(log, id));
  }

  /** Takes a request in. Throws `not_found`, `held`, and what the log throws for what cannot be done. */
  async request(open: Opened, asked: Asked, caller: Caller): Promise<Asked & RequestWire> {
    const { database, clock, kind } = this.#parts;
    const waiting =
      "SELECT count(*) AS count FROM erasure WHERE log = ? AND kind = ? AND state NOT IN ('done', 'cancelled')";
    if (database.get<{ count: number }>(waiting, open.name, kind.name)!.count >= ERASURES_OPEN_MAX)
      throw new ProblemError(409, kind.conflict, `Too many requests of this kind wait in this log already.`);
    const done = await kind.begin(open.log, asked, actorOf(caller, kind.name));
    const now = clock.wall();
    const id = uuidv7(now);
    // The entry comes first: what no entry speaks of was not asked for.
    if (done === undefined) await this.#record(open.log, 'requested', { id, asked }, caller);
    const { subject, basis, request_id, policy } = kind.keep(asked);
    database.run(
      `INSERT INTO erasure (id, log, kind, subject, basis, request_id, policy, state, requested_by, requested_hand, requested_at, ended_at, idx, removed)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[id, open.name, kind.name, subject, basis, request_id, policy],
      done === undefined ? 'pending' : 'done',
      ...[
        nameOf(caller),
        handOf(caller),
        now,
        done === undefined ? null : now,
        done?.index ?? null,
        done?.values ?? null,
      ],
    );
    return this.find(open.name, id);
  }

  /**
   * Lets the delay begin. Throws `not_found`; `approver_conflict` where the same hand asked for it; the conflict of its kind where
   * it does not wait for this.
   */
  async approve(open: Opened, id: string, caller: Caller): Promise<Asked & RequestWire> {
    const { database, clock, delayMs, kind } = this.#parts;
    const row = this.#row(open.name, id);
    if (row.state !== 'pending') throw this.#conflict(row.state);
    if (row.requested_by === nameOf(caller) || row.requested_hand === handOf(caller)) {
      throw new ProblemError(403, 'approver_conflict', `Who asked for an ${kind.noun} does not approve it.`, {
        hint: 'another person approves it, with a key or a session of their own',
      });
    }
    const now = clock.wall();
    const dueAt = now + delayMs;
    await this.#record(open.log, 'approved', { ...this.#about(row), notBefore: dueAt }, caller);
    const changed = database.run(
      "UPDATE erasure SET state = 'approved', approved_by = ?, approved_at = ?, due_at = ? WHERE id = ? AND state = 'pending'",
      nameOf(caller),
      now,
      dueAt,
      id,
    );
    if (changed === 0) throw this.#conflict(this.#row(open.name, id).state);
    return this.find(open.name, id);
  }

  /** Ends it before it is done. Throws `not_found`, and the conflict of its kind. */
  async cancel(open: Opened, id: string, caller: Caller): Promise<Asked & RequestWire> {
    const { database, clock } = this.#parts;
    const row = this.#row(open.name, id);
    // Nothing is done while this is written: what is cancelled is not done after all.
    await this.#running;
    const changed = database.run(
      "UPDATE erasure SET state = 'cancelled', ended_at = ? WHERE id = ? AND state NOT IN ('done', 'cancelled')",
      clock.wall(),
      id,
    );
    if (changed === 0) throw this.#conflict(this.#row(open.name, id).state);
    await this.#record(open.log, 'cancelled', this.#about(row), caller);
    return this.find(open.name, id);
  }

  /** Does what is due. Runs by itself every few seconds; one run at a time. */
  run(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Waits for what is under way; begins nothing else. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#running;
  }

  async #run(): Promise<void> {
    const { database, clock, logs, logger, kind } = this.#parts;
    const due = database.all<Row>(
      "SELECT * FROM erasure WHERE kind = ? AND state IN ('approved', 'blocked') AND due_at <= ? ORDER BY due_at, id",
      kind.name,
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
        logger.error({ err: error, request: row.id }, `an ${kind.noun} could not be done`);
        this.#block(row, isLogError(error) ? error.code : 'internal_error');
      }
    }
  }

  async #execute(log: Log, row: Row): Promise<void> {
    const { database, clock, kind } = this.#parts;
    try {
      const done = await kind.execute(log, kind.read(row), [row.requested_by, row.approved_by!]);
      const { index = null, values = null, residue = null } = done;
      database.run(
        "UPDATE erasure SET state = 'done', ended_at = ?, idx = ?, removed = ?, why = ? WHERE id = ?",
        ...[clock.wall(), index, values, residue, row.id],
      );
    } catch (error) {
      if (!isLogError(error, 'held')) throw error;
      if (row.state !== 'blocked') await this.#record(log, 'blocked', this.#about(row));
      this.#block(row, error.message);
    }
  }

  #block(row: Row, why: string): void {
    this.#parts.database.run("UPDATE erasure SET state = 'blocked', why = ? WHERE id = ?", why, row.id);
  }

  async #record(
    log: Log,
    step: ErasureStepName,
    { notBefore, ...about }: { readonly id: string; readonly asked: Asked; readonly notBefore?: number },
    caller?: Caller,
  ): Promise<void> {
    const { kind } = this.#parts;
    const time = notBefore === undefined ? {} : { notBefore: new Date(notBefore).toISOString() };
    await log.recordOwn(kind.step(step, { ...about, ...time }, actorOf(caller, kind.name)));
  }

  #about(row: Row): { readonly id: string; readonly asked: Asked } {
    return { id: row.id, asked: this.#parts.kind.read(row) };
  }

  #conflict(state: ErasureState): ProblemError {
    const { conflict, noun } = this.#parts.kind;
    return new ProblemError(409, conflict, `The ${noun} is ${state}.`);
  }

  #row(log: string, id: string): Row {
    const row = this.#parts.database.get<Row>(
      'SELECT * FROM erasure WHERE log = ? AND kind = ? AND id = ?',
      log,
      this.#parts.kind.name,
      id,
    );
    if (row === undefined) throw notFound();
    return row;
  }

  #described(row: Row): Asked & RequestWire {
    const isDue = row.state === 'approved' && (row.due_at ?? 0) <= this.#parts.clock.wall();
    const state: ErasureState = isDue ? 'due' : row.state;
    const time = (ms: number): string => new Date(ms).toISOString();
    return {
      ...this.#parts.kind.read(row),
      id: row.id,
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

/** Who acts in an entry: a credential, or the server itself. */
function actorOf(caller: Caller | undefined, kind: string): Actor {
  if (caller === undefined) return { type: 'server', id: kind === 'erasure' ? 'erasures' : kind };
  return { type: kindOf(caller), id: caller.id, name: caller.name };
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
