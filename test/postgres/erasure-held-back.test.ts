// What holds an erasure back on a PostgreSQL server: prepared transactions, and the slot of a standby that speaks for its readers. The
// answer says that bytes may be left, and why; when it is gone, the next erasure removes them. Every byte of the server is searched.

import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createPostgresLog, databaseOf, migrate, type PostgresLog } from 'indelible/postgres';
import type pg from 'pg';
import { eventAbout, markOf } from '../log/erasure-world.ts';
import { temporaryFolder } from '../support/folders.ts';
import { poolOf, startServer, type TestServer, whyNoPostgres } from '../support/postgres.ts';

const isForeign = process.env.INDELIBLE_TEST_PG !== undefined;
const skip = whyNoPostgres() ?? (isForeign && 'the files and settings of a foreign server are out of reach');
const words = { basis: 'gdpr-17', requestId: 'R-1', approvedBy: ['p_1', 'p_2'], filesWaitMs: 1_000 };

async function world(t: TestContext, server: TestServer): Promise<{ pool: pg.Pool; audit: PostgresLog }> {
  const pool = poolOf(await server.database(), 6);
  t.after(() => pool.end());
  await migrate(databaseOf(pool));
  const dir = temporaryFolder(t);
  const audit = await createPostgresLog(pool, { origin: 'example.com/held-back', dir, heartbeatMs: 0 });
  t.after(() => audit.close());
  await audit.log.recordMany(Array.from({ length: 200 }, (_, n) => eventAbout(n) as never));
  return { pool, audit };
}

/** Whether a text stands in any relation of the server; its write-ahead log, which is out of reach, is left out. */
async function isInRelations(pool: pg.Pool, { dataDir }: TestServer, text: string): Promise<boolean> {
  await pool.query('CHECKPOINT');
  return readdirSync(dataDir, { recursive: true, withFileTypes: true })
    .filter((item) => item.isFile() && !item.parentPath.includes('pg_wal'))
    .some((item) => readFileSync(path.join(item.parentPath, item.name)).includes(text));
}

describe('an erasure that PostgreSQL holds back', { skip }, () => {
  test('by a prepared transaction, of this database or of another: it says so, and the next one removes what is left', async (t) => {
    const server = await startServer(['max_prepared_transactions=8']);
    t.after(() => server.stop());
    const { pool, audit } = await world(t, server);
    const elsewhere = poolOf(await server.database(), 1);
    t.after(() => elsewhere.end());
    const prepare = async (on: pg.Pool, name: string): Promise<void> => {
      const client = await on.connect();
      await client.query('BEGIN');
      await client.query('CREATE TABLE made_by_it (id int)');
      await client.query(`PREPARE TRANSACTION '${name}'`);
      client.release();
    };
    await prepare(pool, 'here');
    const first = await audit.log.erase({ subject: 'user/u_3', ...words });
    assert.equal(first.isClean, false);
    assert.match(first.residue!, /^a prepared transaction may hold the tables/);
    assert.ok(first.values > 0, 'it is erased for every reader');
    assert.equal(await isInRelations(pool, server, markOf(3)), true, 'and what is answered is so');
    const again = await audit.log.erase({ subject: 'user/u_3', ...words });
    assert.deepEqual([again.alreadyErased, again.isClean], [first.index, false]);
    await pool.query("ROLLBACK PREPARED 'here'");
    await prepare(elsewhere, 'there');
    const second = await audit.log.erase({ subject: 'user/u_2', ...words });
    assert.equal(second.isClean, false);
    assert.match(second.residue!, /a prepared transaction of another database/);
    await elsewhere.query("ROLLBACK PREPARED 'there'");
    const last = await audit.log.erase({ subject: 'user/u_1', ...words });
    assert.equal(last.isClean, true, last.residue);
    for (const person of [1, 2, 3]) assert.equal(await isInRelations(pool, server, markOf(person)), false);
    assert.equal(await isInRelations(pool, server, markOf(4)), true, 'the search finds what is there');
    assert.deepEqual((await audit.verify()).findings, []);
  });

  test('by the slot of a standby that speaks for its readers: it says so; without the slot it is clean', async (t) => {
    const server = await startServer(['wal_level=replica']);
    t.after(() => server.kill());
    await server.stop();
    const copy = copyOf(server, t);
    await server.start();
    const { pool, audit } = await world(t, server);
    await pool.query("SELECT pg_create_physical_replication_slot('standby', true)");
    const standby = await standbyIn(t, copy, server);
    while ((await pool.query('SELECT FROM pg_replication_slots WHERE xmin IS NOT NULL')).rows.length === 0)
      await sleep(20);
    const first = await audit.log.erase({ subject: 'user/u_3', ...words });
    assert.equal(first.isClean, false);
    assert.match(first.residue!, /a replication slot/);
    await standby.stop();
    assert.equal(
      (await audit.log.erase({ subject: 'user/u_3', ...words })).isClean,
      false,
      'it outlives its standby',
    );
    await pool.query("SELECT pg_drop_replication_slot('standby')");
    const last = await audit.log.erase({ subject: 'user/u_3', ...words });
    assert.deepEqual([last.alreadyErased, last.isClean], [first.index, true], last.residue);
    assert.equal(await isInRelations(pool, server, markOf(3)), false);
  });
});

/** A copy of a server that is down, to become its standby. */
function copyOf(primary: TestServer, t: TestContext): string {
  const copy = mkdtempSync(path.join(tmpdir(), 'indelible-pg-slot-'));
  t.after(() => rmSync(copy, { recursive: true, force: true }));
  cpSync(primary.dataDir, copy, { recursive: true });
  writeFileSync(path.join(copy, 'standby.signal'), '');
  chmodSync(copy, 0o700);
  if (process.getuid?.() === 0) {
    chownSync(copy, 65_534, 65_534);
    for (const name of readdirSync(copy, { recursive: true, encoding: 'utf8' }))
      chownSync(path.join(copy, name), 65_534, 65_534);
  }
  return copy;
}

/** A standby over a slot, whose readers' needs the primary hears of. */
async function standbyIn(t: TestContext, copy: string, primary: TestServer): Promise<TestServer> {
  const standby = await startServer(
    [
      `primary_conninfo=host=127.0.0.1 port=${primary.port} user=postgres`,
      'primary_slot_name=standby',
      'hot_standby_feedback=on',
      'wal_receiver_status_interval=1',
    ],
    copy,
  );
  t.after(() => standby.stop());
  return standby;
}
