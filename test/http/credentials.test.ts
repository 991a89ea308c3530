// Keys, links, sessions, viewer tokens: who is let in, how far, and until when.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import test from 'node:test';
import { crc32 } from 'node:zlib';
import { ServerKeys } from 'indelible/http';
import type { ApiKeyCreated, KeyList, Problem, ViewerSession, ViewerTokenCreated } from 'indelible/wire';
import { codeOf, ORIGIN, startHandler } from './server.ts';

test('a key opens what its scopes say, and nothing after it is revoked', async (context) => {
  const { ask, key } = await startHandler(context);
  const admin = await key(['admin']);
  const made = await ask('POST', '/v1/keys', {
    key: admin,
    json: { name: 'till', scopes: ['read'], log: 'alpha' },
  });
  assert.equal(made.status, 201);
  const created = (await made.json()) as ApiKeyCreated;
  assert.match(created.key, /^ind_[0-9a-f]{12}_[A-Za-z0-9_-]{49}$/);
  assert.equal((await ask('GET', '/v1/session', { key: created.key })).status, 200);
  assert.equal((await ask('GET', '/v1/keys', { key: created.key })).status, 403);
  assert.equal((await ask('DELETE', `/v1/keys/${created.id}`, { key: admin })).status, 204);
  const refused = await ask('GET', '/v1/session', { key: created.key });
  assert.equal(refused.status, 401);
  assert.equal(await codeOf(refused), 'credential_invalid');
});

test('a key that another process revokes is refused by the next request', async (context) => {
  const { ask, key, data } = await startHandler(context);
  const text = await key(['read']);
  assert.equal((await ask('GET', '/v1/session', { key: text })).status, 200);
  using keys = new ServerKeys(data);
  assert.ok(keys.revoke(text.split('_')[1] ?? ''));
  // A request from the wire comes in a later turn of the event loop, and so does this one.
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal((await ask('GET', '/v1/session', { key: text })).status, 401);
});

test('a key with one character changed is none, whichever it is', async (context) => {
  const { ask, key } = await startHandler(context);
  const text = await key(['read']);
  for (let at = 0; at < text.length; at += 5) {
    const other = text[at] === 'A' ? 'B' : 'A';
    const wrong = text.slice(0, at) + other + text.slice(at + 1);
    const response = await ask('GET', '/v1/session', { key: wrong, from: `10.0.0.${at}` });
    assert.equal(response.status, 401, `character ${at}`);
  }
});

test('an expired key is refused, by a clock that is handed in', async (context) => {
  let now = Date.parse('2026-01-01T00:00:00Z');
  const clock = { wall: () => now, monotonic: () => now };
  const { ask, handler } = await startHandler(context, { clock });
  const { key } = await handler.desk.createKey({
    name: 'short',
    scopes: ['read'],
    expiresAt: '2026-01-02T00:00:00Z',
  });
  assert.equal((await ask('GET', '/v1/session', { key })).status, 200);
  now = Date.parse('2026-01-02T00:00:00Z');
  assert.equal((await ask('GET', '/v1/session', { key })).status, 401);
});

test('no key asks for erasures and approves them, not even by way of another', async (context) => {
  const { ask, key } = await startHandler(context);
  const admin = await key(['admin']);
  const both = await ask('POST', '/v1/keys', {
    key: admin,
    json: { name: 'x', scopes: ['privacy', 'approve'] },
  });
  assert.equal(both.status, 400);
  assert.equal(await codeOf(both), 'key_scopes_conflict');
  const half = await key(['admin', 'privacy']);
  const other = await ask('POST', '/v1/keys', { key: half, json: { name: 'x', scopes: ['approve'] } });
  assert.equal(other.status, 403);
});

test('an administrator of one log makes, sees and revokes keys of that log alone', async (context) => {
  const { ask, key } = await startHandler(context);
  const foreign = await key(['read'], 'beta');
  const admin = await key(['admin'], 'alpha');
  const made = await ask('POST', '/v1/keys', { key: admin, json: { name: 'x', scopes: ['read'] } });
  assert.equal(((await made.json()) as ApiKeyCreated).log, 'alpha');
  const reach = await ask('POST', '/v1/keys', {
    key: admin,
    json: { name: 'x', scopes: ['read'], log: 'beta' },
  });
  assert.equal(reach.status, 404);
  const { keys } = (await (await ask('GET', '/v1/keys', { key: admin })).json()) as KeyList;
  assert.deepEqual([...new Set(keys.map(({ log }) => log))], ['alpha']);
  const revoked = await ask('DELETE', `/v1/keys/${foreign.split('_')[1]}`, { key: admin });
  assert.equal(revoked.status, 404);
  assert.equal((await ask('GET', '/v1/session', { key: foreign })).status, 200);
});

