/**
 * Prisma: every row that its client writes becomes an event, from an extension of the client.
 *
 *     const prisma = auditPrisma(new PrismaClient({ adapter }), { recorder: audit });
 *
 * An extension sees each operation with its model and arguments, but neither the rows before it nor those of a bulk write. So each write
 * runs within a transaction (the one that is open, or one of its own), is asked for whole rows, and is answered as the caller wanted.
 * docs/orm.md has the table of what is seen. Extend the client with this last: transactions hand over this client.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import { misuse } from '../bytes/index.ts';
import type { AuditEvent } from '../event/index.ts';
import { type Model, performOperation, type Words } from './prisma-write.ts';
import { controlsTransaction, mayWrite } from './raw-sql.ts';
import { RowCapture, type RowCaptureOptions } from './row-capture.ts';

export type { ActorOption, OnUnrecorded, Recorder, TransactionRecorder } from './recording.ts';
export type { RowCaptureOptions } from './row-capture.ts';

/** What of a client of Prisma is used. */
export interface PrismaClientLike {
  $extends(extension: never): unknown;
  $transaction(...words: never): unknown;
}

type Handle = Record<string, unknown>;

interface Client {
  $extends(extension: object): Client;
  $transaction(work: unknown, options?: object): Promise<unknown>;
  readonly _runtimeDataModel?: {
    readonly models: Readonly<Record<string, { readonly fields: readonly Field[] }>>;
  };
}

interface Field {
  readonly name: string;
  readonly kind: string;
}

/** One operation as an extension sees it. */
interface Operation {
  readonly model?: string;
  readonly operation: string;
  readonly args: unknown;
  readonly query: (args: unknown) => Promise<unknown>;
  readonly __internalParams?: { readonly transaction?: { readonly kind: string; readonly id: unknown } };
}

/** An open transaction: its client, and the events that wait for the commit. */
interface Scope {
  readonly tx: Handle;
  readonly events: AuditEvent[];
  /** Why this transaction must not commit: something was written in it that could not be recorded. */
  spoiled?: unknown;
}

/** Where Prisma keeps what transaction a client is of. */
const scopeContext = Symbol.for('prisma.client.transaction.scope_context');

function transactionIdOf(tx: Handle): unknown {
  return (tx as { [name: symbol]: { readonly txId?: unknown } | undefined })[scopeContext]?.txId;
}

const reads: ReadonlySet<string> = new Set([
  'findUnique',
  'findUniqueOrThrow',
  'findFirst',
  'findFirstOrThrow',
  'findMany',
  'count',
  'aggregate',
  'groupBy',
]);

/**
 * A client that does what the given one does, and records what is written through it. Throws misuse `option_unknown`, `option_invalid`;
 * its operations reject with misuse `write_unrecordable` for writes that cannot be seen.
 */
export function auditPrisma<C extends PrismaClientLike>(client: C, options: RowCaptureOptions): C {
  const extension = new Extension(client as unknown as Client, new RowCapture('Prisma', options));
  return extension.client as unknown as C;
}

class Extension {
  readonly client: Client;
  readonly #capture: RowCapture;
  readonly #audited: Client;
  readonly #models: Map<string, Model>;
  readonly #scopes = new Map<unknown, Scope>();
  /** Set while the recorder writes through a transaction: its own statements are none of the application's. */
  readonly #recording = new AsyncLocalStorage<true>();

