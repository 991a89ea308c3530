/**
 * A log in PostgreSQL: many writers, events inside the application's own transactions, row capture.
 *
 * ```ts
 * import pg from 'pg';
 * import { openPostgresLog } from 'indelible/postgres';
 *
 * const pool = new pg.Pool({ connectionString });
 * pool.on('error', () => {}); // a server that restarts ends idle connections
 * await using audit = await openPostgresLog(pool, { origin: 'example.com/audit', dir: 'audit' });
 *
 * const client = await pool.connect();
 * await client.query('BEGIN');
 * await client.query("UPDATE accounts SET plan = 'pro' WHERE id = 7");
 * const id = await audit.recordIn(client, { action: 'plan.changed', actor: { type: 'user', id: 'u_42' } });
 * await client.query('COMMIT');          // the event is in the log if and only if this succeeds
 * const receipt = await audit.awaitReceipt(id);
 * ```
 *
 * Three stories to read. `store.ts`: how any number of processes write one log with the row of its head as the only lock, and how a
 * commit of which nothing was heard is looked up. `sequencer.ts`: how the outbox becomes entries, exactly once and in order.
 * `capture-schema.ts`: how triggers see every changed row. `schema.ts` is all that the database holds; `examine.ts` finds what
 * was changed about it.
 *
 * See docs/postgres.md and docs/scaling.md.
 */

export { auditDatabase } from './audit.ts';
export {
  type Captured,
  type CaptureOptions,
  captureTable,
} from './capture.ts';
export {
  type Database,
  databaseOf,
  type PgClient,
  type PgPool,
  type PostgresClient,
  type PostgresJs,
  type PostgresJsConnection,
  type Row,
  type Session,
} from './client.ts';
export { coverage, type TableCoverage } from './coverage.ts';
export type { ChangesByTable, FindChanges } from './coverage-rows.ts';
export { doctor } from './doctor.ts';
export type { Drift } from './examine.ts';
export { roles } from './layout.ts';
export { formatOutboxMetrics } from './metrics.ts';
export { type Migration, migrate } from './migrate.ts';
export {
  createPostgresLog,
  openPostgresLog,
  type PostgresCreation,
  PostgresLog,
  type PostgresOptions,
  RECEIPT_WAIT_MS_DEFAULT,
} from './open.ts';
export { type Acting, currentActor, Outbox, type OutboxOptions, runAs, withActor } from './outbox.ts';
export { SCHEMA_VERSION } from './schema.ts';
export type { OutboxState } from './sequencer.ts';
export { type PostgresKeyOptions, withPostgresLogKeys } from './signing.ts';
export { originsOf, PostgresStore } from './store.ts';
export type {
  ApplicationTransaction,
  DrizzleTransaction,
  KyselyTransaction,
  PgTransaction,
  PostgresJsTransaction,
  PrismaTransaction,
} from './transaction.ts';
