/**
 * Kysely: every row that its query builder writes becomes an event, from a wrapper around the dialect.
 *
 *     const db = new Kysely<Tables>({ dialect: auditDialect(new PostgresDialect({ pool }), { recorder: audit }) });
 *
 * A plugin of Kysely sees queries but cannot ask its own within their transaction, nor does it learn of a commit; the driver of a dialect
 * does both, and everything passes it: builders, raw SQL, streams, transactions and savepoints. docs/orm.md has the table of what is seen.
 */

import type { AuditEvent } from '../event/index.ts';
import { compileWrite, type Node, type Write, type WriteCompiler } from './kysely-write.ts';
import { controlsTransaction, mayWrite } from './raw-sql.ts';
import { RowCapture, type RowCaptureOptions, type RowValues } from './row-capture.ts';

export type { ActorOption, OnUnrecorded, Recorder, TransactionRecorder } from './recording.ts';
export type { RowCaptureOptions } from './row-capture.ts';

/** What of a dialect of Kysely is used. */
export interface KyselyDialect {
  createDriver(): unknown;
  createQueryCompiler(): unknown;
  createAdapter(): unknown;
}

interface Compiled {
  readonly query: Node;
  readonly queryId: unknown;
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

interface Result {
  readonly rows: RowValues[];
  readonly numAffectedRows?: bigint;
  readonly insertId?: bigint;
}

interface Connection {
  executeQuery(compiled: Compiled, options?: unknown): Promise<Result>;
  streamQuery(compiled: Compiled, chunkSize: number, options?: unknown): AsyncIterableIterator<Result>;
}

type Compile = (node: Node, queryId: unknown) => Compiled;

interface Driver {
  acquireConnection(options?: unknown): Promise<Connection>;
  releaseConnection(connection: Connection, options?: unknown): Promise<void>;
  beginTransaction(connection: Connection, settings: object): Promise<void>;
  commitTransaction(connection: Connection): Promise<void>;
  rollbackTransaction(connection: Connection): Promise<void>;
  savepoint?(connection: Connection, name: string, compile: Compile): Promise<void>;
  rollbackToSavepoint?(connection: Connection, name: string, compile: Compile): Promise<void>;
}

/**
 * A dialect that does what the given one does, and records what is written through it. Without a transaction, a write gets one of its
 * own. Throws misuse `option_unknown`, `option_invalid`; its queries throw misuse `write_unrecordable` for writes that cannot be seen.
 */
export function auditDialect<D extends KyselyDialect>(dialect: D, options: RowCaptureOptions): D {
  const capture = new RowCapture('Kysely', options);
  return new Proxy(dialect, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (name === 'createDriver') return () => auditDriver(target, capture);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

function auditDriver(dialect: KyselyDialect, capture: RowCapture): Driver {
  const driver = dialect.createDriver() as Driver;
  const known = new WeakMap<Connection, AuditedConnection>();
  const compiler = dialect.createQueryCompiler() as { compileQuery: Compile };
  const adapter = dialect.createAdapter() as {
    readonly supportsReturning?: boolean;
    readonly supportsTransactionalDdl?: boolean;
  };
  const how: WriteCompiler = {
    capture,
    returns: adapter.supportsReturning === true,
    // Of those that have RETURNING, PostgreSQL alone has both; SQLite has one writer at a time and no row locks.
    locks: adapter.supportsReturning === true && adapter.supportsTransactionalDdl === true,
  };
  const compile: Compile = (node, queryId) => compiler.compileQuery(node, queryId);
  const audited = (inner: Connection): AuditedConnection => {
    const connection = known.get(inner) ?? new AuditedConnection(inner, driver, how, compile);
    known.set(inner, connection);
    return connection;
  };
  const own: Partial<Record<string, unknown>> = {
    acquireConnection: async (given?: unknown) => audited(await driver.acquireConnection(given)),
    releaseConnection: (connection: AuditedConnection, given?: unknown) =>
      driver.releaseConnection(connection.inner, given),
    beginTransaction: (connection: AuditedConnection, settings: object) => connection.begin(settings),
    commitTransaction: (connection: AuditedConnection) => connection.commit(),
    rollbackTransaction: (connection: AuditedConnection) => connection.rollback(),
    savepoint: async (connection: AuditedConnection, name: string, compileQuery: Compile) => {
      await driver.savepoint?.(connection.inner, name, compileQuery);
      connection.mark(name);
    },
    rollbackToSavepoint: async (connection: AuditedConnection, name: string, compileQuery: Compile) => {
      await driver.rollbackToSavepoint?.(connection.inner, name, compileQuery);
      connection.undoTo(name);
    },
  };
  return new Proxy(driver, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof name === 'string' && own[name] !== undefined && value !== undefined) return own[name];
      if (typeof value !== 'function') return value;
      // What else takes a connection takes the driver's own.
      return (...words: unknown[]) =>
        value.apply(
          target,
          words.map((word) => (word instanceof AuditedConnection ? word.inner : word)),
        );
    },
  });
}

