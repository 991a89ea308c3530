// Kysely on SQLite and on PostgreSQL: each row of the table in docs/orm.md.

import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { auditDialect, type RowCaptureOptions } from 'indelible/kysely';
import { openMemoryLog, recordedEvents } from 'indelible/testing';
import { type Generated, Kysely, PostgresDialect, SqliteDialect, sql } from 'kysely';
import { recordHappened } from '#dist/capture/recording.js';
import { whyNoPostgres } from '../support/postgres.ts';
import {
  actor,
  betterSqlite,
  embeddedLog,
  postgresWorld,
  recordedIn,
  recordedInPostgres,
  sinceNow,
} from './world.ts';

interface Tables {
  invoices: { id: Generated<number>; number: string; state: string; amount: number };
  notes: { id: number; body: string };
  pairs: { a: number; b: number; c: string };
}

const schema = (id: string) => [
  `CREATE TABLE invoices (id ${id} PRIMARY KEY, number text UNIQUE, state text NOT NULL, amount integer NOT NULL)`,
  'CREATE TABLE notes (id integer PRIMARY KEY, body text)',
  'CREATE TABLE pairs (a integer, b integer, c text, PRIMARY KEY (a, b))',
];

interface World {
  readonly db: Kysely<Tables>;
  /** What was recorded since the last time it was asked. */
  readonly recorded: () => Promise<string[]>;
}

type Make = (options?: Partial<RowCaptureOptions>) => Promise<World>;

const log = await embeddedLog();
const postgres = whyNoPostgres() === undefined ? await postgresWorld() : undefined;

const onSqlite: Make = async (options = {}) => {
  const database = new DatabaseSync(':memory:');
  for (const table of schema('integer')) database.exec(table);
  const dialect = new SqliteDialect({ database: betterSqlite(database) });
  const db = new Kysely<Tables>({
    dialect: auditDialect(dialect, { recorder: log, actor, keys: { pairs: ['a', 'b'] }, ...options }),
  });
  return { db, recorded: await sinceNow(() => recordedIn(log)) };
};

const onPostgres: Make = async (options = {}) => {
  const { pool, audit } = postgres!;
  await pool.query('DROP TABLE IF EXISTS invoices, notes, pairs');
  for (const table of schema('serial')) await pool.query(table);
  const dialect = auditDialect(new PostgresDialect({ pool }), {
    recorder: audit,
    actor,
    keys: { pairs: ['a', 'b'] },
    ...options,
  });
  return { db: new Kysely<Tables>({ dialect }), recorded: await sinceNow(() => recordedInPostgres(audit)) };
};

const worlds: readonly [string, Make, string | false][] = [
  ['SQLite', onSqlite, false],
  ['PostgreSQL', onPostgres, whyNoPostgres() ?? false],
];

const open = (number: string) => ({ number, state: 'open', amount: 5 });

