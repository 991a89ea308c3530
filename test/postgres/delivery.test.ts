// What is delivered twice, answered to nobody, or sent through a pooler: one entry, one index, and every caller told so.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isLogError } from 'indelible';
import {
  captureTable,
  coverage,
  createPostgresLog,
  databaseOf,
  doctor,
  migrate,
  openPostgresLog,
  type PgClient,
  type PgPool,
  type PostgresLog,
  withActor,
} from 'indelible/postgres';
import pg from 'pg';
import postgres from 'postgres';
import { temporaryFolder } from '../support/folders.ts';
import { poolOf, startServer, testServer, whyNoPostgres } from '../support/postgres.ts';
import { startProxy } from '../support/tcp-proxy.ts';

const skip = whyNoPostgres() ?? false;
const isForeign = process.env.INDELIBLE_TEST_PG !== undefined;
const large = process.env.INDELIBLE_LARGE_FAULTS === '1';
const origin = 'example.com/delivery';
const event = (id: string, more: object = {}) => ({
  id,
  action: 'job.run',
  actor: { type: 'service', id: 'test' },
  ...more,
});

describe('delivery to a log in PostgreSQL', { skip }, () => {
  let url: string;
  let pool: pg.Pool;
  let dir: string;
  const removals: (() => void)[] = [];

  before(async () => {
    url = await (await testServer()).database();
    pool = poolOf(url, 12);
    await migrate(databaseOf(pool));
    dir = temporaryFolder({ after: (remove) => removals.push(remove as () => void) });
    await (await createPostgresLog(pool, { origin, dir, heartbeatMs: 0 })).close();
  });
  after(async () => {
    await pool.end();
    for (const remove of removals) remove();
  });

  const open = (client: Parameters<typeof openPostgresLog>[0], name: string): Promise<PostgresLog> =>
    openPostgresLog(client, {
      origin,
      key: `${dir}/log.key`,
      mark: `${dir}/${name}.mark`,
      heartbeatMs: 0,
      sequence: false,
      warn: () => {},
    });

  test('T10: one id a hundred times at once, by several instances, over broken lines, after a restart: one index, one receipt', async (t) => {
    const server = await testServer();
    const proxy = await startProxy(server.port);
    t.after(() => proxy.close());
    const through = new URL(url);
    through.port = String(proxy.port);
    const shaky = poolOf(through.href, 4);
    t.after(() => shaky.end());
    const instances = [await open(pool, 't10-a'), await open(pool, 't10-b'), await open(shaky, 't10-c')];
    const rounds = large ? 20 : 3;
    for (let round = 0; round < rounds; round++) {
      const id = `once-${round}`;
      // The first answer to a COMMIT of the third instance is lost.
      let [sawCommit, isArmed] = [false, true];
      proxy.onRequest = (bytes) => {
        sawCommit ||= bytes.toString('latin1').includes('COMMIT\0');
        return 'pass';
      };
      proxy.onReply = () => {
        if (!isArmed || !sawCommit) return 'pass';
        isArmed = false;
        return 'cut';
      };
      const early = Array.from({ length: 34 }, () => instances[2]!.record(event(id)));
      while (!sawCommit) await sleep(1);
      const late = Array.from({ length: 66 }, (_, n) => instances[n % 2]!.record(event(id)));
      const receipts = await Promise.all([...early, ...late]);
      assert.equal(new Set(receipts.map(({ index, leafHash }) => `${index} ${leafHash}`)).size, 1);
      assert.equal(isArmed, false, 'the fault was not reached');
      await assert.rejects(instances[round % 2]!.record(event(id, { reason: 'another' })), (error) =>
        isLogError(error, 'id_conflict'),
      );
    }
    proxy.onReply = () => 'pass';
    for (const instance of instances) await instance.close();
    const later = await open(pool, 't10-d');
    const again = await later.record(event('once-0'));
    const { rows } = await pool.query("SELECT idx FROM indelible.ids WHERE id LIKE 'once-%' ORDER BY idx");
    assert.equal(rows.length, rounds);
    assert.equal(String(again.index), rows[0].idx);
    assert.deepEqual((await later.verify({ vkey: later.vkey, held: [again] })).findings, []);
    await later.close();
  });

  test('T11: the lines of the other driver break around COMMIT: every event is there once, and told so', async (t) => {
    const server = await testServer();
    const proxy = await startProxy(server.port);
    t.after(() => proxy.close());
    const through = new URL(url);
    through.port = String(proxy.port);
    const sql = postgres(through.href, { max: 4, onnotice: () => {}, fetch_types: false });
    t.after(() => sql.end({ timeout: 1 }));
    const audit = await open(sql, 't11');
    const receipts = [await audit.record(event('t11-before'))];
    for (const [n, verdict] of (['cut', 'pass-then-cut', 'cut', 'pass-then-cut'] as const).entries()) {
      let isArmed = true;
      proxy.onRequest = (bytes) => {
        if (!isArmed || !bytes.toString('latin1').includes('COMMIT\0')) return 'pass';
        isArmed = false;
        return verdict;
      };
      receipts.push(...(await Promise.all([0, 1, 2].map((m) => audit.record(event(`t11-${n}-${m}`))))));
      assert.equal(isArmed, false, 'the fault was not reached');
    }
    // The server ends connections while they are held, and idle: the driver is asked nothing that it cannot survive. Its own question
    // for types is one that it does not: whoever has to live on leaves it out (`fetch_types`).
    for (let n = 0; n < 6; n++) {
      const ids = Array.from({ length: 8 }, (_, m) => event(`t11-ended-${n}-${m}`));
      const answers = ids.map((one) => retried(() => audit.record(one)));
      await sleep(n * 3);
      await pool.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'postgres.js' AND datname = current_database()`);
      receipts.push(...(await Promise.all(answers)));
    }
    proxy.onRequest = () => 'pass';
    assert.equal(new Set(receipts.map(({ index }) => index)).size, 13 + 48);
    const report = await retried(() => audit.verify({ vkey: audit.vkey, held: receipts }));
    assert.deepEqual(report.findings, []);
    await audit.close();
  });

  test('behind a pooler that hands out another connection for each transaction, everything works', async (t) => {
    await pool.query('CREATE TABLE pooled (id int PRIMARY KEY)');
    const pooled = transactionPooling(url);
    t.after(() => pooled.end());
    await migrate(databaseOf(pooled));
    await captureTable(databaseOf(pooled), { origin, table: 'public.pooled' });
    const audit = await openPostgresLog(pooled, {
      origin,
      key: `${dir}/log.key`,
      mark: `${dir}/pooled.mark`,
      heartbeatMs: 0,
      warn: () => {},
    });
    await Promise.all(Array.from({ length: 20 }, (_, n) => audit.record(event(`pooled-${n}`))));
    const client = await pooled.connect();
    for (let n = 0; n < 10; n++) {
      await client.query('BEGIN');
      await withActor(client, { type: 'user', id: `u_${n}` });
      await client.query('INSERT INTO pooled VALUES ($1)', [n]);
      const id = await audit.recordIn(client, event(`pooled-in-${n}`));
      await client.query('COMMIT');
      await audit.awaitReceipt(id);
    }
    client.release();
    assert.equal((await audit.outboxState()).refused, 0);
    const actors: string[] = [];
    for await (const { actor, action } of audit.log.query('action:record.created')) {
      if (action === 'record.created') actors.push(actor.id);
    }
    assert.deepEqual(
      actors.sort(),
      Array.from({ length: 10 }, (_, n) => `u_${n}`),
    );
    assert.deepEqual(await doctor(databaseOf(pooled)), []);
    assert.ok((await coverage(databaseOf(pooled), { since: new Date(0) })).length > 0);
    assert.deepEqual((await audit.verify({ vkey: audit.vkey })).findings, []);
    assert.ok(pooled.switches() > 20, 'no two transactions in a row had one connection');
    await audit.close();
  });

  test('whoever is no superuser makes the schema, and everything in it stands', async (t) => {
    const server = await testServer();
    await pool.query(
      `DO $$ BEGIN CREATE ROLE app_migrator LOGIN CREATEROLE; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
    );
    const name = new URL(await server.database()).pathname.slice(1);
    const admin = poolOf(server.url(name), 1);
    // On a server where a superuser has made the roles for another database, the one who migrates is let into those of the owners.
    await admin.query(`GRANT CREATE ON DATABASE ${name} TO app_migrator; GRANT CREATE ON SCHEMA public TO app_migrator;
      GRANT indelible_owner, indelible_capture TO app_migrator WITH ADMIN OPTION`);
    const own = poolOf(server.url(name, 'app_migrator'), 4);
    t.after(async () => {
      await own.end();
      await admin.query('REVOKE indelible_owner, indelible_capture FROM app_migrator CASCADE');
      await admin.end();
    });
    assert.deepEqual(await migrate(databaseOf(own)), { from: 0, to: 3 });
    assert.deepEqual(await migrate(databaseOf(own)), { from: 3, to: 3 });
    assert.deepEqual(await doctor(databaseOf(own)), []);
    const audit = await createPostgresLog(own, { origin, dir: temporaryFolder(t), heartbeatMs: 0 });
    await own.query('CREATE TABLE theirs (id int PRIMARY KEY, c text)');
    const { blind } = await captureTable(databaseOf(own), { origin, table: 'public.theirs', exclude: ['c'] });
    assert.equal(blind.length, 2);
    await own.query("INSERT INTO theirs VALUES (1, 'x'); UPDATE theirs SET c = 'y'");
    while ((await audit.outboxState()).waiting > 0) await audit.drainOutbox();
    assert.deepEqual((await audit.verify({ vkey: audit.vkey })).findings, []);
    assert.equal((await audit.outboxState()).refused, 0);
    await audit.close();
  });

  test('a transaction that stays open for long: what committed before another began comes first', async (t) => {
    const audit = await open(pool, 'order');
    t.after(() => audit.close());
    const long = await pool.connect();
    await long.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await audit.recordIn(long, event('order-long'));
    for (let n = 0; n < 5; n++) {
      const client = await pool.connect();
      await client.query('BEGIN');
      await audit.recordIn(client, event(`order-${n}`));
      await client.query('COMMIT');
      client.release();
      await audit.drainOutbox();
    }
    await long.query('COMMIT');
    long.release();
    const last = await pool.connect();
    await last.query('BEGIN');
    await audit.recordIn(last, event('order-last'));
    await last.query('COMMIT');
    last.release();
    await audit.drainOutbox();
    const indexes: number[] = [];
    for (const id of ['order-0', 'order-1', 'order-2', 'order-3', 'order-4', 'order-long', 'order-last'])
      indexes.push((await audit.awaitReceipt(id)).index);
    assert.deepEqual(
      indexes,
      [...indexes].sort((a, b) => a - b),
    );
  });

  test('prepared transactions: their events come when they are committed, in order, and hold up nothing until then', {
    skip: isForeign && 'the server is somebody else’s: it is not restarted',
  }, async (t) => {
    const server = await startServer(['max_prepared_transactions=8']);
    t.after(() => server.stop());
    const own = poolOf(await server.database(), 6);
    t.after(() => own.end());
    await migrate(databaseOf(own));
    const audit = await createPostgresLog(own, {
      origin,
      dir: temporaryFolder(t),
      sequence: false,
      heartbeatMs: 0,
    });
    t.after(() => audit.close());
    const within = async (end: string, ...ids: string[]): Promise<void> => {
      const client = await own.connect();
      await client.query('BEGIN');
      for (const id of ids) await audit.recordIn(client, event(id));
      await client.query(end);
      client.release();
    };
    await within("PREPARE TRANSACTION 'kept'", 'kept-1', 'kept-2');
    await within("PREPARE TRANSACTION 'dropped'", 'dropped-1');
    await within('COMMIT', 'beside-1');
    assert.deepEqual([(await audit.outboxState()).waiting, await audit.drainOutbox()], [1, 1]);
    // They outlive the server; neither is in the log, and what is recorded besides is.
    await server.stop();
    await server.start();
    await retried(() => audit.record(event('direct')));
    await within('COMMIT', 'beside-2');
    await audit.drainOutbox();
    for (const id of ['kept-1', 'kept-2', 'dropped-1']) assert.equal(await audit.log.get(id), undefined);
    // An erasure does not wait for what may take days: it is done, and says that bytes may be left.
    const erased = await audit.log.erase({
      subject: 'user/u_9',
      basis: 'b',
      requestId: 'r',
      approvedBy: ['p_1', 'p_2'],
    });
    assert.match(erased.residue ?? '', /a prepared transaction/);
    await own.query("COMMIT PREPARED 'kept'");
    await own.query("ROLLBACK PREPARED 'dropped'");
    await within('COMMIT', 'behind');
    await audit.drainOutbox();
    const order = ['beside-1', 'direct', 'beside-2', 'kept-1', 'kept-2', 'behind'];
    const indexes: number[] = [];
    for (const id of order) indexes.push((await audit.log.get(id))!.index);
    assert.deepEqual(
      indexes,
      [...indexes].sort((a, b) => a - b),
    );
    assert.equal(await audit.log.get('dropped-1'), undefined);
    assert.deepEqual((await audit.verify({ vkey: audit.vkey })).findings, []);
  });
});

