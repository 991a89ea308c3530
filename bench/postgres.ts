/** The server of the scenarios on PostgreSQL: a real one, with its default settings, on the disk of the temporary folder. */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { createPostgresLog, databaseOf, migrate } from 'indelible/postgres';
import pg from 'pg';
import { startServer, type TestServer } from '../test/support/postgres.ts';

/** A server with one database, and connections to it. */
export interface Bench {
  readonly server: TestServer;
  readonly url: string;
  readonly pool: pg.Pool;
  /** Where keys are kept. */
  readonly dir: string;
  end(): Promise<void>;
}

/** Starts a server with our schema in a new database. */
export async function startBench(dir: string, connections = 64): Promise<Bench> {
  const server = await startServer(['max_connections=300', 'shared_buffers=512MB', 'max_wal_size=4GB']);
  const url = await server.database();
  const pool = new pg.Pool({ connectionString: url, max: connections });
  // A connection that the server ends when it is stopped is none of the figures' business.
  pool.on('error', () => {});
  await migrate(databaseOf(pool));
  return {
    server,
    url,
    pool,
    dir,
    end: async () => {
      await pool.end();
      await server.stop();
    },
  };
}

/** Creates a log, and answers the file of its key. */
export async function makeLog({ pool, dir }: Bench, origin: string): Promise<string> {
  const folder = mkdtempSync(join(dir, 'log-'));
  await (await createPostgresLog(pool, { origin, dir: folder, heartbeatMs: 0, sequence: false })).close();
  return join(folder, 'log.key');
}