for (const [name, make, skip] of worlds) {
  describe(`Kysely on ${name}`, { skip }, () => {
    test('insert, one and many, with the answer of the query unchanged', async () => {
      const { db, recorded } = await make();
      const one = await db.insertInto('invoices').values(open('A')).executeTakeFirstOrThrow();
      assert.equal(one.numInsertedOrUpdatedRows, 1n);
      const many = await db
        .insertInto('invoices')
        .values([open('B'), open('C')])
        .returning(['id as key', 'number'])
        .execute();
      assert.deepEqual(many, [
        { key: 2, number: 'B' },
        { key: 3, number: 'C' },
      ]);
      assert.deepEqual(await recorded(), [
        'record.created invoices/1 /amount >5 /id >1 /number >A /state >open',
        'record.created invoices/2 /amount >5 /id >2 /number >B /state >open',
        'record.created invoices/3 /amount >5 /id >3 /number >C /state >open',
      ]);
      await db
        .insertInto('notes')
        .columns(['id', 'body'])
        .expression((eb) => eb.selectFrom('invoices').select(['id', 'number']))
        .execute();
      assert.equal((await recorded()).length, 3, 'insert from a select');
      const ignored = await db
        .insertInto('invoices')
        .values(open('A'))
        .onConflict((c) => c.doNothing())
        .executeTakeFirst();
      assert.equal(ignored?.numInsertedOrUpdatedRows, 0n);
      assert.deepEqual(await recorded(), []);
      await db.insertInto('pairs').values({ a: 1, b: 2, c: 'x' }).execute();
      assert.deepEqual(await recorded(), ['record.created pairs/1:2 /a >1 /b >2 /c >x']);
    });

    test('update of many rows: each that changed, with its values before and after', async () => {
      const { db, recorded } = await make();
      await db
        .insertInto('invoices')
        .values([open('A'), { ...open('B'), state: 'paid' }, open('C')])
        .execute();
      await recorded();
      const result = await db
        .updateTable('invoices')
        .set({ state: 'paid' })
        .where('amount', '=', 5)
        .executeTakeFirstOrThrow();
      assert.equal(result.numUpdatedRows, 3n);
      assert.deepEqual(await recorded(), [
        'record.updated invoices/1 /state open>paid',
        'record.updated invoices/3 /state open>paid',
      ]);
      const [row] = await db
        .updateTable('invoices as i')
        .set((eb) => ({ amount: eb('amount', '+', 1) }))
        .where('i.id', '=', 1)
        .returningAll()
        .execute();
      assert.equal(row?.amount, 6);
      assert.deepEqual(await recorded(), ['record.updated invoices/1 /amount 5>6']);
      await db.updateTable('invoices').set({ state: 'x' }).where('id', '=', 99).execute();
      assert.deepEqual(await recorded(), []);
    });

    test('delete of many rows, with what they held', async () => {
      const { db, recorded } = await make();
      await db
        .insertInto('notes')
        .values([
          { id: 1, body: 'a' },
          { id: 2, body: 'b' },
        ])
        .execute();
      await recorded();
      const result = await db.deleteFrom('notes').executeTakeFirstOrThrow();
      assert.equal(result.numDeletedRows, 2n);
      assert.deepEqual(await recorded(), [
        'record.deleted notes/1 /body a> /id 1>',
        'record.deleted notes/2 /body b> /id 2>',
      ]);
    });

    test('upsert: what was there is updated, what was not is created', async () => {
      const { db, recorded } = await make();
      await db.insertInto('invoices').values(open('A')).execute();
      await recorded();
      await db
        .insertInto('invoices')
        .values([{ ...open('A'), amount: 9 }, open('B')])
        .onConflict((c) => c.column('number').doUpdateSet((eb) => ({ amount: eb.ref('excluded.amount') })))
        .execute();
      const [first, second] = await recorded();
      assert.equal(first, 'record.updated invoices/1 /amount 5>9');
      assert.match(second ?? '', /^record\.created invoices\/\d+ .* \/number >B/);
    });

    test('a transaction that rolls back leaves no event, nor does a savepoint', async () => {
      const { db, recorded } = await make();
      await assert.rejects(
        db.transaction().execute(async (tx) => {
          await tx.insertInto('notes').values({ id: 1, body: 'a' }).execute();
          throw new Error('on purpose');
        }),
        /on purpose/,
      );
      assert.deepEqual(await recorded(), []);
      const tx = await db.startTransaction().execute();
      await tx.insertInto('notes').values({ id: 1, body: 'a' }).execute();
      const after = await tx.savepoint('s').execute();
      await after.insertInto('notes').values({ id: 2, body: 'b' }).execute();
      const back = await after.rollbackToSavepoint('s').execute();
      await back.insertInto('notes').values({ id: 3, body: 'c' }).execute();
      await back.commit().execute();
      assert.deepEqual(await recorded(), [
        'record.created notes/1 /body >a /id >1',
        'record.created notes/3 /body >c /id >3',
      ]);
      await assert.rejects(db.insertInto('notes').values({ id: 1, body: 'again' }).execute());
      assert.deepEqual(await recorded(), []);
      assert.equal((await db.selectFrom('notes').selectAll().execute()).length, 2);
    });

    test('an event that is refused undoes its write, also where the refusal is caught', async () => {
      const { db, recorded } = await make();
      const long = { id: 1, body: 'x'.repeat(40_000) };
      await assert.rejects(db.insertInto('notes').values(long).execute(), { code: 'event_too_large' });
      await assert.rejects(
        db.transaction().execute(async (tx) => {
          await tx.insertInto('notes').values({ id: 2, body: 'b' }).execute();
          await tx
            .insertInto('notes')
            .values(long)
            .execute()
            .catch(() => {});
        }),
        { code: 'event_too_large' },
      );
      const tx = await db.startTransaction().execute();
      await assert.rejects(tx.insertInto('notes').values(long).execute(), { code: 'event_too_large' });
      const after = await tx.savepoint('s').execute();
      const back = await after.rollbackToSavepoint('s').execute();
      await assert.rejects(
        back.commit().execute(),
        { code: 'event_too_large' },
        'a savepoint after it changes nothing',
      );
      await back.rollback().execute();
      assert.deepEqual(await db.selectFrom('notes').selectAll().execute(), []);
      assert.deepEqual(await recorded(), []);
    });

    test('what cannot be seen is refused before it is written', async () => {
      const { db, recorded } = await make({ rowsMax: 2 });
      await db
        .insertInto('notes')
        .values([
          { id: 1, body: 'a' },
          { id: 2, body: 'b' },
        ])
        .execute();
      await db.insertInto('notes').values({ id: 3, body: 'c' }).execute();
      await recorded();
      const refused: Record<string, () => Promise<unknown>> = {
        'raw delete': () => sql`DELETE FROM notes`.execute(db),
        'raw in a CTE': () =>
          sql`WITH gone AS (DELETE FROM notes RETURNING id) SELECT * FROM gone`.execute(db),
        'raw after a read': () => sql`SELECT 1; DELETE FROM notes`.execute(db),
        truncate: () => sql`TRUNCATE notes`.execute(db),
        'raw begin': () => sql`BEGIN`.execute(db),
        'too many updated': () => db.updateTable('notes').set({ body: 'x' }).execute(),
        'too many deleted': () => db.deleteFrom('notes').execute(),
        'too many inserted': () =>
          db
            .insertInto('notes')
            .values([4, 5, 6].map((id) => ({ id, body: '' })))
            .execute(),
        'key updated': () => db.updateTable('notes').set({ id: 9 }).where('id', '=', 1).execute(),
        'update from': () => db.updateTable('notes').from('pairs').set({ body: 'x' }).execute(),
        'write with WITH': () =>
          db
            .with('p', (eb) => eb.selectFrom('pairs').selectAll())
            .deleteFrom('notes')
            .execute(),
        'write in a CTE': () =>
          db
            .with('gone', (eb) => eb.deleteFrom('notes').returningAll())
            .selectFrom('gone')
            .selectAll()
            .execute(),
        'returning an expression': () =>
          db
            .deleteFrom('notes')
            .returning((eb) => eb('id', '+', 1).as('next'))
            .execute(),
        'conflict on an expression': () =>
          db
            .insertInto('notes')
            .values({ id: 1, body: 'x' })
            .onConflict((c) => c.expression(sql`id`).doUpdateSet({ body: 'y' }))
            .execute(),
        'streamed write': async () => {
          for await (const _ of db.deleteFrom('notes').returningAll().stream(1));
        },
      };
      for (const [what, write] of Object.entries(refused)) {
        await assert.rejects(write(), { code: 'write_unrecordable' }, what);
      }
      assert.equal((await db.selectFrom('notes').selectAll().where('body', '!=', 'x').execute()).length, 3);
      assert.deepEqual(await recorded(), []);
    });

    test('reads pass, streams too; raw SQL that writes is recorded where that is asked for', async () => {
      const { db, recorded } = await make({ rawWrites: 'record' });
      await sql`INSERT INTO notes VALUES (${1}, ${'secret words'})`.execute(db);
      assert.deepEqual((await sql`SELECT body FROM notes WHERE body <> 'delete from x'`.execute(db)).rows, [
        { body: 'secret words' },
      ]);
      if (name === 'SQLite') {
        for await (const row of db.selectFrom('notes').selectAll().stream()) assert.equal(row.id, 1);
      } else {
        assert.equal((await db.selectFrom('notes').selectAll().forUpdate().execute()).length, 1);
      }
      assert.deepEqual(await recorded(), ['sql.executed database/Kysely']);
    });

    test('tables that are left out are left alone, and secrets are hidden', async () => {
      const { db, recorded } = await make({ except: ['notes'], redact: ['/number'] });
      await db.insertInto('notes').values({ id: 1, body: 'a' }).execute();
      await db.insertInto('invoices').values(open('A')).execute();
      const [event, ...more] = await recorded();
      assert.match(event ?? '', /\/number >\[redacted\]/);
      assert.deepEqual(more, []);
    });
  });
}

