// A log in PostgreSQL under faults: many processes, killed processes, broken lines, a killed server, a restored state, a standby
// that is not waited for. An acknowledged event is there, once, at its index; nothing else is promised, and nothing is guessed.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, chownSync, cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isLogError, type Receipt } from 'indelible';
import { createPostgresLog, databaseOf, migrate, openPostgresLog } from 'indelible/postgres';
import type pg from 'pg';
import { temporaryFolder } from '../support/folders.ts';
import { poolOf, startServer, type TestServer, testServer, whyNoPostgres } from '../support/postgres.ts';
import { startProxy, type Verdict } from '../support/tcp-proxy.ts';

const isForeign = process.env.INDELIBLE_TEST_PG !== undefined;
const skip = whyNoPostgres() ?? false;
const own = skip || (isForeign ? 'the server is somebody else’s: it is not killed' : false);
const large = process.env.INDELIBLE_LARGE_FAULTS === '1';
const event = (id: string) => ({ id, action: 'job.run', actor: { type: 'service', id: 'test' } });

/** A query of one word, as the protocol ends it: READ COMMITTED is another matter. */
const isCommit = (text: string): boolean => text.includes('COMMIT\0');

interface World {
  readonly url: string;
  readonly pool: pg.Pool;
  readonly dir: string;
  readonly origin: string;
  readonly key: string;
}

async function world(t: TestContext, server: TestServer): Promise<World> {
  const url = await server.database();
  const pool = poolOf(url, 10);
  t.after(() => pool.end());
  await migrate(databaseOf(pool));
  const dir = temporaryFolder(t);
  const origin = 'example.com/faults';
  await (await createPostgresLog(pool, { origin, dir, heartbeatMs: 0 })).close();
  return { url, pool, dir, origin, key: path.join(dir, 'log.key') };
}

/** Every receipt is of this log, at its index; the log is whole. */
async function checkAll({ pool, origin, key }: World, receipts: readonly Receipt[]): Promise<number> {
  const audit = await openPostgresLog(pool, {
    origin,
    key,
    mark: `${key}.check.mark`,
    heartbeatMs: 0,
    sequence: false,
    warn: () => {},
  });
  const report = await audit.verify({ vkey: audit.vkey, held: receipts });
  assert.deepEqual(report.findings, []);
  assert.equal(new Set(receipts.map(({ index }) => index)).size, new Set(receipts.map(({ id }) => id)).size);
  for (const { id, index } of receipts.slice(-20)) assert.equal((await audit.log.get(id))?.index, index);
  await audit.close();
  return report.size;
}

/** A process that records; its lines as they come. */
function writer(
  w: World,
  name: string,
  count: number,
  mode = 'record',
): { child: ChildProcess; lines: string[]; ended: Promise<void> } {
  const child = spawn(
    process.execPath,
    [path.join(import.meta.dirname, 'pg-writer.ts'), w.url, w.origin, w.key, name, String(count), mode],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const lines: string[] = [];
  let rest = '';
  child.stdout!.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n');
    rest = parts.pop()!;
    lines.push(...parts);
  });
  let complaint = '';
  child.stderr!.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.on('close', (code, signal) =>
      code === 0 || signal === 'SIGKILL'
        ? resolve()
        : reject(new Error(`writer ${name} ended with ${code}: ${complaint}`)),
    );
  });
  return { child, lines, ended };
}

const receiptsOf = (lines: readonly string[]): Receipt[] =>
  lines.filter((line) => line.startsWith('{"id"')).map((line) => JSON.parse(line));

