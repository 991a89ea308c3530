// Pruning in PostgreSQL: the database lets entries go below the index that the record of the same transaction names, and never
// otherwise; no byte of them is left in any relation of the server.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Database, databaseOf, doctor, migrate, PostgresStore } from 'indelible/postgres';
import type { Head, NewEntry } from 'indelible/store';
import pg from 'pg';
import postgres from 'postgres';
import { poolOf, startServer, type TestServer, testServer, whyNoPostgres } from '../support/postgres.ts';

const skip = whyNoPostgres() ?? false;
const ownServer =
  skip === false && process.env.INDELIBLE_TEST_PG !== undefined
    ? 'the files and processes of a foreign server are out of reach'
    : skip;
const day = 86_400_000;
const refused = { code: 'IND02' };

/** An entry of an application, with a mark in its bytes that its id does not have. */
function event(id: string): NewEntry {
  const sealed = `"_sd":["${'a'.repeat(43)}"],"_sd_alg":"sha-256"`;
  const entry = `{${sealed},"action":"user.signed_in","id":"${id}","metadata":{"action":"log.pruned","note":"mark-${id}-"}}`;
  return { id, entry: Buffer.from(entry), disclosures: [`["salt","note","secret-${id}-"]`] };
}

function events(count: number, name = 'e'): NewEntry[] {
  return Array.from({ length: count }, (_, n) => event(`${name}${n}`));
}

/** An entry whose bytes are these; it has the id that they say. */
function exactly(text: string): NewEntry {
  return { id: /"id":"([^"]+)"/.exec(text)![1]!, entry: Buffer.from(text), disclosures: [] };
}

let count = 0;
/** An entry that records a pruning, of a number that no other has. */
function record(minimum: unknown, beginning = '{"action":"log.pruned"'): NewEntry {
  count += 1;
  return exactly(
    `${beginning},"id":"log.pruned.${count}","metadata":{"minimum":${JSON.stringify(minimum)}}}`,
  );
}

/** The head of so many entries: the database hashes nothing, so that any root does. */
function head(size: number, recordedAt: number): Head {
  return { size, root: new Uint8Array(32).fill(size % 251), recordedAt, checkpoint: Buffer.from(`${size}`) };
}

async function add(store: PostgresStore, entries: readonly NewEntry[], recordedAt = Date.now()) {
  const transaction = await store.begin();
  const size = (transaction.taken?.size ?? 0) + entries.length;
  await transaction.append({ entries, tiles: [], head: head(size, recordedAt) });
  await transaction.commit();
}

/** Prunes a log, and answers how many entries that were. */
async function prune(store: PostgresStore, below: number, keep: readonly number[] = []): Promise<number> {
  const transaction = await store.begin();
  const gone = await transaction.prune({ below, keep });
  const { size, recordedAt } = transaction.taken!;
  await transaction.append({
    entries: [record(below)],
    tiles: [],
    head: head(size + 1, Math.max(recordedAt, Date.now())),
  });
  await transaction.commit();
  return gone;
}

const indexes = async (store: PostgresStore): Promise<number[]> =>
  (await store.readEntries(0, 1_000_000)).map(({ index }) => index);

const monthOf = (ms: number): number => new Date(ms).getUTCFullYear() * 12 + new Date(ms).getUTCMonth();

