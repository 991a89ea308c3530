import { randomBytes } from 'node:crypto';
import { hexEncode, misuse, utf8Encode } from '../bytes/index.ts';

/** A client of `pg` on which BEGIN was called. */
export interface PgTransaction {
  query(text: string, values: unknown[]): Promise<unknown>;
}

/** What `sql.begin` of `postgres` hands over. */
export interface PostgresJsTransaction {
  unsafe(text: string, values: never[]): PromiseLike<unknown>;
  savepoint: unknown;
}

/** What `db.transaction` of Drizzle hands over, on `pg` or `postgres`. */
export interface DrizzleTransaction {
  execute(text: string): PromiseLike<unknown>;
  rollback(): unknown;
}

/** What `prisma.$transaction(async (tx) => …)` hands over. */
export interface PrismaTransaction {
  $executeRawUnsafe(text: string, ...values: unknown[]): PromiseLike<unknown>;
}

/** What `db.transaction().execute(async (tx) => …)` of Kysely hands over. */
export interface KyselyTransaction {
  readonly isTransaction: boolean;
  executeQuery(query: never): Promise<unknown>;
}

/** A transaction of the application's, whichever library it is of. */
export type ApplicationTransaction =
  | PgTransaction
  | PostgresJsTransaction
  | DrizzleTransaction
  | PrismaTransaction
  | KyselyTransaction;

/** Calls a function of the server with texts, within a transaction. */
export type Call = (name: string, texts: readonly string[]) => Promise<void>;

/**
 * How to call functions of the server within a transaction of the application's. Throws `TypeError` `argument_invalid` for what is
 * none, and for a pool or client outside of one: there every statement would be a transaction by itself.
 */
export function callWithin(transaction: ApplicationTransaction): Call {
  const tx = (transaction ?? {}) as unknown as Record<string, unknown>;
  const has = (name: string): boolean => typeof tx[name] === 'function';
  if (has('unsafe')) {
    if (!has('savepoint')) throw outside('sql of postgres', 'sql.begin');
    return withValues((text, values) =>
      (transaction as PostgresJsTransaction).unsafe(text, values as never[]),
    );
  }
  if (has('$executeRawUnsafe')) {
    if (has('$connect') && has('$transaction')) throw outside('PrismaClient', 'prisma.$transaction');
    return withValues((text, values) =>
      (transaction as PrismaTransaction).$executeRawUnsafe(text, ...values),
    );
  }
  if (has('executeQuery')) {
    if (tx['isTransaction'] !== true) throw outside('Kysely', 'db.transaction().execute');
    return withValues((text, values) =>
      (transaction as KyselyTransaction).executeQuery(compiled(text, values) as never),
    );
  }
  if (has('execute')) {
    if (!has('rollback')) throw outside('Drizzle database', 'db.transaction');
    return withoutValues((text) => (transaction as DrizzleTransaction).execute(text));
  }
  if (has('query')) {
    if ('totalCount' in tx || 'idleCount' in tx) throw outside('Pool of pg', 'BEGIN on a client of its own');
    return withValues((text, values) => (transaction as PgTransaction).query(text, [...values]));
  }
  throw misuse(
    'type',
    'argument_invalid',
    'the first argument is a transaction: of pg, postgres, Drizzle, Prisma or Kysely',
  );
}

function outside(what: string, begin: string): Error {
  return misuse(
    'type',
    'argument_invalid',
    `this ${what} is not in a transaction: hand over the one that ${begin} gives, or the event would commit by itself`,
  );
}

function withValues(run: (text: string, values: readonly string[]) => PromiseLike<unknown>): Call {
  return async (name, texts) => {
    const places = texts.map((_, at) => `$${at + 1}::text`).join(', ');
    // Without a row, so that no driver has anything to decode.
    await run(`SELECT FROM ${name}(${places})`, texts);
  };
}

/** Values as hexadecimal digits: nothing in them can end the literal in which they stand. */
function withoutValues(run: (text: string) => PromiseLike<unknown>): Call {
  return async (name, texts) => {
    const literals = texts.map(
      (text) => `convert_from(decode('${hexEncode(utf8Encode(text))}', 'hex'), 'UTF8')`,
    );
    await run(`SELECT FROM ${name}(${literals.join(', ')})`);
  };
}

/** A query as Kysely's compiler would make it of raw SQL. */
function compiled(sql: string, parameters: readonly string[]): object {
  return {
    sql,
    parameters,
    query: { kind: 'RawNode', sqlFragments: [sql], parameters: [] },
    queryId: { queryId: randomBytes(8).toString('hex') },
  };
}