describe('a log in PostgreSQL under faults', { skip }, () => {
  test('T9: ten processes without a leader make one sequence, each with its share', async (t) => {
    const w = await world(t, await testServer());
    const count = large ? 2000 : 60;
    const writers = Array.from({ length: 10 }, (_, n) => writer(w, `w${n}`, count));
    await Promise.all(writers.map(({ ended }) => ended));
    const receipts = writers.flatMap(({ lines }) => receiptsOf(lines));
    assert.equal(receipts.length, 10 * count);
    assert.ok((await checkAll(w, receipts)) >= 10 * count + 1);
    const checkpoints = new Map<string, string>();
    for (const { checkpoint } of receipts) {
      const [, size, root] = checkpoint.split('\n') as [string, string, string];
      assert.equal(checkpoints.get(size) ?? root, root, 'two roots of one size were signed');
      checkpoints.set(size, root);
    }
  });

  test('T1: writers that are killed lose nothing that they acknowledged; nor does the outbox', async (t) => {
    const w = await world(t, await testServer());
    const receipts: Receipt[] = [];
    const committed: string[] = [];
    for (let round = 0; round < (large ? 60 : 3); round++) {
      const writers = [
        writer(w, `k${round}a`, 100_000),
        writer(w, `k${round}b`, 100_000),
        // Each of these is asked for below: enough to be killed among, and no more.
        writer(w, `k${round}c`, large ? 100_000 : 200, 'outbox'),
      ];
      while (writers.some(({ lines }) => lines.length < 12)) await sleep(10);
      await sleep(Math.random() * 100);
      for (const { child } of writers) child.kill('SIGKILL');
      await Promise.all(writers.map(({ ended }) => ended));
      receipts.push(...writers.slice(0, 2).flatMap(({ lines }) => receiptsOf(lines)));
      committed.push(
        ...writers[2]!.lines
          .filter((line) => line.startsWith('{"committed"'))
          .map((line) => JSON.parse(line).committed as string),
      );
    }
    const last = await openPostgresLog(w.pool, {
      origin: w.origin,
      key: w.key,
      mark: `${w.key}.last.mark`,
      heartbeatMs: 0,
      warn: () => {},
    });
    for (const id of committed) receipts.push(await last.awaitReceipt(id));
    assert.equal((await last.outboxState()).refused, 0);
    await last.close();
    assert.ok(committed.length > 20 && receipts.length > committed.length);
    await checkAll(w, receipts);
  });

  // FAULTS T10 and T11: the line breaks before COMMIT, on its way, and when the answer is on its way back.
  const breaks: readonly (readonly [
    string,
    (w: { sawCommit: boolean }) => {
      request?: (text: string) => Verdict;
      reply?: (w: { sawCommit: boolean }) => Verdict;
    },
  ])[] = [
    ['before COMMIT', () => ({ request: (text) => (isCommit(text) ? 'cut' : 'pass') })],
    [
      'while COMMIT is on its way',
      () => ({ request: (text) => (isCommit(text) ? 'pass-then-cut' : 'pass') }),
    ],
    [
      'when the answer to COMMIT is on its way back',
      () => ({ reply: (state) => (state.sawCommit ? 'cut' : 'pass') }),
    ],
    [
      'in the middle of the append',
      () => ({ request: (text) => (text.includes('indelible.append') ? 'cut' : 'pass') }),
    ],
    [
      'while the head is waited for',
      () => ({ request: (text) => (text.includes('take_head') ? 'pass-then-cut' : 'pass') }),
    ],
  ];
  for (const [name, plan] of breaks) {
    test(`T11: the line breaks ${name}: every event is there once, and told so`, async (t) => {
      const server = await testServer();
      const w = await world(t, server);
      const proxy = await startProxy(server.port);
      t.after(() => proxy.close());
      const through = new URL(w.url);
      through.port = String(proxy.port);
      const pool = poolOf(through.href, 4);
      const audit = await openPostgresLog(pool, {
        origin: w.origin,
        key: w.key,
        mark: `${w.key}.p.mark`,
        heartbeatMs: 0,
        sequence: false,
        warn: () => {},
      });
      await audit.record(event('before'));
      const state = { sawCommit: false };
      let faults = large ? 20 : 3;
      const { request, reply } = plan(state);
      const receipts: Receipt[] = [];
      for (let round = 0; faults > 0; round++) {
        let armed = true;
        faults -= 1;
        state.sawCommit = false;
        proxy.onRequest = (bytes) => {
          const text = bytes.toString('latin1');
          if (isCommit(text)) state.sawCommit = true;
          const verdict = armed && request !== undefined ? request(text) : 'pass';
          if (verdict !== 'pass') armed = false;
          return verdict;
        };
        proxy.onReply = () => {
          const verdict = armed && reply !== undefined ? reply(state) : 'pass';
          if (verdict !== 'pass') armed = false;
          return verdict;
        };
        receipts.push(...(await Promise.all([0, 1, 2].map((n) => audit.record(event(`r${round}-${n}`))))));
        assert.equal(armed, false, 'the fault was not reached');
      }
      proxy.onRequest = () => 'pass';
      proxy.onReply = () => 'pass';
      // A repeat tells the same.
      const again = await audit.record(event('r0-1'));
      assert.deepEqual([again.index, again.leafHash], [receipts[1]!.index, receipts[1]!.leafHash]);
      await audit.close();
      await pool.end();
      await checkAll(w, receipts);
    });
  }

  test('T11: a writer that falls silent while it holds the head holds up the others for seconds, not for ever', {
    skip: own,
  }, async (t) => {
    const server = await testServer();
    const w = await world(t, server);
    const proxy = await startProxy(server.port);
    t.after(() => proxy.close());
    const through = new URL(w.url);
    through.port = String(proxy.port);
    const pool = poolOf(through.href, 4);
    const mute = await openPostgresLog(pool, {
      origin: w.origin,
      key: w.key,
      mark: `${w.key}.m.mark`,
      heartbeatMs: 0,
      sequence: false,
      warn: () => {},
    });
    const other = await openPostgresLog(w.pool, {
      origin: w.origin,
      key: w.key,
      mark: `${w.key}.o.mark`,
      heartbeatMs: 0,
      sequence: false,
      warn: () => {},
    });
    proxy.onRequest = (bytes) => (isCommit(bytes.toString('latin1')) ? 'drop' : 'pass');
    const lost = mute.record(event('silent')).catch((error: unknown) => error);
    await sleep(200);
    const started = performance.now();
    const receipt = await other.record(event('other'));
    const waited = performance.now() - started;
    assert.ok(waited > 2_000 && waited < 30_000, `${waited} ms`);
    // The mute one learns from the server that its transaction was ended, and records again.
    proxy.onRequest = () => 'pass';
    const answer = await lost;
    if (answer instanceof Error) assert.ok(isLogError(answer) && answer.retryable, String(answer));
    const repeat = await other.record(event('silent'));
    await checkAll(w, [receipt, repeat]);
    await mute.close();
    await other.close();
    await pool.end();
  });

  test('T12: the server is killed while it is written to; what it acknowledged is there when it comes back', {
    skip: own,
  }, async (t) => {
    const server = await startServer();
    t.after(() => server.stop());
    const w = await world(t, server);
    const receipts: Receipt[] = [];
    const audit = await openPostgresLog(w.pool, {
      origin: w.origin,
      key: w.key,
      mark: `${w.key}.s.mark`,
      heartbeatMs: 0,
      sequence: false,
      warn: () => {},
    });
    const rounds = large ? 40 : 2;
    for (let round = 0; round < rounds; round++) {
      let isOver = false;
      const lanes = Array.from({ length: 8 }, async (_, lane) => {
        for (let n = 0; !isOver; n++) {
          // Whoever is told that nobody knows, or that nobody is there, asks again with the same id.
          const id = `s${round}-${lane}-${n}`;
          for (;;) {
            try {
              receipts.push(await audit.record(event(id)));
              break;
            } catch (error) {
              assert.ok(isLogError(error) && error.retryable, String(error));
              await sleep(50);
            }
          }
        }
      });
      await sleep(150 + Math.random() * 150);
      await server.kill();
      await sleep(300);
      await server.start();
      await sleep(300);
      isOver = true;
      await Promise.all(lanes);
    }
    await audit.close();
    assert.ok(receipts.length > 20);
    await checkAll(w, receipts);
  });

  test('T13, attack-06: an older state restored behind a live application: nobody signs over it', {
    skip: own,
  }, async (t) => {
    const server = await startServer();
    const w = await world(t, server);
    const audit = await openPostgresLog(w.pool, {
      origin: w.origin,
      key: w.key,
      mark: `${w.key}.r.mark`,
      heartbeatMs: 0,
      sequence: false,
      warn: () => {},
    });
    for (let n = 0; n < 5; n++) await audit.record(event(`old-${n}`));
    await server.stop();
    const copy = `${server.dataDir}.old`;
    cpSync(server.dataDir, copy, { recursive: true });
    giveAway(copy);
    await server.start();
    const receipts: Receipt[] = [];
    for (let n = 0; n < 5; n++) receipts.push(await retried(() => audit.record(event(`new-${n}`))));
    // The mark follows within a second.
    await sleep(1_500);
    await server.stop();
    rmSync(server.dataDir, { recursive: true });
    cpSync(copy, server.dataDir, { recursive: true });
    giveAway(server.dataDir);
    rmSync(copy, { recursive: true });
    await server.start();
    await assert.rejects(
      retried(() => audit.record(event('after'))),
      (error) => isLogError(error, 'rolled_back'),
    );
    await audit.close();
    // Who opens it anew is told by the mark; who has a receipt, by the receipt.
    await assert.rejects(
      openPostgresLog(w.pool, { origin: w.origin, key: w.key, mark: `${w.key}.r.mark`, warn: () => {} }),
      (error) => isLogError(error, 'rolled_back'),
    );
    const reading = await openPostgresLog(w.pool, { origin: w.origin });
    const report = await reading.verify({ vkey: reading.vkey, held: receipts });
    assert.ok(report.findings.length > 0);
    await reading.close();
  });

  test('T12: a standby that is promoted has everything that a synchronous primary acknowledged; a cancelled wait is not taken for it', {
    skip: own,
  }, async (t) => {
    const primary = await startServer([
      'wal_level=replica',
      'synchronous_standby_names=*',
      'synchronous_commit=local',
    ]);
    const w = await world(t, primary);
    await primary.stop();
    const copy = mkdtempSync(path.join(tmpdir(), 'indelible-pg-standby-'));
    rmSync(copy, { recursive: true });
    cpSync(primary.dataDir, copy, { recursive: true });
    writeFileSync(path.join(copy, 'standby.signal'), '');
    giveAway(copy);
    await primary.start();
    const standby = await startServer(
      [`primary_conninfo=host=127.0.0.1 port=${primary.port} user=postgres`, 'hot_standby=on'],
      copy,
    );
    const admin = poolOf(primary.url('postgres'), 2);
    await admin.query("ALTER SYSTEM SET synchronous_commit = 'on'");
    const sync = poolOf(`${w.url}?options=-c%20synchronous_commit%3Don`, 6);
    const until = async (sql: string): Promise<void> => {
      while ((await admin.query(sql)).rows.length === 0) await sleep(20);
    };
    await until("SELECT FROM pg_stat_replication WHERE sync_state = 'sync'");
    const audit = await openPostgresLog(sync, {
      origin: w.origin,
      key: w.key,
      mark: `${w.key}.sync.mark`,
      heartbeatMs: 0,
      sequence: false,
      warn: () => {},
    });
    const receipts: Receipt[] = [];
    for (let n = 0; n < 10; n++) receipts.push(await audit.record(event(`sync-${n}`)));

    // The standby goes away: a commit waits. Its wait is cancelled, which the driver resolves with a mere notice.
    await standby.stop();
    let isAnswered = false;
    const waiting = audit.record(event('cancelled')).then((receipt) => {
      isAnswered = true;
      return receipt;
    });
    for (let n = 0; n < 2; n++) {
      await until("SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
      await admin.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
      await sleep(100);
      assert.equal(isAnswered, false, 'a commit that no standby has was acknowledged');
    }
    await standby.start();
    receipts.push(await waiting);

    // The primary is lost; the standby takes over, with everything that was acknowledged.
    await primary.kill();
    await sync.end();
    const promoted = poolOf(standby.url(new URL(w.url).pathname.slice(1)), 6);
    await retried(() => promoted.query('SELECT pg_promote(true, 30)'));
    await promoted.query("ALTER SYSTEM SET synchronous_standby_names = ''");
    await promoted.query('SELECT pg_reload_conf()');
    await checkAll({ ...w, pool: promoted }, receipts);
    await promoted.end();
    await admin.end();
    await audit.close().catch(() => {});
    await standby.stop();
    rmSync(copy, { recursive: true, force: true });
  });

  test('a server that acknowledges what is not on its disk is refused', { skip: own }, async (t) => {
    const server = await startServer(['fsync=off']);
    t.after(() => server.stop());
    const url = await server.database();
    const pool = poolOf(url, 2);
    t.after(() => pool.end());
    await migrate(databaseOf(pool));
    await assert.rejects(
      createPostgresLog(pool, { origin: 'example.com/x', dir: temporaryFolder(t) }),
      (error) => isLogError(error, 'not_durable'),
    );
  });

  test('synchronous_commit that somebody turned off is on in the transactions of the log', async (t) => {
    const w = await world(t, await testServer());
    const lax = poolOf(`${w.url}?options=-c%20synchronous_commit%3Doff`, 2);
    t.after(() => lax.end());
    assert.equal((await lax.query('SHOW synchronous_commit')).rows[0].synchronous_commit, 'off');
    await w.pool.query(`CREATE FUNCTION public.seen() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN INSERT INTO public.settings VALUES (current_setting(''synchronous_commit'')); RETURN NEW; END'`);
    await w.pool.query(
      'CREATE TABLE public.settings (value text); GRANT INSERT ON public.settings TO PUBLIC',
    );
    await w.pool.query(
      'CREATE TRIGGER spy AFTER UPDATE ON indelible.heads FOR EACH ROW EXECUTE FUNCTION public.seen()',
    );
    const audit = await openPostgresLog(lax, {
      origin: w.origin,
      key: w.key,
      mark: `${w.key}.l.mark`,
      heartbeatMs: 0,
      sequence: false,
      warn: () => {},
    });
    await audit.record(event('x'));
    await audit.close();
    const { rows } = await w.pool.query('SELECT DISTINCT value FROM public.settings');
    assert.deepEqual(rows, [{ value: 'on' }]);
  });
});

/** Gives a copied folder to the user that the server runs as. */
function giveAway(folder: string): void {
  chmodSync(folder, 0o700);
  if (process.getuid?.() !== 0) return;
  const walk = (at: string): void => {
    chownSync(at, 65_534, 65_534);
    for (const name of readdirSync(at, { withFileTypes: true })) {
      if (name.isDirectory()) walk(path.join(at, name.name));
      else chownSync(path.join(at, name.name), 65_534, 65_534);
    }
  };
  walk(folder);
}

/** Again and again while the server comes back. */
async function retried<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const isComingBack = isLogError(error)
        ? error.retryable
        : /ECONN|terminat|starting up|shutting down/.test(String(error));
      if (!isComingBack || attempt > 100) throw error;
      await sleep(100);
    }
  }
}
