// Prisma on PostgreSQL: each row of the table in docs/orm.md.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { PrismaPg } from '@prisma/adapter-pg';
import { auditPrisma, type RowCaptureOptions } from 'indelible/prisma';
import { whyNoPostgres } from '../support/postgres.ts';
import { generatePrisma } from '../support/prisma.ts';
import { actor, embeddedLog, postgresWorld, recordedIn, recordedInPostgres, sinceNow } from './world.ts';

const models = `model Invoice {
  id     Int    @id @default(autoincrement())
  number String @unique
  state  String @default("open")
  secret String @default("s3cret")
  lines  Line[]
}
model Line {
  id        Int     @id
  invoiceId Int
  invoice   Invoice @relation(fields: [invoiceId], references: [id])
}
model Pair {
  a Int
  b Int
  c String
  @@id([a, b])
}
`;

const tables = [
  'DROP TABLE IF EXISTS "Line", "Invoice", "Pair"',
  `CREATE TABLE "Invoice" (id serial PRIMARY KEY, number text UNIQUE NOT NULL, state text NOT NULL DEFAULT 'open', secret text NOT NULL DEFAULT 's3cret')`,
  'CREATE TABLE "Line" (id integer PRIMARY KEY, "invoiceId" integer NOT NULL REFERENCES "Invoice")',
  'CREATE TABLE "Pair" (a integer, b integer, c text NOT NULL, PRIMARY KEY (a, b))',
];

type Words = Record<string, unknown>;
type Model = Record<string, (words?: Words) => Promise<unknown>>;
interface Prisma {
  readonly invoice: Model;
  readonly line: Model;
  readonly pair: Model;
  $transaction<T>(work: (tx: Prisma) => Promise<T>): Promise<T>;
  $transaction(work: readonly unknown[]): Promise<unknown[]>;
  $executeRaw(text: TemplateStringsArray, ...values: unknown[]): Promise<number>;
  $executeRawUnsafe(text: string, ...values: unknown[]): Promise<number>;
  $queryRaw(text: TemplateStringsArray, ...values: unknown[]): Promise<unknown[]>;
  $queryRawUnsafe(text: string, ...values: unknown[]): Promise<unknown[]>;
  $extends(extension: never): Prisma;
  $disconnect(): Promise<void>;
}

const skip = whyNoPostgres() ?? false;
const postgres = skip === false ? await postgresWorld() : undefined;
const embedded = await embeddedLog();
let plain: Prisma;
if (postgres !== undefined) {
  const folder = mkdtempSync(path.join(tmpdir(), 'indelible-'));
  const { PrismaClient } = await import(pathToFileURL(generatePrisma(folder, models)).href);
  // As an application may: what is left out by default changes nothing about what is recorded.
  plain = new PrismaClient({
    adapter: new PrismaPg({ connectionString: postgres.url }),
    omit: { invoice: { secret: true } },
  });
  after(async () => {
    await plain.$disconnect();
    rmSync(folder, { recursive: true, force: true });
  });
}

/** The rows of an operation that answers with several. */
const many = async (answer: Promise<unknown>): Promise<readonly Words[]> =>
  (await answer) as readonly Words[];

interface World {
  readonly prisma: Prisma;
  readonly recorded: () => Promise<string[]>;
}

async function make(options: Partial<RowCaptureOptions> = {}, within = true): Promise<World> {
  const { pool, audit } = postgres!;
  for (const statement of tables) await pool.query(statement);
  const recorder = within ? audit : embedded;
  const prisma = auditPrisma(plain, { recorder, actor, keys: { Pair: ['a', 'b'] }, redact: [], ...options });
  const all = () => (within ? recordedInPostgres(audit) : recordedIn(embedded));
  return { prisma, recorded: await sinceNow(all) };
}

