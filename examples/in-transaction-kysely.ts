// An event with a transaction of Kysely: it is in the log if and only if the transaction commits.
//
//     indelible pg migrate postgres://localhost/app
//     node examples/in-transaction-kysely.ts postgres://localhost/app audit

import { openPostgresLog } from 'indelible/postgres';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';

interface Tables {
  orders: { id: number; state: string | null };
}

const [url, dir = 'audit'] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString: url });
// A server that restarts ends idle connections; without a listener that would end the process too.
pool.on('error', (error) => console.error(`an idle connection was lost: ${error.message}`));
const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
const audit = await openPostgresLog(pool, { origin: 'example.com/orders', dir, createIfMissing: {} });

const id = await db.transaction().execute(async (tx) => {
  await tx.updateTable('orders').set({ state: 'paid' }).where('id', '=', 7).execute();
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
