// An event with a transaction of postgres.js: it is in the log if and only if the transaction commits.
//
//     indelible pg migrate postgres://localhost/app
//     node examples/in-transaction-postgres.ts postgres://localhost/app audit

import { openPostgresLog } from 'indelible/postgres';
import postgres from 'postgres';

const [url = '', dir = 'audit'] = process.argv.slice(2);
const sql = postgres(url);
const audit = await openPostgresLog(sql, { origin: 'example.com/orders', dir, createIfMissing: {} });

const id = await sql.begin(async (tx) => {
  await tx`UPDATE orders SET state = 'paid' WHERE id = 7`;
  return audit.recordIn(tx, {
    action: 'order.paid',
    actor: { type: 'user', id: 'u_42' },
    targets: [{ type: 'order', id: '7' }],
  });
});
const receipt = await audit.awaitReceipt(id);
console.log(`order 7 is paid, entry ${receipt.index}`);

await audit.close();
await sql.end();