for (const [where, within] of [
  ['with the transaction, by recordIn', true],
  ['after the commit, in another log', false],
] as const) {
  describe(`Prisma, recording ${where}`, { skip }, () => {
    test('create, createMany and createManyAndReturn, answered as the caller asked', async () => {
      const { prisma, recorded } = await make({}, within);
      assert.deepEqual(await prisma.invoice['create']!({ data: { number: 'A' }, select: { number: true } }), {
        number: 'A',
      });
      assert.deepEqual(
        await prisma.invoice['createMany']!({
          data: [{ number: 'B' }, { number: 'B' }],
          skipDuplicates: true,
        }),
        {
          count: 1,
        },
      );
      const [row] = await many(
        prisma.invoice['createManyAndReturn']!({
          data: [{ number: 'C' }],
          select: { number: true, state: true },
        }),
      );
      assert.deepEqual(row, { number: 'C', state: 'open' });
      await prisma.pair['create']!({ data: { a: 1, b: 2, c: 'x' } });
      const lines = await recorded();
      assert.equal(lines[0], 'record.created Invoice/1 /id >1 /number >A /secret >s3cret /state >open');
      assert.match(lines[1] ?? '', /^record\.created Invoice\/2 .* \/number >B/);
      assert.match(lines[2] ?? '', /^record\.created Invoice\/\d+ .* \/number >C/);
      assert.equal(lines[3], 'record.created Pair/1:2 /a >1 /b >2 /c >x');
      assert.equal(lines.length, 4);
    });

    test('update, updateMany and updateManyAndReturn: each row that changed', async () => {
      const { prisma, recorded } = await make({}, within);
      await prisma.invoice['createMany']!({ data: [{ number: 'A' }, { number: 'B', state: 'paid' }] });
      await prisma.line['create']!({ data: { id: 1, invoiceId: 1 } });
      await recorded();
      const updated = await prisma.invoice['update']!({
        where: { id: 1 },
        data: { state: 'sent' },
        include: { lines: true },
      });
      assert.deepEqual((updated as Words)['lines'], [{ id: 1, invoiceId: 1 }]);
      assert.deepEqual(await recorded(), ['record.updated Invoice/1 /state open>sent']);
      assert.deepEqual(await prisma.invoice['updateMany']!({ data: { state: 'paid' } }), { count: 2 });
      assert.deepEqual(await recorded(), ['record.updated Invoice/1 /state sent>paid']);
      const rows = await many(
        prisma.invoice['updateManyAndReturn']!({ where: { id: 2 }, data: { secret: 'x' } }),
      );
      assert.equal(rows.length, 1);
      assert.deepEqual(await recorded(), ['record.updated Invoice/2 /secret s3cret>x']);
      await assert.rejects(prisma.invoice['update']!({ where: { id: 99 }, data: { state: 'x' } }), {
        code: 'P2025',
      });
      assert.deepEqual(await recorded(), []);
    });

    test('upsert, and delete and deleteMany with what they held', async () => {
      const { prisma, recorded } = await make({}, within);
      const upsert = (state: string) =>
        prisma.invoice['upsert']!({ where: { number: 'A' }, create: { number: 'A' }, update: { state } });
      await upsert('x');
      await upsert('y');
      await prisma.invoice['createMany']!({ data: [{ number: 'B' }, { number: 'C' }] });
      await recorded();
      const gone = await prisma.invoice['delete']!({ where: { number: 'A' }, select: { state: true } });
      assert.deepEqual(gone, { state: 'y' });
      assert.deepEqual(await prisma.invoice['deleteMany']!({ where: { state: 'open' } }), { count: 2 });
      assert.deepEqual(await prisma.invoice['deleteMany']!(), { count: 0 });
      assert.deepEqual(
        (await recorded()).map((line) => /^(\S+) .* (\/number \S+)/.exec(line)?.slice(1)),
        ['A', 'B', 'C'].map((number) => ['record.deleted', `/number ${number}>`]),
      );
    });

    test('an interactive transaction: all of it or nothing, savepoints too', async () => {
      const { prisma, recorded } = await make({}, within);
      await prisma.$transaction(async (tx) => {
        await tx.invoice['create']!({ data: { number: 'A' } });
        await assert.rejects(
          tx.$transaction(async (inner) => {
            await inner.invoice['create']!({ data: { number: 'B' } });
            throw new Error('on purpose');
          }),
          /on purpose/,
        );
        await tx.$transaction(async (inner) => inner.pair['create']!({ data: { a: 1, b: 1, c: '' } }));
      });
      assert.deepEqual(
        (await recorded()).map((line) => line.split(' ')[1]),
        ['Invoice/1', 'Pair/1:1'],
      );
      await assert.rejects(
        prisma.$transaction(async (tx) => {
          await tx.invoice['create']!({ data: { number: 'C' } });
          throw new Error('on purpose');
        }),
        /on purpose/,
      );
      await assert.rejects(prisma.invoice['create']!({ data: { number: 'A' } }), { code: 'P2002' });
      assert.deepEqual(await recorded(), []);
      assert.equal(await prisma.invoice['count']!(), 1);
    });

    test('an event that is refused undoes its write, also where the refusal is caught', async () => {
      const { prisma, recorded } = await make({}, within);
      const long = { data: { number: 'x'.repeat(40_000) } };
      await assert.rejects(prisma.invoice['create']!(long), { code: 'event_too_large' });
      await assert.rejects(
        prisma.$transaction(async (tx) => {
          await tx.invoice['create']!({ data: { number: 'B' } });
          await tx.invoice['create']!(long).catch(() => {});
        }),
        { code: 'event_too_large' },
      );
      assert.equal(await prisma.invoice['count']!(), 0);
      assert.deepEqual(await recorded(), []);
    });
  });
}

