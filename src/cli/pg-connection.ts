import { LogError } from '../bytes/index.ts';
import { type Database, databaseOf, type PostgresClient } from '../postgres/index.ts';

/** Connections of one command, and how to end them. */
export interface Connected {
  readonly client: PostgresClient;
  readonly database: Database;
}

/**
 * Runs `work` with connections to the database at `url`, by whichever driver the application has: `pg`, or `postgres`. A password in
 * the URL is never repeated in a message.
 */
export async function connected<T>(url: string, work: (connection: Connected) => Promise<T>): Promise<T> {
  const { client, end } = (await byPg(url)) ?? (await byPostgres(url)) ?? missing();
  try {
    return await work({ client, database: databaseOf(client) });
  } finally {
    await end();
  }
}

interface Opened {
  readonly client: PostgresClient;
  readonly end: () => Promise<void>;
}

async function byPg(url: string): Promise<Opened | undefined> {
  const pg = await import('pg').catch(unlessMissing);
  if (pg === undefined) return undefined;
  const pool = new pg.default.Pool({ connectionString: url, max: 4, application_name: 'indelible' });
  // A connection that breaks while it is idle is replaced by the pool.
  pool.on('error', () => {});
  return { client: pool, end: () => pool.end() };
}

async function byPostgres(url: string): Promise<Opened | undefined> {
  const postgres = await import('postgres').catch(unlessMissing);
  if (postgres === undefined) return undefined;
  const sql = postgres.default(url, {
    max: 4,
    onnotice: () => {},
    connection: { application_name: 'indelible' },
  });
  return { client: sql as unknown as PostgresClient, end: () => sql.end() };
}

function unlessMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') return undefined;
  throw error;
}

function missing(): never {
  throw new LogError('io_failed', 'there is no driver of PostgreSQL here', { hint: 'npm install pg' });
}
