// Row capture against whoever chooses the rows: odd names, odd values, odd authors. None of it may keep a change out of the log, let an
// excluded value into it, or make the application's own statement fail.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { RecordedEvent } from 'indelible';
import { openEntry, parseEntry } from 'indelible/event';
import {
  type CaptureOptions,
  captureTable,
  createPostgresLog,
  databaseOf,
  doctor,
  migrate,
  type PostgresLog,
} from 'indelible/postgres';
import pg from 'pg';
import { temporaryFolder } from '../support/folders.ts';
import { poolOf, testServer, whyNoPostgres } from '../support/postgres.ts';

const skip = whyNoPostgres() ?? false;
const origin = 'example.com/odd-rows';

/** The changes of an event, as the tests look at them. */
const changesOf = (event: RecordedEvent) =>
  (event.changes ?? []) as unknown as { path: string; from?: unknown; to?: unknown }[];

describe('row capture of odd tables, rows and authors', { skip }, () => {
  let pool: pg.Pool;
  let audit: PostgresLog;
  const removals: (() => void)[] = [];
  let seen = 0;

  before(async () => {
    pool = poolOf(await (await testServer()).database(), 6);
    await migrate(databaseOf(pool));
    const dir = temporaryFolder({ after: (remove) => removals.push(remove as () => void) });
    audit = await createPostgresLog(pool, { origin, dir, sequence: false, heartbeatMs: 0 });
  });
  after(async () => {
    await audit.close();
    await pool.end();
    for (const remove of removals) remove();
  });

  /** The events since the last look; nothing was set aside. */
  const news = async (): Promise<RecordedEvent[]> => {
    while ((await audit.drainOutbox()) > 0);
    const found: RecordedEvent[] = [];
    for await (const { index, entry, disclosures } of audit.log.entries({ from: seen })) {
      seen = index + 1;
      found.push(openEntry(parseEntry(entry), disclosures, index).event);
    }
    const { rows } = await pool.query('SELECT code, reason FROM indelible.outbox_refused');
    assert.deepEqual(rows, []);
    return found.filter(({ action }) => !action.startsWith('log.'));
  };
  const records = async (): Promise<RecordedEvent[]> =>
    (await news()).filter(({ action }) => action.startsWith('record.'));
  const captured = async (
    table: string,
    columns: string,
    more: Partial<CaptureOptions> = {},
  ): Promise<void> => {
    await pool.query(`CREATE TABLE ${table} (${columns})`);
    await captureTable(databaseOf(pool), { origin, table: `public.${table}`, ...more });
    await news();
  };
  const brief = ({ action, targets }: RecordedEvent): string => `${action} ${targets[0]!.id}`;

  test('columns named as the aliases and variables of the triggers are columns', async () => {
    await captured(
      'named',
      'n int PRIMARY KEY, o int, c text, a int, b int, j jsonb, k int, before int, after int, new_rows int, hidden int, head text, several bool, origin text, key text',
    );
    await pool.query('INSERT INTO named (n, o, c) VALUES (1, 2, $1), (2, 3, $1)', ['x']);
    await pool.query('UPDATE named SET o = 5 WHERE n = 1');
    await pool.query('UPDATE named SET o = 6');
    await pool.query('DELETE FROM named WHERE n = 1');
    const events = await records();
    // The rows of one statement come in any order.
    assert.deepEqual(
      [
        ...events.slice(0, 3).map(brief),
        ...events.slice(3, 5).map(brief).sort(),
        ...events.slice(5).map(brief),
      ],
      [
        'record.created 1',
        'record.created 2',
        'record.updated 1',
        'record.updated 1',
        'record.updated 2',
        'record.deleted 1',
      ],
    );
    assert.deepEqual(events[2]!.changes, [{ path: '/o', from: 2, to: 5 }]);
    assert.ok(changesOf(events[0]!).some(({ path, to }) => path === '/c' && to === 'x'));
  });

  test('an excluded column stays excluded under another name, and so does a new one of its old name', async () => {
    await captured('secretive', 'id int PRIMARY KEY, pw text, em text', { exclude: ['pw'], seal: ['em'] });
    await pool.query(
      'ALTER TABLE secretive RENAME pw TO pass; ALTER TABLE secretive RENAME em TO mail; ALTER TABLE secretive ADD COLUMN pw text',
    );
    await pool.query(
      "INSERT INTO secretive (id, pass, mail, pw) VALUES (1, 'secret-one', 'sealed', 'secret-two')",
    );
    await pool.query("UPDATE secretive SET pass = 'secret-three'");
    const [created, updated] = await records();
    assert.deepEqual(created!.changes, [{ path: '/id', to: 1 }, { path: '/mail' }]);
    assert.deepEqual(created!.metadata, { columns: { mail: { to: 'sealed' } } });
    assert.deepEqual(updated!.changes, [{ path: '/pass' }]);
    const { rows } = await pool.query(
      "SELECT FROM indelible.disclosures WHERE convert_from(texts, 'UTF8') LIKE '%secret-%'",
    );
    assert.equal(rows.length, 0);
  });

  test('an author that is none, or may not stand in the open, hides no change', async () => {
    await captured('authored', 'id int PRIMARY KEY');
    const says = [
      'no json',
      '5',
      '{}',
      '{"type":"user"}',
      '{"type":"user","id":"ada@mail.example"}',
      `{"type":"user","id":"${'x'.repeat(3000)}"}`,
      '{"type":"user","id":"u_1","_sd":[]}',
    ];
    for (const [n, actor] of says.entries()) {
      const client = await pool.connect();
      await client.query('BEGIN');
      await client.query("SELECT set_config('indelible.actor', $1, true)", [actor]);
      await client.query('INSERT INTO authored VALUES ($1)', [n]);
      await client.query('COMMIT');
      client.release();
    }
    const client = await pool.connect();
    await client.query('BEGIN');
    await client.query(
      `SELECT set_config('indelible.actor', '{"type":"user","id":"u_1"}', true), set_config('indelible.context', '[1', true)`,
    );
    await client.query('INSERT INTO authored VALUES (100)');
    await client.query('COMMIT');
    client.release();
    const events = await records();
    assert.equal(events.length, says.length + 1);
    for (const [n, { actor, metadata, labels }] of events.slice(0, -1).entries()) {
      assert.deepEqual(actor, { type: 'database_role', id: 'postgres', identified: false });
      assert.match(String(labels!['refused']), /^[a-z_]+$/);
      assert.ok(says[n]!.startsWith((metadata as { actor: string }).actor.slice(0, 20)));
    }
    const last = events.at(-1)!;
    assert.deepEqual([last.actor, last.metadata], [{ type: 'user', id: 'u_1' }, { context: '[1' }]);
  });

  test('a role whose name is an address is withheld, not the change', async (t) => {
    await captured('roled', 'id int PRIMARY KEY');
    await pool.query(
      `DO $$ BEGIN CREATE ROLE "ada@mail.example" LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
    );
    await pool.query('GRANT INSERT ON roled TO "ada@mail.example"');
    const { rows } = await pool.query('SELECT current_database() AS name');
    const url = new URL((await testServer()).url(rows[0].name));
    url.username = encodeURIComponent('ada@mail.example');
    const client = new pg.Client({ connectionString: url.href });
    await client.connect();
    t.after(() => pool.query('DROP OWNED BY "ada@mail.example"; DROP ROLE "ada@mail.example"'));
    await client.query('INSERT INTO roled VALUES (1)');
    await client.end();
    const [event] = await records();
    assert.deepEqual(event!.actor, { type: 'database_role', id: 'withheld', identified: false });
    assert.equal(event!.labels!['database_role'], 'ada@mail.example');
  });

  test('a key that may not stand in the open is withheld and told among what is sealed', async () => {
    await captured('keyed', 'mail text PRIMARY KEY, v int');
    await pool.query(
      "INSERT INTO keyed VALUES ('ada@mail.example'), (''), (E'new\\nline\\u0085'), (repeat('x', 2000))",
    );
    await pool.query("UPDATE keyed SET v = 1 WHERE mail LIKE 'ada%'");
    const events = await records();
    assert.equal(events.length, 5);
    assert.equal(events[0]!.targets[0]!.id, 'withheld');
    assert.equal(events[1]!.targets[0]!.id, '""');
    assert.equal(events[2]!.targets[0]!.id, '"new\\nline\\u0085"');
    assert.match(events[3]!.targets[0]!.id, /^sha256:[0-9a-f]{64}$/);
    assert.deepEqual(events[4]!.metadata, { key: ['ada@mail.example'] });
  });

  test('no two keys of several columns have one id', async () => {
    await captured('composed', 'a text, b text, PRIMARY KEY (a, b)');
    await pool.query("INSERT INTO composed VALUES ('x,y', 'z'), ('x', 'y,z'), ('x', 'z')");
    assert.deepEqual(
      (await records()).map(({ targets }) => targets[0]!.id),
      ['["x,y","z"]', '["x","y,z"]', 'x,z'],
    );
  });

  test('values of any depth, width and length are told, or told by their hash', async () => {
    const many = Array.from({ length: 400 }, (_, n) => `c${n} text`).join(', ');
    await captured('valued', 'id int PRIMARY KEY, b jsonb, t text, bytes bytea');
    await captured('wide', `id int PRIMARY KEY, ${many}`);
    await captured('sealed', `id int PRIMARY KEY, ${many}`, {
      seal: Array.from({ length: 32 }, (_, n) => `c${n}`),
    });
    const nested = (depth: number): string => `(repeat('[', ${depth}) || repeat(']', ${depth}))::jsonb`;
    await pool.query(`INSERT INTO valued (id, b) VALUES (1, ${nested(100)}), (2, ${nested(3000)}), (3, '{"_sd": 1}'),
      (4, '{"__proto__": {"x": 1}}'), (5, '{"x": 1e400}'), (6, (SELECT jsonb_object_agg('k' || n, n) FROM generate_series(1, 2000) n))`);
    await pool.query(
      `INSERT INTO valued (id, t) VALUES (7, repeat(U&'\\0001"\\\\', 100000)), (8, U&'\\202E\\FEFF\\+01F600')`,
    );
    await pool.query("INSERT INTO valued (id, bytes) VALUES (9, decode(repeat('00ff', 300000), 'hex'))");
    const names = Array.from({ length: 400 }, (_, n) => `c${n}`).join(', ');
    const long = Array.from({ length: 400 }, (_, n) => (n < 60 ? "repeat(U&'\\0001', 3000)" : "'x'")).join(
      ', ',
    );
    await pool.query(`INSERT INTO wide (id, ${names}) VALUES (1, ${long})`);
    await pool.query(`INSERT INTO sealed (id, ${names}) VALUES (1, ${long})`);
    const events = await records();
    assert.deepEqual(
      events.map(({ targets }) => targets[0]!.id),
      ['1', 'withheld', '3', '4', '5', '6', '7', '8', '9', '1', '1'],
    );
    const change = (n: number, path: string): unknown =>
      changesOf(events[n]!).find((one) => one.path === path)?.to;
    assert.deepEqual(Object.keys(change(0, '/b') as object).sort(), ['bytes', 'sha256']);
    assert.ok(
      'row' in (events[1]!.metadata as object),
      'what was too deep to read is told by the hash of the row',
    );
    assert.deepEqual(change(3, '/b'), { __proto__: undefined, ...JSON.parse('{"__proto__": {"x": 1}}') });
    assert.equal((change(6, '/t') as { bytes: number }).bytes, 300_000);
    assert.equal(change(7, '/t'), '\u202e\ufeff\u{1f600}');
    assert.equal(changesOf(events[9]!).length, 251);
    assert.deepEqual(Object.keys((events[10]!.metadata as { columns: object }).columns).length, 32);
  });

  test('every type is told, and no setting of the session hides a difference', async () => {
    await pool.query(
      `CREATE TYPE mood AS ENUM ('ok', 'sad'); CREATE DOMAIN positive AS int CHECK (value > 0); CREATE TYPE pair AS (a int, b text)`,
    );
    await captured(
      'typed',
      `"ID" uuid PRIMARY KEY, m mood, p positive, c pair, a int[], b bytea, n numeric, f float8, d date, ts timestamptz,
      r int4range, g int GENERATED ALWAYS AS (p * 2) STORED, iv interval, ip inet, big bigint, ch "char"`,
    );
    await pool.query(`INSERT INTO typed ("ID", m, p, c, a, b, n, f, d, ts, r, iv, ip, big, ch) VALUES ('00000000-0000-4000-8000-000000000001',
      'ok', 3, ROW(1, 'x'), '{1,NULL,3}', '\\x00ff', 'NaN', 1, 'infinity', '2026-01-01T00:00:00Z', '[1,5)', '1 year 3 hours', '::1', 9223372036854775807, 'c')`);
    await pool.query(
      "SET extra_float_digits = -15; SET TimeZone = 'Asia/Tokyo'; SET bytea_output = 'escape'",
    );
    const client = await pool.connect();
    await client.query(
      "SET extra_float_digits = -15; SET TimeZone = 'Asia/Tokyo'; SET bytea_output = 'escape'",
    );
    await client.query('UPDATE typed SET f = 1.0000000001');
    await client.query("UPDATE typed SET n = 1e400, b = '\\x0100', ts = '2026-01-02T00:00:00Z'");
    await client.query('RESET ALL');
    client.release();
    await pool.query(
      "ALTER TABLE typed ALTER n TYPE text; ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'; UPDATE typed SET n = 'x', p = 4",
    );
    const [created, float, others, last] = await records();
    assert.deepEqual(Object.fromEntries(changesOf(created!).map(({ path, to }) => [path, to])), {
      '/ID': '00000000-0000-4000-8000-000000000001',
      '/m': 'ok',
      '/p': 3,
      '/c': { a: 1, b: 'x' },
      '/a': [1, null, 3],
      '/b': '\\x00ff',
      '/n': 'NaN',
      '/f': 1,
      '/d': 'infinity',
      '/ts': '2026-01-01T00:00:00+00:00',
      '/r': '[1,5)',
      '/g': 6,
      '/iv': '1 year 03:00:00',
      '/ip': '::1',
      '/big': '9223372036854775807',
      '/ch': 'c',
    });
    assert.deepEqual(float!.changes, [{ path: '/f', from: 1, to: 1.0000000001 }]);
    assert.deepEqual(
      changesOf(others!).map(({ path, to }) => [path, path === '/n' ? String(to).length : to]),
      [
        ['/b', '\\x0100'],
        ['/n', 401],
        ['/ts', '2026-01-02T00:00:00+00:00'],
      ],
    );
    assert.deepEqual(
      changesOf(last!).map(({ path }) => path),
      ['/g', '/n', '/p'],
    );
  });

  test('a cast to JSON of the application’s own runs with no rights over the log', async () => {
    await pool.query(
      `CREATE TYPE trap AS ENUM ('a'); CREATE TABLE sprung (who text, may boolean); GRANT INSERT ON sprung TO PUBLIC`,
    );
    await captured('trapped', 'id int PRIMARY KEY, v trap');
    await pool.query(`CREATE FUNCTION spring(trap) RETURNS json LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO public.sprung VALUES (current_user, pg_has_role(current_user, 'indelible_owner', 'MEMBER')
          OR has_table_privilege(current_user, 'indelible.entries', 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER'));
        RETURN '1'; END $$;
      CREATE CAST (trap AS json) WITH FUNCTION spring(trap)`);
    await pool.query('INSERT INTO trapped VALUES (1, $1)', ['a']);
    const { rows } = await pool.query('SELECT DISTINCT who, may FROM sprung');
    assert.deepEqual(rows, [{ who: 'indelible_capture', may: false }]);
    await pool.query('DROP CAST (trap AS json); DROP FUNCTION spring(trap)');
    await news();
  });

  test('INCLUDE columns are not of the key; a key that is dropped, renamed or made anew is noticed', async () => {
    await captured('keys', 'id int, v int, other int, PRIMARY KEY (id) INCLUDE (v)');
    await pool.query('INSERT INTO keys VALUES (1, 1, 7); UPDATE keys SET v = 2');
    await pool.query('ALTER TABLE keys RENAME id TO number; UPDATE keys SET v = 3');
    await pool.query('ALTER TABLE keys DROP CONSTRAINT keys_pkey; UPDATE keys SET v = 4');
    await pool.query('ALTER TABLE keys ADD PRIMARY KEY (other); UPDATE keys SET v = 5');
    assert.deepEqual((await records()).map(brief), [
      'record.created 1',
      'record.updated 1',
      'record.updated 1',
      'record.deleted no_primary_key',
      'record.created no_primary_key',
      'record.updated 7',
    ]);
  });

  test('COPY, cascades, TRUNCATE CASCADE, savepoints', async () => {
    await captured('parents', 'id int PRIMARY KEY');
    await captured(
      'children',
      'id int PRIMARY KEY, p int REFERENCES parents ON DELETE CASCADE ON UPDATE CASCADE',
    );
    await pool.query(
      'INSERT INTO parents VALUES (1), (2); INSERT INTO children VALUES (1, 1), (2, 1), (3, 2)',
    );
    await pool.query(
      'UPDATE parents SET id = 9 WHERE id = 1; DELETE FROM parents WHERE id = 9; TRUNCATE parents CASCADE',
    );
    await pool.query(
      'BEGIN; INSERT INTO parents VALUES (60); SAVEPOINT a; INSERT INTO parents VALUES (61); ROLLBACK TO a; INSERT INTO parents VALUES (62); COMMIT',
    );
    await pool.query("COPY parents FROM PROGRAM 'echo 70'");
    assert.deepEqual(
      (await records()).map((event) => `${brief(event)} ${event.targets[0]!.type}`),
      [
        'record.created 1 public.parents',
        'record.created 2 public.parents',
        'record.created 1 public.children',
        'record.created 2 public.children',
        'record.created 3 public.children',
        'record.deleted 1 public.parents',
        'record.created 9 public.parents',
        'record.updated 1 public.children',
        'record.updated 2 public.children',
        'record.deleted 9 public.parents',
        'record.deleted 1 public.children',
        'record.deleted 2 public.children',
        'record.truncated * public.parents',
        'record.truncated * public.children',
        'record.created 60 public.parents',
        'record.created 62 public.parents',
        'record.created 70 public.parents',
      ],
    );
  });

  test('a tree of partitions that is attached is captured to its leaves, and raises no alarm', async () => {
    await captured('root', 'id int, k int, PRIMARY KEY (id, k)) PARTITION BY LIST (k');
    await pool.query(
      'CREATE TABLE sub (id int NOT NULL, k int NOT NULL, PRIMARY KEY (id, k)) PARTITION BY LIST (k)',
    );
    await pool.query('CREATE TABLE sub1 PARTITION OF sub FOR VALUES IN (1)');
    await pool.query('ALTER TABLE root ATTACH PARTITION sub FOR VALUES IN (1, 2)');
    await pool.query('CREATE TABLE sub2 PARTITION OF sub FOR VALUES IN (2)');
    await pool.query(
      'INSERT INTO sub1 VALUES (1, 1); INSERT INTO sub2 VALUES (2, 2); INSERT INTO root VALUES (3, 1)',
    );
    const events = await news();
    assert.ok(!events.some(({ action }) => action === 'capture.disabled'));
    assert.deepEqual(events.filter(({ action }) => action.startsWith('record.')).map(brief), [
      'record.created 1,1',
      'record.created 2,2',
      'record.created 3,1',
    ]);
  });

  test('attack-39: what the log does to its own schema raises no alarm, and its mark hides nothing else', async () => {
    await news();
    await pool.query('SELECT indelible.ensure_partition(30000)');
    await migrate(databaseOf(pool));
    await captureTable(databaseOf(pool), { origin, table: 'public.parents' });
    assert.deepEqual(await news(), []);
    const client = await pool.connect();
    await client.query("SET indelible.own_ddl = 'on'");
    await client.query('ALTER TABLE parents ADD COLUMN extra int');
    await client.query('ALTER TABLE parents DISABLE TRIGGER indelible_insert');
    await client.query('ALTER TABLE parents ENABLE ALWAYS TRIGGER indelible_insert');
    await client.query('CREATE TABLE "x on indelible.y" (id int)');
    await client
      .query(
        'CREATE TRIGGER t BEFORE INSERT ON "x on indelible.y" FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
      )
      .catch(() => {});
    await client.query('DROP TABLE "x on indelible.y", children');
    await client.query('RESET indelible.own_ddl');
    client.release();
    assert.deepEqual(
      (await news()).map(({ action }) => action),
      [
        'schema.changed',
        'capture.disabled',
        'schema.changed',
        'schema.changed',
        'schema.changed',
        'capture.disabled',
      ],
    );
  });

  test('attack-44: whoever has less of a table recorded, by the command or by SQL, leaves an event with before and after', async () => {
    await captured('salaries', 'id int PRIMARY KEY, amount int, note text', { seal: ['note'] });
    const changed = async () => {
      const [event, ...more] = await news();
      assert.deepEqual(more, []);
      assert.deepEqual(
        [event!.action, event!.severity, event!.targets[0]!.type, event!.targets[0]!.id],
        ['capture.changed', 'high', 'table', 'public.salaries'],
      );
      const { from, to } = event!.metadata as { from: object; to: object | null };
      return { event: event!, from, to };
    };
    const capture = (more: Partial<CaptureOptions>) =>
      captureTable(databaseOf(pool), { origin, table: 'public.salaries', ...more });
    await capture({ seal: ['note'] });
    assert.deepEqual(await news(), [], 'the same again is no change');
    await capture({ exclude: ['amount'] });
    const { event, from, to } = await changed();
    assert.deepEqual(
      [from, to],
      [
        { origin, exclude: [], seal: ['note'] },
        { origin, exclude: ['amount'], seal: [] },
      ],
    );
    assert.equal(event.actor.type, 'database_role');
    // Past the function, by whoever owns the tables; and an author that is told is believed as with any change.
    const client = await pool.connect();
    await client.query('BEGIN');
    await client.query(`SELECT indelible.act_as('{"type":"user","id":"u_1"}', NULL)`);
    await client.query(
      "UPDATE indelible.captured SET excluded = '{amount,note}', excluded_columns = '{2,3}' WHERE name = 'public.salaries'",
    );
    await client.query('COMMIT');
    const past = await changed();
    assert.deepEqual(past.to, { origin, exclude: ['amount', 'note'], seal: [] });
    assert.deepEqual({ ...past.event.actor }, { type: 'user', id: 'u_1' });
    // Sent to a log of another name: the one that it left is told.
    await client.query(
      "UPDATE indelible.captured SET origin = 'example.com/nowhere' WHERE name = 'public.salaries'",
    );
    assert.deepEqual((await changed()).to, {
      origin: 'example.com/nowhere',
      exclude: ['amount', 'note'],
      seal: [],
    });
    await client.query(`UPDATE indelible.captured SET origin = '${origin}' WHERE name = 'public.salaries'`);
    assert.deepEqual((await changed()).from, {
      origin: 'example.com/nowhere',
      exclude: ['amount', 'note'],
      seal: [],
    });
    // Taken out, and put back with less: that it was taken out is told.
    await client.query("DELETE FROM indelible.captured WHERE name = 'public.salaries'");
    assert.equal((await changed()).to, null);
    await assert.rejects(
      client.query('INSERT INTO salaries VALUES (1, 2, $1)', ['x']),
      /not registered for capture/,
    );
    await capture({ exclude: ['amount'] });
    await client.query('INSERT INTO salaries VALUES (1, 2, $1)', ['x']);
    assert.deepEqual((await records()).map(brief), ['record.created 1']);
    // A change that is rolled back did not happen.
    await client.query('BEGIN');
    await client.query(
      "UPDATE indelible.captured SET excluded_columns = '{2,3}' WHERE name = 'public.salaries'",
    );
    await client.query('ROLLBACK');
    assert.deepEqual(await news(), []);
    // Whoever silences the trigger first is found by the doctor, and told where event triggers watch.
    await client.query('ALTER TABLE indelible.captured DISABLE TRIGGER changes_told');
    assert.match((await doctor(databaseOf(pool))).map(({ what }) => what).join(), /changes_told is disabled/);
    assert.deepEqual(
      (await news()).map(({ action }) => action),
      ['capture.disabled'],
    );
    await client.query('ALTER TABLE indelible.captured ENABLE ALWAYS TRIGGER changes_told');
    client.release();
    await news();
    assert.deepEqual(await doctor(databaseOf(pool)), []);
    await pool.query('DELETE FROM indelible.outbox WHERE origin = $1', ['example.com/nowhere']);
  });

  test('attack-39: a trigger of capture that is narrowed by a condition is no trigger of capture', async () => {
    await pool.query(`CREATE OR REPLACE TRIGGER indelible_insert AFTER INSERT ON parents REFERENCING NEW TABLE AS new_rows
      FOR EACH STATEMENT WHEN (false) EXECUTE FUNCTION indelible.capture(); ALTER TABLE parents ENABLE ALWAYS TRIGGER indelible_insert`);
    assert.ok((await doctor(databaseOf(pool))).some(({ what }) => what.includes('parents.indelible_insert')));
    assert.ok((await news()).some(({ action }) => action === 'capture.disabled'));
    await captureTable(databaseOf(pool), { origin, table: 'public.parents' });
    assert.deepEqual(await doctor(databaseOf(pool)), []);
  });

  test('the whole log is sound afterwards', async () => {
    assert.deepEqual((await audit.verify({ vkey: audit.vkey })).findings, []);
  });
});
