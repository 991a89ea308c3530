// The pieces together: what auth libraries and ORMs record takes actor and context from the request around it, the one who signs
// in acts from then on, and a coverage hears which routes recorded what.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { Auth } from '@auth/core';
import Credentials from '@auth/core/providers/credentials';
import { serve } from '@hono/node-server';
import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { drizzle } from 'drizzle-orm/sqlite-proxy';
import express from 'express';
import Fastify from 'fastify';
import { Hono } from 'hono';
import type { Log } from 'indelible';
import { auditAuth } from 'indelible/auth-js';
import { auditPlugin } from 'indelible/better-auth';
import { defineEvents } from 'indelible/catalogue';
import { asActor, currentActor, runInContext } from 'indelible/context';
import { createCoverage } from 'indelible/coverage';
import { auditDrizzle } from 'indelible/drizzle';
import { auditExpress } from 'indelible/express';
import { auditFastify } from 'indelible/fastify';
import { auditHono } from 'indelible/hono';
import { auditDialect } from 'indelible/kysely';
import { auditPassport } from 'indelible/passport';
import { openRecorder } from 'indelible/recorder';
import { expectNotRecorded, expectRecorded, openMemoryLog } from 'indelible/testing';
import { Kysely, SqliteDialect } from 'kysely';
import { Passport } from 'passport';
import { Strategy } from 'passport-local';
import { temporaryFolder } from '../support/folders.ts';
import { whyNoPostgres } from '../support/postgres.ts';
import { betterSqlite, postgresWorld, recordedInPostgres } from './world.ts';

const ada = { type: 'user', id: 'u_ada' };
const ben = { type: 'user', id: 'u_ben' };
const words = { email: 'ada@example.com', password: 'correct horse', name: 'Ada' };
const postgres = whyNoPostgres() === undefined ? await postgresWorld() : undefined;

async function memory(t: TestContext): Promise<Log> {
  const log = await openMemoryLog();
  t.after(() => log.close());
  return log;
}

test('better-auth within Hono: address and request of the context, and the call is of whoever signed in', async (t) => {
  const log = await memory(t);
  const auth = betterAuth({
    baseURL: 'http://localhost:3000',
    secret: 'a secret of the test, long enough',
    database: memoryAdapter({ user: [], session: [], account: [], verification: [] }),
    logger: { disabled: true },
    rateLimit: { enabled: false },
    emailAndPassword: { enabled: true },
    plugins: [auditPlugin({ recorder: log })],
  });
  const app = new Hono();
  app.use(auditHono({ log, calls: {}, peer: () => '192.0.2.7' }));
  app.post('/api/auth/*', (c) => auth.handler(c.req.raw));
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'suite/1',
    // Nobody vouches for it, and better-auth believes it.
    'x-forwarded-for': '203.0.113.66',
  };
  const request = { method: 'POST', headers, body: JSON.stringify(words) };
  assert.equal((await app.request('/api/auth/sign-up/email', request)).status, 200);
  const { actor, context } = await expectRecorded(log, {
    action: 'user.signed_in',
    context: { ip: '192.0.2.7', peer: '192.0.2.7', userAgent: 'suite/1' },
  });
  assert.ok(context?.['sessionId'], 'what only the library knows is kept');
  const call = await expectRecorded(log, { action: 'api.called', actor: `user/${actor.id}` });
  assert.equal(call.context?.['requestId'], context?.['requestId']);
});