/** Follows a link and answers the cookie. */
async function signIn(
  { ask }: Awaited<ReturnType<typeof startHandler>>,
  key: string,
): Promise<{ cookie: string; target: string }> {
  const { url } = (await (await ask('POST', '/v1/links', { key })).json()) as { url: string };
  const target = url.slice(ORIGIN.length);
  const opened = await ask('GET', target);
  assert.equal(opened.status, 200);
  const header = opened.headers.get('set-cookie') ?? '';
  assert.match(
    header,
    /^__Host-indelible=[^;]{43}; Path=\/; Max-Age=\d+; Secure; HttpOnly; SameSite=Strict$/,
  );
  return { cookie: header.split(';', 1)[0] ?? '', target };
}

test('a link opens one session, once, with no more than the key that made it', async (context) => {
  const server = await startHandler(context);
  const key = await server.key(['write', 'read'], 'alpha');
  const { cookie, target } = await signIn(server, key);
  const again = await server.ask('GET', target);
  assert.equal(again.status, 403);
  assert.equal(await codeOf(again), 'link_invalid');
  const session = (await (
    await server.ask('GET', '/v1/session', { headers: { cookie, 'sec-fetch-site': 'same-origin' } })
  ).json()) as ViewerSession;
  assert.deepEqual(session.scopes, ['read']);
  assert.equal(session.log, 'alpha');
});

test('looking ahead at a link does not use it up', async (context) => {
  const { ask, key } = await startHandler(context);
  const made = await ask('POST', '/v1/links', { key: await key(['read']) });
  const target = ((await made.json()) as { url: string }).url.slice(ORIGIN.length);
  assert.equal((await ask('HEAD', target)).status, 403);
  assert.equal((await ask('GET', target, { headers: { 'sec-purpose': 'prefetch;prerender' } })).status, 403);
  assert.equal((await ask('GET', target)).status, 200);
});

test('a session ends with the key that opened it, and when it signs out', async (context) => {
  const server = await startHandler(context);
  const [first, second] = [await server.key(['read']), await server.key(['read'])];
  const [one, other] = [await signIn(server, first), await signIn(server, second)];
  const headers = ({ cookie }: { cookie: string }) => ({ cookie, 'sec-fetch-site': 'same-origin' });
  using keys = new ServerKeys(server.data);
  keys.revoke(first.split('_')[1] ?? '');
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal((await server.ask('GET', '/v1/session', { headers: headers(one) })).status, 401);
  assert.equal((await server.ask('DELETE', '/v1/session', { headers: headers(other) })).status, 204);
  assert.equal((await server.ask('GET', '/v1/session', { headers: headers(other) })).status, 401);
});

