// The store conformance suite on a real server, by both drivers; and what PostgreSQL alone must show.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { type Database, databaseOf, migrate, PostgresStore } from 'indelible/postgres';
import { storeConformance } from 'indelible/store/conformance';
import type pg from 'pg';
import postgres from 'postgres';
import { poolOf, testServer, whyNoPostgres } from '../support/postgres.ts';

const skip = whyNoPostgres() ?? false;

describe('a store in PostgreSQL', { skip }, () => {
  let pool: pg.Pool;
  let sql: postgres.Sql;

  before(async () => {
    const url = await (await testServer()).database();
    pool = poolOf(url, 8);
    sql = postgres(url, { max: 8, onnotice: () => {} });
    assert.deepEqual(await migrate(databaseOf(pool)), { from: 0, to: 3 });
    assert.deepEqual(await migrate(databaseOf(sql)), { from: 3, to: 3 });
  });
  after(async () => {
    await pool.end();
    await sql.end();
  });

  for (const [name, client] of [
    ['pg', () => databaseOf(pool)],
    ['postgres', () => databaseOf(sql)],
  ] as const) {
    describe(`by ${name}`, () => {
      for (const { name: promise, run } of storeConformance) {
        test(promise, () => {
          const origin = `conformance/${name}/${randomUUID()}`;
          return run(() => PostgresStore.open(client() as Database, origin, { create: true }));
        });
      }
    });
  }
});