/** Again, where what failed says that it may be tried again. */
async function retried<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!isLogError(error) || !error.retryable || attempt > 50) throw error;
      await sleep(20);
    }
  }
}

/** A pool as one behind PgBouncer in its transaction mode: between two transactions a client has no connection, and none of its settings. */
function transactionPooling(url: string): PgPool & { end(): Promise<void>; switches(): number } {
  interface Server {
    readonly client: pg.Client;
    /** As the server says when it is ready: I, idle; T, in a transaction; E, in one that failed. */
    status: string;
  }
  const servers: Server[] = [];
  const free: Server[] = [];
  let switched = 0;
  const server = async (): Promise<Server> => {
    if (servers.length < 6) {
      const made: Server = { client: new pg.Client({ connectionString: url }), status: 'I' };
      servers.push(made);
      made.client.on('error', () => {});
      const { connection } = made.client as unknown as {
        connection: { on(name: string, heard: (message: { status: string }) => void): void };
      };
      connection.on('readyForQuery', ({ status }) => {
        made.status = status;
      });
      await made.client.connect();
      return made;
    }
    while (free.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    // Never the one that was given back last.
    return free.shift()!;
  };
  const connect = async (): Promise<PgClient> => {
    let held: Server | undefined;
    let last: Server | undefined;
    return {
      query: async (text: string, values?: unknown[]) => {
        const on = held ?? (await server());
        if (held === undefined && last !== undefined && last !== on) switched += 1;
        held = on;
        try {
          return (await on.client.query(text, values)) as never;
        } finally {
          if (on.status === 'I') {
            await on.client.query('DISCARD ALL');
            last = on;
            held = undefined;
            free.push(on);
          }
        }
      },
      release: () => {
        if (held !== undefined) free.push(held);
        held = undefined;
      },
      on: () => undefined,
      off: () => undefined,
    };
  };
  return {
    connect,
    switches: () => switched,
    end: async () => {
      for (const { client } of servers) await client.end();
    },
  };
}
