// Drizzle on SQLite and on PostgreSQL: each row of the table in docs/orm.md.

import assert from 'node:assert/strict';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { describe, test } from 'node:test';
import { eq, sql } from 'drizzle-orm';
import { drizzle as onPg } from 'drizzle-orm/node-postgres';
import * as pgCore from 'drizzle-orm/pg-core';
import * as sqliteCore from 'drizzle-orm/sqlite-core';
import { drizzle as onProxy } from 'drizzle-orm/sqlite-proxy';
import { auditDrizzle, type RowCaptureOptions } from 'indelible/drizzle';
import { whyNoPostgres } from '../support/postgres.ts';
import { actor, embeddedLog, postgresWorld, recordedIn, recordedInPostgres, sinceNow } from './world.ts';

const pgTables = {
  invoices: pgCore.pgTable('invoices', {
    id: pgCore.serial().primaryKey(),
    number: pgCore.text().unique(),
    stateNow: pgCore.text('state').notNull(),
    amount: pgCore.integer().notNull(),
  }),
  notes: pgCore.pgTable('notes', { id: pgCore.integer().primaryKey(), body: pgCore.text() }),
};

const sqliteTables = {
  invoices: sqliteCore.sqliteTable('invoices', {
    id: sqliteCore.integer().primaryKey(),
    number: sqliteCore.text().unique(),
    stateNow: sqliteCore.text('state').notNull(),
    amount: sqliteCore.integer().notNull(),
  }),
  notes: sqliteCore.sqliteTable('notes', { id: sqliteCore.integer().primaryKey(), body: sqliteCore.text() }),
};

const schema = (id: string): string[] => [
  `CREATE TABLE invoices (id ${id} PRIMARY KEY, number text UNIQUE, state text NOT NULL, amount integer NOT NULL)`,
  'CREATE TABLE notes (id integer PRIMARY KEY, body text)',
];

function postgresDatabase(options: RowCaptureOptions) {
  return auditDrizzle(onPg(postgres!.pool), options);
}

/** The suites call what both dialects have, under the types of one. */
type Db = ReturnType<typeof postgresDatabase>;

interface World {
  readonly db: Db;
  readonly tables: typeof pgTables;
  /** Raw SQL, by the name that it has in the dialect. */
  readonly raw: (text: ReturnType<typeof sql>) => PromiseLike<unknown>;
  readonly recorded: () => Promise<string[]>;
}

type Make = (options?: Partial<RowCaptureOptions>) => Promise<World>;

const log = await embeddedLog();
const postgres = whyNoPostgres() === undefined ? await postgresWorld() : undefined;

const sqlite: Make = async (options = {}) => {
  const database = new DatabaseSync(':memory:');
  for (const table of schema('integer')) database.exec(table);
  const plain = onProxy(async (text, values, method) => {
    const statement = database.prepare(text);
    statement.setReturnArrays(true);
    const rows = statement.all(...(values as SQLInputValue[])) as unknown[];
    return { rows: (method === 'get' ? rows[0] : rows) as unknown[] };
  });
  const db = auditDrizzle(plain, { recorder: log, actor, ...options });
  return {
    db: db as unknown as Db,
    tables: sqliteTables as unknown as typeof pgTables,
    raw: (text) => db.all(text),
    recorded: await sinceNow(() => recordedIn(log)),
  };
};

const pgWorld: Make = async (options = {}) => {
  const { pool, audit } = postgres!;
  await pool.query('DROP TABLE IF EXISTS invoices, notes');
  for (const table of schema('serial')) await pool.query(table);
  const db = postgresDatabase({ recorder: audit, actor, ...options });
  return {
    db,
    tables: pgTables,
    raw: (text) => db.execute(text),
    recorded: await sinceNow(() => recordedInPostgres(audit)),
  };
};

const worlds: readonly [string, Make, string | false][] = [
  ['SQLite', sqlite, false],
  ['PostgreSQL', pgWorld, whyNoPostgres() ?? false],
];

const open = (number: string) => ({ number, stateNow: 'open', amount: 5 });

