// Append-only by construction, and whoever takes the construction apart is found out: by the doctor, and by verify.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isLogError } from 'indelible';
import {
  auditDatabase,
  createPostgresLog,
  databaseOf,
  doctor,
  migrate,
  openPostgresLog,
  type PostgresLog,
} from 'indelible/postgres';
import pg from 'pg';
import { temporaryFolder } from '../support/folders.ts';
import { poolOf, startServer, type TestServer, testServer, whyNoPostgres } from '../support/postgres.ts';

const skip = whyNoPostgres() ?? false;
const origin = 'example.com/guarded';
const event = { action: 'role.granted', actor: { type: 'user', id: 'u_1', email: 'someone at example' } };

describe('what guards a log in PostgreSQL', { skip }, () => {
  let pool: pg.Pool;
  let url: string;
  let audit: PostgresLog;
  const removals: (() => void)[] = [];

  const fresh = async (): Promise<void> => {
    await audit?.close();
    await pool?.end();
    url = await (await testServer()).database();
    pool = poolOf(url, 6);
    await migrate(databaseOf(pool));
    const dir = temporaryFolder({ after: (remove) => removals.push(remove as () => void) });
    audit = await createPostgresLog(pool, { origin, dir, heartbeatMs: 0 });
    await audit.log.recordMany(Array.from({ length: 600 }, (_, n) => ({ ...event, id: `e-${n}` })));
  };
  before(fresh);
  after(async () => {
    await audit.close();
    await pool.end();
    for (const remove of removals) remove();
  });

  test('all is well to begin with', async () => {
    assert.deepEqual(await doctor(databaseOf(pool)), []);
  });

  test('attack-40: UPDATE, DELETE and TRUNCATE are refused, even to a superuser, under every replication role', async () => {
    const { rows } = await pool.query(
      "SELECT relname FROM pg_class WHERE relnamespace = 'indelible'::regnamespace AND relname ~ '^(entries|disclosures)_[0-9]+$'",
    );
    assert.ok(rows.length >= 6, 'there are partitions');
    const client = await pool.connect();
    await client.query("SET session_replication_role = 'replica'");
    const parts = rows.map(({ relname }) => relname);
    const refused = [
      'UPDATE indelible.entries SET entry = entry',
      'UPDATE indelible.entries SET idx = idx + 1 WHERE idx = 3',
      'DELETE FROM indelible.entries WHERE idx = 3',
      "UPDATE indelible.disclosures SET texts = ''",
      'UPDATE indelible.ids SET idx = 1 WHERE idx = 2',
      'DELETE FROM indelible.ids',
      'DELETE FROM indelible.tiles',
      "UPDATE indelible.tiles SET hashes = ''",
      'UPDATE indelible.heads SET size = 3',
      'UPDATE indelible.heads SET recorded_at = 1, size = size + 1',
      'DELETE FROM indelible.heads',
      "UPDATE indelible.logs SET origin = 'x'",
      'DELETE FROM indelible.logs',
      ...['entries', 'disclosures', 'ids', 'tiles', 'heads', 'logs', 'ids_3'].map(
        (table) => `TRUNCATE indelible.${table} CASCADE`,
      ),
      ...parts.map((part) => `TRUNCATE indelible.${part}`),
      ...parts
        .filter((part) => part.startsWith('entries'))
        .slice(0, 1)
        .map((part) => `UPDATE indelible.${part} SET entry = ''`),
    ];
    for (const statement of refused) {
      await assert.rejects(
        client.query(statement),
        (error: { code?: string }) => error.code === 'IND02',
        statement,
      );
    }
    await client.query("SET session_replication_role = 'origin'");
    client.release();
    assert.deepEqual((await audit.verify({ vkey: audit.vkey })).findings, []);
  });

  test('a writer may append and put into the outbox, a reader may read; neither may anything else', async () => {
    for (const role of ['app_writer', 'app_outbox', 'app_reader', 'app_nobody']) {
      await pool.query(
        `DO $$ BEGIN CREATE ROLE ${role} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
      );
    }
    await pool.query(
      'GRANT indelible_writer TO app_writer; GRANT indelible_outbox TO app_outbox; GRANT indelible_reader TO app_reader',
    );
    const as = async (role: string, statement: string, values: unknown[] = []): Promise<string> => {
      const client = new pg.Client({
        connectionString: (await testServer()).url(new URL(url).pathname.slice(1), role),
      });
      await client.connect();
      try {
        await client.query(statement, values);
        return 'done';
      } catch (error) {
        return (error as { code: string }).code;
      } finally {
        await client.end();
      }
    };
    const put = "SELECT indelible.outbox_put('example.com/nobody', 'x', '{}')";
    assert.equal(await as('app_writer', put), 'done');
    assert.equal(await as('app_writer', 'SELECT * FROM indelible.take_head(1, NULL, 1000, 1000)'), 'done');
    assert.equal(await as('app_reader', 'SELECT entry FROM indelible.entries LIMIT 1'), 'done');
    const refused = [
      "INSERT INTO indelible.entries VALUES (1, 9999, 1, '')",
      "INSERT INTO indelible.outbox (origin, id, kind, body) VALUES ('a', 'b', 'row', '{}')",
      'SELECT * FROM indelible.outbox',
      'DELETE FROM indelible.outbox',
      'UPDATE indelible.heads SET size = 1',
      'DELETE FROM indelible.disclosures',
      'ALTER TABLE indelible.entries DISABLE TRIGGER no_update',
      'CREATE TABLE indelible.mine (x int)',
      "INSERT INTO indelible.captured VALUES (1, 1, 'a', 'b', '{}', '{}')",
    ];
    for (const role of ['app_writer', 'app_outbox', 'app_reader', 'app_nobody']) {
      for (const statement of refused)
        assert.equal(await as(role, statement), '42501', `${role}: ${statement}`);
    }
    // Who holds no key may put events in, and neither see nor take what waits there.
    assert.equal(await as('app_outbox', put), 'done');
    for (const statement of [
      "SELECT * FROM indelible.outbox_take('example.com/nobody', 10)",
      "SELECT indelible.outbox_done('example.com/nobody', '{1}')",
      "SELECT indelible.outbox_set_aside('example.com/nobody', 1, 'a', 'b')",
      'SELECT * FROM indelible.take_head(1, NULL, 1000, 1000)',
      'SELECT entry FROM indelible.entries LIMIT 1',
    ]) {
      assert.equal(await as('app_outbox', statement), '42501', statement);
    }
    assert.equal(await as('app_reader', put), '42501');
    assert.equal(await as('app_nobody', put), '42501');
    assert.equal(await as('app_nobody', 'SELECT * FROM indelible.entries'), '42501');
    assert.equal(
      await as(
        'app_nobody',
        "SELECT indelible.append(1, 1, '', '{}', '', '{}', '', '{}', '{}', '{}', '', '{}', 1, '', 1, '')",
      ),
      '42501',
    );
    assert.deepEqual(await doctor(databaseOf(pool)), []);
  });

  const drifts: readonly (readonly [string, string, RegExp])[] = [
    [
      'a disabled trigger',
      'ALTER TABLE indelible.entries DISABLE TRIGGER no_update',
      /no_update is disabled/,
    ],
    [
      'a downgraded trigger',
      'ALTER TABLE indelible.heads ENABLE TRIGGER only_grows',
      /only_grows is off for replicas/,
    ],
    ['a dropped trigger', 'DROP TRIGGER no_delete ON indelible.ids', /ids\.no_delete is missing/],
    [
      'a downgraded guard of a partition of entries',
      "DO $$ BEGIN EXECUTE (SELECT format('ALTER TABLE indelible.%I ENABLE TRIGGER no_delete', min(relname)) FROM pg_class WHERE relname ~ '^entries_[0-9]+$'); END $$",
      /entries_\d+\.no_delete is off for replicas/,
    ],
    [
      'a guard that lets entries go without their pruning',
      "CREATE OR REPLACE FUNCTION indelible.only_pruned() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN OLD; END'",
      /only_pruned is not as it was made/,
    ],
    [
      'a record of a pruning that is looked for otherwise',
      'ALTER FUNCTION indelible.pruned_below RESET plan_cache_mode',
      /pruned_below runs with other rights or settings/,
    ],
    [
      'a changed function',
      "CREATE OR REPLACE FUNCTION indelible.refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN NEW; END'",
      /refuse is not as it was made/,
    ],
    [
      'a function more',
      "CREATE FUNCTION indelible.extra() RETURNS int LANGUAGE sql AS 'SELECT 1'",
      /extra does not belong here/,
    ],
    [
      'another body behind the trigger',
      "CREATE FUNCTION public.quiet() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE OR REPLACE TRIGGER no_update BEFORE UPDATE ON indelible.ids FOR EACH ROW EXECUTE FUNCTION public.quiet()",
      /no_update runs/,
    ],
    [
      'a trigger more',
      "CREATE FUNCTION public.spy() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER spy BEFORE INSERT ON indelible.heads FOR EACH ROW EXECUTE FUNCTION public.spy()",
      /heads\.spy does not belong here/,
    ],
    [
      'a grant',
      'GRANT UPDATE ON indelible.entries TO indelible_writer',
      /indelible_writer may UPDATE entries/,
    ],
    [
      'a grant on a column',
      'GRANT UPDATE (entry) ON indelible.entries TO PUBLIC',
      /PUBLIC may UPDATE entries\.entry/,
    ],
    [
      'a function open to all',
      'GRANT EXECUTE ON FUNCTION indelible.ensure_log(text) TO PUBLIC',
      /PUBLIC may call ensure_log/,
    ],
    ['another owner', 'ALTER TABLE indelible.tiles OWNER TO CURRENT_USER', /tiles belongs to/],
    ['a column more', 'ALTER TABLE indelible.entries ADD COLUMN note text', /entries has other columns/],
    [
      'attack-03: a column of another type',
      'ALTER TABLE indelible.outbox_refused ALTER COLUMN reason TYPE varchar(10) USING left(reason, 10)',
      /outbox_refused has other columns/,
    ],
    ['a view', 'CREATE VIEW indelible.peek AS SELECT 1', /peek does not belong here/],
    ['row security', 'ALTER TABLE indelible.ids ENABLE ROW LEVEL SECURITY', /ids has row security/],
    ['a rule', 'CREATE RULE hide AS ON DELETE TO indelible.logs DO INSTEAD NOTHING', /logs has rules/],
    ['an unlogged table', 'ALTER TABLE indelible.outbox SET UNLOGGED', /outbox is not kept over a crash/],
    [
      'a guard that is narrowed by a condition',
      'CREATE OR REPLACE TRIGGER no_update BEFORE UPDATE ON indelible.ids FOR EACH ROW WHEN (false) EXECUTE FUNCTION indelible.refuse(); ALTER TABLE indelible.ids ENABLE ALWAYS TRIGGER no_update',
      /ids\.no_update is not as it was made/,
    ],
    [
      'a guard of some columns',
      'CREATE OR REPLACE TRIGGER only_grows BEFORE UPDATE OF recorded_at ON indelible.heads FOR EACH ROW EXECUTE FUNCTION indelible.only_grows(); ALTER TABLE indelible.heads ENABLE ALWAYS TRIGGER only_grows',
      /heads\.only_grows is not as it was made/,
    ],
    [
      'a function that another role may call',
      'GRANT EXECUTE ON FUNCTION indelible.outbox_done(text, bigint[]) TO pg_monitor',
      /pg_monitor may call outbox_done/,
    ],
    [
      'the right to make things',
      'GRANT CREATE ON SCHEMA indelible TO PUBLIC',
      /PUBLIC may CREATE in the schema/,
    ],
    [
      'attack-03: a column that compares otherwise',
      'ALTER TABLE indelible.logs ALTER COLUMN origin TYPE text COLLATE "C"',
      /logs has other columns/,
    ],
    [
      'attack-03: a column that is generated',
      "ALTER TABLE indelible.heads ADD COLUMN note text GENERATED ALWAYS AS ('x') STORED",
      /heads has other columns/,
    ],
    [
      'attack-03: a view in place of a table',
      'ALTER TABLE indelible.heads RENAME TO heads_kept; CREATE VIEW indelible.heads AS SELECT * FROM indelible.heads_kept',
      /heads is no table any more/,
    ],
    [
      'another default',
      'ALTER TABLE indelible.outbox ALTER COLUMN at SET DEFAULT now()',
      /outbox has other columns/,
    ],
    [
      'another primary key',
      'ALTER TABLE indelible.tiles DROP CONSTRAINT tiles_pkey, ADD PRIMARY KEY (idx, log, level)',
      /tiles has lost its primary key/,
    ],
    [
      'a function that looks twice',
      'ALTER FUNCTION indelible.outbox_take VOLATILE',
      /outbox_take runs with other rights/,
    ],
    [
      'durability off for a role',
      'ALTER ROLE CURRENT_USER SET synchronous_commit = off',
      /synchronous_commit=off is set for/,
    ],
  ];
  for (const [name, statement, says] of drifts) {
    test(`the doctor, and verify, tell of ${name}`, async () => {
      await fresh();
      await pool.query(statement);
      const told = (await doctor(databaseOf(pool))).map(({ what }) => what);
      assert.ok(
        told.some((what) => says.test(what)),
        `told: ${told.join('; ') || 'nothing'}`,
      );
      const report = await audit.verify({ vkey: audit.vkey });
      assert.ok(
        report.findings.some(({ code, message }) => code === 'schema_changed' && says.test(message)),
        JSON.stringify(report.findings),
      );
      if (name === 'durability off for a role')
        await pool.query('ALTER ROLE CURRENT_USER RESET synchronous_commit');
    });
  }

  test('migrate mends functions, triggers and grants', async () => {
    await fresh();
    await pool.query(`ALTER TABLE indelible.entries DISABLE TRIGGER no_update; DROP TRIGGER no_delete ON indelible.ids;
      GRANT UPDATE ON indelible.heads TO PUBLIC; GRANT UPDATE (idx) ON indelible.ids TO pg_monitor;
      GRANT EXECUTE ON FUNCTION indelible.ensure_log(text) TO pg_monitor; GRANT CREATE ON SCHEMA indelible TO PUBLIC;
      ALTER TABLE indelible.tiles OWNER TO CURRENT_USER; ALTER FUNCTION indelible.capture() OWNER TO CURRENT_USER;
      CREATE OR REPLACE FUNCTION indelible.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`);
    assert.ok((await doctor(databaseOf(pool))).length >= 9);
    await migrate(databaseOf(pool));
    assert.deepEqual(await doctor(databaseOf(pool)), []);
  });

  // What a database administrator can do who takes the triggers away first, and puts them back.
  const quietly = async (statement: string): Promise<void> => {
    const client = await pool.connect();
    await client.query(`BEGIN; SET LOCAL session_replication_role = 'origin'`);
    const { rows } = await client.query(
      "SELECT t.tgrelid::regclass::text AS name, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = 'indelible'::regnamespace AND NOT t.tgisinternal",
    );
    for (const { name, tgname } of rows) await client.query(`ALTER TABLE ${name} DISABLE TRIGGER ${tgname}`);
    await client.query(statement);
    for (const { name, tgname } of rows)
      await client.query(`ALTER TABLE ${name} ENABLE ALWAYS TRIGGER ${tgname}`);
    await client.query('COMMIT');
    client.release();
  };
  const attacks: readonly (readonly [string, string, RegExp])[] = [
    [
      'attack-01: an edited payload',
      "UPDATE indelible.entries SET entry = convert_to(replace(convert_from(entry, 'UTF8'), 'role.granted', 'role.revoked'), 'UTF8') WHERE idx = 7",
      /entry 7|entries 7|index 7/i,
    ],
    [
      'attack-01: an edited disclosure',
      "UPDATE indelible.disclosures SET texts = convert_to(replace(convert_from(texts, 'UTF8'), 'someone', 'nobody'), 'UTF8') WHERE idx = 7",
      /7/,
    ],
    ['attack-01: a disclosure taken away', 'DELETE FROM indelible.disclosures WHERE idx = 7', /7/],
    ['attack-02: an id that leads elsewhere', 'UPDATE indelible.ids SET idx = 9 WHERE idx = 7', /7/],
    [
      'attack-02: an entry in the partition of another month',
      `INSERT INTO indelible.entries SELECT log, idx, month + 1, entry FROM indelible.entries WHERE idx = 7; INSERT INTO indelible.disclosures SELECT log, idx, month + 1, texts FROM indelible.disclosures WHERE idx = 7; DELETE FROM indelible.disclosures WHERE idx = 7 AND month < (SELECT max(month) FROM indelible.entries WHERE idx = 7); DELETE FROM indelible.entries WHERE idx = 7 AND month < (SELECT max(month) FROM indelible.entries WHERE idx = 7)`,
      /month/,
    ],
    [
      'attack-02: a head with another time',
      'UPDATE indelible.heads SET recorded_at = recorded_at + 1',
      /time/,
    ],
    [
      'attack-04: a middle entry deleted and the rest renumbered',
      'DELETE FROM indelible.disclosures WHERE idx >= 300; DELETE FROM indelible.entries WHERE idx = 300; UPDATE indelible.entries SET idx = idx - 1 WHERE idx > 300',
      /./,
    ],
    [
      'attack-05: a truncated tail, against the mark',
      'DELETE FROM indelible.entries WHERE idx >= 590; DELETE FROM indelible.disclosures WHERE idx >= 590; DELETE FROM indelible.ids WHERE idx >= 590',
      /./,
    ],
    [
      'attack-07: two entries swapped',
      'UPDATE indelible.entries SET idx = 100000 WHERE idx = 7; UPDATE indelible.entries SET idx = 7 WHERE idx = 8; UPDATE indelible.entries SET idx = 8 WHERE idx = 100000',
      /7/,
    ],
    [
      'attack-08: an entry put in',
      `INSERT INTO indelible.entries SELECT log, (SELECT max(idx) + 1 FROM indelible.entries), month, entry FROM indelible.entries WHERE idx = 7`,
      /./,
    ],
    [
      'a tile changed',
      "UPDATE indelible.tiles SET hashes = overlay(hashes placing '\\x00'::bytea from 9) WHERE level = 0 AND idx = 1",
      /./,
    ],
    ['a stray id', "INSERT INTO indelible.ids SELECT log, 'stray', 5000 FROM indelible.logs", /ids/],
  ];
  for (const [name, statement, says] of attacks) {
    test(`verify tells of ${name}, with the triggers back in place`, async () => {
      await fresh();
      await quietly(statement);
      assert.deepEqual(await doctor(databaseOf(pool)), [], 'the guards stand as before');
      const report = await audit.verify({ vkey: audit.vkey });
      assert.ok(report.findings.length > 0, 'nothing was found');
      assert.ok(
        report.findings.some(({ message }) => says.test(message)),
        JSON.stringify(report.findings.map(({ message }) => message)),
      );
    });
  }

  test('attack-09: a whole log in place of this one, under another key', async () => {
    await fresh();
    const { vkey } = audit;
    const receipt = await audit.record({ ...event, id: 'kept' });
    await quietly(
      'TRUNCATE indelible.entries, indelible.disclosures, indelible.ids, indelible.tiles, indelible.heads',
    );
    const dir = temporaryFolder({ after: (remove) => removals.push(remove as () => void) });
    const other = await createPostgresLog(pool, { origin, dir, heartbeatMs: 0 });
    await other.log.recordMany(Array.from({ length: 600 }, (_, n) => ({ ...event, id: `e-${n}` })));
    await assert.rejects(
      audit.record(event),
      (error) => isLogError(error, 'head_invalid') || isLogError(error, 'rolled_back'),
    );
    assert.ok(!(await other.verify({ vkey })).ok, 'the pinned key tells');
    assert.ok(!(await other.verify({ held: [receipt] })).ok, 'a receipt tells');
    await other.close();
  });

  test('attack-10: history rewritten and signed with the real key: whoever holds a receipt finds out', async () => {
    await fresh();
    const receipt = await audit.record({ ...event, id: 'kept' });
    const { dir } = audit.log;
    await audit.close();
    await quietly(
      'TRUNCATE indelible.entries, indelible.disclosures, indelible.ids, indelible.tiles, indelible.heads; DELETE FROM indelible.logs',
    );
    const key = readFileSync(join(dir, 'log.key'), 'utf8');
    const elsewhere = temporaryFolder({ after: (remove) => removals.push(remove as () => void) });
    const rewritten = await createPostgresLog(pool, {
      origin,
      dir: elsewhere,
      key: () => key,
      heartbeatMs: 0,
    });
    await rewritten.log.recordMany(Array.from({ length: 700 }, (_, n) => ({ ...event, id: `e-${n}` })));
    assert.ok((await rewritten.verify({ vkey: rewritten.vkey })).ok, 'by itself it is consistent');
    const { findings } = await rewritten.verify({ vkey: rewritten.vkey, held: [receipt] });
    assert.ok(findings.length > 0, 'the receipt tells');
    // The instance that was there keeps a mark outside the database.
    await assert.rejects(openPostgresLog(pool, { origin, dir, warn: () => {} }), (error) =>
      isLogError(error, 'rolled_back'),
    );
    await rewritten.close();
  });

  test('attack-11: two histories under one key, shown to two tenants: their receipts do not fit together', async () => {
    await fresh();
    const second = poolOf(await (await testServer()).database(), 4);
    await migrate(databaseOf(second));
    const key = readFileSync(join(audit.log.dir, 'log.key'), 'utf8');
    const dir = temporaryFolder({ after: (remove) => removals.push(remove as () => void) });
    const other = await createPostgresLog(second, { origin, dir, key: () => key, heartbeatMs: 0 });
    await other.log.recordMany(Array.from({ length: 600 }, (_, n) => ({ ...event, id: `x-${n}` })));
    const [mine, theirs] = [await audit.record(event), await other.record(event)];
    assert.ok(!(await audit.verify({ vkey: audit.vkey, held: [theirs] })).ok);
    assert.ok(!(await other.verify({ vkey: audit.vkey, held: [mine] })).ok);
    await other.close();
    await second.end();
  });

  test('events by record() are numbered by their source, as in a folder', async () => {
    await fresh();
    const { rows } = await pool.query(
      "SELECT count(*)::int AS n FROM indelible.entries WHERE convert_from(entry, 'UTF8') LIKE '%\"seq\":599,%'",
    );
    assert.equal(rows[0].n, 1, 'events by record() are numbered, as in a folder');
  });

  test('a writer cannot make what waits in the outbox disappear: it has to be in the log', async () => {
    const own = 'example.com/guarded';
    await pool.query("SELECT indelible.outbox_put($1, 'waits', '{}')", [own]);
    const { rows } = await pool.query("SELECT seq FROM indelible.outbox WHERE id = 'waits'");
    const client = await pool.connect();
    await client.query('SET ROLE indelible_writer');
    await client.query('SELECT indelible.outbox_done($1, ARRAY[$2::bigint])', [own, rows[0].seq]);
    await client.query('RESET ROLE');
    client.release();
    assert.equal((await pool.query("SELECT FROM indelible.outbox WHERE id = 'waits'")).rows.length, 1);
    await assert.rejects(pool.query("SELECT indelible.outbox_put($1, 'big', repeat('x', 1048577))", [own]), {
      code: '54000',
    });
  });

  test('attack-42: one function removes disclosures and one entries, each beside a record of it; none removes anything else', async () => {
    await fresh();
    const { rows } = await pool.query(
      "SELECT p.proname FROM pg_proc p WHERE p.pronamespace = 'indelible'::regnamespace AND p.prosrc ~* 'DELETE FROM indelible[.](entries|disclosures|ids|tiles|heads)'",
    );
    assert.deepEqual(rows.map(({ proname }) => proname).sort(), ['prune', 'withdraw']);
  });

  test('attack-41: a heap file that is edited while the server is down', {
    skip: whyNoOwnServer(),
  }, async (t) => {
    const server = await startServer();
    const own = poolOf(await server.database(), 4);
    await migrate(databaseOf(own));
    const made = await createPostgresLog(own, { origin, dir: temporaryFolder(t), heartbeatMs: 0 });
    await made.log.recordMany(Array.from({ length: 200 }, (_, n) => ({ ...event, id: `e-${n}` })));
    await own.query('CHECKPOINT');
    const { rows } = await own.query(
      'SELECT pg_relation_filepath(tableoid::regclass) AS path FROM indelible.entries LIMIT 1',
    );
    const { vkey } = made;
    await made.close();
    await own.end();
    await server.stop();
    const file = join(server.dataDir, rows[0].path);
    const bytes = readFileSync(file);
    const at = bytes.indexOf('role.granted', bytes.indexOf('role.granted') + 20);
    bytes.write('role.revoked', at);
    writeFileSync(file, bytes);
    // The server's own checksums would notice; whoever edits heap files turns them off, or corrects them.
    await server.start();
    const again = poolOf(server.url(new URL(await namesOf(server)).pathname.slice(1)), 2);
    const noticed = await auditDatabase(databaseOf(again), { origin }, { vkey });
    assert.ok(
      !noticed.ok && noticed.findings.some(({ code }) => code === 'table_damaged'),
      JSON.stringify(noticed.findings),
    );
    const lax = poolOf(
      `${server.url(new URL(await namesOf(server)).pathname.slice(1))}?options=-c%20ignore_checksum_failure%3Don`,
      2,
    );
    const told = await auditDatabase(databaseOf(lax), { origin }, { vkey });
    assert.ok(
      told.findings.some(({ code }) => code === 'tile_mismatch' || code === 'root_mismatch'),
      JSON.stringify(told.findings),
    );
    await again.end();
    await lax.end();
    await server.stop();
  });
});

/** The URL of the only database of ours on a server. */
async function namesOf(server: TestServer): Promise<string> {
  const client = new pg.Client({ connectionString: server.url('postgres') });
  await client.connect();
  const { rows } = await client.query("SELECT datname FROM pg_database WHERE datname LIKE 't\\_%'");
  await client.end();
  return server.url(rows[0].datname);
}

function whyNoOwnServer(): string | false {
  if (skip !== false) return skip;
  return process.env.INDELIBLE_TEST_PG === undefined
    ? false
    : 'its server is edited, and INDELIBLE_TEST_PG names one of somebody else';
}