describe('Prisma', { skip }, () => {
  test('what cannot be seen is refused before it is written', async () => {
    const { prisma, recorded } = await make({ rowsMax: 2 });
    await prisma.invoice['createMany']!({ data: [{ number: 'A' }, { number: 'B' }] });
    await prisma.invoice['create']!({ data: { number: 'C' } });
    await recorded();
    const nested = { number: 'D', lines: { create: { id: 1 } } };
    const refused: Record<string, () => Promise<unknown>> = {
      'nested create': () => prisma.invoice['create']!({ data: nested }),
      'nested upsert': () => prisma.invoice['upsert']!({ where: { id: 1 }, create: nested, update: {} }),
      'nested connect': () =>
        prisma.invoice['update']!({ where: { id: 1 }, data: { lines: { connect: { id: 1 } } } }),
      'list of operations': () => prisma.$transaction([prisma.invoice['deleteMany']!()]),
      'raw write': () => prisma.$executeRaw`DELETE FROM "Invoice"`,
      'raw write, unsafe': () => prisma.$executeRawUnsafe('DELETE FROM "Invoice"'),
      'raw write by a query': () => prisma.$queryRaw`DELETE FROM "Invoice" RETURNING id`,
      'raw write by a query, unsafe': () =>
        prisma.$queryRawUnsafe('WITH x AS (DELETE FROM "Invoice" RETURNING id) SELECT * FROM x'),
      'raw begin': () => prisma.$executeRaw`BEGIN`,
      'too many updated': () => prisma.invoice['updateMany']!({ data: { state: 'x' } }),
      'too many deleted': () => prisma.invoice['deleteMany']!(),
      'too many created': () =>
        prisma.invoice['createMany']!({ data: ['x', 'y', 'z'].map((number) => ({ number })) }),
      'bulk with limit': () => prisma.invoice['updateMany']!({ data: { state: 'x' }, limit: 1 }),
      'bulk update of a key': () => prisma.invoice['updateMany']!({ where: { id: 1 }, data: { id: 9 } }),
      'raw write in a transaction': () => prisma.$transaction((tx) => tx.$executeRaw`DELETE FROM "Invoice"`),
    };
    for (const [what, write] of Object.entries(refused)) {
      await assert.rejects(async () => write(), { code: 'write_unrecordable' }, what);
    }
    assert.equal(await prisma.invoice['count']!({ where: { state: 'open' } }), 3);
    assert.deepEqual(await recorded(), []);
  });

  test('reads pass; raw SQL that writes is recorded where that is asked for', async () => {
    const { prisma, recorded } = await make({ rawWrites: 'record' });
    assert.equal(await prisma.$executeRaw`INSERT INTO "Invoice" (number) VALUES (${'A'})`, 1);
    await prisma.$transaction((tx) => tx.$executeRawUnsafe('UPDATE "Invoice" SET state = $1', 'paid'));
    assert.deepEqual(await prisma.$queryRaw`SELECT state FROM "Invoice" WHERE number <> 'delete'`, [
      { state: 'paid' },
    ]);
    assert.deepEqual(
      await prisma.$transaction([
        prisma.invoice['count']!(),
        prisma.invoice['findMany']!({ select: { state: true } }),
      ]),
      [1, [{ state: 'paid' }]],
    );
    assert.deepEqual(await recorded(), ['sql.executed database/Prisma', 'sql.executed database/Prisma']);
  });

  test('models that are left out are left alone, and secrets are hidden', async () => {
    const { prisma, recorded } = await make({ except: ['Pair'], redact: ['/secret'] });
    await prisma.pair['create']!({ data: { a: 1, b: 1, c: '' } });
    await prisma.$transaction([prisma.pair['create']!({ data: { a: 1, b: 2, c: '' } })]);
    await prisma.invoice['create']!({ data: { number: 'A' } });
    assert.deepEqual(await recorded(), [
      'record.created Invoice/1 /id >1 /number >A /secret >[redacted] /state >open',
    ]);
  });

  test('as an argument of $extends it is the same', async () => {
    const { recorded } = await make();
    const extend = (client: Prisma) => auditPrisma(client, { recorder: postgres!.audit, actor });
    const prisma = plain.$extends(extend as never);
    await prisma.invoice['create']!({ data: { number: 'A' } });
    assert.equal((await recorded()).length, 1);
  });

  test('after the commit, where a write cannot be recorded, the call fails, or onError is told', async () => {
    const failing = { record: async () => Promise.reject(new Error('disk full')) };
    const { prisma } = await make({ recorder: failing });
    await assert.rejects(prisma.invoice['create']!({ data: { number: 'A' } }), /disk full/);
    assert.equal(await prisma.invoice['count']!(), 1, 'the gap that docs/orm.md describes');
    const told: string[] = [];
    const calm = await make({ recorder: failing, onError: (_, [event]) => void told.push(event!.action) });
    await calm.prisma.invoice['create']!({ data: { number: 'B' } });
    assert.deepEqual(told, ['record.created']);
  });
});