describe('what lets an entry go', { skip }, () => {
  let pool: pg.Pool;
  let database: Database;

  before(async () => {
    pool = poolOf(await (await testServer()).database(), 6);
    database = databaseOf(pool);
    await migrate(database);
  });
  after(() => pool.end());

  const create = (name: string) => PostgresStore.open(database, `prune/${name}`, { create: true });

  /** A log of 600 entries, of which the first and the 101st are the log's own, and two by its side. */
  async function someLog(name: string): Promise<PostgresStore> {
    const store = await create(name);
    const entries = events(600, name);
    entries[0] = exactly(`{"action":"log.created","id":"${name}-genesis"}`);
    entries[100] = exactly(`{"_sd_alg":"sha-256","action":"log.config_changed","id":"${name}-own"}`);
    await add(store, entries);
    return store;
  }

  /**
   * Tries statements in a transaction that has just appended an entry, each by itself. `$log` stands for the log, `$at` for the index of
   * that entry. Answers their SQLSTATEs, or how many rows they took.
   */
  async function tried(
    store: PostgresStore,
    entry: NewEntry | undefined,
    statements: readonly string[],
    role = 'postgres',
  ): Promise<(string | number)[]> {
    const transaction = await store.begin();
    const { session, taken } = transaction;
    const { size, recordedAt } = taken!;
    try {
      if (entry !== undefined)
        await transaction.append({ entries: [entry], tiles: [], head: head(size + 1, recordedAt) });
      await session.query(`SET LOCAL ROLE ${role}`);
      const answers: (string | number)[] = [];
      for (const statement of statements) {
        await session.query('SAVEPOINT before');
        await session.query("SELECT set_config('indelible.record', $1::text, true)", [`${size}`]);
        const text = statement.replaceAll('$log', `${store.number}`).replaceAll('$at', `${size}`);
        try {
          const rows = await session.query(text.startsWith('SELECT') ? text : `${text} RETURNING 1`);
          answers.push(rows.length);
        } catch (error) {
          answers.push((error as { code: string }).code);
        }
        await session.query('ROLLBACK TO before');
      }
      return answers;
    } finally {
      await transaction.rollback();
    }
  }

  const all = (statements: readonly string[], answer: string | number) => statements.map(() => answer);
  const remove = (index: number): string =>
    `DELETE FROM indelible.entries WHERE log = $log AND idx = ${index}`;
  const call = (below: number, keep = '0,100', at = '$at', log = '$log'): string =>
    `SELECT indelible.prune(${log}, ${at}, ${below}, '{${keep}}')`;

  test('nothing goes without a record of a pruning in its own transaction, whoever asks', async () => {
    const store = await someLog('without');
    await add(store, [record(256)]);
    const committed = 600;
    const statements = [
      remove(3),
      remove(0),
      'DELETE FROM indelible.entries WHERE log = $log',
      `DELETE FROM indelible.entries_${monthOf(Date.now())} WHERE log = $log AND idx = 3`,
      'DELETE FROM indelible.disclosures WHERE log = $log AND idx = 3',
      call(256),
      call(256, '0,100', `${committed}`),
      call(256, '0,100', '3'),
      call(256, '0,100', '99999'),
      "SELECT indelible.prune($log, $at, NULL, '{}')",
      'SELECT indelible.prune($log, NULL, NULL, NULL)',
    ];
    for (const role of ['postgres', 'indelible_owner'])
      assert.deepEqual(await tried(store, undefined, statements, role), all(statements, 'IND02'), role);
    // The record of another transaction, named by hand.
    const client = await pool.connect();
    try {
      for (const index of [3, 0]) {
        await client.query(`BEGIN; SELECT set_config('indelible.record', '${committed}', true)`);
        const statement = `DELETE FROM indelible.entries WHERE log = ${store.number} AND idx = ${index}`;
        await assert.rejects(client.query(statement), refused);
        await client.query('ROLLBACK');
      }
    } finally {
      client.release();
    }
    // Who may append may not delete, and may name no record that is none.
    assert.deepEqual(
      await tried(store, undefined, statements, 'indelible_writer'),
      statements.map((statement) => (statement.startsWith('DELETE') ? '42501' : 'IND02')),
    );
    assert.deepEqual(
      await tried(store, undefined, [call(256)], 'indelible_reader'),
      ['42501'],
      'who may read may not prune',
    );
    assert.equal((await indexes(store)).length, 601);
  });

  test('an entry that is no record of this pruning lets nothing go', async () => {
    const store = await someLog('other');
    const statements = [
      remove(3),
      call(256),
      'DELETE FROM indelible.disclosures WHERE log = $log AND idx = 3',
    ];
    const others = [
      exactly('{"action":"log.opened","id":"x","metadata":{"minimum":256}}'),
      exactly('{"action":"log.pruned.not","id":"x","metadata":{"minimum":256}}'),
      exactly('{"action":"user.signed_in","id":"x","metadata":{"action":"log.pruned","minimum":256}}'),
      exactly('{"action":"log.pruned","id":"x"}'),
      exactly('{"action":"log.pruned","id":"x","minimum":256}'),
      record(256, `{"_sd":["${'a'.repeat(43)}"],"action":"log.pruned"`),
      record(255),
      record(0),
      record(-256),
      record(768),
      record(null),
    ];
    for (const other of others)
      for (const role of ['postgres', 'indelible_owner', 'indelible_writer'])
        assert.deepEqual(
          await tried(store, other, statements, role),
          role === 'indelible_writer' ? ['42501', 'IND02', '42501'] : all(statements, 'IND02'),
          `${role}: ${Buffer.from(other.entry)}`,
        );
    // What cannot be read as a record is refused by its own error.
    for (const broken of [record('many'), record(256.5), exactly('{"action":"log.pruned","id":"x"')])
      for (const answer of await tried(store, broken, statements)) assert.match(`${answer}`, /^22P02$/);
    assert.equal((await indexes(store)).length, 600);
  });

  test('a record lets go what is below its index, and neither more, nor the log’s own, nor of another log', async () => {
    const store = await someLog('covers');
    const beside = await someLog('beside');
    const refusedOnes = [
      remove(256),
      remove(599),
      remove(0),
      remove(100),
      remove(600),
      'DELETE FROM indelible.entries WHERE log = $log AND idx < 256',
      call(512),
      call(0),
      call(128),
      call(256, ''),
      call(256, '0'),
      `SELECT indelible.prune($log, $at, NULL, '{0,100}')`,
      call(256, '0,100', '$at', `${beside.number}`),
      remove(3).replace('$log', `${beside.number}`),
      'UPDATE indelible.entries SET entry = entry WHERE log = $log AND idx = 3',
      'DELETE FROM indelible.ids WHERE log = $log AND idx = 3',
      'DELETE FROM indelible.disclosures WHERE log = $log AND idx = 3',
      `SELECT indelible.withdraw($log, $at, '{3}', '', '{-1}')`,
      `DELETE FROM indelible.disclosures WHERE log = ${beside.number} AND idx = 3`,
    ];
    assert.deepEqual(await tried(store, record(256), refusedOnes), all(refusedOnes, 'IND02'));
    assert.deepEqual(
      await tried(store, record(256), refusedOnes, 'indelible_owner'),
      all(refusedOnes, 'IND02'),
      'the owner',
    );
    const allowed = [remove(3), remove(255), call(256), call(256, '0,3,100,101')];
    assert.deepEqual(await tried(store, record(256), allowed), [1, 1, 1, 1]);
    const [, , ...calls] = allowed;
    assert.deepEqual(await tried(store, record(256), calls, 'indelible_writer'), [1, 1]);
    assert.equal((await indexes(store)).length, 600);
    assert.equal((await indexes(beside)).length, 600);
  });

  test('by the store: own entries stay or nothing goes, and what is left is whole', async () => {
    const store = await someLog('store');
    const bad = await store.begin();
    assert.equal(await bad.prune({ below: 256, keep: [0] }), 255);
    await assert.rejects(
      bad.append({ entries: [record(256)], tiles: [], head: head(601, Date.now()) }),
      (error: Error & { code: string }) =>
        error.code === 'io_failed' && /of the log itself/.test(error.message),
    );
    await bad.rollback();
    const mute = await store.begin();
    await mute.prune({ below: 256, keep: [0, 100] });
    await assert.rejects(
      mute.append({ entries: events(1, 'mute'), tiles: [], head: head(601, Date.now()) }),
      { code: 'store_contract' },
      'an append without the record',
    );
    await mute.rollback();
    const twice = await store.begin();
    await twice.prune({ below: 256, keep: [0, 100] });
    await assert.rejects(twice.prune({ below: 512, keep: [0, 100] }), { code: 'store_contract' });
    await twice.rollback();
    assert.equal((await indexes(store)).length, 600);

    // The record stands where it likes in its commit.
    const transaction = await store.begin();
    assert.equal(await transaction.prune({ below: 256, keep: [0, 100] }), 254);
    const entries = [...events(2, 'beside-'), record(256), ...events(1, 'behind-')];
    await transaction.append({ entries, tiles: [], head: head(604, Date.now()) });
    await transaction.commit();
    const left = await store.readEntries(0, 604);
    assert.deepEqual(
      left.map(({ index }) => index),
      [0, 100, ...Array.from({ length: 348 }, (_, n) => 256 + n)],
    );
    const { rows } = await pool.query(
      'SELECT (SELECT count(*)::int FROM indelible.disclosures WHERE log = $1 AND idx < 256) AS texts, (SELECT count(*)::int FROM indelible.ids WHERE log = $1) AS ids',
      [store.number],
    );
    assert.deepEqual(rows, [{ texts: 0, ids: 604 }]);
    assert.equal(left.find(({ index }) => index === 300)!.disclosures.length, 1);
    assert.equal(await prune(store, 512, [0, 100]), 256);
    assert.deepEqual((await indexes(store)).slice(0, 3), [0, 100, 512]);
    assert.deepEqual(await doctor(database), []);
  });

  test('an instance that was left behind is not handed other entries than it asks for', async () => {
    const store = await someLog('behind');
    await prune(store, 512, [0, 100]);
    const behind = await store.begin(10);
    assert.deepEqual(await behind.readEntryBytes(10, 20), []);
    assert.equal((await behind.readEntryBytes(500, 515)).length, 3);
    await behind.rollback();
    const near = await store.begin(590);
    const [first] = await store.readEntries(595, 596);
    assert.deepEqual((await near.readEntryBytes(595, 596))[0], first!.entry);
    await near.rollback();
  });

  test('twenty thousand entries, over many partitions, go in one call while others may wait for the head', async () => {
    const store = await create('many');
    const now = Date.now();
    // Partitions of other years, as a log has that is kept for long: they cost nothing.
    await pool.query('SELECT indelible.ensure_partition(m) FROM generate_series(24000, 24040) AS m');
    for (let part = 0; part < 10; part++)
      await add(store, events(2048, `many-${part}-`), now - (100 - 10 * part) * day);
    const started = performance.now();
    assert.equal(await prune(store, 20_224), 20_224);
    const took = performance.now() - started;
    // Who waits for the head gives up after 60 seconds. It takes two.
    assert.ok(took < 30_000, `it took ${Math.round(took)} ms`);
    assert.deepEqual((await indexes(store)).slice(0, 2), [20_224, 20_225]);
  });

  test('by the driver postgres as well, with every partition that it took from', async (t) => {
    const url = await (await testServer()).database();
    const sql = postgres(url, { max: 4, onnotice: () => {} });
    t.after(() => sql.end());
    await migrate(databaseOf(sql));
    const store = await PostgresStore.open(databaseOf(sql), 'prune/js', { create: true });
    const now = Date.now();
    await add(store, events(300, 'old-'), now - 70 * day);
    await add(store, events(300, 'new-'), now);
    const transaction = await store.begin();
    await transaction.prune({ below: 512, keep: [] });
    await transaction.append({ entries: [record(512)], tiles: [], head: head(601, now) });
    assert.deepEqual(
      [...transaction.partitions!].sort(),
      ['disclosures', 'entries'].flatMap((table) => [
        `${table}_${monthOf(now - 70 * day)}`,
        `${table}_${monthOf(now)}`,
      ]),
    );
    await transaction.commit();
    assert.deepEqual(await store.scour(5_000, []), { isClean: true });
  });
});

