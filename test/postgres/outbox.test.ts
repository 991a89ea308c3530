// Events inside the application's own transactions: by every library, exactly once, in order, and none without its transaction.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { drizzle } from 'drizzle-orm/node-postgres';
import { drizzle as drizzleOnPostgres } from 'drizzle-orm/postgres-js';
import { isLogError } from 'indelible';
import {
  createPostgresLog,
  databaseOf,
  formatOutboxMetrics,
  migrate,
  Outbox,
  openPostgresLog,
  type PostgresLog,
} from 'indelible/postgres';
import { Kysely, PostgresDialect, sql as raw } from 'kysely';
import type pg from 'pg';
import postgres from 'postgres';
import { temporaryFolder } from '../support/folders.ts';
import { poolOf, testServer, whyNoPostgres } from '../support/postgres.ts';

const skip = whyNoPostgres() ?? false;
const actor = { type: 'user', id: 'u_42', name: "O'Hara \\ \u{1f600}" };
const event = {
  action: 'plan.changed',
  actor,
  targets: [{ type: 'account', id: '7' }],
  reason: 'asked by phone',
};

describe('the outbox', { skip }, () => {
  let url: string;
  let pool: pg.Pool;
  let sql: postgres.Sql;
  let audit: PostgresLog;
  let dir: string;
  const origin = 'example.com/outbox';

  const folders: (() => void)[] = [];

  before(async () => {
    const server = await testServer();
    url = await server.database();
    pool = poolOf(url, 20);
    sql = postgres(url, { max: 4, onnotice: () => {} });
    await migrate(databaseOf(pool));
    await pool.query('CREATE TABLE accounts (id integer PRIMARY KEY, plan text)');
    await pool.query("INSERT INTO accounts SELECT n, 'free' FROM generate_series(1, 100) n");
    dir = temporaryFolder({ after: (remove) => folders.push(remove as () => void) });
    audit = await createPostgresLog(pool, { origin, dir });
  });
  after(async () => {
    await audit.close();
    await pool.end();
    await sql.end();
    for (const remove of folders) remove();
  });

  const ways: Record<string, (work: (tx: never) => Promise<string>, fail: boolean) => Promise<string>> = {
    pg: async (work, fail) => {
      const client = await pool.connect();
      await client.query('BEGIN');
      await client.query("UPDATE accounts SET plan = 'pro' WHERE id = 1");
      const id = await work(client as never);
      await client.query(fail ? 'ROLLBACK' : 'COMMIT');
      client.release();
      return id;
    },
    postgres: (work, fail) =>
      rolling(async (stop) => {
        let id = '';
        await sql.begin(async (tx) => {
          await tx`UPDATE accounts SET plan = 'pro' WHERE id = 2`;
          id = await work(tx as never);
          if (fail) throw stop(id);
        });
        return id;
      }),
    'Drizzle on pg': (work, fail) =>
      rolling((stop) =>
        drizzle(pool).transaction(async (tx) => {
          await tx.execute("UPDATE accounts SET plan = 'pro' WHERE id = 3");
          const id = await work(tx as never);
          if (fail) throw stop(id);
          return id;
        }),
      ),
    'Drizzle on postgres': (work, fail) =>
      rolling((stop) =>
        drizzleOnPostgres(sql).transaction(async (tx) => {
          const id = await work(tx as never);
          if (fail) throw stop(id);
          return id;
        }),
      ),
    Kysely: (work, fail) =>
      rolling((stop) =>
        new Kysely<object>({ dialect: new PostgresDialect({ pool }) }).transaction().execute(async (tx) => {
          await raw`UPDATE accounts SET plan = 'pro' WHERE id = 4`.execute(tx);
          const id = await work(tx as never);
          if (fail) throw stop(id);
          return id;
        }),
      ),
  };

  for (const [name, transact] of Object.entries(ways)) {
    test(`${name}: the event is in the log if the transaction commits`, async () => {
      const id = await transact((tx) => audit.recordIn(tx, event), false);
      const receipt = await audit.awaitReceipt(id);
      const { proof } = await audit.log.prove(receipt);
      assert.match(proof, /^c2sp.org\/tlog-proof@v1/);
      const recorded = await audit.log.get(id);
      assert.deepEqual(
        [recorded?.actor, recorded?.reason, recorded?.source.seq],
        [actor, 'asked by phone', null],
      );
    });

    test(`${name}: and never was if it rolls back`, async () => {
      const id = await transact((tx) => audit.recordIn(tx, event), true);
      await audit.drainOutbox();
      assert.equal(await audit.log.get(id), undefined);
      await assert.rejects(audit.awaitReceipt(id, { timeoutMs: 60 }), (error) =>
        isLogError(error, 'receipt_pending'),
      );
    });
  }

  test('what is no transaction is refused, by each library', async () => {
    const outside = [
      pool,
      sql,
      drizzle(pool),
      new Kysely<object>({ dialect: new PostgresDialect({ pool }) }),
      {},
      undefined,
    ];
    for (const client of outside) {
      await assert.rejects(audit.recordIn(client as never, event), { code: 'argument_invalid' });
    }
  });

  test('a bad event is refused where it is handed in, and the transaction goes on', async () => {
    const client = await pool.connect();
    await client.query('BEGIN');
    await assert.rejects(audit.recordIn(client, { ...event, action: 'Bad Action' } as never), {
      name: 'EventError',
    });
    const id = await audit.recordIn(client, event);
    await client.query('COMMIT');
    client.release();
    assert.ok((await audit.awaitReceipt(id)).index > 0);
  });

  test('a transaction that committed before another began comes first, under load', async () => {
    const order: string[] = [];
    const noise = Array.from({ length: 8 }, async (_, who) => {
      for (let n = 0; n < 25; n++) {
        const client = await pool.connect();
        await client.query('BEGIN');
        await audit.recordIn(client, { ...event, id: `noise-${who}-${n}` });
        if (n % 3 === 0) await sleep(2);
        await client.query(n % 7 === 6 ? 'ROLLBACK' : 'COMMIT');
        client.release();
      }
    });
    for (let n = 0; n < 60; n++) {
      const client = await pool.connect();
      await client.query('BEGIN');
      await audit.recordIn(client, { ...event, id: `seq-${n}-a` });
      await audit.recordIn(client, { ...event, id: `seq-${n}-b` });
      await client.query('COMMIT');
      client.release();
      order.push(`seq-${n}-a`, `seq-${n}-b`);
    }
    await Promise.all(noise);
    const indexes = [];
    for (const id of order) indexes.push((await audit.awaitReceipt(id)).index);
    assert.deepEqual(
      indexes,
      [...indexes].sort((a, b) => a - b),
    );
    assert.deepEqual((await audit.verify({ vkey: audit.vkey })).findings, []);
  });

  test('a poisoned row is set aside with its reason, and holds up nobody', async () => {
    await pool.query(`INSERT INTO indelible.outbox (origin, id, kind, body) VALUES
      ('${origin}', 'poison-1', 'event', 'no json'), ('${origin}', 'poison-2', 'event', '{"event":{"id":"other"}}'),
      ('${origin}', 'poison-3', 'event', '{"event":{"id":"poison-3","action":"log.created","actor":{"type":"a","id":"b"}},"source":{"service":"s","instance":"x"}}'),
      ('${origin}', 'poison-4', 'row', '{}'), ('${origin}', 'poison-5', 'event', '{"event":{"id":"poison-5","a\\u0000b":1}}'),
      ('${origin}', 'poison-6', 'event', '{"event":{"id":"poison-6","action":"a.b","actor":{"type":"a","id":"b"}},"source":5}'),
      ('${origin}', 'poison-7', 'event', 'null'), ('${origin}', 'poison-8', 'other', '[]'), ('${origin}', 'poison-9', 'event', repeat('[', 3000000)),
      ${['5', '"AA"', '"!"', `"${'A'.repeat(43)}"`, `"${'A'.repeat(64)}"`].map((sealing, n) => `('${origin}', 'poison-${10 + n}', 'event', '{"event":{"id":"poison-${10 + n}","action":"a.b","actor":{"type":"a","id":"b","name":"n"}},"source":{"service":"s","instance":"x"},"sealing":${sealing}}')`).join(', ')}`);
    const client = await pool.connect();
    await client.query('BEGIN');
    const id = await audit.recordIn(client, { ...event, id: 'neighbour' });
    await client.query('COMMIT');
    client.release();
    await audit.awaitReceipt(id);
    for (let n = 1; n <= 14; n++) {
      await assert.rejects(audit.awaitReceipt(`poison-${n}`), (error) => isLogError(error, 'outbox_refused'));
    }
    const conflict = await pool.connect();
    await conflict.query('BEGIN');
    await audit.recordIn(conflict, { ...event, id: 'neighbour', reason: 'another' });
    await conflict.query('COMMIT');
    conflict.release();
    await sleep(150);
    await audit.drainOutbox();
    const state = await audit.outboxState();
    assert.equal(state.waiting, 0);
    assert.equal(state.refused, 15);
    const { rows } = await pool.query("SELECT code FROM indelible.outbox_refused WHERE id = 'neighbour'");
    assert.equal(rows[0].code, 'id_conflict');
    assert.deepEqual((await audit.verify({ vkey: audit.vkey })).findings, []);
  });

  test('what is handed in is sealed by its transaction: nonce and salts wait with it, and are those of its entry', async () => {
    const client = await pool.connect();
    await client.query('BEGIN');
    const id = await audit.recordIn(client, { ...event, metadata: { plan: 'pro' } });
    const waiting = await client.query('SELECT body FROM indelible.outbox WHERE id = $1', [id]);
    await client.query('COMMIT');
    client.release();
    const { index } = await audit.awaitReceipt(id);
    const drawn = Buffer.from(JSON.parse(waiting.rows[0].body).sealing, 'base64url');
    const { rows } = await pool.query(
      `SELECT convert_from(e.entry, 'UTF8')::json AS entry, convert_from(d.texts, 'UTF8') AS texts FROM indelible.entries e
       JOIN indelible.disclosures d ON d.log = e.log AND d.idx = e.idx JOIN indelible.logs l ON l.log = e.log
       WHERE l.origin = $1 AND e.idx = $2`,
      [origin, index],
    );
    const pieces = Array.from({ length: drawn.length / 16 }, (_, n) =>
      drawn.subarray(n * 16, n * 16 + 16).toString('base64url'),
    );
    assert.equal(rows[0].entry.nonce, pieces[0]);
    const salts = [...String(rows[0].texts).matchAll(/\["([\w-]{22})",/g)].map(([, salt]) => salt);
    assert.deepEqual(salts, pieces.slice(1));
    assert.equal(salts.length, 3);
  });

  test('several sequencers take each row once', async () => {
    const others = await Promise.all(
      [1, 2].map((n) =>
        openPostgresLog(pool, { origin, key: `${dir}/log.key`, mark: `${dir}/s${n}.mark`, warn: () => {} }),
      ),
    );
    const before = (await audit.log.checkpoint()).size;
    const outbox = new Outbox({ origin, service: 'web' });
    const client = await pool.connect();
    for (let n = 0; n < 50; n++) {
      await client.query('BEGIN');
      for (let m = 0; m < 4; m++) await outbox.recordIn(client, { ...event, id: `many-${n}-${m}` });
      await client.query('COMMIT');
    }
    client.release();
    await audit.awaitReceipt('many-49-3');
    const own = (await audit.log.checkpoint()).size - before;
    // Each of the others may have said that it opened the log.
    assert.ok(own >= 200 && own <= 202, `${own} entries for 200 events`);
    assert.equal((await audit.log.get('many-3-1'))?.source.service, 'web');
    for (const other of others) await other.close();
  });

  test('an outbox in the database of the application, the log in another', async (t) => {
    const server = await testServer();
    const application = poolOf(await server.database());
    await migrate(databaseOf(application));
    const place = temporaryFolder(t);
    const apart = await createPostgresLog(pool, {
      origin: 'example.com/apart',
      dir: place,
      outbox: application,
    });
    const client = await application.connect();
    await client.query('BEGIN');
    const id = await apart.recordIn(client, event);
    await client.query('COMMIT');
    const receipt = await apart.awaitReceipt(id);
    // As if the process had died between the commit of the log and the deletion: the row is there again, the entry stays one.
    await apart.close();
    const again = await openPostgresLog(pool, {
      origin: 'example.com/apart',
      dir: place,
      outbox: application,
      sequence: false,
    });
    await client.query('BEGIN');
    await client.query(`SELECT indelible.outbox_put('example.com/apart', $1, $2)`, [
      id,
      JSON.stringify({
        event: { ...event, id, occurredAt: (await again.log.get(id))!.occurredAt },
        source: { service: 'app', instance: '00000000-0000-4000-8000-000000000000' },
      }),
    ]);
    await client.query('COMMIT');
    client.release();
    assert.equal(await again.drainOutbox(), 1);
    assert.equal((await again.outboxState()).waiting, 0);
    assert.equal((await again.awaitReceipt(id)).index, receipt.index);
    await again.close();
    await application.end();
  });

  test('how the outbox stands, for a collector of metrics', async () => {
    const client = await pool.connect();
    await client.query('BEGIN');
    await new Outbox({ origin: 'example.com/"nobody"' }).recordIn(client, event);
    await client.query('COMMIT');
    client.release();
    const lonely = { waiting: 1, oldestMs: 1500, refused: 2, sequenced: 3, failures: 0 };
    const text = formatOutboxMetrics('example.com/"nobody"', lonely);
    assert.match(text, /^indelible_outbox_waiting\{origin="example\.com\/\\"nobody\\""\} 1$/m);
    assert.match(text, /^indelible_outbox_oldest_seconds\{[^}]+\} 1\.5$/m);
    assert.equal(text.split('\n').filter((line) => line.startsWith('# TYPE')).length, 5);
    const state = await audit.outboxState();
    assert.equal(state.waiting, 0, 'what waits for another log is none of ours');
    assert.ok(state.sequenced > 0);
    const { rows } = await pool.query('SELECT * FROM indelible.outbox_state(\'example.com/"nobody"\')');
    assert.equal(rows[0].waiting, '1');
    assert.ok(rows[0].oldest_ms >= 0);
  });

  test('the caller of recordIn holds no lock that another waits for', async () => {
    const one = await pool.connect();
    await one.query('BEGIN');
    await audit.recordIn(one, event);
    // Its transaction stays open: others record, and are sequenced, all the same.
    const two = await pool.connect();
    await two.query('BEGIN');
    const id = await audit.recordIn(two, event);
    await two.query('COMMIT');
    two.release();
    await audit.awaitReceipt(id);
    await one.query('ROLLBACK');
    one.release();
  });
});

/** Runs a transaction that may be stopped by an error which carries the id that was handed out. */
async function rolling(run: (stop: (id: string) => Error) => Promise<string>): Promise<string> {
  let stopped: { error: Error; id: string } | undefined;
  try {
    return await run((id) => {
      stopped = { error: new Error('rolled back on purpose'), id };
      return stopped.error;
    });
  } catch (error) {
    if (stopped === undefined || error !== stopped.error) throw error;
    return stopped.id;
  }
}
