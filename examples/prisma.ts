// Every row that Prisma writes, in the log with the transaction that writes it.
//
//     indelible pg migrate postgres://localhost/app
//     node examples/prisma.ts postgres://localhost/app audit ./generated/client.ts
//
// An application imports its generated client by name; here its module is the third argument, since it is made of your schema.

import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { PrismaPg } from '@prisma/adapter-pg';
import { openPostgresLog } from 'indelible/postgres';
import { auditPrisma, type PrismaClientLike } from 'indelible/prisma';
import pg from 'pg';

/** What of the generated client is used here. */
interface Client extends PrismaClientLike {
  readonly orders: {
    updateMany(change: { where: { id: number }; data: { state: string } }): Promise<unknown>;
  };
  $disconnect(): Promise<void>;
}

const [url = '', dir = 'audit', module = './generated/client.ts'] = process.argv.slice(2);
const { PrismaClient } = await import(pathToFileURL(path.resolve(module)).href);
const client: Client = new PrismaClient({ adapter: new PrismaPg({ connectionString: url }) });
const pool = new pg.Pool({ connectionString: url });
const audit = await openPostgresLog(pool, {
  origin: 'example.com/orders',
  dir,
  createIfMissing: {},
  warn: () => {},
});
const prisma = auditPrisma(client, { recorder: audit, actor: { type: 'user', id: 'u_42' } });

await prisma.orders.updateMany({ where: { id: 7 }, data: { state: 'paid' } });
await audit.drainOutbox();
for await (const event of audit.log.query('action:record.*'))
  console.log(event.action, JSON.stringify(event.changes));

await audit.close();
await prisma.$disconnect();
await pool.end();