describe('a schema of version 2', { skip }, () => {
  let pool: pg.Pool;

  before(async () => {
    pool = poolOf(await (await testServer()).database(), 4);
    await pool.query(readFileSync(join(import.meta.dirname, '../fixtures/postgres-schema-2.sql'), 'utf8'));
  });
  after(() => pool.end());

  test('is refused, brought to this version with what it holds, and guarded as a new one', async () => {
    const database = databaseOf(pool);
    const { rows } = await pool.query("SELECT indelible.ensure_log('example.com/older') AS log");
    const entries = events(300, 'older-').map(({ entry }) => Buffer.from(entry));
    await pool.query(
      `SELECT indelible.append($1, NULL, NULL, $2, $3, $4, '', $5, '{}', '{}', '', '{}', 300, $6, $7, 'x')`,
      [
        rows[0].log,
        entries.map((_, n) => `older-${n}`),
        Buffer.concat(entries),
        entries.map(({ length }) => length),
        entries.map(() => -1),
        Buffer.alloc(32, 1),
        Date.now(),
      ],
    );
    await pool.query('ANALYZE indelible.entries');
    await assert.rejects(PostgresStore.open(database, 'example.com/older'), {
      code: 'schema_missing',
      message: /version 2/,
    });
    assert.deepEqual(await migrate(database), { from: 2, to: 3 });
    assert.deepEqual(await migrate(database), { from: 3, to: 3 });
    assert.deepEqual(await doctor(database), []);
    await assert.rejects(pool.query('DELETE FROM indelible.entries'), refused);
    const store = await PostgresStore.open(database, 'example.com/older');
    assert.equal(await prune(store, 256, [7]), 255);
    assert.deepEqual((await indexes(store)).slice(0, 2), [7, 256]);
    assert.deepEqual(await store.scour(5_000, []), { isClean: true });
    assert.deepEqual(await doctor(database), []);

    // Taken back to what it was in that version, it is told of.
    const told = async (): Promise<string[]> => (await doctor(database)).map(({ what }) => what);
    await pool.query('ALTER TABLE indelible.entries ENABLE TRIGGER no_delete');
    assert.ok((await told()).includes('the trigger entries.no_delete is off for replicas'));
    await pool.query(
      `CREATE OR REPLACE TRIGGER no_delete BEFORE DELETE ON indelible.entries FOR EACH ROW EXECUTE FUNCTION indelible.refuse();
       ALTER TABLE indelible.entries ENABLE ALWAYS TRIGGER no_delete`,
    );
    assert.ok((await told()).includes('the trigger entries.no_delete runs indelible.refuse'));
    assert.deepEqual(await migrate(database), { from: 3, to: 3 });
    assert.deepEqual(await told(), []);
  });
});

