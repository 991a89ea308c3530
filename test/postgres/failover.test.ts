// A primary and its synchronous standby: the primary is killed while it is written to, the standby takes over under the same name, and
// everything that was acknowledged is there. Writers go on by themselves.

import assert from 'node:assert/strict';
import { chmodSync, chownSync, cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isLogError, type Receipt } from 'indelible';
import { createPostgresLog, databaseOf, migrate, openPostgresLog } from 'indelible/postgres';
import type pg from 'pg';
import postgres from 'postgres';
import { temporaryFolder } from '../support/folders.ts';
import { poolOf, startServer, type TestServer, whyNoPostgres } from '../support/postgres.ts';
import { startProxy } from '../support/tcp-proxy.ts';

const isForeign = process.env.INDELIBLE_TEST_PG !== undefined;
const skip = whyNoPostgres() ?? (isForeign && 'the server is somebody else’s: it is not killed');
const rounds = process.env.INDELIBLE_LARGE_FAULTS === '1' ? 20 : 1;
const origin = 'example.com/failover';
const event = (id: string) => ({ id, action: 'job.run', actor: { type: 'service', id: 'test' } });

/** How long a writer may go without an answer, milliseconds: a commit of which nothing was heard is looked into for half a minute. */
const ANSWER_MS_MAX = 45_000;

describe('a primary with a synchronous standby', { skip }, () => {
  for (let round = 0; round < rounds; round++) {
    test(`T12: killed while it is written to, nothing acknowledged is lost, and no writer hangs (${round})`, async (t) => {
      const { primary, standby, admin, name } = await pair(t);
      const key = path.join(temporaryFolder(t), 'log.key');
      const proxy = await startProxy(primary.port);
      t.after(() => proxy.close());
      const through = new URL(primary.url(name));
      through.port = String(proxy.port);
      const pool = poolOf(through.href, 8);
      t.after(() => pool.end());
      const dir = path.dirname(key);
      await (await createPostgresLog(pool, { origin, dir, heartbeatMs: 0 })).close();
      const options = { origin, key, heartbeatMs: 0, sequence: false, warn: () => {} };
      await refusesBlindDriver(through.href, options, t);
      const audit = await openPostgresLog(pool, options);

      const receipts: Receipt[] = [];
      const committed: string[] = [];
      const over = { yes: false };
      t.after(() => {
        over.yes = true;
      });
      let slowest = 0;
      const lane = async (lane: number): Promise<void> => {
        for (let n = 0; !over.yes; n++) {
          const began = performance.now();
          receipts.push(await retried(() => audit.record(event(`r-${lane}-${n}`))));
          slowest = Math.max(slowest, performance.now() - began);
        }
      };
      const outboxLane = async (): Promise<void> => {
        for (let n = 0; !over.yes; n++) if (await handedIn(pool, audit, `o-${n}`)) committed.push(`o-${n}`);
      };
      const lanes = [...Array.from({ length: 8 }, (_, n) => lane(n)), outboxLane()];
      await sleep(300 + 40 * round);
      const before = receipts.length;
      await primary.kill();
      const promoted = poolOf(standby.url(name), 4);
      t.after(() => promoted.end());
      await retried(() => promoted.query('SELECT pg_promote(true, 30)'));
      await promoted.query("ALTER SYSTEM SET synchronous_standby_names = ''");
      await promoted.query('SELECT pg_reload_conf()');
      proxy.leadTo(standby.port);
      while (receipts.length < before + 40) await sleep(20);
      over.yes = true;
      await Promise.all(lanes);
      assert.ok(before > 10 && slowest < ANSWER_MS_MAX, `${before} before, ${slowest} ms`);
      while ((await audit.outboxState()).waiting > 0) await audit.drainOutbox();
      for (const id of committed) assert.notEqual(await audit.log.get(id), undefined, `${id} was committed`);
      assert.ok(committed.length > 0);
      const report = await audit.verify({ vkey: audit.vkey, held: receipts });
      assert.deepEqual(report.findings, []);
      assert.equal(new Set(receipts.map(({ index }) => index)).size, receipts.length);
      t.diagnostic(
        `${before} acknowledged before, ${receipts.length} in all, slowest ${Math.round(slowest)} ms`,
      );
      await audit.close();
      await admin.end();
    });
  }
});

