// Every row that Drizzle writes, in the log with the transaction that writes it.
//
//     indelible pg migrate postgres://localhost/app
//     node examples/drizzle.ts postgres://localhost/app audit

import { eq } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { integer, pgTable, text } from 'drizzle-orm/pg-core';
import { auditDrizzle } from 'indelible/drizzle';
import { openPostgresLog } from 'indelible/postgres';
import pg from 'pg';

const orders = pgTable('orders', { id: integer().primaryKey(), state: text() });

const [url, dir = 'audit'] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString: url });
const audit = await openPostgresLog(pool, {
  origin: 'example.com/orders',
  dir,
  createIfMissing: {},
  warn: () => {},
});
const db = auditDrizzle(drizzle(pool), { recorder: audit, actor: { type: 'user', id: 'u_42' } });

await db.update(orders).set({ state: 'paid' }).where(eq(orders.id, 7));
await audit.drainOutbox();
for await (const event of audit.log.query('action:record.*'))
  console.log(event.action, JSON.stringify(event.changes));

await audit.close();
await pool.end();
