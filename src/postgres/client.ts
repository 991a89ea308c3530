import { isLogError, isMisuse, misuse } from '../bytes/index.ts';
import { isConnectionError } from './failure.ts';

/** A row as a driver hands it over: `bytea` as bytes, `int8` as digits, unless the application's own settings say otherwise. */
export type Row = Readonly<Record<string, unknown>>;

/** What is used of a client of `pg` that was taken out of its pool. */
export interface PgClient {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: Row[] }>;
  release(destroy?: boolean): void;
  on(event: 'notice', listener: (notice: { code?: string | undefined }) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  off(event: 'notice', listener: (notice: { code?: string | undefined }) => void): unknown;
  off(event: 'error', listener: (error: Error) => void): unknown;
}

/** What is used of a pool of `pg` (node-postgres). */
export interface PgPool {
  connect(): Promise<PgClient>;
}

/** What is used of a connection of `postgres` (postgres.js) that was reserved. */
export interface PostgresJsConnection {
  unsafe(text: string, values?: never[], options?: object): PromiseLike<readonly Row[]>;
  release(): void;
}

/** What is used of a client of `postgres` (postgres.js). */
export interface PostgresJs {
  unsafe(text: string): PromiseLike<unknown>;
  reserve(): Promise<PostgresJsConnection>;
}

/** The application's own connections: a pool of `pg`, or a client of `postgres`. */
export type PostgresClient = PgPool | PostgresJs;

/** One connection, for as long as it is held. Calls must not overlap. */
export interface Session {
  /** Runs one statement with its values, or several without. */
  query(text: string, values?: readonly unknown[]): Promise<readonly Row[]>;
  /** Runs several statements in one go, and answers what the last of them does. */
  last(text: string): Promise<readonly Row[]>;
  /** SQLSTATEs of what the server has remarked since the last call; undefined where the driver does not tell. */
  notices(): string[] | undefined;
  /** Gives it back, or closes it where it is of no use any more. */
  release(destroy: boolean): void;
}

/** Connections of one database, whichever driver they are of. */
export interface Database {
  session(): Promise<Session>;
}

/** Makes a {@link Database} of what the application has. Throws `TypeError` `argument_invalid`. */
export function databaseOf(client: PostgresClient): Database {
  const { connect, reserve } = (client ?? {}) as Partial<PgPool & PostgresJs>;
  if (typeof reserve === 'function')
    return { session: async () => reserved(await reserveFrom(client as PostgresJs)) };
  if (typeof connect === 'function' && !('release' in client)) {
    return { session: async () => connected(await (client as PgPool).connect()) };
  }
  throw misuse(
    'type',
    'argument_invalid',
    'a PostgreSQL log needs connections: a Pool of pg, or what postgres() returns',
  );
}

/** Runs `work` with one connection, which is closed rather than given back where it may be of no use any more. */
export async function withSession<T>(database: Database, work: (session: Session) => Promise<T>): Promise<T> {
  const session = await database.session();
  let destroy = false;
  try {
    return await work(session);
  } catch (error) {
    // What is ours left the connection as it was; of anything else nobody knows.
    destroy = !isLogError(error) && !isMisuse(error);
    throw error;
  } finally {
    session.release(destroy);
  }
}

function connected(client: PgClient): Session {
  let notices: string[] = [];
  const onNotice = (notice: { code?: string | undefined }): void => void notices.push(notice.code ?? '');
  // A connection that breaks while nothing is asked of it says so here; the next question says it again.
  const onError = (): void => {};
  client.on('notice', onNotice);
  client.on('error', onError);
  return {
    query: async (text, values) =>
      (await client.query(text, values === undefined ? undefined : [...values])).rows,
    last: async (text) => {
      const results = (await client.query(text)) as unknown as readonly { rows: Row[] }[];
      return results[results.length - 1]!.rows;
    },
    notices: () => {
      const told = notices;
      notices = [];
      return told;
    },
    release: (destroy) => {
      client.off('notice', onNotice);
      client.off('error', onError);
      client.release(destroy);
    },
  };
}

/** Pause after which a connection is asked for again, and how long it is asked for in all, milliseconds. */
const RESERVE_AGAIN_MS = 1_000;
const RESERVE_MS_MAX = 30_000;

