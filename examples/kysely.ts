// Every row that Kysely writes, in the log with the transaction that writes it.
//
//     indelible pg migrate postgres://localhost/app
//     node examples/kysely.ts postgres://localhost/app audit

import { auditDialect } from 'indelible/kysely';
import { openPostgresLog } from 'indelible/postgres';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';

interface Tables {
  orders: { id: number; state: string | null };
}

const [url, dir = 'audit'] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString: url });
const audit = await openPostgresLog(pool, {
  origin: 'example.com/orders',
  dir,
  createIfMissing: {},
  warn: () => {},
});
const dialect = auditDialect(new PostgresDialect({ pool }), {
  recorder: audit,
  actor: { type: 'user', id: 'u_42' },
});
const db = new Kysely<Tables>({ dialect });

await db.updateTable('orders').set({ state: 'paid' }).where('id', '=', 7).execute();
await audit.drainOutbox();
for await (const event of audit.log.query('action:record.*'))
  console.log(event.action, JSON.stringify(event.changes));

await audit.close();
await pool.end();
