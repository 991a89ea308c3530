import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLog, type Log } from 'indelible';
import { AuditClient, type AuditClientOptions } from 'indelible/client';
import { Connection, RETRY_AFTER_MS_MAX } from '#dist/client/connection.js';
import { signIn, temporaryFolder } from '../support/folders.ts';
import { type HostileServer, startHostileServer } from './hostile-server.ts';

const key = 'ind_test_0123456789';

interface World {
  readonly folder: string;
  readonly state: string;
  readonly log: Log;
  readonly server: HostileServer;
  readonly warnings: string[];
  client(options?: Partial<AuditClientOptions<'spool'>>): AuditClient<'spool'>;
}

async function makeWorld(t: TestContext): Promise<World> {
  const last: (() => unknown)[] = [];
  const folder = temporaryFolder({ after: (remove) => void last.push(remove as () => unknown) });
  // Clients first, then the log, then the folder: hooks run in the order in which they are registered.
  t.after(async () => {
    for (const end of last.reverse()) await end();
  });
  const state = join(folder, 'state');
  const log = await createLog(join(folder, 'log'), { origin: 'example.com/audit', thread: 'caller' });
  const server = await startHostileServer(t, log);
  last.push(() => log.close());
  const warnings: string[] = [];
  return {
    folder,
    state,
    log,
    server,
    warnings,
    client(options) {
      const made = new AuditClient<'spool'>({
        url: server.url,
        key,
        vkey: log.vkey,
        state,
        onFailure: 'spool',
        retryMs: 0,
        heartbeatMs: 0,
        warn: (message) => warnings.push(message),
        ...options,
      });
      last.push(() => made.close());
      return made;
    },
  };
}

/** Says that the test has answered. */
const done = (..._: unknown[]): true => true;

async function delivered(client: AuditClient<'spool'>): Promise<void> {
  const until = performance.now() + 20_000;
  while (client.spooled > 0) {
    assert.ok(performance.now() < until, `${client.spooled} events are still in the spool`);
    await sleep(20);
  }
}

async function idsOf(log: Log): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of log.query('action:user.signed_in')) ids.unshift(id);
  return ids;
}

test('while the server is away events are kept, and delivered in order once it is back', async (t) => {
  const { log, server, client } = await makeWorld(t);
  const remote = client();
  assert.ok('index' in (await remote.record(signIn('e-0'))));
  server.before = (_, response) => done(response.destroy());
  for (let n = 1; n <= 20; n += 1) {
    assert.deepEqual(await remote.record(signIn(`e-${n}`)), { id: `e-${n}`, isSpooled: true });
  }
  assert.equal(remote.spooled, 20);
  server.before = () => false;
  await delivered(remote);
  assert.ok('index' in (await remote.record(signIn('e-21'))));
  assert.deepEqual(
    await idsOf(log),
    Array.from({ length: 22 }, (_, n) => `e-${n}`),
  );
});

test('lost answers during delivery make no event twice', async (t) => {
  const { log, server, client } = await makeWorld(t);
  const remote = client();
  server.before = (_, response) => done(response.destroy());
  await remote.recordMany(Array.from({ length: 30 }, (_, n) => signIn(`e-${n}`)));
  let lost = 2;
  server.before = () => false;
  server.instead = (_, response) => lost-- > 0 && done(response.destroy());
  await delivered(remote);
  assert.equal((await log.checkpoint()).size, 31);
});

test('what was kept survives kill -9 of its process, and arrives once and in order, also what two lives were handed', async (t) => {
  const { log, server, state, client } = await makeWorld(t);
  server.before = (_, response) => done(response.destroy());
  let kept = -1;
  for (let life = 0; life < 2; life += 1) {
    const child = spawn(process.execPath, [
      join(import.meta.dirname, 'spooling-child.ts'),
      server.url,
      log.vkey,
      state,
    ]);
    let printed = '';
    child.stdout.on('data', (chunk) => {
      printed += chunk;
    });
    const until = performance.now() + 20_000;
    while (printed.split('\n').length < 60 && performance.now() < until) await sleep(10);
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('close', resolve));
    kept = Math.max(kept, printed.trimEnd().split('\n').length - 1);
  }
  assert.ok(kept >= 50, `only ${kept} were kept`);
  server.before = () => false;
  await delivered(await opened(client()));
  const ids = await idsOf(log);
  // One more may have reached the disk without anybody having been told.
  assert.ok(ids.length === kept + 1 || ids.length === kept + 2, `${ids.length} arrived of ${kept + 1}`);
  assert.deepEqual(
    ids,
    ids.map((_, n) => `e-${n}`),
  );
});

/** The spool is opened at the first turn. */
async function opened(client: AuditClient<'spool'>): Promise<AuditClient<'spool'>> {
  await sleep(50);
  return client;
}

