// The real handler of Auth.js: each row of its table in docs/auth.md.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Auth, type AuthConfig } from '@auth/core';
import Credentials from '@auth/core/providers/credentials';
import { type AuditAuthOptions, auditAuth } from 'indelible/auth-js';
import { embeddedLog, lineOf, recordedIn } from './world.ts';

const log = await embeddedLog();
const origin = 'http://localhost:3000';

let seen = 0;
async function recorded() {
  const all = await recordedIn(log);
  const fresh = all.slice(seen);
  seen = all.length;
  return fresh;
}

function start(options: Partial<AuditAuthOptions> = {}, more: Partial<AuthConfig> = {}) {
  const errors: string[] = [];
  const config: AuthConfig = auditAuth(
    {
      basePath: '/auth',
      secret: 'a secret of the test, long enough',
      trustHost: true,
      logger: { error: (error) => void errors.push(error.name), warn() {}, debug() {} },
      providers: [
        Credentials({
          credentials: { username: {}, password: {} },
          authorize: ({ username, password }) =>
            username === 'ada' && password === 'correct horse'
              ? { id: 'u_1', email: 'ada@example.com', name: 'Ada' }
              : null,
        }),
      ],
      ...more,
    } as AuthConfig,
    { recorder: log, ...options },
  );
  const jar = new Map<string, string>();
  const call = async (path: string, form?: Record<string, string>): Promise<Response> => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = {
      cookie,
      'user-agent': 'test',
      ...(form && { 'content-type': 'application/x-www-form-urlencoded' }),
    };
    const body = form && { method: 'POST', body: new URLSearchParams(form) };
    const response = await Auth(new Request(`${origin}/auth${path}`, { headers, ...body }), config);
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) as unknown as [string, string, string];
      jar.set(name, value);
    }
    return response;
  };
  const post = async (path: string, form: Record<string, string>): Promise<Response> => {
    const { csrfToken } = (await (await call('/csrf')).json()) as { csrfToken: string };
    return call(path, { ...form, csrfToken });
  };
  const signIn = (password: string) => post('/callback/credentials', { username: 'ada', password });
  return { post, call, signIn, errors };
}

test('signing in and out, and failing to, with the name sealed and no password anywhere', async () => {
  const { post, signIn } = start();
  await signIn('wrong horse');
  const [failed] = await recorded();
  assert.equal(failed?.action, 'user.sign_in_failed');
  assert.equal(failed?.outcome, 'denied');
  assert.deepEqual(failed?.metadata, { provider: 'credentials', attempted: 'ada' });
  await signIn('correct horse');
  const [signedIn] = await recorded();
  assert.equal(signedIn?.action, 'user.signed_in');
  assert.deepEqual(signedIn?.actor, { type: 'user', id: 'u_1', email: 'ada@example.com', name: 'Ada' });
  await post('/signout', {});
  const out = await recorded();
  assert.deepEqual(
    out.map((event) => `${event.actor.id} ${lineOf(event)}`),
    ['u_1 user.signed_out'],
  );
  assert.doesNotMatch(JSON.stringify(await recordedIn(log)), /horse|authjs/);
});

test('a signIn callback that says no is told, and what the application had in the configuration still happens', async () => {
  const heard: string[] = [];
  const { signIn } = start(
    {},
    {
      callbacks: { signIn: () => false },
      events: { signOut: () => void heard.push('signOut') },
    },
  );
  await signIn('correct horse');
  const [denied] = await recorded();
  assert.equal(denied?.action, 'user.sign_in_failed');
  assert.equal(denied?.actor.id, 'u_1');
  const other = start({}, { events: { signIn: () => void heard.push('signIn') } });
  await other.signIn('correct horse');
  assert.deepEqual(heard, ['signIn']);
  await recorded();
});

test('what cannot be recorded fails the sign-in; with onError it is told, and goes on', async () => {
  const recorder = { record: async () => Promise.reject(new Error('disk full')) };
  const strict = start({ recorder });
  const refused = await strict.signIn('correct horse');
  assert.match(refused.headers.get('location') ?? '', /error/);
  assert.equal(await (await strict.call('/session')).json(), null, 'nobody is signed in');
  const told: string[] = [];
  const calm = start({ recorder, onError: (_, [event]) => void told.push(event!.action) });
  await calm.signIn('correct horse');
  assert.notEqual(await (await calm.call('/session')).json(), null);
  await calm.post('/signout', {});
  assert.deepEqual(told, ['user.signed_in', 'user.signed_out']);
  const out = start();
  await out.signIn('correct horse');
  await recorded();
});

test('where a sign-out cannot be recorded, Auth.js ends it all the same, and its logger has the error', async () => {
  let broken = false;
  const recorder = {
    record: async () => {
      if (broken) throw new Error('disk full');
    },
  };
  const { signIn, post, errors } = start({ recorder });
  await signIn('correct horse');
  broken = true;
  await post('/signout', {});
  assert.deepEqual(errors, ['EventError']);
});

test('options that nobody reads are refused', () => {
  assert.throws(
    () => auditAuth({ providers: [] }, { recorder: log, nameFeld: 'x' } as never),
    /did you mean nameField/,
  );
});