/** Whoever is not told that a wait was cut short is not let write here. */
async function refusesBlindDriver(
  url: string,
  options: Parameters<typeof openPostgresLog>[1],
  t: TestContext,
): Promise<void> {
  const sql = postgres(url, { max: 3, onnotice: () => {}, fetch_types: false });
  t.after(() => sql.end({ timeout: 1 }));
  const refused = async (): Promise<void> => {
    const blind = await openPostgresLog(sql, { ...options, mark: `${options.key}.blind.mark` });
    await blind.record(event('blind')).finally(() => blind.close());
  };
  await assert.rejects(
    refused(),
    (error) => isLogError(error, 'not_durable') && /use pg/.test(error.hint ?? ''),
  );
}

/** Whether a transaction with an event was answered as committed. */
async function handedIn(
  pool: pg.Pool,
  audit: Awaited<ReturnType<typeof openPostgresLog>>,
  id: string,
): Promise<boolean> {
  try {
    const client = await pool.connect();
    const onError = (): void => {};
    client.on('error', onError);
    let isBroken = true;
    try {
      await client.query('BEGIN');
      await audit.recordIn(client, event(id));
      await client.query('COMMIT');
      isBroken = false;
    } finally {
      client.off('error', onError);
      client.release(isBroken);
    }
    return true;
  } catch {
    await sleep(20);
    return false;
  }
}

/** A primary with the schema in a database, and a standby that it waits for. */
async function pair(
  t: TestContext,
): Promise<{ primary: TestServer; standby: TestServer; admin: pg.Pool; name: string }> {
  const primary = await startServer([
    'wal_level=replica',
    'synchronous_standby_names=*',
    'synchronous_commit=local',
  ]);
  t.after(() => primary.kill());
  const url = await primary.database();
  const name = new URL(url).pathname.slice(1);
  const setup = poolOf(url, 2);
  await migrate(databaseOf(setup));
  await setup.query(`ALTER DATABASE ${name} SET synchronous_commit = 'on'`);
  await setup.end();
  await primary.stop();
  const copy = mkdtempSync(path.join(tmpdir(), 'indelible-pg-standby-'));
  rmSync(copy, { recursive: true });
  cpSync(primary.dataDir, copy, { recursive: true });
  writeFileSync(path.join(copy, 'standby.signal'), '');
  giveAway(copy);
  await primary.start();
  const standby = await startServer(
    [`primary_conninfo=host=127.0.0.1 port=${primary.port} user=postgres`],
    copy,
  );
  t.after(async () => {
    await standby.stop();
    rmSync(copy, { recursive: true, force: true });
  });
  const admin = poolOf(primary.url('postgres'), 1);
  while ((await admin.query("SELECT FROM pg_stat_replication WHERE sync_state = 'sync'")).rows.length === 0)
    await sleep(20);
  return { primary, standby, admin, name };
}

/** Gives a copied folder to the user that the server runs as. */
function giveAway(folder: string): void {
  chmodSync(folder, 0o700);
  if (process.getuid?.() !== 0) return;
  chownSync(folder, 65_534, 65_534);
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
    chownSync(path.join(folder, name), 65_534, 65_534);
}

/** Again and again while there is nobody who answers. */
async function retried<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const isComingBack = isLogError(error)
        ? error.retryable
        : /ECONN|terminat|starting up|shutting down/.test(String(error));
      if (!isComingBack || attempt > 1000) throw error;
      await sleep(50);
    }
  }
}
