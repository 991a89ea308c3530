// Row capture: every changed row of a captured table is an event with its author, and what cannot be seen is said.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { RecordedEvent } from 'indelible';
import { openEntry, parseEntry } from 'indelible/event';
import {
  captureTable,
  coverage,
  createPostgresLog,
  databaseOf,
  doctor,
  migrate,
  type PostgresLog,
  runAs,
  withActor,
} from 'indelible/postgres';
import type pg from 'pg';
import { temporaryFolder } from '../support/folders.ts';
import { poolOf, testServer, whyNoPostgres } from '../support/postgres.ts';

const skip = whyNoPostgres() ?? false;
const origin = 'example.com/rows';
/** Tells this name apart from others that would look like it. */
const oddHash = createHash('sha256').update('public.Odd Names').digest('hex').slice(0, 8);
const ada = { type: 'user', id: 'u_1', name: 'Ada' };

describe('row capture', { skip }, () => {
  let pool: pg.Pool;
  let audit: PostgresLog;
  const removals: (() => void)[] = [];
  let seen = 0;

  before(async () => {
    pool = poolOf(await (await testServer()).database(), 6);
    await migrate(databaseOf(pool));
    const dir = temporaryFolder({ after: (remove) => removals.push(remove as () => void) });
    audit = await createPostgresLog(pool, { origin, dir, sequence: false, heartbeatMs: 0 });
    await pool.query(`
      CREATE TABLE users (id bigint PRIMARY KEY, email text, name text, password_hash text, balance numeric, settings jsonb);
      CREATE TABLE pairs (a int, b text, v int, PRIMARY KEY (a, b));
      CREATE TABLE bare (v int);
      CREATE TABLE "Odd Names" ("the id" int PRIMARY KEY, "a/b~c""d" text);
      CREATE TABLE parts (id int, day date, v int, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
      CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
      CREATE TABLE plain (id int PRIMARY KEY)`);
    const done = await captureTable(databaseOf(pool), {
      origin,
      table: 'public.users',
      exclude: ['password_hash'],
      seal: ['email'],
    });
    assert.deepEqual(done, { table: 'public.users', relations: ['users'], blind: [] });
    for (const table of ['pairs', 'bare', 'Odd Names', 'parts']) {
      await captureTable(databaseOf(pool), { origin, table: `public.${table}` });
    }
    await news();
  });
  after(async () => {
    await audit.close();
    await pool.end();
    for (const remove of removals) remove();
  });

  /** The events since the last look. */
  const news = async (): Promise<RecordedEvent[]> => {
    while ((await audit.drainOutbox()) > 0);
    const found: RecordedEvent[] = [];
    for await (const { index, entry, disclosures } of audit.log.entries({ from: seen })) {
      seen = index + 1;
      found.push(openEntry(parseEntry(entry), disclosures, index).event);
    }
    return found.filter(({ action }) => !action.startsWith('log.'));
  };
  const brief = ({ action, targets, changes }: RecordedEvent) => ({ action, target: targets[0], changes });

  test('created, updated, deleted, truncated, each with its changes and no more', async () => {
    await pool.query(
      `INSERT INTO users VALUES (1, 'ada.at.example', 'Ada', 'secret-hash', 10.50, '{"a": 1}')`,
    );
    await pool.query("UPDATE users SET name = 'Ada L.', balance = 9007199254740993 WHERE id = 1");
    await pool.query('UPDATE users SET name = name WHERE id = 1');
    await pool.query("UPDATE users SET password_hash = 'other-hash' WHERE id = 1");
    await pool.query("UPDATE users SET email = 'new.at.example' WHERE id = 1");
    await pool.query('DELETE FROM users');
    await pool.query('TRUNCATE users');
    const events = await news();
    const target = { type: 'public.users', id: '1' };
    assert.deepEqual(
      events.map(brief),
      [
        {
          action: 'record.created',
          target,
          changes: [
            { path: '/id', to: 1 },
            { path: '/name', to: 'Ada' },
            { path: '/email' },
            { path: '/balance', to: '10.50' },
            { path: '/settings', to: { a: 1 } },
          ],
        },
        {
          action: 'record.updated',
          target,
          changes: [
            { path: '/name', from: 'Ada', to: 'Ada L.' },
            { path: '/balance', from: '10.50', to: '9007199254740993' },
          ],
        },
        { action: 'record.updated', target, changes: [{ path: '/password_hash' }] },
        { action: 'record.updated', target, changes: [{ path: '/email' }] },
        {
          action: 'record.deleted',
          target,
          changes: [
            { path: '/id', from: 1 },
            { path: '/name', from: 'Ada L.' },
            { path: '/email' },
            { path: '/balance', from: '9007199254740993' },
            { path: '/settings', from: { a: 1 } },
          ],
        },
        { action: 'record.truncated', target: { type: 'public.users', id: '*' }, changes: undefined },
      ].map((expected) => (expected.changes === undefined ? { ...expected, changes: [] } : expected)),
    );
    assert.deepEqual(events[3]?.metadata, {
      columns: { email: { from: 'ada.at.example', to: 'new.at.example' } },
    });
    assert.match(events[0]!.correlationId!, /^tx-\d+$/);
    const { rows } = await pool.query(
      "SELECT count(*)::int AS n FROM indelible.disclosures WHERE convert_from(texts, 'UTF8') LIKE '%-hash%'",
    );
    assert.equal(rows[0].n, 0, 'what is excluded never leaves the table');
  });

  test('the author: told in the transaction, taken from the request, or the role, marked so', async () => {
    const client = await pool.connect();
    await client.query('BEGIN');
    await withActor(client, ada, { ip: '203.0.113.7' });
    await client.query("INSERT INTO users (id, name) VALUES (2, 'B')");
    await client.query('COMMIT');
    await runAs({ actor: { type: 'service', id: 'billing' } }, async () => {
      await client.query('BEGIN');
      await withActor(client);
      await client.query("UPDATE users SET name = 'C' WHERE id = 2");
      await client.query('COMMIT');
    });
    // The next transaction of the same connection knows nothing of them.
    await client.query('DELETE FROM users WHERE id = 2');
    client.release();
    await assert.rejects(withActor({ query: async () => undefined } as never), { code: 'argument_invalid' });
    const [created, updated, deleted] = await news();
    assert.deepEqual([created?.actor, created?.context], [ada, { ip: '203.0.113.7' }]);
    assert.deepEqual(updated?.actor, { type: 'service', id: 'billing' });
    assert.deepEqual(deleted?.actor, { type: 'database_role', id: 'postgres', identified: false });
  });

  test('bulk changes are an event a row, and roll back with their transaction', async () => {
    await pool.query("INSERT INTO users (id, name) SELECT n, 'n' || n FROM generate_series(10, 209) n");
    await pool.query('UPDATE users SET balance = 1 WHERE id BETWEEN 10 AND 109');
    const client = await pool.connect();
    await client.query('BEGIN');
    await client.query('DELETE FROM users');
    await client.query('ROLLBACK');
    client.release();
    await pool.query(
      'INSERT INTO users (id, name) VALUES (10, $1) ON CONFLICT (id) DO UPDATE SET name = excluded.name',
      ['up'],
    );
    await pool.query(
      "MERGE INTO users u USING (VALUES (11, 'm'), (999, 'm')) AS s(id, name) ON u.id = s.id WHEN MATCHED THEN UPDATE SET name = s.name WHEN NOT MATCHED THEN INSERT (id, name) VALUES (s.id, s.name)",
    );
    const counts = new Map<string, number>();
    for (const { action } of await news()) counts.set(action, (counts.get(action) ?? 0) + 1);
    assert.deepEqual(Object.fromEntries(counts), { 'record.created': 201, 'record.updated': 102 });
  });

  test('a changed key, a key of two columns, no key at all, odd names', async () => {
    await pool.query(
      "INSERT INTO pairs VALUES (1, 'x', 1); UPDATE pairs SET v = 2; UPDATE pairs SET b = 'y'; DELETE FROM pairs",
    );
    await pool.query('INSERT INTO bare VALUES (1); UPDATE bare SET v = 2; DELETE FROM bare');
    await pool.query(`INSERT INTO "Odd Names" VALUES (5, 'v'); UPDATE "Odd Names" SET "a/b~c""d" = 'w'`);
    const events = (await news()).map(
      ({ action, targets }) => `${action} ${targets[0]!.type}/${targets[0]!.id}`,
    );
    assert.deepEqual(events, [
      'record.created public.pairs/1,x',
      'record.updated public.pairs/1,x',
      'record.deleted public.pairs/1,x',
      'record.created public.pairs/1,y',
      'record.deleted public.pairs/1,y',
      'record.created public.bare/no_primary_key',
      'record.deleted public.bare/no_primary_key',
      'record.created public.bare/no_primary_key',
      'record.deleted public.bare/no_primary_key',
      `record.created public.Odd_Names-${oddHash}/5`,
      `record.updated public.Odd_Names-${oddHash}/5`,
    ]);
  });

  test('partitions: through the parent, directly, and those that are made later', async () => {
    await pool.query("INSERT INTO parts VALUES (1, '2026-01-05', 1)");
    await pool.query('UPDATE parts_1 SET v = 2');
    await pool.query(
      "CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')",
    );
    await pool.query("INSERT INTO parts_2 VALUES (2, '2026-02-05', 1)");
    await pool.query(
      'CREATE TABLE parts_3 (id int not null, day date not null, v int, PRIMARY KEY (id, day))',
    );
    await pool.query(
      "ALTER TABLE parts ATTACH PARTITION parts_3 FOR VALUES FROM ('2026-03-01') TO ('2026-04-01')",
    );
    await pool.query("INSERT INTO parts_3 VALUES (3, '2026-03-05', 1)");
    await pool.query("UPDATE parts SET day = '2026-01-06' WHERE id = 3");
    const all = await news();
    assert.ok(!all.some(({ action }) => action === 'capture.disabled'), 'nothing was disabled');
    const events = all.filter(({ action }) => action.startsWith('record.'));
    assert.deepEqual(
      events.map(({ action, targets }) => `${action} ${targets[0]!.type}/${targets[0]!.id}`),
      [
        'record.created public.parts/1,2026-01-05',
        'record.updated public.parts/1,2026-01-05',
        'record.created public.parts/2,2026-02-05',
        'record.created public.parts/3,2026-03-05',
        'record.deleted public.parts/3,2026-03-05',
        'record.created public.parts/3,2026-01-06',
      ],
    );
  });

  test('the schema drifts: columns that come, go and get another name', async () => {
    await news();
    await pool.query("INSERT INTO users (id, name) VALUES (5000, 'before')");
    await pool.query('ALTER TABLE users ADD COLUMN nickname text');
    await pool.query("UPDATE users SET nickname = 'nick' WHERE id = 5000");
    await pool.query('ALTER TABLE users RENAME COLUMN name TO full_name');
    await pool.query("UPDATE users SET full_name = 'after' WHERE id = 5000");
    await pool.query('ALTER TABLE users DROP COLUMN settings');
    await pool.query('ALTER TABLE users RENAME COLUMN id TO user_id');
    await pool.query("UPDATE users SET nickname = 'nack' WHERE user_id = 5000");
    await pool.query('ALTER TABLE users RENAME COLUMN user_id TO id');
    const events = await news();
    const updates = events.filter(({ action }) => action === 'record.updated');
    assert.deepEqual(updates.map(brief), [
      {
        action: 'record.updated',
        target: { type: 'public.users', id: '5000' },
        changes: [{ path: '/nickname', from: null, to: 'nick' }],
      },
      {
        action: 'record.updated',
        target: { type: 'public.users', id: '5000' },
        changes: [{ path: '/full_name', from: 'before', to: 'after' }],
      },
      {
        action: 'record.updated',
        target: { type: 'public.users', id: '5000' },
        changes: [{ path: '/nickname', from: 'nick', to: 'nack' }],
      },
    ]);
    const schema = events.filter(({ action }) => action === 'schema.changed');
    assert.equal(schema.length, 5);
    assert.equal((schema[0]!.metadata as { command: string }).command, 'ALTER TABLE');
    assert.ok(schema.every(({ targets }) => targets.some(({ id }) => String(id).startsWith('public.users'))));
  });

  test('attack-39: whoever takes capture apart leaves an event that says so', async () => {
    await news();
    const attempts = [
      [
        'ALTER TABLE users DISABLE TRIGGER indelible_update',
        'ALTER TABLE users ENABLE ALWAYS TRIGGER indelible_update',
      ],
      ['ALTER TABLE users DISABLE TRIGGER ALL', 'ALTER TABLE users ENABLE TRIGGER ALL'],
      [
        'ALTER TABLE users ENABLE REPLICA TRIGGER indelible_insert',
        'ALTER TABLE users ENABLE ALWAYS TRIGGER indelible_insert',
      ],
      ['DROP TRIGGER indelible_delete ON users', 'SELECT 1'],
      [
        'ALTER TABLE indelible.entries DISABLE TRIGGER no_update',
        'ALTER TABLE indelible.entries ENABLE ALWAYS TRIGGER no_update',
      ],
      ['DROP TABLE bare', 'SELECT 1'],
    ] as const;
    for (const [attempt, back] of attempts) {
      await pool.query(attempt);
      const events = (await news()).filter(({ action }) => action === 'capture.disabled');
      assert.ok(events.length > 0, attempt);
      assert.equal(events[0]!.severity, 'critical');
      await pool.query(back);
      await captureTable(databaseOf(pool), {
        origin,
        table: 'public.users',
        exclude: ['password_hash'],
        seal: ['email'],
      });
      await migrate(databaseOf(pool));
      await news();
    }
    // Rows are captured under every replication role.
    const client = await pool.connect();
    await client.query("SET session_replication_role = 'replica'");
    await client.query('INSERT INTO users (id) VALUES (7000)');
    await client.query("SET session_replication_role = 'origin'");
    client.release();
    assert.deepEqual(
      (await news()).map(({ action }) => action),
      ['record.created'],
    );
  });

  test('coverage tells what is captured, what is not, and rows without an event', async () => {
    const find = async () => new Map();
    const tables = await coverage(databaseOf(pool), { since: new Date(0), find });
    const by = new Map(tables.map((table) => [table.table, table]));
    assert.equal(by.get('public.plain')?.captured, false);
    assert.equal(by.get('public.users')?.captured, true);
    assert.equal(by.get('public.parts_3')?.captured, true);
    assert.equal(by.get('public.users')?.rows, undefined, 'this server keeps no times of commits');
  });

  test('what cannot be captured is refused', async () => {
    const bad = [
      { table: 'users' },
      { table: 'public.nothing' },
      { table: 'public.users', exclude: ['passwordhash'] },
      { table: 'public.users', exclude: ['id'] },
      { table: 'indelible.outbox' },
    ];
    for (const options of bad) await assert.rejects(captureTable(databaseOf(pool), { origin, ...options }));
  });

  test('without a superuser it works, and says what it cannot see', async () => {
    await pool.query(
      `DROP EVENT TRIGGER indelible_ddl; DROP EVENT TRIGGER indelible_drop; DROP EVENT TRIGGER indelible_partitions`,
    );
    await pool.query(
      `DO $$ BEGIN CREATE ROLE app_owner LOGIN CREATEROLE; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
    );
    await pool.query('GRANT indelible_owner TO app_owner; GRANT CREATE ON SCHEMA public TO app_owner');
    const server = await testServer();
    const { rows } = await pool.query('SELECT current_database() AS name');
    const own = poolOf(server.url(rows[0].name, 'app_owner'));
    await own.query('CREATE TABLE theirs (id int PRIMARY KEY)');
    const { blind } = await captureTable(databaseOf(own), { origin, table: 'public.theirs' });
    assert.equal(blind.length, 2);
    assert.match(blind[0]!, /superuser/);
    await own.query('INSERT INTO theirs VALUES (1)');
    assert.ok((await news()).some(({ targets }) => targets[0]?.type === 'public.theirs'));
    await own.end();
    // The doctor misses what was there once, and names who can take everything apart.
    const told = (await doctor(databaseOf(pool))).map(({ what }) => what);
    assert.equal(told.filter((what) => /^the event trigger indelible_\w+ is missing$/.test(what)).length, 3);
    assert.ok(told.some((what) => what.startsWith('app_owner is indelible_owner')));
    await pool.query('REVOKE indelible_owner FROM app_owner');
    await captureTable(databaseOf(pool), { origin, table: 'public.pairs' });
    assert.deepEqual(await doctor(databaseOf(pool)), []);
  });

  test('the whole log is sound afterwards', async () => {
    const report = await audit.verify({ vkey: audit.vkey });
    assert.deepEqual(report.findings, []);
    const { rows } = await pool.query('SELECT DISTINCT code, reason FROM indelible.outbox_refused LIMIT 5');
    assert.deepEqual(rows, []);
  });
});
