// A real better-auth with its memory adapter: each row of the table in docs/auth.md.

import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { test } from 'node:test';
import { type BetterAuthPlugin, betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { createAuthEndpoint } from 'better-auth/api';
import { admin, genericOAuth, organization, twoFactor } from 'better-auth/plugins';
import { createAccessControl } from 'better-auth/plugins/access';
import { defaultStatements, ownerAc } from 'better-auth/plugins/organization/access';
import { type AuditPluginOptions, auditPlugin } from 'indelible/better-auth';
import type { RecordedEvent } from 'indelible/event';
import { embeddedLog, lineOf, recordedIn } from './world.ts';

const log = await embeddedLog();
const origin = 'http://localhost:3000';
const models = [
  'user',
  'session',
  'account',
  'verification',
  'twoFactor',
  'organization',
  'member',
  'invitation',
  'organizationRole',
];

type Row = Record<string, unknown>;
/** What of the answers is used. */
interface Body extends Row {
  readonly id: string;
  readonly user: { readonly id: string };
  readonly totpURI: string;
}

const idOf = ({ body }: Answer): string => body.user.id;

interface Answer {
  readonly status: number;
  readonly body: Body;
  readonly cookie: string;
}

/** The endpoints that the plugins of API keys and of SSO have, without their tables. */
const keys = {
  id: 'keys',
  endpoints: {
    createKey: createAuthEndpoint('/api-key/create', { method: 'POST' }, async (c) =>
      c.json({ id: 'k_1', key: 'sk_live_9' }),
    ),
    updateKey: createAuthEndpoint('/api-key/update', { method: 'POST' }, async (c) => c.json({})),
    deleteKey: createAuthEndpoint('/api-key/delete', { method: 'POST' }, async (c) =>
      c.json({ success: true }),
    ),
    registerSso: createAuthEndpoint('/sso/register', { method: 'POST' }, async (c) => c.json({})),
    deleteSso: createAuthEndpoint('/sso/delete-provider', { method: 'POST' }, async (c) => c.json({})),
  },
};

/** A provider that answers here what one over the network would. */
const provider = {
  providerId: 'acme-id',
  clientId: 'c_1',
  clientSecret: 'secret-of-the-client',
  authorizationUrl: 'http://localhost:3001/authorize',
  tokenUrl: 'http://localhost:3001/token',
  getToken: async ({ code }: { code: string }) => {
    if (code !== 'right') throw new Error('the provider knows no such code');
    return { accessToken: 'secret-access-token' };
  },
  getUserInfo: async () => ({ id: 'ext_1', email: 'ext@example.com', name: 'Ext', emailVerified: true }),
};

const ac = createAccessControl({ ...defaultStatements, invoice: ['read', 'void'] });
const organizations = organization({
  ac,
  roles: { owner: ac.newRole({ ...ownerAc.statements, invoice: ['read', 'void'] }) },
  dynamicAccessControl: { enabled: true },
});

function start(options: Partial<AuditPluginOptions> = {}, more: BetterAuthPlugin[] = []) {
  const db: Record<string, Row[]> = Object.fromEntries(models.map((model) => [model, []]));
  const mails: string[] = [];
  const auth = betterAuth({
    baseURL: origin,
    secret: 'a secret of the test, long enough',
    database: memoryAdapter(db),
    logger: { disabled: true },
    rateLimit: { enabled: false },
    emailAndPassword: {
      enabled: true,
      password: {
        // The slowness of a real hash is not what is tested here.
        hash: async (password) => createHash('sha256').update(password).digest('hex'),
        verify: async ({ hash, password }) => createHash('sha256').update(password).digest('hex') === hash,
      },
      sendResetPassword: async ({ token }) => void mails.push(token),
    },
    plugins: [
      ...[admin(), ...(more.length > 0 ? more : [organization()]), twoFactor(), keys],
      auditPlugin({ recorder: log, ...options }),
    ],
  });
  const call = async (path: string, body: object = {}, cookie = ''): Promise<Answer> => {
    const headers = { 'content-type': 'application/json', origin, 'user-agent': 'test', cookie };
    const response = await auth.handler(
      new Request(`${origin}/api/auth${path}`, { method: 'POST', headers, body: JSON.stringify(body) }),
    );
    // As a browser keeps them: the last of a name, and none that is empty.
    const set = response.headers
      .getSetCookie()
      .map((line) => line.split(';')[0]!.split(/=(.*)/s) as [string, string]);
    const kept = [...new Map(set)]
      .filter(([, value]) => value !== '')
      .map(([name, value]) => `${name}=${value}`);
    return {
      status: response.status,
      body: (await response.json().catch(() => ({}))) as Body,
      cookie: kept.join('; '),
    };
  };
  const signUp = (name: string) =>
    call('/sign-up/email', { email: `${name}@example.com`, password: 'correct horse', name });
  const signIn = (name: string, password = 'correct horse') =>
    call('/sign-in/email', { email: `${name}@example.com`, password });
  return { auth, db, mails, call, signUp, signIn };
}

let seen = (await recordedIn(log)).length;
async function recorded(): Promise<RecordedEvent[]> {
  const all = await recordedIn(log);
  const fresh = all.slice(seen);
  seen = all.length;
  return fresh;
}

/** Actor, action and targets of what was recorded, with ids by the names that they go by here. */
async function told(names: Record<string, string>): Promise<string[]> {
  const text = (await recorded()).map((event) => `${event.actor.id} ${lineOf(event)}`);
  return text.map((line) =>
    Object.entries(names)
      .reduce((done, [name, id]) => done.replaceAll(id, name), line)
      .replace(/session\/[\w-]{20,}/g, 'session/s')
      .replace(/(organization|invitation)\/[\w-]{20,}/g, '$1/x'),
  );
}

test('signing up, in and out, and failing to', async () => {
  const { signUp, signIn, call } = start();
  const up = await signUp('ada');
  const ada = idOf(up);
  assert.deepEqual(await told({ ada }), ['ada user.created user/ada', 'ada user.signed_in session/s']);
  assert.equal((await signIn('ada', 'wrong horse')).status, 401);
  assert.equal((await signIn('bob', 'wrong horse')).status, 401);
  const failed = await recorded();
  assert.deepEqual(
    failed.map(({ action, outcome, actor, metadata }) => [
      action,
      outcome,
      actor.type,
      (metadata as Row)['attempted'],
    ]),
    [
      ['user.sign_in_failed', 'denied', 'user', 'ada@example.com'],
      ['user.sign_in_failed', 'denied', 'anonymous', 'bob@example.com'],
    ],
  );
  assert.equal(failed[0]?.actor.id, ada);
  assert.equal(failed[0]?.error?.code, 'INVALID_EMAIL_OR_PASSWORD');
  const signedIn = await signIn('ada');
  const [event] = await recorded();
  assert.equal(event?.context?.['userAgent'], 'test');
  assert.deepEqual(event?.metadata, { method: 'email' });
  assert.equal((await call('/sign-out', {}, signedIn.cookie)).status, 200);
  assert.deepEqual(await told({ ada }), ['ada user.signed_out session/s']);
  await call('/sign-out');
  assert.deepEqual(await told({ ada }), []);
});

test('passwords changed, asked for and reset, with the sessions that this revokes', async () => {
  const { signUp, call, mails } = start();
  const up = await signUp('ada');
  const ada = idOf(up);
  await recorded();
  const wrong = { currentPassword: 'wrong horse', newPassword: 'battery staple' };
  await call('/change-password', wrong, up.cookie);
  assert.deepEqual(await told({ ada }), ['ada password.changed failure user/ada']);
  const right = {
    currentPassword: 'correct horse',
    newPassword: 'battery staple',
    revokeOtherSessions: true,
  };
  assert.equal((await call('/change-password', right, up.cookie)).status, 200);
  assert.deepEqual(await told({ ada }), [
    'ada session.revoked session/s user/ada',
    'ada password.changed user/ada',
  ]);
  await call('/request-password-reset', { email: 'ada@example.com' });
  await call('/request-password-reset', { email: 'nobody@example.com' });
  assert.deepEqual(await told({ ada }), [
    'ada password.reset_requested user/ada',
    'unknown password.reset_requested',
  ]);
  await call('/reset-password', { token: mails[0], newPassword: 'third password' });
  await call('/reset-password', { token: 'guessed', newPassword: 'third password' });
  assert.deepEqual(await told({ ada }), ['ada password.reset user/ada', 'unknown password.reset failure']);
});

test('second factors: enrolled, confirmed, asked for, failed, passed, removed', async () => {
  const { signUp, signIn, call } = start();
  const up = await signUp('ada');
  const ada = idOf(up);
  await recorded();
  const enabled = await call('/two-factor/enable', { password: 'correct horse' }, up.cookie);
  const secret = new URL(enabled.body.totpURI).searchParams.get('secret')!;
  const confirmed = await call('/two-factor/verify-totp', { code: totp(secret) }, up.cookie);
  assert.equal(confirmed.status, 200);
  const enrolled = await recorded();
  assert.deepEqual(
    enrolled.map(({ action, metadata }) => [action, metadata]),
    [
      ['mfa.enrolled', { method: 'totp', confirmed: false }],
      ['mfa.enrolled', { method: 'totp', confirmed: true }],
    ],
  );
  const asked = await signIn('ada');
  assert.equal(asked.body['twoFactorRedirect'], true);
  assert.deepEqual(await told({ ada }), ['ada mfa.challenged user/ada']);
  await call('/two-factor/verify-totp', { code: '000000' }, asked.cookie);
  assert.deepEqual(await told({ ada }), ['unknown mfa.failed denied']);
  const passed = await call('/two-factor/verify-totp', { code: totp(secret) }, asked.cookie);
  assert.equal(passed.status, 200);
  assert.deepEqual(await told({ ada }), ['ada user.signed_in session/s']);
  assert.equal((await call('/two-factor/disable', { password: 'correct horse' }, passed.cookie)).status, 200);
  assert.deepEqual(await told({ ada }), ['ada mfa.removed user/ada']);
});

test('what an administrator does: roles, bans, impersonation, passwords, removal, and what is denied', async () => {
  const { signUp, signIn, call, db } = start();
  const bob = idOf(await signUp('bob'));
  const ada = idOf(await signUp('ada'));
  db['user']!.find(({ id }) => id === ada)!['role'] = 'admin';
  const { cookie } = await signIn('ada');
  const bobs = (await signIn('bob')).cookie;
  await recorded();
  assert.equal((await call('/admin/set-role', { userId: ada, role: 'user' }, bobs)).status, 403);
  assert.deepEqual(await told({ ada, bob }), ['bob role.assigned denied user/ada']);
  await call('/admin/set-role', { userId: bob, role: ['user', 'support'] }, cookie);
  const [role] = await recorded();
  assert.deepEqual(
    [role?.action, role?.actor.id, role?.changes],
    ['role.assigned', ada, [{ path: '/roles', from: ['user'], to: ['user', 'support'] }]],
  );
  await call('/admin/update-user', { userId: bob, data: { role: 'user' } }, cookie);
  assert.equal((await recorded())[0]?.action, 'role.removed');
  await call('/admin/impersonate-user', { userId: bob }, cookie).then(async ({ cookie: as }) => {
    await call('/admin/stop-impersonating', {}, as);
  });
  assert.deepEqual(await told({ ada, bob }), [
    'ada user.impersonated user/bob',
    'ada user.impersonation_ended user/bob',
  ]);
  await call('/admin/set-user-password', { userId: bob, newPassword: 'battery staple' }, cookie);
  const lines = (await told({ ada, bob })).toSorted();
  assert.equal(lines[0], 'ada password.changed user/bob');
  await signIn('bob', 'battery staple');
  await recorded();
  await call('/admin/ban-user', { userId: bob, banReason: 'spam' }, cookie);
  const banned = await recorded();
  assert.deepEqual(new Set(banned.map(({ action }) => action)), new Set(['session.revoked', 'user.locked']));
  assert.equal(banned.find(({ action }) => action === 'user.locked')?.reason, 'spam');
  await call('/admin/unban-user', { userId: bob }, cookie);
  await call('/admin/remove-user', { userId: bob }, cookie);
  const ended = await told({ ada, bob });
  assert.ok(ended.includes('ada user.unlocked user/bob'), ended.join());
  assert.ok(ended.includes('ada user.deleted user/bob'), ended.join());
});

test('sessions that somebody revokes, and keys', async () => {
  const { signUp, signIn, call } = start();
  const ada = idOf(await signUp('ada'));
  const { cookie } = await signIn('ada');
  await recorded();
  assert.equal((await call('/revoke-other-sessions', {}, cookie)).status, 200);
  assert.deepEqual(await told({ ada }), ['ada session.revoked session/s user/ada']);
  await call('/api-key/create', { name: 'ci' }, cookie);
  await call('/api-key/delete', { keyId: 'k_1' }, cookie);
  assert.deepEqual(await told({ ada }), [
    'ada api_key.created api_key/k_1',
    'ada api_key.revoked api_key/k_1',
  ]);
});

test('rights of a role, of a key, and SSO providers', async () => {
  const { signUp, call } = start({}, [organizations]);
  const owner = await signUp('ada');
  const names = { ada: idOf(owner) };
  const made = await call('/organization/create', { name: 'Acme', slug: 'acme' }, owner.cookie);
  const organizationId = made.body.id;
  await recorded();
  const role = { role: 'auditor', organizationId };
  const rights = { permission: { invoice: ['read'] } };
  assert.equal((await call('/organization/create-role', { ...role, ...rights }, owner.cookie)).status, 200);
  const change = { roleName: 'auditor', organizationId, data: { permission: { invoice: ['read', 'void'] } } };
  assert.equal((await call('/organization/update-role', change, owner.cookie)).status, 200);
  const gone = { roleName: 'auditor', organizationId };
  assert.equal((await call('/organization/delete-role', gone, owner.cookie)).status, 200);
  const events = await recorded();
  assert.deepEqual(
    events.map(({ action, metadata, targets }) => [action, targets.map(({ id }) => id), metadata]),
    [
      ['create', { invoice: ['read'] }],
      ['update', { invoice: ['read', 'void'] }],
      ['delete', {}],
    ].map(([kind, permission]) => [
      'permission.changed',
      ['auditor', organizationId],
      { change: kind, permission },
    ]),
  );
  await call('/api-key/update', { keyId: 'k_1' }, owner.cookie);
  await call('/sso/register', { providerId: 'okta', issuer: 'https://id.example' }, owner.cookie);
  await call('/sso/delete-provider', { providerId: 'okta' }, owner.cookie);
  assert.deepEqual(await told(names), [
    'ada permission.changed api_key/k_1',
    'ada sso.configured sso_provider/okta',
    'ada sso.disabled sso_provider/okta',
  ]);
});

test('a sign-in by a provider of OAuth: begun, done, refused', async () => {
  const { auth, call } = start({}, [genericOAuth({ config: [provider] })]);
  const back = async (code: string): Promise<string> => {
    const begun = await call('/sign-in/social', { provider: 'acme-id', callbackURL: '/in' });
    assert.equal(begun.status, 200);
    const state = new URL(String(begun.body['url'])).searchParams.get('state')!;
    assert.deepEqual(await told({}), [], 'nobody is signed in yet');
    const query = new URLSearchParams({ code, state });
    const headers = { cookie: begun.cookie };
    const url = `${origin}/api/auth/callback/acme-id?${query}`;
    const answer = await auth.handler(new Request(url, { headers }));
    return String(answer.headers.get('location'));
  };
  assert.equal(await back('right'), '/in');
  const signedIn = (await recorded()).find(({ action }) => action === 'user.signed_in');
  assert.deepEqual(signedIn?.metadata, { method: 'acme-id' });
  assert.match(await back('wrong'), /error=/);
  const [failed] = await recorded();
  assert.deepEqual(
    [failed?.action, failed?.outcome, failed?.actor.id, failed?.metadata],
    ['user.sign_in_failed', 'failure', 'unknown', { method: 'acme-id' }],
  );
  assert.doesNotMatch(JSON.stringify(await recordedIn(log)), /secret-/);
});

test('organizations: who joins, with which role, and who leaves', async () => {
  const { signUp, call, db } = start();
  const owner = await signUp('ada');
  const guest = await signUp('bob');
  const names = { ada: idOf(owner), bob: idOf(guest) };
  await recorded();
  const made = await call('/organization/create', { name: 'Acme', slug: 'acme' }, owner.cookie);
  const organizationId = made.body.id;
  const invite = await call(
    '/organization/invite-member',
    { email: 'bob@example.com', role: 'member', organizationId },
    owner.cookie,
  );
  db['user']!.forEach((row) => {
    row['emailVerified'] = true;
  });
  await call('/organization/accept-invitation', { invitationId: invite.body.id }, guest.cookie);
  const memberId = db['member']!.find(({ userId }) => userId === names.bob)!['id'];
  await call('/organization/update-member-role', { memberId, role: 'admin', organizationId }, owner.cookie);
  await call('/organization/remove-member', { memberIdOrEmail: memberId, organizationId }, owner.cookie);
  assert.deepEqual(await told(names), [
    'ada role.assigned user/ada organization/x /roles >["owner"]',
    'ada user.invited invitation/x organization/x',
    'bob role.assigned user/bob organization/x /roles >["member"]',
    'ada role.assigned user/bob organization/x /roles ["member"]>["admin"]',
    'ada role.removed user/bob organization/x /roles ["admin"]>',
  ]);
});

test('no credential is in any event: not in a value, and not in the bytes of the log', async () => {
  const whole = JSON.stringify(await recordedIn(log));
  for (const secret of [
    'horse',
    'staple',
    'third password',
    'guessed',
    'sk_live',
    '000000',
    'better-auth.session',
  ]) {
    assert.equal(whole.includes(secret), false, secret);
  }
  const { signIn, signUp, db } = start();
  await signUp('ada');
  await signIn('ada');
  const again = JSON.stringify(await recordedIn(log));
  for (const { token } of db['session']!)
    assert.equal(again.includes(token as string), false, 'a session token');
  seen = (await recordedIn(log)).length;
});

test('what cannot be recorded fails the request; with onError, only what changes who may do what', async () => {
  const failing = { record: async () => Promise.reject(new Error('disk full')) };
  const strict = start({ recorder: failing });
  assert.equal((await strict.signUp('ada')).status, 500);
  await assert.rejects(
    strict.auth.api.signInEmail({ body: { email: 'ada@example.com', password: 'correct horse' } }),
    /disk full/,
  );
  const unrecorded: string[] = [];
  const calm = start({ recorder: failing, onError: (_, [event]) => void unrecorded.push(event!.action) });
  const ada = await calm.signUp('ada');
  assert.equal(ada.status, 200);
  assert.deepEqual(unrecorded, ['user.created', 'user.signed_in']);
  calm.db['user']![0]!['role'] = 'admin';
  const { cookie } = await calm.signIn('ada');
  const { status } = await calm.call('/admin/set-role', { userId: idOf(ada), role: 'user' }, cookie);
  assert.equal(status, 500);
});

test('the plugin stands after the one of second factors, and refuses options that nobody reads', async () => {
  const misplaced = betterAuth({
    baseURL: origin,
    secret: 'a secret of the test, long enough',
    database: memoryAdapter({}),
    logger: { disabled: true },
    plugins: [auditPlugin({ recorder: log }), twoFactor()],
  });
  await assert.rejects(misplaced.$context, { code: 'option_invalid' });
  assert.throws(() => auditPlugin({ recorder: log, onEror: () => {} } as never), /did you mean onError/);
});

/** RFC 6238, as an authenticator app has it: the secret is base32. */
function totp(secret: string): string {
  const bits = [...secret].map((letter) =>
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0'),
  );
  const key = Buffer.from(
    bits
      .join('')
      .match(/.{8}/g)!
      .map((byte) => Number.parseInt(byte, 2)),
  );
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const digest = createHmac('sha1', key).update(counter).digest();
  const offset = digest[19]! & 15;
  return String((digest.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}
