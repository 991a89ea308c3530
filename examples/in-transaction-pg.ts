// An event with a transaction of node-postgres: it is in the log if and only if the transaction commits.
//
//     indelible pg migrate postgres://localhost/app
//     node examples/in-transaction-pg.ts postgres://localhost/app audit

import { openPostgresLog } from 'indelible/postgres';
import pg from 'pg';

const [url, dir = 'audit'] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString: url });
// A server that restarts ends idle connections; without a listener that would end the process too.
pool.on('error', (error) => console.error(`an idle connection was lost: ${error.message}`));
const audit = await openPostgresLog(pool, { origin: 'example.com/orders', dir, createIfMissing: {} });

const client = await pool.connect();
let id: string;
try {
  await client.query('BEGIN');
  await client.query("UPDATE orders SET state = 'paid' WHERE id = 7");
  id = await audit.recordIn(client, {
    action: 'order.paid',
    actor: { type: 'user', id: 'u_42' },
    targets: [{ type: 'order', id: '7' }],
  });
  await client.query('COMMIT');
} catch (error) {
  await client.query('ROLLBACK');
  throw error;
} finally {
  client.release();
}
const receipt = await audit.awaitReceipt(id);
console.log(`order 7 is paid, entry ${receipt.index}`);

await audit.close();
await pool.end();