  constructor(client: Client, capture: RowCapture) {
    const models = client._runtimeDataModel?.models;
    if (models === undefined) {
      throw misuse('type', 'option_invalid', 'this is no client of Prisma 7, or it does not tell its models');
    }
    this.#capture = capture;
    this.#models = new Map(Object.entries(models).map(([name, { fields }]) => [name, modelOf(name, fields)]));
    this.#audited = client.$extends({
      query: { $allOperations: (operation: Operation) => this.#run(operation) },
    });
    this.client = this.#audited.$extends({
      client: { $transaction: (work: unknown, given?: object) => this.#transaction(work, given) },
    });
  }

  async #transaction(work: unknown, given?: object): Promise<unknown> {
    // A list of operations: each is refused by itself where it writes.
    if (typeof work !== 'function') return this.#audited.$transaction(work, given);
    return this.#begin((tx) => (work as (tx: Handle) => unknown)(tx), given);
  }

  /** Runs `work` in a transaction, and records what it wrote once it is committed. */
  async #begin(work: (tx: Handle) => unknown, given?: object): Promise<unknown> {
    const events: AuditEvent[] = [];
    const result = await this.#audited.$transaction(async (tx: Handle) => {
      const id = transactionIdOf(tx);
      if (id === undefined)
        throw this.#capture.refuse('a transaction of this version of Prisma', 'Use Prisma 7.');
      const scope: Scope = { tx, events };
      this.#scopes.set(id, scope);
      try {
        const done = await work(this.#withSavepoints(tx, scope));
        if (scope.spoiled !== undefined) throw scope.spoiled;
        return done;
      } finally {
        this.#scopes.delete(id);
      }
    }, given);
    await this.#capture.deliver(events);
    return result;
  }

  /** A transaction whose own `$transaction`, a savepoint, takes its events back where it is rolled back. */
  #withSavepoints(tx: Handle, scope: Scope): Handle {
    return new Proxy(tx, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (name !== '$transaction' || typeof value !== 'function') return value;
        return async (work: (inner: Handle) => unknown, ...rest: unknown[]) => {
          const { spoiled } = scope;
          const { length } = scope.events;
          try {
            const inner = (given: Handle): unknown => work(this.#withSavepoints(given, scope));
            return await value.call(target, typeof work === 'function' ? inner : work, ...rest);
          } catch (error) {
            scope.events.length = length;
            scope.spoiled = spoiled;
            throw error;
          }
        };
      },
    });
  }

  async #run(operation: Operation): Promise<unknown> {
    const { model: name, args, query } = operation;
    if (this.#recording.getStore() === true) return query(args);
    const model = name === undefined ? undefined : this.#models.get(name);
    if (
      name === undefined ? !this.#rawWrites(operation) : reads.has(operation.operation) || !this.#covers(name)
    ) {
      return query(args);
    }
    const transaction = operation.__internalParams?.transaction;
    if (transaction === undefined) return this.#begin((tx) => again(tx, operation));
    const scope = this.#scopes.get(transaction.id);
    if (scope === undefined) {
      throw this.#capture.refuse(
        'a write in a list of operations, or in a transaction that was begun elsewhere',
        'Use prisma.$transaction(async (tx) => …).',
      );
    }
    try {
      return model === undefined
        ? await this.#raw(operation, scope)
        : await this.#write(operation, model, scope);
    } catch (error) {
      scope.spoiled ??= error;
      throw error;
    }
  }

  #covers(name: string): boolean {
    return this.#capture.covers(name);
  }

  /** Whether raw SQL may write. Throws where it may and must not. */
  #rawWrites({ operation, args }: Operation): boolean {
    const text = sqlOf(args);
    if (text === undefined) throw this.#capture.refuse(operation, 'Use the operations of a model.');
    if (controlsTransaction(text)) {
      throw this.#capture.refuse('a transaction that raw SQL begins or ends', 'Use prisma.$transaction.');
    }
    if (!mayWrite(text)) return false;
    this.#capture.raw(text);
    return true;
  }

  async #raw({ args, query }: Operation, scope: Scope): Promise<unknown> {
    const result = await query(args);
    await this.#keep(scope, [this.#capture.raw(sqlOf(args) ?? '')]);
    return result;
  }

  async #write({ operation, args, query }: Operation, model: Model, scope: Scope): Promise<unknown> {
    const delegate = scope.tx[delegateName(model.name)] as Record<string, (words: Words) => Promise<unknown>>;
    const done = await performOperation(operation, (args ?? {}) as Words, {
      model,
      capture: this.#capture,
      query: query as never,
      delegate: delegate as never,
    });
    await this.#keep(scope, done.events);
    return done.result;
  }

  async #keep(scope: Scope, events: readonly AuditEvent[]): Promise<void> {
    if (!this.#capture.inTransaction) scope.events.push(...events);
    else await this.#recording.run(true, () => this.#capture.deliverIn(scope.tx, events));
  }
}

/** The same operation on the client of a transaction. */
function again(tx: Handle, { model, operation, args }: Operation): unknown {
  const words = model === undefined && Array.isArray(args) ? (args as unknown[]) : [args];
  const on = (model === undefined ? tx : tx[delegateName(model)]) as Record<
    string,
    (...words: unknown[]) => unknown
  >;
  return on[operation]?.(...words);
}

/** The text of raw SQL: `$executeRaw` has it in pieces, `$executeRawUnsafe` whole. */
function sqlOf(args: unknown): string | undefined {
  const [first] = Array.isArray(args) ? (args as unknown[]) : [args];
  if (typeof first === 'string') return first;
  const { strings, sql } = (first ?? {}) as { readonly strings?: readonly string[]; readonly sql?: string };
  return Array.isArray(strings) ? strings.join('?') : sql;
}

function delegateName(model: string): string {
  return model.charAt(0).toLowerCase() + model.slice(1);
}

function modelOf(name: string, fields: readonly Field[]): Model {
  const relations = fields.filter(({ kind }) => kind === 'object').map((field) => field.name);
  const columns = fields.filter(({ kind }) => kind !== 'object').map((field) => field.name);
  // Whatever the client leaves out by itself: a change of it is a change.
  return { name, relations, whole: Object.fromEntries(columns.map((column) => [column, false])) };
}