describe('what a pruning leaves', { skip: ownServer }, () => {
  let server: TestServer;
  let pool: pg.Pool;
  let database: Database;

  before(async () => {
    server = await startServer(['autovacuum=off']);
    pool = poolOf(await server.database(), 6);
    database = databaseOf(pool);
    await migrate(database);
  });
  after(async () => {
    await pool.end();
    await server.stop();
  });

  /** Files of the server with a text in them; its write-ahead log is out of reach, and is left out. */
  async function relationsWith(text: string): Promise<number> {
    await pool.query('CHECKPOINT');
    return readdirSync(server.dataDir, { recursive: true, withFileTypes: true })
      .filter((item) => item.isFile() && !item.parentPath.includes('pg_wal'))
      .filter((item) => readFileSync(join(item.parentPath, item.name)).includes(text)).length;
  }

  /** Where the partitions of entries lie: another file when they were written anew. */
  async function places(): Promise<Map<number, string>> {
    const { rows } = await pool.query(
      `SELECT substring(relname FROM '[0-9]+$')::int AS month, relfilenode::text AS file FROM pg_class
       WHERE relnamespace = 'indelible'::regnamespace AND relname ~ '^entries_[0-9]+$'`,
    );
    return new Map(rows.map(({ month, file }) => [month, file]));
  }
  const moved = (one: Map<number, string>, other: Map<number, string>): number[] =>
    [...one].filter(([month, file]) => other.get(month) !== file).map(([month]) => month);

  /** 700 entries of 100 and of 40 days ago, and some of today. */
  async function pastLog(name: string): Promise<PostgresStore> {
    const store = await PostgresStore.open(database, `prune/${name}`, { create: true });
    const now = Date.now();
    await add(store, events(300, `${name}-first-`), now - 100 * day);
    await add(store, events(400, `${name}-second-`), now - 40 * day);
    await add(store, events(20, `${name}-third-`), now);
    await pool.query('ANALYZE');
    return store;
  }

  test('is no byte in any relation; partitions that it did not touch stay as they are', async () => {
    const store = await pastLog('bytes');
    const beside = await pastLog('beside');
    const old = [monthOf(Date.now() - 100 * day), monthOf(Date.now() - 40 * day)];
    const marks = ['bytes-first-7', 'bytes-second-100'].flatMap((id) => [`mark-${id}-`, `secret-${id}-`]);
    for (const mark of marks) assert.ok((await relationsWith(mark)) > 0, mark);
    const sampled =
      "SELECT tablename FROM pg_stats WHERE schemaname = 'indelible' AND attname IN ('entry', 'texts')";
    assert.deepEqual((await pool.query(sampled)).rows, [], 'the server keeps no sample of them');
    const before = await places();
    assert.equal(await prune(store, 512), 512);
    const reader = await pool.connect();
    await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    const seen = 'SELECT count(*)::int AS n FROM indelible.entries WHERE log = $1';
    await reader.query(seen, [store.number]);
    const { isClean, why } = await store.scour(300, []);
    assert.equal(isClean, false);
    assert.match(why!, /^a transaction that began before the removal is still under way$/);
    await reader.query('COMMIT');
    reader.release();
    assert.deepEqual(await store.scour(10_000, []), { isClean: true });
    for (const mark of marks) assert.equal(await relationsWith(mark), 0, mark);
    for (const left of ['mark-bytes-second-300-', 'mark-beside-first-7-', 'secret-beside-second-100-'])
      assert.ok((await relationsWith(left)) > 0, left);
    assert.deepEqual(moved(before, await places()).sort(), old);
    const whole = (await beside.readEntries(0, 1000)).filter(({ disclosures }) => disclosures.length === 1);
    assert.equal(whole.length, 720);
    assert.deepEqual(await doctor(database), []);
  });

  test('is written over by another instance too, which knows no more than that there was one', async () => {
    const store = await pastLog('finished');
    assert.equal(await prune(store, 256), 256);
    // The process that pruned is gone; who opens the log next has not seen which partitions it was.
    const next = await PostgresStore.open(database, 'prune/finished');
    const before = await places();
    assert.deepEqual(await next.scour(10_000, []), { isClean: true });
    assert.equal(await relationsWith('mark-finished-first-7-'), 0);
    assert.deepEqual(
      moved(before, await places()),
      [monthOf(Date.now() - 100 * day)],
      'what came later than the minimum index lies where it lay',
    );
    // Of a log that was never pruned, no partition of entries is.
    const never = await pastLog('never');
    const places2 = await places();
    assert.deepEqual(await never.scour(10_000, []), { isClean: true });
    assert.deepEqual(moved(places2, await places()), []);
  });

  test('is everything, where the server dies before the commit', async () => {
    const store = await pastLog('killed');
    const whole = await store.readEntries(0, 1000);
    const transaction = await store.begin();
    const { size } = transaction.taken!;
    assert.equal(await transaction.prune({ below: 512, keep: [] }), 512);
    await transaction.append({ entries: [record(512)], tiles: [], head: head(size + 1, Date.now()) });
    const [row] = await transaction.session.query(
      `SELECT count(*)::int AS n FROM indelible.entries WHERE log = ${store.number}`,
    );
    assert.equal(row!['n'], size + 1 - 512, 'they are gone for the transaction itself');
    await server.kill();
    await transaction.rollback();
    await server.start();
    assert.deepEqual(await store.readEntries(0, 1000), whole);
    assert.equal(await prune(store, 512), 512);
    assert.equal((await indexes(store)).length, size + 1 - 512);
  });

  test('is everything, where the connection of a writer is cut before the commit', async () => {
    const store = await pastLog('cut');
    const transaction = await store.begin();
    const { size } = transaction.taken!;
    await transaction.prune({ below: 256, keep: [] });
    await transaction.append({ entries: [record(256)], tiles: [], head: head(size + 1, Date.now()) });
    const [own] = await transaction.session.query('SELECT pg_backend_pid() AS pid');
    const other = new pg.Client({
      connectionString: server.url(new URL(pool.options.connectionString!).pathname.slice(1)),
    });
    await other.connect();
    await other.query('SELECT pg_terminate_backend($1)', [own!['pid']]);
    await assert.rejects(transaction.commit(), { code: 'unreachable' });
    await other.end();
    assert.equal((await indexes(store)).length, size);
    assert.equal((await store.head())?.size, size);
  });
});
