// Prisma: its client is generated here, as an application would, and its transaction carries an event.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { PrismaPg } from '@prisma/adapter-pg';
import { createPostgresLog, databaseOf, migrate, type PrismaTransaction } from 'indelible/postgres';
import { temporaryFolder } from '../support/folders.ts';
import { poolOf, testServer, whyNoPostgres } from '../support/postgres.ts';
import { generatePrisma } from '../support/prisma.ts';

interface Client {
  $transaction<T>(
    work: (tx: PrismaTransaction & { accounts: { create(row: object): Promise<unknown> } }) => Promise<T>,
  ): Promise<T>;
  $disconnect(): Promise<void>;
}

/** The client that Prisma makes of the schema. */
async function generated(folder: string, url: string): Promise<Client> {
  const module = generatePrisma(folder, 'model accounts {\n  id   Int     @id\n  plan String?\n}\n');
  const { PrismaClient } = await import(pathToFileURL(module).href);
  return new PrismaClient({ adapter: new PrismaPg({ connectionString: url }) }) as Client;
}

test('Prisma: the event is in the log if the transaction commits, and never was if not', {
  skip: whyNoPostgres() ?? false,
}, async (t) => {
  const url = await (await testServer()).database();
  const pool = poolOf(url, 4);
  await migrate(databaseOf(pool));
  await pool.query('CREATE TABLE accounts (id integer PRIMARY KEY, plan text)');
  const audit = await createPostgresLog(pool, { origin: 'example.com/prisma', dir: temporaryFolder(t) });
  const prisma = await generated(temporaryFolder(t), url);
  const event = { action: 'plan.changed', actor: { type: 'user', id: 'u_1', name: "O'Hara" } };

  const id = await prisma.$transaction(async (tx) => {
    await tx.accounts.create({ data: { id: 1, plan: 'pro' } });
    return audit.recordIn(tx, event);
  });
  assert.ok((await audit.awaitReceipt(id)).index > 0);
  assert.deepEqual((await audit.log.get(id))?.actor, event.actor);

  let undone = '';
  await assert.rejects(
    prisma.$transaction(async (tx) => {
      undone = await audit.recordIn(tx, event);
      throw new Error('rolled back on purpose');
    }),
    /rolled back on purpose/,
  );
  await audit.drainOutbox();
  assert.equal(await audit.log.get(undone), undefined);
  await assert.rejects(audit.recordIn(prisma as never, event), { code: 'argument_invalid' });

  await prisma.$disconnect();
  await audit.close();
  await pool.end();
});
