// An event with a transaction of Drizzle: it is in the log if and only if the transaction commits.
//
//     indelible pg migrate postgres://localhost/app
//     node examples/in-transaction-drizzle.ts postgres://localhost/app audit

import { eq } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { integer, pgTable, text } from 'drizzle-orm/pg-core';
import { openPostgresLog } from 'indelible/postgres';
import pg from 'pg';

const orders = pgTable('orders', { id: integer().primaryKey(), state: text() });

const [url, dir = 'audit'] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString: url });
// A server that restarts ends idle connections; without a listener that would end the process too.
pool.on('error', (error) => console.error(`an idle connection was lost: ${error.message}`));
const db = drizzle(pool);
const audit = await openPostgresLog(pool, { origin: 'example.com/orders', dir, createIfMissing: {} });

const id = await db.transaction(async (tx) => {
  await tx.update(orders).set({ state: 'paid' }).where(eq(orders.id, 7));
  return audit.recordIn(tx, {
    action: 'order.paid',
    actor: { type: 'user', id: 'u_42' },
    targets: [{ type: 'order', id: '7' }],
  });
});
const receipt = await audit.awaitReceipt(id);
console.log(`order 7 is paid, entry ${receipt.index}`);

await audit.close();
await pool.end();