test('Passport within Express, and Auth.js within any context: whoever signs in acts from there', async (t) => {
  const log = await memory(t);
  const passport = new Passport();
  passport.use(
    new Strategy((_name, password, done) => done(null, password === 'right' ? { id: 'u_ada' } : false)),
  );
  auditPassport(passport, { recorder: log });
  const app = express();
  app.use(auditExpress({ log, trustedProxies: ['127.0.0.1'] }), express.urlencoded());
  // Express has `logIn` of Passport's; without sessions it is this, and then a sign-in by the application's own account.
  app.use((request, _response, next) => {
    request.logIn = ((user: Express.User, _options: object, done: () => void) => {
      request.user = user;
      done();
    }) as never;
    next();
  });
  app.post('/login', passport.authenticate('local'), async (request, response) => {
    await request.audit.record({ action: 'terms.accepted' });
    response.send('in');
  });
  const server = app.listen(0, '127.0.0.1');
  t.after(() => void server.close());
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/login`;
  const post = (password: string) =>
    fetch(url, {
      method: 'POST',
      headers: { 'x-forwarded-for': '192.0.2.7' },
      body: new URLSearchParams({ username: 'ada', password }),
    });
  assert.equal((await post('wrong')).status, 401);
  await expectRecorded(log, {
    action: 'user.sign_in_failed',
    actor: 'anonymous/unknown',
    context: { ip: '192.0.2.7', peer: '127.0.0.1' },
  });
  assert.equal((await post('right')).status, 200);
  await expectRecorded(log, { action: 'user.signed_in', context: { ip: '192.0.2.7' } });
  await expectRecorded(log, { action: 'terms.accepted', actor: 'user/u_ada' });

  const config = auditAuth(
    {
      secret: 'a secret of the test, long enough',
      trustHost: true,
      providers: [Credentials({ credentials: { username: {} }, authorize: async () => ({ id: 'u_ben' }) })],
    },
    { recorder: log },
  );
  const root = 'http://localhost:3000/auth';
  const token = await Auth(new Request(`${root}/csrf`), config);
  const { csrfToken } = (await token.json()) as { csrfToken: string };
  const cookie = token.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ');
  await runInContext({ context: { requestId: 'r-9' } }, async () => {
    const body = new URLSearchParams({ csrfToken, username: 'ben' });
    await Auth(
      new Request(`${root}/callback/credentials`, { method: 'POST', headers: { cookie }, body }),
      config,
    );
    assert.equal(currentActor()?.id, 'u_ben');
  });
  await expectRecorded(log, {
    action: 'user.signed_in',
    actor: 'user/u_ben',
    context: { requestId: 'r-9' },
  });
});

const rows = sqliteTable('rows', { id: integer().primaryKey(), state: text() });

function database(): DatabaseSync {
  const file = new DatabaseSync(':memory:');
  file.exec('CREATE TABLE rows (id integer PRIMARY KEY, state text)');
  return file;
}

function onDrizzle(log: Log) {
  const file = database();
  const plain = drizzle(async (query, values) => {
    const statement = file.prepare(query);
    statement.setReturnArrays(true);
    return { rows: statement.all(...(values as SQLInputValue[])) as unknown[] };
  });
  return auditDrizzle(plain, { recorder: log });
}

test('Drizzle and Kysely: a row is of whoever acts where it is written, not where its transaction ends', async (t) => {
  const log = await memory(t);
  const db = onDrizzle(log);
  await runInContext({ actor: ada, context: { requestId: 'r-1' } }, () =>
    db.transaction(async (tx) => {
      await tx.insert(rows).values({ id: 1, state: 'open' });
      await asActor(ben, async () => tx.insert(rows).values({ id: 2, state: 'open' }));
    }),
  );
  const context = { requestId: 'r-1' };
  await expectRecorded(log, { action: 'record.created', targets: ['rows/1'], actor: 'user/u_ada', context });
  await expectRecorded(log, { action: 'record.created', targets: ['rows/2'], actor: 'user/u_ben', context });
  await assert.rejects(async () => db.insert(rows).values({ id: 3 }), { code: 'event_field_missing' });

  const dialect = new SqliteDialect({ database: betterSqlite(database()) as never });
  const kysely = new Kysely<{ rows: { id: number; state: string } }>({
    dialect: auditDialect(dialect, { recorder: log }),
  });
  t.after(() => kysely.destroy());
  await asActor(ada, () =>
    kysely.transaction().execute(async (tx) => {
      await asActor(ben, () => tx.insertInto('rows').values({ id: 4, state: 'open' }).execute());
    }),
  );
  await expectRecorded(log, { action: 'record.created', targets: ['rows/4'], actor: 'user/u_ben' });
});

test('a coverage hears of Hono, Express and Fastify what ran and what was recorded in it, with or without rules', async (t) => {
  const log = await memory(t);
  const db = onDrizzle(log);
  const user = () => ada;
  const hono = new Hono();
  hono.use(auditHono({ log, actor: user }));
  hono.post('/hono/:id', async (c) => {
    await db.insert(rows).values({ id: Number(c.req.param('id')), state: 'open' });
    await asActor(ben, () => log.record({ action: 'invoice.sent' }));
    return c.text('done');
  });
  hono.post('/hono-forgets', (c) => c.text('done'));
  const app = express();
  app.use(auditExpress({ log, actor: user, calls: { skip: ['/express-forgets'] } }));
  app.post('/express/:id', (_, response) => void response.send('done'));
  app.post('/express-forgets', (_, response) => void response.send('done'));
  const fastify = Fastify();
  await fastify.register(auditFastify, { log, actor: user });
  fastify.post('/fastify/:id', async (request) => {
    await request.audit.record({ action: 'invoice.voided' });
    return 'done';
  });
  fastify.delete('/fastify-forgets', async () => 'done');
  t.after(() => fastify.close());
  const web = serve({ fetch: hono.fetch, port: 0, hostname: '127.0.0.1' });
  const server = app.listen(0, '127.0.0.1');
  t.after(() => void web.close());
  t.after(() => void server.close());
  await once(server, 'listening');
  const portOf = (one: { address(): unknown }) => (one.address() as AddressInfo).port;
  const post = async (port: number, path: string) =>
    (await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST' })).text();

  assert.equal(await post(portOf(web), '/hono/1'), 'done');
  const coverage = createCoverage();
  t.after(() => coverage.stop());
  for (const path of ['/hono/2', '/hono-forgets', '/nowhere']) await post(portOf(web), path);
  for (const path of ['/express/2', '/express-forgets', '/nowhere']) await post(portOf(server), path);
  await fastify.inject({ method: 'POST', url: '/fastify/2' });
  await fastify.inject({ method: 'DELETE', url: '/fastify-forgets' });
  await log.record({ action: 'outside.any', actor: ada });
  assert.deepEqual(
    coverage
      .report()
      .map(({ method, route, ran, recorded, actions }) => [`${method} ${route}`, ran, recorded, actions]),
    [
      ['DELETE /fastify-forgets', 1, 0, []],
      ['POST /express-forgets', 1, 0, []],
      ['POST /express/:id', 1, 1, ['api.called']],
      ['POST /fastify/:id', 1, 1, ['invoice.voided']],
      ['POST /hono-forgets', 1, 0, []],
      ['POST /hono/:id', 1, 2, ['invoice.sent', 'record.created']],
    ],
  );
  assert.equal(coverage.unrecorded().length, 3);
});

test('a recorder over a log without transactions has no recordIn', async (t) => {
  const log = await memory(t);
  await using recorder = await openRecorder(log, { spool: temporaryFolder(t) });
  assert.equal('recordIn' in recorder, false);
  const bound = defineEvents({ 'invoice.voided': {} }).bind(recorder);
  assert.equal('recordIn' in bound, false);
  await expectNotRecorded(log, { action: 'invoice.voided' });
});

test('a recorder over PostgresLog records with the transaction, also through a catalogue and an ORM', {
  skip: whyNoPostgres() ?? false,
}, async (t) => {
  const { pool, audit } = postgres!;
  const recorder = await openRecorder(audit, { spool: temporaryFolder(t) });
  const events = defineEvents({ 'invoice.voided': {} }).bind(recorder);
  const client = await pool.connect();
  t.after(() => client.release());
  const voided = async (end: string): Promise<void> => {
    await client.query('BEGIN');
    await asActor(ada, () => events.recordIn(client, { action: 'invoice.voided' }));
    await client.query(end);
  };
  await voided('ROLLBACK');
  await voided('COMMIT');
  const found = (await recordedInPostgres(audit)).filter(({ action }) => action === 'invoice.voided');
  assert.deepEqual(
    found.map(({ actor }) => actor.id),
    ['u_ada'],
  );
  const { drizzle: onPg } = await import('drizzle-orm/node-postgres');
  const pgCore = await import('drizzle-orm/pg-core');
  await pool.query('CREATE TABLE rows (id integer PRIMARY KEY, state text)');
  const table = pgCore.pgTable('rows', { id: pgCore.integer().primaryKey(), state: pgCore.text() });
  // What is recorded after the commit instead would fail here.
  const never = async () => Promise.reject(new Error('not with the transaction'));
  const within = await openRecorder(
    { record: never, recordIn: (...words: Parameters<typeof audit.recordIn>) => audit.recordIn(...words) },
    { spool: temporaryFolder(t), onFailure: 'block' },
  );
  t.after(() => within.close());
  const db = auditDrizzle(onPg(pool), { recorder: within });
  await asActor(ben, async () => db.insert(table).values({ id: 1, state: 'open' }));
  const created = (await recordedInPostgres(audit)).filter(({ action }) => action === 'record.created');
  assert.deepEqual(
    created.map(({ actor }) => actor.id),
    ['u_ben'],
  );
  await recorder.close();
  await assert.rejects(async () => recorder.recordIn(client, { action: 'invoice.voided', actor: ada }), {
    code: 'closed',
  });
});