/** Who asked last for a connection of each client. */
const turns = new WeakMap<PostgresJs, Promise<unknown>>();

/** Reserves a connection of `postgres`, one caller after the other: see {@link askedFirst}. */
function reserveFrom(client: PostgresJs): Promise<PostgresJsConnection> {
  const turn = (turns.get(client) ?? Promise.resolve()).then(() => reserveInTime(client));
  const over = turn.catch(() => {});
  turns.set(client, over);
  return turn;
}

/** Asks again where the driver forgets who waits, as it does when a connection breaks at that moment; what comes too late is given back. */
function reserveInTime(client: PostgresJs): Promise<PostgresJsConnection> {
  return new Promise((resolve, reject) => {
    let isOver = false;
    const end = (): boolean => {
      if (isOver) return false;
      isOver = true;
      clearInterval(again);
      clearTimeout(last);
      return true;
    };
    const ask = (): void => {
      askedFirst(client).then(
        (connection) => (end() ? resolve(connection) : connection.release()),
        (error: unknown) => end() && reject(error),
      );
    };
    const again = setInterval(ask, RESERVE_AGAIN_MS);
    const last = setTimeout(() => {
      if (end()) reject(Object.assign(new Error('no connection was to be had'), { code: 'CONNECT_TIMEOUT' }));
    }, RESERVE_MS_MAX);
    ask();
  });
}

/**
 * Reserves a connection that has just answered. `reserve` that has to wait for a new connection is kept by the driver in two places, of
 * which it clears one where that connection cannot be made; the other then takes a connection of the pool and hands it to nobody, for
 * good: a server that is away for a moment would cost the application all of its pool. A question is kept in one place, and while
 * its answer is handed over, the connection that brought it is free.
 */
async function askedFirst(client: PostgresJs): Promise<PostgresJsConnection> {
  await client.unsafe('SELECT 1');
  return client.reserve();
}

/**
 * A connection of `postgres` that was reserved. When it is closed, the driver takes it back by itself; whoever then asks anything of it, or
 * releases it, makes the driver write to a socket that is not there, which nothing can catch. So it is left alone from then on: it
 * tells when it closes (`onclose`, as the driver's own `begin` listens), and a question that failed for it tells as well.
 */
function reserved(connection: PostgresJsConnection): Session {
  let isGone = false;
  let own: { onclose: unknown } | undefined;
  const onexecute = (executing: { onclose: unknown }): boolean => {
    own = executing;
    executing.onclose = () => {
      isGone = true;
    };
    return true;
  };
  const ask = async (text: string, values?: readonly unknown[]): Promise<readonly Row[]> => {
    if (isGone) throw Object.assign(new Error('the connection was closed'), { code: 'CONNECTION_CLOSED' });
    try {
      return values === undefined
        ? await connection.unsafe(text, [], { onexecute })
        : await connection.unsafe(text, values as never[]);
    } catch (error) {
      if (isConnectionError(error)) isGone = true;
      throw error;
    }
  };
  const giveBack = (): void => {
    if (isGone) return;
    if (own !== undefined) own.onclose = null;
    connection.release();
  };
  return {
    query: ask,
    last: async (text) => {
      const results = (await ask(text)) as unknown as readonly (readonly Row[])[];
      return results[results.length - 1]!;
    },
    notices: () => undefined,
    // It has no way to close one; a connection that is still in a transaction is made usable again.
    release: (destroy) => {
      if (destroy && !isGone) ask('ROLLBACK').then(giveBack, giveBack);
      else giveBack();
    },
  };
}

/** Many pieces of bytes as one, and their lengths as PostgreSQL writes an array: -1 for one that is not there. */
export function packBytes(items: readonly (Uint8Array | undefined)[]): { bytes: Buffer; lengths: string } {
  const there = items.filter((item) => item !== undefined);
  return { bytes: Buffer.concat(there), lengths: numberArray(items.map((item) => item?.length ?? -1)) };
}

/** An array of texts as PostgreSQL writes it. */
export function textArray(items: readonly string[]): string {
  return `{${items.map((item) => `"${item.replace(/[\\"]/g, '\\$&')}"`).join(',')}}`;
}

/** An array of numbers as PostgreSQL writes it. */
export function numberArray(items: readonly number[]): string {
  return `{${items.join(',')}}`;
}
