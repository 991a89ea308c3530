/**
 * Drizzle: every row that its query builder writes becomes an event, from a wrapper around the database.
 *
 *     const db = auditDrizzle(drizzle(pool), { recorder: audit });
 *     await db.update(invoices).set({ state: 'paid' }).where(eq(invoices.id, 7));
 *
 * Drizzle's logger and sessions see text alone. So the wrapper notes what is called on `insert`, `update` and `delete`, and performs it
 * when it is awaited: within a transaction, with the rows before it, and with every row returned. docs/orm.md has the table of what is seen.
 */

import { misuse } from '../bytes/index.ts';
import type { AuditEvent } from '../event/index.ts';
import { checkSteps, type DrizzleHandle, performWrite, type Step, tableName } from './drizzle-write.ts';
import { controlsTransaction, mayWrite } from './raw-sql.ts';
import { RowCapture, type RowCaptureOptions, type RowValues } from './row-capture.ts';

export type { ActorOption, OnUnrecorded, Recorder, TransactionRecorder } from './recording.ts';
export type { RowCaptureOptions } from './row-capture.ts';

/** What of a Drizzle database is used. */
export interface DrizzleDatabase {
  insert(table: never): unknown;
  update(table: never): unknown;
  delete(table: never): unknown;
  transaction(work: never, config?: never): unknown;
}

/** The events of a transaction that wait for its commit. */
interface Scope {
  readonly events: AuditEvent[];
  /** Why this transaction must not commit: something was written in it that could not be recorded. */
  spoiled?: unknown;
}

type Work = (transaction: DrizzleHandle) => Promise<unknown>;

/** Methods of a database that take raw SQL. */
const rawMethods: ReadonlySet<string> = new Set(['execute', 'run', 'all', 'get', 'values']);

/** Methods of a builder that execute it. */
const executors: ReadonlySet<string> = new Set(['execute', 'run', 'all', 'get']);

/**
 * A database that does what the given one does, and records what is written through it. Without a transaction, a write gets one of its
 * own. A write that returns nothing resolves to `{ rowCount, count, changes }`, whichever the driver. Throws misuse `option_unknown`,
 * `option_invalid`; its queries throw misuse `write_unrecordable` for writes that cannot be seen.
 */
export function auditDrizzle<T extends DrizzleDatabase>(db: T, options: RowCaptureOptions): T {
  const capture = new RowCapture('Drizzle', options);
  if ((db as { readonly resultKind?: string }).resultKind === 'sync') {
    throw misuse(
      'type',
      'option_invalid',
      'a synchronous driver cannot wait for the log: use an asynchronous one',
    );
  }
  return wrap(db as unknown as DrizzleHandle, capture, undefined) as unknown as T;
}

function wrap(db: DrizzleHandle, capture: RowCapture, scope: Scope | undefined): DrizzleHandle {
  return new Proxy(db, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof name !== 'string' || typeof value !== 'function') return value;
      if (name === 'insert' || name === 'update' || name === 'delete') {
        return (table: object) => chain({ db: target, capture, scope, steps: [[name, [table]]] });
      }
      if (name === 'transaction')
        return (work: Work, ...rest: unknown[]) => transact(target, capture, scope, work, rest);
      if (name === 'with') return (...tables: unknown[]) => wrapWith(value.apply(target, tables), capture);
      if (name === 'batch') return () => Promise.reject(capture.refuse('a batch', 'Use db.transaction.'));
      if (rawMethods.has(name)) return (query: unknown) => raw(target, capture, scope, name, query);
      return value.bind(target);
    },
  });
}

/** What `db.with(…)` gives: its selects are reads. */
function wrapWith(builder: object, capture: RowCapture): object {
  return new Proxy(builder, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (name !== 'insert' && name !== 'update' && name !== 'delete') {
        return typeof value === 'function' ? value.bind(target) : value;
      }
      return (table: object) => {
        if (!capture.covers(tableName(table)))
          return (value as (table: object) => unknown).call(target, table);
        throw capture.refuse('a write with WITH', 'Write each as a query of its own.');
      };
    },
  });
}

/** Performs `work` in a transaction, or in a savepoint of the one that is open, and records what it wrote once it is committed. */
async function transact(
  db: DrizzleHandle,
  capture: RowCapture,
  outer: Scope | undefined,
  work: Work,
  rest: readonly unknown[],
): Promise<unknown> {
  const scope: Scope = { events: [] };
  const result = await db.transaction(
    async (tx) => {
      // A driver may run the work again, after a serialization failure.
      scope.events.length = 0;
      delete scope.spoiled;
      const done = await work(wrap(tx, capture, scope));
      if (scope.spoiled !== undefined) throw scope.spoiled;
      return done;
    },
    ...rest,
  );
  if (outer === undefined) await capture.deliver(scope.events);
  else outer.events.push(...scope.events);
  return result;
}

