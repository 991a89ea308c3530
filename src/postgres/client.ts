import { isLogError, isMisuse, misuse } from '../bytes/index.ts';

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
  unsafe(text: string, values?: never[]): PromiseLike<readonly Row[]>;
  release(): void;
}

/** What is used of a client of `postgres` (postgres.js). */
export interface PostgresJs {
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
    return { session: async () => reserved(await (client as PostgresJs).reserve()) };
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

function reserved(connection: PostgresJsConnection): Session {
  return {
    query: async (text, values) =>
      values === undefined ? connection.unsafe(text) : connection.unsafe(text, values as never[]),
    last: async (text) => {
      const results = (await connection.unsafe(text)) as unknown as readonly (readonly Row[])[];
      return results[results.length - 1]!;
    },
    notices: () => undefined,
    // It has no way to close one; a connection that is still in a transaction is made usable again.
    release: (destroy) => {
      if (!destroy) {
        connection.release();
        return;
      }
      Promise.resolve(connection.unsafe('ROLLBACK')).then(
        () => connection.release(),
        () => connection.release(),
      );
    },
  };
}

/** Many pieces of bytes as one, and their lengths as PostgreSQL writes an array: -1 for one that is not there. */
export function packBytes(items: readonly (Uint8Array | undefined)[]): { bytes: Buffer; lengths: string } {
  const there = items.filter((item) => item !== undefined);
  return { bytes: Buffer.concat(there), lengths: numberArray(items.map((item) => item?.length ?? -1)) };
}

/** Bytes as PostgreSQL writes them, to be cast from text. */
export function byteaText(bytes: Uint8Array): string {
  return `\\x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')}`;
}

/** An array of texts as PostgreSQL writes it. */
export function textArray(items: readonly string[]): string {
  return `{${items.map((item) => `"${item.replace(/[\\"]/g, '\\$&')}"`).join(',')}}`;
}

/** An array of numbers as PostgreSQL writes it. */
export function numberArray(items: readonly number[]): string {
  return `{${items.join(',')}}`;
}
