// An event with a transaction of Prisma: it is in the log if and only if the transaction commits.
//
//     indelible pg migrate postgres://localhost/app
//     node examples/in-transaction-prisma.ts postgres://localhost/app audit ./generated/client.ts
//
// An application imports its generated client by name; here its module is the third argument, since it is made of your schema.

import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { PrismaPg } from '@prisma/adapter-pg';
import { openPostgresLog, type PrismaTransaction } from 'indelible/postgres';
import pg from 'pg';

/** What of the generated client is used here. */
interface Client {
  $transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  $disconnect(): Promise<void>;
}
interface Transaction extends PrismaTransaction {
  readonly orders: { update(change: { where: { id: number }; data: { state: string } }): Promise<unknown> };
}

const [url = '', dir = 'audit', module = './generated/client.ts'] = process.argv.slice(2);
const { PrismaClient } = await import(pathToFileURL(path.resolve(module)).href);
const prisma: Client = new PrismaClient({ adapter: new PrismaPg({ connectionString: url }) });
const pool = new pg.Pool({ connectionString: url });
// A server that restarts ends idle connections; without a listener that would end the process too.
pool.on('error', (error) => console.error(`an idle connection was lost: ${error.message}`));
const audit = await openPostgresLog(pool, { origin: 'example.com/orders', dir, createIfMissing: {} });

const id = await prisma.$transaction(async (tx) => {
  await tx.orders.update({ where: { id: 7 }, data: { state: 'paid' } });
  return audit.recordIn(tx, {
    action: 'order.paid',
    actor: { type: 'user', id: 'u_42' },
    targets: [{ type: 'order', id: '7' }],
  });
});
const receipt = await audit.awaitReceipt(id);
console.log(`order 7 is paid, entry ${receipt.index}`);

await audit.close();
await prisma.$disconnect();
await pool.end();