test('attack-29: what another site sends with a session is refused', async (context) => {
  const server = await startHandler(context);
  const { cookie } = await signIn(server, await server.key(['admin', 'read']));
  const json = { name: 'stolen', scopes: ['read'] };
  const foreign: Record<string, string>[] = [
    { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
    { 'sec-fetch-site': 'same-site', origin: 'http://other.127.0.0.1' },
    { 'sec-fetch-site': 'none' },
    { origin: 'https://evil.example' },
    { origin: 'null' },
    {},
  ];
  for (const headers of foreign) {
    const response = await server.ask('POST', '/v1/keys', { json, headers: { cookie, ...headers } });
    assert.equal(response.status, 403, JSON.stringify(headers));
    assert.equal(await codeOf(response), 'cross_site');
  }
  const own = await server.ask('POST', '/v1/keys', {
    json,
    headers: { cookie, 'sec-fetch-site': 'same-origin' },
  });
  assert.equal(own.status, 201);
  assert.match(own.headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/);
});

test('a viewer token reaches its log from its origins, until it ends', async (context) => {
  const { ask, key } = await startHandler(context);
  const reader = await key(['read'], 'alpha');
  const origin = 'https://app.example';
  const json = { log: 'alpha', origins: [origin], filter: 'actor:user/u_1' };
  const made = await ask('POST', '/v1/viewer-tokens', { key: reader, json });
  assert.equal(made.status, 201);
  const { token } = (await made.json()) as ViewerTokenCreated;
  const own = await ask('GET', '/v1/session', { key: token, headers: { origin } });
  assert.equal(own.headers.get('access-control-allow-origin'), origin);
  const session = (await own.json()) as ViewerSession;
  assert.deepEqual([session.kind, session.log, session.filter], ['viewer-token', 'alpha', 'actor:user/u_1']);
  const foreign = await ask('GET', '/v1/session', {
    key: token,
    headers: { origin: 'https://evil.example' },
  });
  assert.equal(foreign.status, 403);
  assert.equal(foreign.headers.get('access-control-allow-origin'), null);
  assert.equal((await ask('OPTIONS', '/v1/session', { headers: { origin } })).status, 204);
  assert.equal(
    (await ask('OPTIONS', '/v1/session', { headers: { origin: 'https://evil.example' } })).status,
    403,
  );
  for (const [method, target] of [
    ['GET', '/v1/keys'],
    ['POST', '/v1/links'],
    ['POST', '/v1/viewer-tokens'],
  ] as const) {
    assert.equal((await ask(method, target, { key: token })).status, 404, target);
  }
  const changed = `${token.slice(0, 30)}${token[30] === 'A' ? 'B' : 'A'}${token.slice(31)}`;
  assert.equal((await ask('GET', '/v1/session', { key: changed })).status, 401);
  const wrong = await ask('POST', '/v1/viewer-tokens', {
    key: reader,
    json: { ...json, origins: ['https://a.b/path'] },
  });
  assert.equal(((await wrong.json()) as Problem).pointer, '/origins/0');
  assert.equal(
    (await ask('POST', '/v1/viewer-tokens', { key: reader, json: { ...json, log: 'beta' } })).status,
    404,
  );
});

test('attack-34: no file and no answer holds a secret after all of this', async (context) => {
  const lines: string[] = [];
  const note = (fields: object, message: string) => void lines.push(JSON.stringify(fields) + message);
  const server = await startHandler(context, { logger: { info: note, warn: note, error: note } });
  const admin = await server.key(['admin', 'read']);
  const { cookie } = await signIn(server, admin);
  await server.ask('GET', '/v1/keys', { key: `${admin.slice(0, -1)}!` });
  const listed = await (await server.ask('GET', '/v1/keys', { key: admin })).text();
  await server.handler.close();
  const secrets = [admin.slice('ind_0123456789ab_'.length, -6), cookie.split('=')[1] ?? ''];
  const files = readdirSync(server.data, { recursive: true, encoding: 'utf8' })
    .map((name) => path.join(server.data, name))
    .filter((name) => statSync(name).isFile());
  assert.ok(files.some((name) => name.endsWith('server.db')));
  for (const secret of secrets) {
    assert.ok(secret.length === 43);
    for (const file of files) assert.ok(!readFileSync(file).includes(secret), file);
    assert.ok(!lines.join('\n').includes(secret) && !listed.includes(secret));
  }
});

test('attack-35: a wrong secret is compared in the same way whether its key is known or not', async (context) => {
  const { ask, key } = await startHandler(context);
  const text = await key(['read']);
  const withCrc = (body: string): string => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(crc32(body));
    return body + bytes.toString('base64url');
  };
  // What a clock would show is the work that is done: it is counted here, which no busy machine disturbs.
  const compared: [number, number][] = [];
  const { timingSafeEqual } = crypto;
  const counting = (left: NodeJS.ArrayBufferView, right: NodeJS.ArrayBufferView): boolean => {
    compared.push([left.byteLength, right.byteLength]);
    return timingSafeEqual(left, right);
  };
  Object.assign(crypto, { timingSafeEqual: counting });
  syncBuiltinESMExports();
  context.after(() => {
    Object.assign(crypto, { timingSafeEqual });
    syncBuiltinESMExports();
  });
  const wrongs = {
    'nothing right': `ind_${text.split('_')[1]}_${'A'.repeat(43)}`,
    'all right but the last character': text.slice(0, -7) + (text.at(-7) === 'A' ? 'B' : 'A'),
    'unknown id': `ind_000000000000_${'A'.repeat(43)}`,
  };
  for (const [name, wrong] of Object.entries(wrongs)) {
    compared.length = 0;
    assert.equal((await ask('GET', '/v1/session', { key: withCrc(wrong) })).status, 401, name);
    assert.deepEqual(compared, [[32, 32]], name);
  }
  compared.length = 0;
  assert.equal((await ask('GET', '/v1/session', { key: text })).status, 200);
  assert.deepEqual(compared, [[32, 32]]);
});

test('who guesses too often waits; whoever holds a key is not shut out, not even behind the same address', async (context) => {
  const { ask, key } = await startHandler(context);
  const text = await key(['read']);
  const guess = () => ask('GET', '/v1/session', { key: 'ind_wrong', from: '10.9.9.9' });
  assert.equal((await guess()).status, 401);
  for (let round = 0; round < 58; round += 1) await guess();
  const held = await guess();
  assert.equal(held.status, 429);
  assert.ok(Number(held.headers.get('retry-after')) >= 1);
  assert.equal((await ask('GET', '/v1/session', { key: text, from: '10.9.9.9' })).status, 200);
  assert.equal((await ask('GET', '/v1/session', { key: text, from: '10.9.9.8' })).status, 200);
});