test('on SQLite, where a committed write cannot be recorded, the call fails, or onError is told', async () => {
  const failing = { record: async () => Promise.reject(new Error('disk full')) };
  const { db } = await onSqlite({ recorder: failing });
  await assert.rejects(db.insertInto('notes').values({ id: 1, body: 'a' }).execute(), /disk full/);
  await assert.rejects(
    db.transaction().execute((tx) => tx.insertInto('notes').values({ id: 2, body: 'b' }).execute()),
    /disk full/,
  );
  assert.equal(
    (await db.selectFrom('notes').selectAll().execute()).length,
    2,
    'the gap that docs/orm.md describes',
  );
  const told: string[] = [];
  const calm = await onSqlite({
    recorder: failing,
    onError: (_, [event]) => void told.push(event!.action),
  });
  await calm.db.insertInto('notes').values({ id: 1, body: 'a' }).execute();
  assert.deepEqual(told, ['record.created']);
});

test('on SQLite, what the rules of the log refuse is not written', async () => {
  const log = await openMemoryLog();
  const elsewhere = { record: async () => {} };
  const jane = { type: 'user', id: 'jane@example.com' };
  const long = { type: 'user', id: 'x'.repeat(1025) };
  for (const [recorder, actor, code] of [
    [log, jane, 'personal_id'],
    [log, undefined, 'event_field_missing'],
    [elsewhere, long, 'event_too_large'],
  ] as const) {
    const { db } = await onSqlite({ recorder, actor } as Partial<RowCaptureOptions>);
    await assert.rejects(db.insertInto('notes').values({ id: 1, body: 'a' }).execute(), { code });
    assert.deepEqual(await db.selectFrom('notes').selectAll().execute(), [], code);
  }
  assert.deepEqual(await recordedEvents(log), []);
  await log.close();
  const events = ['a', 'jane@example.com', 'b'].map((id) => ({
    action: 'record.created',
    actor: { type: 'user', id: 'u_1' },
    targets: [{ type: 'people', id }],
  }));
  const open = await openMemoryLog();
  await assert.rejects(recordHappened(open, events, undefined), { code: 'personal_id' });
  assert.equal((await recordedEvents(open)).length, 2, 'one that is refused does not keep the others out');
  await open.close();
});

test('on PostgreSQL, what cannot be recorded is not written', {
  skip: whyNoPostgres() ?? false,
}, async () => {
  const { db, recorded } = await onPostgres({ actor: { type: 'user', id: 'jane@example.com' } });
  await assert.rejects(db.insertInto('notes').values({ id: 1, body: 'a' }).execute(), {
    code: 'personal_id',
  });
  assert.deepEqual(await db.selectFrom('notes').selectAll().execute(), []);
  assert.deepEqual(await recorded(), []);
});

test('options that nobody reads, and dialects without RETURNING, are refused', async () => {
  const dialect = new SqliteDialect({ database: betterSqlite(new DatabaseSync(':memory:')) });
  const recorder = log;
  assert.throws(() => auditDialect(dialect, { recorder, exept: [] } as never), /did you mean except/);
  assert.throws(() => auditDialect(dialect, {} as never), { code: 'option_invalid' });
  assert.throws(() => auditDialect(dialect, { recorder, rowsMax: 0 }), { code: 'option_invalid' });
});