/** One connection: what it executes, and the events of its transaction that wait for the commit. */
class AuditedConnection implements Connection {
  readonly inner: Connection;
  readonly #driver: Driver;
  readonly #how: WriteCompiler;
  readonly #compile: Compile;
  #open = false;
  #pending: AuditEvent[] = [];
  /** Why this transaction must not commit: something was written in it that could not be recorded. */
  #spoiled: unknown;
  readonly #marks: { readonly name: string; readonly length: number; readonly spoiled: unknown }[] = [];

  constructor(inner: Connection, driver: Driver, how: WriteCompiler, compile: Compile) {
    this.inner = inner;
    this.#driver = driver;
    this.#how = how;
    this.#compile = compile;
  }

  async begin(settings: object): Promise<void> {
    await this.#driver.beginTransaction(this.inner, settings);
    this.#open = true;
    this.#spoiled = undefined;
    this.#pending = [];
    this.#marks.length = 0;
  }

  /** Commits, and then records what no transaction could take: if that fails, what was committed stays. */
  async commit(): Promise<void> {
    if (this.#spoiled !== undefined) {
      await this.rollback();
      throw this.#spoiled;
    }
    await this.#driver.commitTransaction(this.inner);
    this.#open = false;
    const events = this.#pending;
    this.#pending = [];
    await this.#how.capture.deliver(events);
  }

  async rollback(): Promise<void> {
    // Kysely rolls back where a commit threw, too; what was committed cannot be.
    if (!this.#open) return;
    this.#open = false;
    this.#pending = [];
    await this.#driver.rollbackTransaction(this.inner);
  }

  mark(name: string): void {
    this.#marks.push({ name, length: this.#pending.length, spoiled: this.#spoiled });
  }

  undoTo(name: string): void {
    const mark = this.#marks.findLast((candidate) => candidate.name === name);
    if (mark === undefined) return;
    this.#pending.length = Math.min(this.#pending.length, mark.length);
    // What was written before the savepoint stays written, and so stays unrecorded.
    this.#spoiled = mark.spoiled;
  }

  async executeQuery(compiled: Compiled, options?: unknown): Promise<Result> {
    const write = this.#writeOf(compiled);
    if (write === undefined) return this.inner.executeQuery(compiled, options);
    if (this.#open) return this.#perform(compiled, write, options);
    await this.begin({});
    let result: Result;
    try {
      result = await this.#perform(compiled, write, options);
    } catch (error) {
      await this.rollback().catch(() => undefined);
      throw error;
    }
    await this.commit();
    return result;
  }

  async *streamQuery(
    compiled: Compiled,
    chunkSize: number,
    options?: unknown,
  ): AsyncIterableIterator<Result> {
    if (this.#writeOf(compiled) !== undefined) {
      throw this.#how.capture.refuse('a write that is streamed', 'Use execute.');
    }
    yield* this.inner.streamQuery(compiled, chunkSize, options);
  }

  /** The write that a query is, or undefined for one that is none or that nobody wants recorded. */
  #writeOf({ query, sql }: Compiled): Write | undefined {
    const { capture } = this.#how;
    if (query.kind === 'RawNode' || query.kind === 'SelectQueryNode') {
      if (controlsTransaction(sql)) {
        throw capture.refuse('a transaction that raw SQL begins or ends', 'Use db.transaction().');
      }
      if (!mayWrite(sql)) return undefined;
      if (query.kind === 'RawNode') return { kind: 'raw', event: capture.raw(sql) };
      throw capture.refuse('a write within a SELECT', 'Write it as a query of its own.');
    }
    return compileWrite(query, this.#how);
  }

  async #perform({ query, queryId, ...compiled }: Compiled, write: Write, options: unknown): Promise<Result> {
    if (write.kind === 'raw') {
      const result = await this.inner.executeQuery({ query, queryId, ...compiled }, options);
      await this.#keepOrSpoil(() => [write.event]);
      return result;
    }
    const run = async (node: Node): Promise<Result> =>
      this.inner.executeQuery(this.#compile(node, queryId), options);
    const before = write.before === undefined ? [] : (await run(write.before)).rows;
    write.checkBefore(before);
    const result = await run(write.statement);
    await this.#keepOrSpoil(() => write.events(before, result.rows));
    return write.answer(result);
  }

  /** Something has been written: where its events cannot be kept, the transaction must not commit. */
  async #keepOrSpoil(eventsOf: () => readonly AuditEvent[]): Promise<void> {
    try {
      await this.#keep(eventsOf());
    } catch (error) {
      this.#spoiled ??= error;
      throw error;
    }
  }

  async #keep(events: readonly AuditEvent[]): Promise<void> {
    if (!this.#how.capture.inTransaction) this.#pending.push(...events);
    else {
      const { inner } = this;
      const executeQuery = (compiled: Compiled): Promise<Result> => inner.executeQuery(compiled);
      await this.#how.capture.deliverIn({ isTransaction: true, executeQuery }, events);
    }
  }
}