/** Keeps events for the commit, or hands them to the transaction where the recorder can. */
async function keep(
  tx: DrizzleHandle,
  capture: RowCapture,
  scope: Scope,
  events: readonly AuditEvent[],
): Promise<void> {
  if (capture.inTransaction) await capture.deliverIn(tx, events);
  else scope.events.push(...events);
}

/** Runs `work` in the open transaction, or in one of its own. */
async function within<T>(
  db: DrizzleHandle,
  capture: RowCapture,
  scope: Scope | undefined,
  work: (tx: DrizzleHandle) => Promise<{ readonly result: T; readonly events: readonly AuditEvent[] }>,
): Promise<T> {
  if (scope !== undefined) {
    try {
      const { result, events } = await work(db);
      await keep(db, capture, scope, events);
      return result;
    } catch (error) {
      scope.spoiled ??= error;
      throw error;
    }
  }
  const own: Scope = { events: [] };
  const result = await db.transaction(async (tx) => {
    own.events.length = 0;
    const done = await work(tx);
    await keep(tx, capture, own, done.events);
    return done.result;
  });
  await capture.deliver(own.events);
  return result as T;
}

async function raw(
  db: DrizzleHandle,
  capture: RowCapture,
  scope: Scope | undefined,
  name: string,
  query: unknown,
): Promise<unknown> {
  const text = sqlOf(db, query);
  if (controlsTransaction(text)) {
    throw capture.refuse('a transaction that raw SQL begins or ends', 'Use db.transaction.');
  }
  const run = (on: DrizzleHandle): unknown => (on[name] as (query: unknown) => unknown).call(on, query);
  if (!mayWrite(text)) return run(db);
  const event = capture.raw(text);
  return within(db, capture, scope, async (tx) => ({ result: await run(tx), events: [event] }));
}

/** The text of a query: as given, or as the dialect writes it. */
function sqlOf(db: DrizzleHandle, query: unknown): string {
  if (typeof query === 'string') return query;
  const { getSQL } = query as { readonly getSQL?: () => unknown };
  const { dialect } = db as unknown as {
    readonly dialect: { sqlToQuery(sql: unknown): { readonly sql: string } };
  };
  return dialect.sqlToQuery(getSQL === undefined ? query : getSQL.call(query)).sql;
}

interface Noted {
  readonly db: DrizzleHandle;
  readonly capture: RowCapture;
  readonly scope: Scope | undefined;
  readonly steps: readonly Step[];
}

/** A builder that notes what is called on it, and does it when it is awaited. */
function chain(noted: Noted): object {
  const { capture, steps } = noted;
  const [kind] = steps[0] as Step;
  const has = (name: string): boolean => steps.some(([step]) => step === name);
  const note =
    (name: string) =>
    (...words: unknown[]) =>
      chain({ ...noted, steps: [...steps, [name, words]] });
  return new Proxy(
    {},
    {
      get(_, name) {
        if (typeof name !== 'string') return undefined;
        if (name === 'then' || name === 'catch' || name === 'finally') {
          const promised = (...words: unknown[]): unknown => {
            const running = execute(noted, 'execute');
            return (running[name] as (...words: unknown[]) => unknown).apply(running, words);
          };
          return promised;
        }
        if (executors.has(name)) return () => execute(noted, name);
        if (name === 'values' && (kind !== 'insert' || has('values') || has('select'))) {
          return () =>
            Promise.reject(capture.refuse('a write that returns rows as lists', 'Use all or returning.'));
        }
        if (name === '$dynamic') return () => chain(noted);
        if (name === 'toSQL') return () => (replay(noted.db, steps) as { toSQL(): unknown }).toSQL();
        if (name === 'prepare' || name === 'getSQL' || name === 'as') {
          return () => {
            throw capture.refuse('a write that is prepared, or part of another query', 'Await it by itself.');
          };
        }
        return note(name);
      },
    },
  );
}

/** Calls the noted methods on a database, one after the other. */
function replay(db: DrizzleHandle, steps: readonly Step[]): unknown {
  return steps.reduce<unknown>(
    (on, [name, words]) =>
      (on as Record<string, (...words: readonly unknown[]) => unknown>)[name]?.(...words),
    db,
  );
}

async function execute({ db, capture, scope, steps }: Noted, how: string): Promise<unknown> {
  const table = (steps[0] as Step)[1][0] as object;
  if (!capture.covers(tableName(table))) {
    const builder = replay(db, steps) as Record<string, () => unknown>;
    return builder[how]?.();
  }
  checkSteps(steps, capture);
  return within(db, capture, scope, async (tx) => {
    const { rows, returned, events } = await performWrite(tx, steps, capture);
    return { result: answer(rows, returned, how), events };
  });
}

function answer(
  rows: readonly RowValues[],
  returned: readonly RowValues[] | undefined,
  how: string,
): unknown {
  if (how === 'get') return returned?.[0];
  if (returned !== undefined && how !== 'run') return returned;
  return how === 'all' ? [] : { rowCount: rows.length, count: rows.length, changes: rows.length };
}