test('a spool that is full refuses, and drops nothing', async (t) => {
  const { log, server, client } = await makeWorld(t);
  const remote = client({ spoolEventsMax: 3 });
  server.before = (_, response) => done(response.destroy());
  const results = await remote.recordMany(Array.from({ length: 5 }, (_, n) => signIn(`e-${n}`)));
  assert.deepEqual(
    results.map((result) => (result.ok ? 'kept' : (result.error as Error & { code: string }).code)),
    ['kept', 'kept', 'kept', 'spool_full', 'spool_full'],
  );
  server.before = () => false;
  await delivered(remote);
  assert.deepEqual(await idsOf(log), ['e-0', 'e-1', 'e-2']);
});

test('Retry-After is honoured by the delivery of a spool', async (t) => {
  const { log, server, client } = await makeWorld(t);
  const remote = client();
  const posts: number[] = [];
  server.before = ({ method }, response) => {
    if (method !== 'POST') return false;
    posts.push(performance.now());
    if (posts.length > 2) return false;
    return done(response.writeHead(503, { 'retry-after': '1' }).end());
  };
  assert.deepEqual(await remote.record(signIn('e-0')), { id: 'e-0', isSpooled: true });
  await delivered(remote);
  assert.equal((await log.checkpoint()).size, 2);
  assert.equal(posts.length, 3);
  // Date headers and clocks are whole milliseconds: a little less than a second may be one.
  for (const [position, at] of posts.slice(1).entries())
    assert.ok(at - posts[position]! >= 990, String(posts));
});

test('a server cannot ask to be left alone for ever, nor keep a client from ending', async (t) => {
  const { server, log, client } = await makeWorld(t);
  server.before = (_, response) => done(response.writeHead(503, { 'retry-after': '999999' }).end());
  const { hostname, port } = new URL(server.url);
  const place = { base: `http://${hostname}:${port}`, log: 'main' };
  const connection = new Connection({ ...place, key, timeoutMs: 1000, fetch });
  await assert.rejects(connection.ask({ path: '/', untilMs: Date.now() + 60_000 }), { code: 'unreachable' });
  const { restMs } = connection;
  assert.ok(restMs > RETRY_AFTER_MS_MAX - 10_000 && restMs <= RETRY_AFTER_MS_MAX);
  await sleep(50);
  assert.ok(connection.restMs < restMs, 'it runs out');
  const remote = client();
  await remote.record(signIn('e-0'));
  await sleep(50);
  const began = performance.now();
  await remote.close();
  assert.ok(performance.now() - began < 5000);
  assert.equal((await log.checkpoint()).size, 1);
});

test('one spool has one owner', async (t) => {
  const { client } = await makeWorld(t);
  const first = client();
  await first.record(signIn('e-0'));
  await assert.rejects(client().record(signIn('e-1')), { code: 'spool_locked' });
  await first.close();
  await client().record(signIn('e-2'));
});

test('an event that the server will not have is set aside, with the reason, and holds up no other', async (t) => {
  const { log, server, state, warnings, client } = await makeWorld(t);
  await log.record(signIn('taken', 'u_9'));
  const remote = client();
  server.before = (_, response) => done(response.destroy());
  await remote.recordMany([signIn('e-0'), signIn('taken'), signIn('e-1')]);
  server.before = () => false;
  await delivered(remote);
  await remote.close();
  assert.deepEqual(await idsOf(log), ['taken', 'e-0', 'e-1']);
  const db = new DatabaseSync(join(state, 'spool.db'), { readOnly: true });
  t.after(() => db.close());
  const [refused] = db.prepare('SELECT text, reason FROM refused').all() as {
    text: string;
    reason: string;
  }[];
  assert.equal(JSON.parse(refused!.text).id, 'taken');
  assert.match(refused!.reason, /other content/);
  assert.ok(warnings.some((warning) => warning.includes('set aside')));
});

test('the time at which an event was handed in is kept with it', async (t) => {
  const { server, state, client } = await makeWorld(t);
  const remote = client();
  server.before = (_, response) => done(response.destroy());
  const before = Date.now();
  await remote.record(signIn('e-0'));
  await remote.close();
  const db = new DatabaseSync(join(state, 'spool.db'), { readOnly: true });
  t.after(() => db.close());
  const { text } = db.prepare('SELECT text FROM waiting').get() as { text: string };
  const { source, occurredAt } = JSON.parse(text);
  assert.equal(occurredAt, undefined);
  assert.ok(Date.parse(source.handedInAt) >= before && Date.parse(source.handedInAt) <= Date.now());
  assert.equal(source.seq, 0);
});

test('a spool is not filled behind the back of evidence that failed', async (t) => {
  const { folder, server, client } = await makeWorld(t);
  const remote = client();
  await remote.record(signIn('e-0'));
  server.before = (_, response) => done(response.destroy());
  await remote.record(signIn('e-1'));
  const other = await createLog(join(folder, 'other'), { origin: 'example.com/audit', thread: 'caller' });
  t.after(() => other.close());
  server.log = other;
  server.before = () => false;
  const until = performance.now() + 10_000;
  for (;;) {
    const error = await remote.record(signIn()).then(
      () => undefined,
      (reason: Error) => reason,
    );
    if (error?.name === 'VerificationError') break;
    assert.ok(performance.now() < until, 'nobody was told');
    await sleep(50);
  }
  assert.ok(remote.spooled > 0);
});
