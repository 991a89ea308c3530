// Erasing a person from a log in PostgreSQL: no byte is left in any relation of the server, and nothing but an erasure with its
// record removes a value.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  createPostgresLog,
  databaseOf,
  doctor,
  migrate,
  openPostgresLog,
  type PostgresLog,
} from 'indelible/postgres';
import type pg from 'pg';
import { eventAbout, filesWith, markOf } from '../log/erasure-world.ts';
import { temporaryFolder } from '../support/folders.ts';
import { poolOf, startServer, type TestServer, whyNoPostgres } from '../support/postgres.ts';

const foreign =
  process.env.INDELIBLE_TEST_PG !== undefined && 'the files of a foreign server are out of reach';
const skip = whyNoPostgres() ?? foreign;
const words = { basis: 'gdpr-17', requestId: 'R-1', approvedBy: ['p_1', 'p_2'] };

describe('an erasure in PostgreSQL', { skip }, () => {
  let server: TestServer;
  let pool: pg.Pool;
  let count = 0;

  before(async () => {
    server = await startServer();
    pool = poolOf(await server.database(), 10);
    await migrate(databaseOf(pool));
  });
  after(async () => {
    await pool.end();
    await server.stop();
  });

  const create = (dir: string): Promise<PostgresLog> =>
    createPostgresLog(pool, { origin: `example.com/erase-${++count}`, dir, heartbeatMs: 0 });

  /** Files of the server with a text in them; its write-ahead log is out of reach, and is left out. */
  async function relationsWith(text: string): Promise<string[]> {
    await pool.query('CHECKPOINT');
    return readdirSync(server.dataDir, { recursive: true, withFileTypes: true })
      .filter((item) => item.isFile() && !item.parentPath.includes('pg_wal'))
      .map((item) => join(item.parentPath, item.name))
      .filter((file) => readFileSync(file).includes(text))
      .map((file) => relative(server.dataDir, file));
  }

  test('leaves no byte in any relation, nor of what passed through the outbox, or was refused there', async (t) => {
    const dir = temporaryFolder(t);
    await using audit = await create(dir);
    const events = Array.from({ length: 1200 }, (_, n) => eventAbout(n) as never);
    const results = await audit.log.recordMany(events);
    assert.ok(results.every(({ ok }) => ok));
    const client = await pool.connect();
    await client.query('BEGIN');
    for (let n = 0; n < 50; n++) await audit.recordIn(client, eventAbout(50_000 + n, 3) as never);
    await client.query('COMMIT');
    client.release();
    while ((await audit.outboxState()).waiting > 0) await audit.drainOutbox();
    await pool.query(
      `INSERT INTO indelible.outbox_refused (origin, seq, xid, id, kind, body, at, code, reason)
       VALUES ($1, -1, '3', 'x', 'event', $2, now(), 'id_conflict', 'for a test')`,
      [audit.origin, JSON.stringify(eventAbout(1, 3))],
    );
    await pool.query('ANALYZE');
    assert.ok((await relationsWith(markOf(3))).length > 0, 'there is something to erase');
    assert.equal((await audit.log.query(markOf(3), { limit: 1 }).page()).events.length, 1);
    const result = await audit.log.erase({ subject: 'user/u_3', ...words });
    assert.equal(result.isClean, true, result.residue);
    assert.deepEqual(await relationsWith(markOf(3)), []);
    assert.deepEqual(filesWith(dir, markOf(3)), []);
    assert.ok(result.outOfReach.some((what) => what.includes('pg_wal')));
    assert.equal((await audit.log.query(markOf(3)).page()).events.length, 0);
    assert.equal((await audit.log.query(markOf(2), { limit: 5 }).page()).events.length, 5);
    assert.deepEqual(filesWith(dir, markOf(3)), []);
    const { findings, counts } = await audit.verify();
    assert.deepEqual([findings, counts.missing, counts.erased], [[], 0, result.values]);
    assert.deepEqual(await doctor(databaseOf(pool)), []);
  });

  test('goes on beside a writer, and says when an older transaction stands in the way', async (t) => {
    const dir = temporaryFolder(t);
    await using audit = await create(dir);
    await audit.log.recordMany(Array.from({ length: 200 }, (_, n) => eventAbout(n) as never));
    let isOver = false;
    const writing = (async () => {
      for (let n = 0; !isOver; n++) await audit.record(eventAbout(9000 + n, 2) as never);
    })();
    const { isClean, residue } = await audit.log.erase({ subject: 'user/u_3', ...words });
    isOver = true;
    await writing;
    assert.equal(isClean, true, residue);
    assert.deepEqual(await relationsWith(markOf(3)), []);
    const { PostgresStore } = await import('indelible/postgres');
    const store = await PostgresStore.open(databaseOf(pool), audit.origin);
    const old = await pool.connect();
    await old.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await old.query('SELECT count(*) FROM indelible.disclosures');
    const { why } = await store.scour(300, []);
    assert.match(why ?? '', /a transaction that began before/);
    await old.query('COMMIT');
    old.release();
    assert.deepEqual(await store.scour(5_000, []), { isClean: true });
    assert.deepEqual((await audit.verify()).findings, []);
  });

  test('of somebody who was erased before writes nothing, and removes what was refused since', async (t) => {
    const dir = temporaryFolder(t);
    await using audit = await create(dir);
    await audit.log.recordMany(Array.from({ length: 60 }, (_, n) => eventAbout(n, 77) as never));
    const first = await audit.log.erase({ subject: 'user/u_77', ...words });
    const { size } = await audit.log.checkpoint();
    assert.equal((await audit.log.erase({ subject: 'user/u_77', ...words })).alreadyErased, first.index);
    await pool.query(
      `INSERT INTO indelible.outbox_refused (origin, seq, xid, id, kind, body, at, code, reason)
       VALUES ($1, -2, '3', 'y', 'event', $2, now(), 'id_conflict', 'for a test')`,
      [audit.origin, JSON.stringify(eventAbout(2, 77))],
    );
    assert.ok((await relationsWith(markOf(77))).length > 0);
    const again = await audit.log.erase({ subject: 'user/u_77', ...words });
    assert.deepEqual([again.alreadyErased, again.isClean], [first.index, true], again.residue);
    assert.deepEqual(await relationsWith(markOf(77)), []);
    assert.equal((await audit.log.checkpoint()).size, size);
  });

  test('a schema of version 1 is refused, and brought to this version', async (t) => {
    const older = poolOf(await server.database(), 4);
    t.after(() => older.end());
    await migrate(databaseOf(older));
    const options = { origin: 'example.com/older', dir: temporaryFolder(t), heartbeatMs: 0 };
    const made = await createPostgresLog(older, options);
    await made.log.recordMany(Array.from({ length: 30 }, (_, n) => eventAbout(n) as never));
    await made.close();
    await older.query(`DROP TRIGGER only_erased ON indelible.disclosures; DROP FUNCTION indelible.only_erased,
      indelible.withdraw, indelible.forget_refused, indelible.rewrite, indelible.watchers`);
    await older.query('UPDATE indelible.schema_version SET version = 1');
    await assert.rejects(openPostgresLog(older, options), { code: 'schema_missing', message: /version 1/ });
    assert.deepEqual(await migrate(databaseOf(older)), { from: 1, to: 3 });
    assert.deepEqual(await doctor(databaseOf(older)), []);
    await using audit = await openPostgresLog(older, options);
    assert.ok((await audit.log.erase({ subject: 'user/u_3', ...words })).values > 0);
    assert.deepEqual((await audit.verify()).findings, []);
  });

  test('the database removes nothing without a record in the same transaction, and adds nothing', async (t) => {
    await using audit = await create(temporaryFolder(t));
    await audit.log.recordMany(Array.from({ length: 9 }, (_, n) => eventAbout(n) as never));
    await audit.log.erase({ subject: 'user/u_4', ...words });
    const { rows } = await pool.query('SELECT log FROM indelible.logs WHERE origin = $1', [audit.origin]);
    const call = (record: number, index: number, kept = '{-1}', bytes = '') =>
      pool.query('SELECT indelible.withdraw($1, $2, $3::text::bigint[], $4::bytea, $5::text::integer[])', [
        rows[0].log,
        record,
        `{${index}}`,
        Buffer.from(bytes),
        kept,
      ]);
    const { size } = await audit.log.checkpoint();
    // The record of another transaction, an entry that is none, one that is not there.
    for (const record of [size - 1, 3, 9999])
      await assert.rejects(call(record, 2), (error: { code?: string }) => error.code === 'IND02');
    await assert.rejects(pool.query('UPDATE indelible.disclosures SET texts = texts'), { code: 'IND02' });
    await assert.rejects(pool.query('DELETE FROM indelible.disclosures WHERE idx = 2'), { code: 'IND02' });
    await pool.query('CREATE ROLE erasing_writer LOGIN IN ROLE indelible_writer');
    const writer = await pool.connect();
    await writer.query('SET ROLE erasing_writer');
    await assert.rejects(writer.query('DELETE FROM indelible.disclosures'), { code: '42501' });
    for (const table of ['ids_3', 'heads', 'entries', 'entries_24311_pkey'])
      await assert.rejects(writer.query('SELECT indelible.rewrite($1, 10)', [table]), { code: 'IND03' });
    await writer.query('RESET ROLE');
    writer.release();
    assert.deepEqual((await audit.verify()).findings, []);
  });
});
