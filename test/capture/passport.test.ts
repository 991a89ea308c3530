// A real Passport with its local strategy and a session, over HTTP: each row of its table in docs/auth.md.

import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import express from 'express';
import session from 'express-session';
import { type AuditPassportOptions, auditPassport } from 'indelible/passport';
import { Passport } from 'passport';
import { Strategy } from 'passport-local';
import { embeddedLog, recordedIn } from './world.ts';

const log = await embeddedLog();
let seen = 0;
async function recorded() {
  const all = await recordedIn(log);
  const fresh = all.slice(seen);
  seen = all.length;
  return fresh;
}

async function start(t: TestContext, options: Partial<AuditPassportOptions> = {}, early = false) {
  const passport = new Passport();
  if (early) auditPassport(passport, { recorder: log, ...options });
  passport.use(
    new Strategy((username, password, done) => {
      if (username === 'broken') done(new Error('database away'));
      else done(null, username === 'ada' && password === 'correct horse' ? { id: 'u_1' } : false);
    }),
  );
  if (!early) auditPassport(passport, { recorder: log, ...options });
  passport.serializeUser((user, done) => done(null, (user as { id: string }).id));
  passport.deserializeUser((id: string, done) => done(null, { id }));
  const app = express();
  app.use(express.urlencoded());
  app.use(session({ secret: 'a secret of the test', resave: false, saveUninitialized: false }));
  app.use(passport.session());
  app.post('/login', passport.authenticate('local'), (_, response) => void response.send('in'));
  app.post(
    '/token',
    passport.authenticate('local', { session: false }),
    (_, response) => void response.send('ok'),
  );
  app.post('/custom', (request, response, next) => {
    passport.authenticate('local', (_: unknown, user: Express.User | false) => {
      if (user === false) response.status(403).send('no');
      else request.logIn(user, (error) => (error ? next(error) : response.send('in')));
    })(request, response, next);
  });
  app.post('/logout', (request, response, next) => {
    request.logout((error) => (error ? next(error) : response.send('out')));
  });
  app.use(
    ((error, _request, response, _next) =>
      void response.status(500).send(error.message)) as express.ErrorRequestHandler,
  );
  const server = app.listen(0, '127.0.0.1');
  t.after(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  let cookie = '';
  const post = async (path: string, form: Record<string, string> = {}): Promise<number> => {
    const headers = { cookie, 'user-agent': 'test' };
    const response = await fetch(origin + path, { method: 'POST', headers, body: new URLSearchParams(form) });
    cookie = response.headers.getSetCookie()[0]?.split(';')[0] ?? cookie;
    return response.status;
  };
  const signIn = (password: string, path = '/login') => post(path, { username: 'ada', password });
  return { post, signIn };
}

for (const early of [false, true]) {
  test(`signing in and out, and failing to; strategies used ${early ? 'after' : 'before'}`, async (t) => {
    const { post, signIn } = await start(t, {}, early);
    assert.equal(await signIn('wrong horse'), 401);
    assert.equal(await signIn('correct horse'), 200);
    assert.equal(await post('/logout'), 200);
    assert.equal(await post('/logout'), 200);
    const [failed, signedIn, out, ...more] = await recorded();
    assert.deepEqual(more, []);
    assert.equal(failed?.action, 'user.sign_in_failed');
    assert.deepEqual(failed?.metadata, { strategy: 'local', attempted: 'ada' });
    assert.deepEqual(failed?.context, { ip: '127.0.0.1', userAgent: 'test' });
    assert.deepEqual([signedIn?.action, signedIn?.actor.id], ['user.signed_in', 'u_1']);
    assert.deepEqual([out?.action, out?.actor.id], ['user.signed_out', 'u_1']);
    assert.doesNotMatch(JSON.stringify(await recordedIn(log)), /horse|connect\.sid/);
  });
}

test('a callback of the application signs in as well, and a request without a session is no sign-in', async (t) => {
  const { signIn } = await start(t);
  assert.equal(await signIn('correct horse', '/token'), 200);
  assert.deepEqual(await recorded(), []);
  assert.equal(await signIn('correct horse', '/custom'), 200);
  assert.equal(await signIn('wrong horse', '/custom'), 403);
  assert.deepEqual(
    (await recorded()).map(({ action }) => action),
    ['user.signed_in', 'user.sign_in_failed'],
  );
});

test('an error of the strategy is neither, and stays an error', async (t) => {
  const { post } = await start(t);
  assert.equal(await post('/login', { username: 'broken', password: 'x' }), 500);
  assert.deepEqual(await recorded(), []);
});

test('what cannot be recorded fails the request; with onError it is told, and goes on', async (t) => {
  const recorder = { record: async () => Promise.reject(new Error('disk full')) };
  const strict = await start(t, { recorder });
  assert.equal(await strict.signIn('wrong horse'), 500);
  assert.equal(await strict.signIn('correct horse'), 500);
  const told: string[] = [];
  const calm = await start(t, { recorder, onError: (_, [event]) => void told.push(event!.action) });
  assert.equal(await calm.signIn('wrong horse'), 401);
  assert.equal(await calm.signIn('correct horse'), 200);
  assert.equal(await calm.post('/logout'), 200);
  assert.deepEqual(told, ['user.sign_in_failed', 'user.signed_in', 'user.signed_out']);
});

test('options that nobody reads, and what is no Passport, are refused', () => {
  assert.throws(
    () => auditPassport(new Passport(), { recorder: log, actr: () => {} } as never),
    /did you mean actor/,
  );
  assert.throws(() => auditPassport({ use() {}, authenticate() {} }, { recorder: log }), {
    code: 'option_invalid',
  });
});