for (const [name, make, skip] of worlds) {
  describe(`Drizzle on ${name}`, { skip }, () => {
    test('insert, one and many; what is asked back comes back', async () => {
      const { db, tables, recorded } = await make();
      const done = await db.insert(tables.invoices).values(open('A'));
      assert.equal(done.rowCount, 1);
      const many = await db
        .insert(tables.invoices)
        .values([open('B'), open('C')])
        .returning({ key: tables.invoices.id, number: tables.invoices.number });
      assert.deepEqual(many, [
        { key: 2, number: 'B' },
        { key: 3, number: 'C' },
      ]);
      assert.deepEqual(await recorded(), [
        'record.created invoices/1 /amount >5 /id >1 /number >A /stateNow >open',
        'record.created invoices/2 /amount >5 /id >2 /number >B /stateNow >open',
        'record.created invoices/3 /amount >5 /id >3 /number >C /stateNow >open',
      ]);
      await db.insert(tables.invoices).values(open('A')).onConflictDoNothing();
      assert.deepEqual(await recorded(), []);
      const { notes, invoices } = tables;
      await db.insert(notes).select(db.select({ id: invoices.id, body: invoices.number }).from(invoices));
      assert.equal((await recorded()).length, 3, 'insert from a select');
    });

    test('update of many rows: each that changed, with its values before and after', async () => {
      const { db, tables, recorded } = await make();
      await db.insert(tables.invoices).values([open('A'), { ...open('B'), stateNow: 'paid' }, open('C')]);
      await recorded();
      const rows = await db
        .update(tables.invoices)
        .set({ stateNow: 'paid' })
        .where(eq(tables.invoices.amount, 5))
        .returning();
      assert.equal(rows.length, 3);
      assert.deepEqual(await recorded(), [
        'record.updated invoices/1 /stateNow open>paid',
        'record.updated invoices/3 /stateNow open>paid',
      ]);
      await db
        .update(tables.invoices)
        .set({ amount: sql`amount + 1` })
        .where(eq(tables.invoices.id, 1))
        .execute();
      assert.deepEqual(await recorded(), ['record.updated invoices/1 /amount 5>6']);
    });

    test('delete of many rows, with what they held', async () => {
      const { db, tables, recorded } = await make();
      await db.insert(tables.notes).values([1, 2].map((id) => ({ id, body: `b${id}` })));
      await recorded();
      assert.equal((await db.delete(tables.notes)).rowCount, 2);
      assert.deepEqual(await recorded(), [
        'record.deleted notes/1 /body b1> /id 1>',
        'record.deleted notes/2 /body b2> /id 2>',
      ]);
    });

    test('upsert: what was there is updated, what was not is created', async () => {
      const { db, tables, recorded } = await make();
      await db.insert(tables.invoices).values(open('A'));
      await recorded();
      await db
        .insert(tables.invoices)
        .values([{ ...open('A'), amount: 9 }, open('B')])
        .onConflictDoUpdate({ target: tables.invoices.number, set: { amount: sql`excluded.amount` } });
      const [first, second] = await recorded();
      assert.equal(first, 'record.updated invoices/1 /amount 5>9');
      assert.match(second ?? '', /^record\.created invoices\/\d+ .* \/number >B/);
    });

    test('a transaction that rolls back leaves no event, nor does a savepoint', async () => {
      const { db, tables, recorded } = await make();
      await db.transaction(async (tx) => {
        await tx.insert(tables.notes).values({ id: 1, body: 'a' });
        await assert.rejects(
          tx.transaction(async (inner) => {
            await inner.insert(tables.notes).values({ id: 2, body: 'b' });
            throw new Error('on purpose');
          }),
          /on purpose/,
        );
        await tx.insert(tables.notes).values({ id: 3, body: 'c' });
      });
      assert.deepEqual(await recorded(), [
        'record.created notes/1 /body >a /id >1',
        'record.created notes/3 /body >c /id >3',
      ]);
      await assert.rejects(
        db.transaction(async (tx) => {
          await tx.insert(tables.notes).values({ id: 4, body: 'd' });
          throw new Error('on purpose');
        }),
        /on purpose/,
      );
      await assert.rejects(async () => db.insert(tables.notes).values({ id: 1, body: 'again' }));
      assert.deepEqual(await recorded(), []);
      assert.equal((await db.select().from(tables.notes)).length, 2);
    });

    test('an event that is refused undoes its write, also where the refusal is caught', async () => {
      const { db, tables, recorded } = await make();
      const long = { id: 1, body: 'x'.repeat(40_000) };
      await assert.rejects(async () => db.insert(tables.notes).values(long), { code: 'event_too_large' });
      await assert.rejects(
        db.transaction(async (tx) => {
          await tx.insert(tables.notes).values({ id: 2, body: 'b' });
          await tx
            .insert(tables.notes)
            .values(long)
            .catch(() => {});
        }),
        { code: 'event_too_large' },
      );
      assert.deepEqual(await db.select().from(tables.notes), []);
      assert.deepEqual(await recorded(), []);
    });

    test('what cannot be seen is refused before it is written', async () => {
      const { db, tables, raw, recorded } = await make({ rowsMax: 2 });
      const { notes, invoices } = tables;
      await db.insert(notes).values([1, 2].map((id) => ({ id, body: 'a' })));
      await db.insert(notes).values({ id: 3, body: 'a' });
      await recorded();
      const cte = () => db.$with('gone').as(db.delete(notes).returning() as never);
      const refused: Record<string, () => unknown> = {
        'raw delete': () => raw(sql`DELETE FROM notes`),
        'raw in a CTE': () => raw(sql`WITH gone AS (DELETE FROM notes RETURNING id) SELECT * FROM gone`),
        'raw begin': () => raw(sql`BEGIN`),
        'too many updated': () => db.update(notes).set({ body: 'x' }),
        'too many deleted': () => db.delete(notes),
        'too many inserted': () => db.insert(notes).values([4, 5, 6].map((id) => ({ id, body: '' }))),
        'key updated': () => db.update(notes).set({ id: 9 }).where(eq(notes.id, 1)),
        'update from': () => db.update(notes).set({ body: 'x' }).from(invoices),
        'write with WITH': () =>
          db
            .with(db.$with('i').as(db.select().from(invoices)))
            .delete(notes)
            .where(eq(notes.id, 1)),
        'write in a CTE': cte,
        'prepared write': () => db.delete(notes).prepare('gone'),
        'returning an expression': () => db.delete(notes).returning({ n: sql`id + 1` }),
        'upsert without the key': () =>
          db
            .insert(invoices)
            .values({ stateNow: 'x', amount: 1 })
            .onConflictDoUpdate({ target: invoices.number, set: { amount: 2 } }),
        batch: () =>
          (db as unknown as { batch?: (all: unknown[]) => unknown }).batch?.([db.delete(notes)]) ?? cte(),
      };
      for (const [what, write] of Object.entries(refused)) {
        await assert.rejects(async () => write(), { code: 'write_unrecordable' }, what);
      }
      assert.equal((await db.select().from(notes).where(eq(notes.body, 'a'))).length, 3);
      assert.deepEqual(await recorded(), []);
    });

    test('reads pass; raw SQL that writes is recorded where that is asked for', async () => {
      const { db, tables, raw, recorded } = await make({ rawWrites: 'record' });
      await raw(sql`INSERT INTO notes VALUES (${1}, ${'secret words'}) RETURNING id`);
      assert.ok(await raw(sql`SELECT body FROM notes WHERE body <> 'delete from x'`));
      assert.deepEqual(await db.select().from(tables.notes), [{ id: 1, body: 'secret words' }]);
      assert.equal(await db.$count(tables.notes), 1);
      assert.match(db.delete(tables.notes).toSQL().sql, /^delete from "notes"/);
      assert.deepEqual(await recorded(), ['sql.executed database/Drizzle']);
    });

    test('tables that are left out are left alone, and secrets are hidden', async () => {
      const { db, tables, recorded } = await make({ except: ['notes'], redact: ['/number'] });
      await db.insert(tables.notes).values({ id: 1, body: 'a' });
      await db.insert(tables.invoices).values(open('A'));
      const [event, ...more] = await recorded();
      assert.match(event ?? '', /\/number >\[redacted\]/);
      assert.deepEqual(more, []);
    });
  });
}

test('on SQLite, where a committed write cannot be recorded, the call fails, or onError is told', async () => {
  const failing = { record: async () => Promise.reject(new Error('disk full')) };
  const { db, tables } = await sqlite({ recorder: failing });
  await assert.rejects(async () => db.insert(tables.notes).values({ id: 1, body: 'a' }), /disk full/);
  assert.equal((await db.select().from(tables.notes)).length, 1, 'the gap that docs/orm.md describes');
  const told: string[] = [];
  const calm = await sqlite({ recorder: failing, onError: (_, [event]) => void told.push(event!.action) });
  await calm.db.insert(tables.notes).values({ id: 1, body: 'a' });
  assert.deepEqual(told, ['record.created']);
});

test('a synchronous driver is refused, and options that nobody reads', () => {
  assert.throws(() => auditDrizzle({ resultKind: 'sync' } as never, { recorder: log }), {
    code: 'option_invalid',
  });
  assert.throws(
    () => auditDrizzle({} as never, { recorder: log, rawWrite: 'record' } as never),
    /did you mean rawWrites/,
  );
});
