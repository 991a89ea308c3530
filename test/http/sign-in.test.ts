// Signing in to the viewer by an OpenID provider, against one that really signs and really checks.

import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import type { HandlerOptions, OidcOptions } from 'indelible/http';
import type { EventPage, SignInWays, ViewerSession } from 'indelible/wire';
import {
  CLIENT_ID,
  CLIENT_SECRET,
  type Lies,
  type OpenIdProvider,
  startProvider,
} from './openid-provider.ts';
import { codeOf, ORIGIN, startHandler, type TestServer } from './server.ts';

const grants: OidcOptions['grants'] = [
  { claim: 'groups', values: ['admins'], scopes: ['read', 'audit', 'admin'] },
  { claim: 'groups', values: ['auditors'], scopes: ['read', 'audit'], log: 'alpha' },
];

/** A server that knows the provider, and a browser that has been nowhere yet. */
async function startBoth(
  context: TestContext,
  lies: Lies = {},
  options: { oidc?: Partial<OidcOptions>; handler?: Partial<HandlerOptions> } = {},
): Promise<{ server: TestServer; provider: OpenIdProvider; browser: Browser }> {
  const provider = await startProvider(context, lies);
  const oidc = {
    issuer: provider.issuer,
    clientId: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    grants,
    ...options.oidc,
  };
  const server = await startHandler(context, { ...options.handler, oidc });
  return { server, provider, browser: new Browser(server) };
}

/** As much of a browser as signing in takes: it keeps cookies, and goes where it is sent. */
class Browser {
  readonly cookies = new Map<string, string>();
  readonly #server: TestServer;

  constructor(server: TestServer) {
    this.#server = server;
  }

  async get(target: string, headers: Record<string, string> = {}): Promise<Response> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await this.#server.ask('GET', target, { headers: { cookie, ...headers } });
    for (const set of response.headers.getSetCookie()) {
      const [pair = '', ...rules] = set.split('; ');
      const [name = '', value = ''] = pair.split('=');
      assert.ok(name.startsWith('__Host-') && rules.includes('Secure') && rules.includes('HttpOnly'), set);
      if (rules.includes('Max-Age=0')) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return response;
  }

  /** Goes to the provider and comes back as far as the address that it is sent to. */
  async leave(next?: string): Promise<string> {
    const query = next === undefined ? '' : `?${new URLSearchParams({ next })}`;
    const begun = await this.get(`/sign-in${query}`);
    assert.equal(begun.status, 303, await begun.clone().text());
    const atProvider = await fetch(begun.headers.get('location') ?? '', { redirect: 'manual' });
    assert.equal(atProvider.status, 302);
    return (atProvider.headers.get('location') ?? '').slice(ORIGIN.length);
  }

  async signIn(next?: string): Promise<Response> {
    return this.get(await this.leave(next));
  }
}

/** What the log of the server says of who was turned away. */
async function failures({ handler, key, data }: TestServer): Promise<string[]> {
  const auditor = await key(['read', 'audit', 'write', 'admin']);
  await handler.close();
  const { createHandler } = await import('indelible/http');
  const again = createHandler({ data });
  const asked = new Request(`${ORIGIN}/v1/logs/_server/events?limit=50`, {
    headers: { authorization: `Bearer ${auditor}` },
  });
  const page = (await (await again(asked)).json()) as EventPage;
  await again.close();
  return page.events
    .filter(({ action }) => action === 'authentication.failed')
    .map(({ actor, metadata }) => `${actor.id} ${(metadata as { count: number }).count}`)
    .sort();
}

for (const alg of ['RS256', 'ES256'] as const) {
  test(`a person whom a grant fits comes in with what it grants (${alg})`, async (context) => {
    const { server, provider, browser } = await startBoth(context, { alg });
    const ways = (await (await server.ask('GET', '/v1/sign-in')).json()) as SignInWays;
    assert.deepEqual(ways, { provider: { name: new URL(provider.issuer).host, path: '/sign-in' } });
    const landed = await browser.signIn('/?log=alpha&q=actor%3Auser%2F%22');
    assert.equal(landed.status, 200);
    assert.match(await landed.text(), /content="0;url=\/\?log=alpha&#38;q=actor%3Auser%2F%22"/);
    assert.deepEqual([...browser.cookies.keys()], ['__Host-indelible']);
    assert.match(landed.headers.getSetCookie()[0] ?? '', /; SameSite=Strict$/);
    const session = (await (await browser.get('/v1/session')).json()) as ViewerSession;
    assert.equal(session.kind, 'session');
    assert.equal(session.name, 'Ada <b>Byron</b>');
    assert.deepEqual([session.scopes, session.log], [['read', 'audit'], 'alpha']);
    assert.equal((await browser.get('/v1/logs/alpha/events')).status, 200);
    assert.equal((await browser.get('/v1/logs/beta/events')).status, 404);
    assert.equal((await browser.get('/v1/keys')).status, 403);
    // PKCE, state and nonce went along, and the secret did not.
    const sent = provider.last();
    for (const name of ['state', 'nonce', 'code_challenge'])
      assert.ok((sent.get(name)?.length ?? 0) >= 43, name);
    assert.ok(![...sent.values()].includes(CLIENT_SECRET));
  });
}

test('who signed in, and by whose word, stands in the log of the server', async (context) => {
  const { server, provider, browser } = await startBoth(context);
  assert.equal((await browser.signIn()).status, 200);
  const auditor = await server.key(['read', 'audit']);
  const page = (await (
    await server.ask('GET', '/v1/logs/_server/events?q=action:session.opened', { key: auditor })
  ).json()) as EventPage;
  assert.deepEqual(page.events[0]?.metadata, {
    issuer: `${provider.issuer}/`,
    subject: 'u_ada',
    socket: '127.0.0.1',
  });
});

const wrongTokens: Readonly<Record<string, Lies>> = {
  'a wrong nonce': { claims: (claims) => ({ ...claims, nonce: 'another' }) },
  'no nonce': { claims: ({ nonce: _, ...claims }) => claims },
  'another audience': { claims: (claims) => ({ ...claims, aud: 'another client' }) },
  'several audiences without azp': {
    claims: (claims) => ({ ...claims, aud: [CLIENT_ID, 'another client'] }),
  },
  'another issuer': { claims: (claims) => ({ ...claims, iss: 'https://evil.example' }) },
  'a token that has expired': { claims: (claims) => ({ ...claims, iat: 1e9, exp: 1e9 + 300 }) },
  'a token that is not yet good': { claims: (claims) => ({ ...claims, nbf: 4e9 }) },
  'a token without expiry': { claims: ({ exp: _, ...claims }) => claims },
  'no subject': { claims: ({ sub: _, ...claims }) => claims },
  'a signature by another key': { isForged: true },
  'claims changed after they were signed': { isAltered: true },
  'a token that nobody signed': { alg: 'none' },
  'a MAC made with the public key': { alg: 'HS256' },
  'no ID token at all': { noIdToken: true },
};

test('refused: every token that does not hold', async (context) => {
  const { server, provider, browser } = await startBoth(context);
  for (const [name, lies] of Object.entries(wrongTokens)) {
    Object.assign(
      provider.lies,
      { claims: undefined, alg: 'RS256', isForged: false, isAltered: false },
      lies,
    );
    const refused = await browser.signIn();
    assert.equal(refused.status, 403, name);
    assert.equal(await codeOf(refused), 'sign_in_invalid', name);
    assert.equal(browser.cookies.has('__Host-indelible'), false, name);
    assert.equal((await browser.get('/v1/session')).status, 401, name);
  }
  // Each time the provider exchanged the code, so it is the token that was refused.
  const exchanges = provider.asked.filter((line) => line === 'POST /token').length;
  assert.equal(exchanges, Object.keys(wrongTokens).length);
  // The control: what is honest comes in.
  Object.assign(provider.lies, { noIdToken: false });
  assert.equal((await browser.signIn()).status, 200);
  assert.deepEqual(await failures(server), [`sign-in ${exchanges}`]);
});

test('refused: a wrong state, no state, and an answer for another browser; the right one still comes in', async (context) => {
  const { server, provider, browser } = await startBoth(context);
  const back = await browser.leave();
  const asked = provider.asked.length;
  const wrong = [
    back.replace(/state=[^&]+/, 'state=another'),
    back.replace(/state=[^&]+/, ''),
    '/sign-in/callback?error=access_denied',
  ];
  for (const target of wrong)
    assert.equal(await codeOf(await browser.get(target)), 'sign_in_invalid', target);
  // An attacker's answer in a victim's browser, with no cookie of its own, or that of another sign-in.
  const victim = new Browser(server);
  assert.equal(await codeOf(await victim.get(back)), 'sign_in_invalid');
  await victim.leave();
  assert.equal(await codeOf(await victim.get(back)), 'sign_in_invalid');
  // The provider was asked about none of these.
  assert.equal(provider.asked.filter((line) => line === 'POST /token').length, 0);
  assert.ok(provider.asked.length > asked);
  assert.equal((await browser.get(back)).status, 200);
  assert.deepEqual(await failures(server), ['sign-in 5']);
});

test('refused: a cookie of a sign-in that was changed, or made elsewhere', async (context) => {
  const { browser } = await startBoth(context);
  const back = await browser.leave();
  const name = '__Host-indelible-sign-in';
  const sealed = browser.cookies.get(name) ?? '';
  for (const value of [
    `A${sealed.slice(1)}`,
    `${sealed.slice(0, -4)}AAAA`,
    sealed.slice(0, 20),
    '',
    'x'.repeat(4000),
  ]) {
    browser.cookies.set(name, value === sealed ? `B${sealed.slice(1)}` : value);
    assert.equal(await codeOf(await browser.get(back)), 'sign_in_invalid');
  }
});

test('refused: an answer that comes a second time, even where the provider takes its code again', async (context) => {
  for (const isForgetful of [false, true]) {
    const { server, browser } = await startBoth(context, { isForgetful });
    const back = await browser.leave();
    const cookie = browser.cookies.get('__Host-indelible-sign-in') ?? '';
    assert.equal((await browser.get(back)).status, 200);
    const thief = new Browser(server);
    thief.cookies.set('__Host-indelible-sign-in', cookie);
    assert.equal(await codeOf(await thief.get(back)), 'sign_in_invalid');
    assert.equal((await thief.get('/v1/session')).status, 401);
  }
});

test('refused: an answer that comes too late', async (context) => {
  let late = 0;
  const clock = { wall: () => Date.now() + late, monotonic: () => performance.now() };
  const { browser } = await startBoth(context, {}, { handler: { clock } });
  const back = await browser.leave();
  late = 11 * 60_000;
  assert.equal(await codeOf(await browser.get(back)), 'sign_in_invalid');
});

const strangers: Readonly<Record<string, NonNullable<Lies['claims']>>> = {
  'no claim of the grants': ({ groups: _, ...claims }) => claims,
  'a value that only begins like one': (claims) => ({ ...claims, groups: 'auditors2' }),
  'a value in other case': (claims) => ({ ...claims, groups: ['Auditors'] }),
  'values in one text': (claims) => ({ ...claims, groups: 'staff,auditors' }),
  'an object that prints like one': (claims) => ({ ...claims, groups: { auditors: true } }),
};

test('a person whom no grant fits stays outside', async (context) => {
  const { server, provider, browser } = await startBoth(context);
  for (const [name, claims] of Object.entries(strangers)) {
    provider.lies.claims = claims;
    const refused = await browser.signIn();
    assert.equal(refused.status, 403, name);
    assert.equal(await codeOf(refused), 'sign_in_refused', name);
    assert.equal((await browser.get('/v1/session')).status, 401, name);
  }
  assert.deepEqual(await failures(server), [`sign-in-refused ${Object.keys(strangers).length}`]);
});

const closed: Readonly<Record<string, Partial<OidcOptions>>> = {
  'a requirement that fails': { requires: [{ claim: 'email_verified', values: ['false'] }] },
  'a requirement about nothing': { requires: [{ claim: 'hd', values: ['example.com'] }] },
  'a claim that every object has': {
    grants: [{ claim: 'constructor', values: ['auditors'], scopes: ['read'] }],
  },
};

for (const [name, oidc] of Object.entries(closed)) {
  test(`a person stays outside: ${name}`, async (context) => {
    const { browser } = await startBoth(context, {}, { oidc });
    assert.equal(await codeOf(await browser.signIn()), 'sign_in_refused');
  });
}

test('requirements, a claim inside a claim, and the claim that names', async (context) => {
  const lies: Lies = {
    claims: (claims) => ({ ...claims, realm_access: { roles: ['a/b'] }, 'https://x/y': 7, nick: 'ada' }),
  };
  const { browser } = await startBoth(context, lies, {
    oidc: {
      requires: [
        { claim: 'email_verified', values: ['true'] },
        { claim: 'https://x/y', values: ['7'] },
      ],
      grants: [{ claim: '/realm_access/roles', values: ['a/b'], scopes: ['audit'] }],
      nameClaim: 'nick',
    },
  });
  assert.equal((await browser.signIn()).status, 200);
  const session = (await (await browser.get('/v1/session')).json()) as ViewerSession;
  assert.deepEqual([session.name, session.scopes, session.log], ['ada', ['audit'], undefined]);
});

test('a provider that is away is said to be, also to a person, and nothing else is', async (context) => {
  const said: string[] = [];
  const line = (fields: object, message: string): void => void said.push(message + JSON.stringify(fields));
  const logger = { info: line, warn: line, error: line };
  const { server, provider, browser } = await startBoth(context, {}, { handler: { logger } });
  await provider.stop();
  const away = await browser.get('/sign-in');
  assert.equal(away.status, 503);
  assert.equal(away.headers.get('retry-after'), '5');
  assert.equal(await codeOf(away), 'sign_in_unavailable');
  assert.match(said.join('\n'), /the provider is away.*ECONNREFUSED/);
  const page = await browser.get('/sign-in', { accept: 'text/html,*/*' });
  assert.equal(page.status, 503);
  assert.match(page.headers.get('content-type') ?? '', /^text\/html/);
  assert.match(page.headers.get('content-security-policy') ?? '', /^default-src 'none'/);
  assert.match(await page.text(), /cannot be asked now/);
  // One-time links and keys need no provider.
  assert.equal((await server.ask('GET', '/v1/session', { key: await server.key(['read']) })).status, 200);
  assert.equal((await server.ask('GET', '/readyz')).status, 200);
  await provider.start();
  const back = await browser.leave();
  await provider.stop();
  assert.equal(await codeOf(await browser.get(back)), 'sign_in_unavailable');
  await provider.start();
  assert.equal((await browser.signIn()).status, 200);
  assert.ok(!said.join('').includes(CLIENT_SECRET));
});

const badMetadata: Readonly<Record<string, NonNullable<Lies['metadata']>>> = {
  'names another issuer': (metadata) => ({ ...metadata, issuer: 'https://evil.example' }),
  'has no authorization endpoint': ({ authorization_endpoint: _, ...metadata }) => metadata,
  'sends the browser to a script': (metadata) => ({
    ...metadata,
    authorization_endpoint: 'javascript:alert(1)',
  }),
};

for (const [name, metadata] of Object.entries(badMetadata)) {
  test(`a provider that ${name} is not gone to`, async (context) => {
    const { browser } = await startBoth(context, { metadata });
    const refused = await browser.get('/sign-in');
    assert.ok([403, 503].includes(refused.status));
    assert.equal(refused.headers.get('location'), null);
  });
}

test('a token endpoint that fails, says nonsense or says no', async (context) => {
  const answers: [string, string, Lies['token']][] = [
    ['fails', 'sign_in_unavailable', (response) => response.writeHead(500).end('oops')],
    [
      'is no JSON',
      'sign_in_unavailable',
      (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>'),
    ],
    [
      'redirects',
      'sign_in_unavailable',
      (response) => response.writeHead(302, { location: '/token2' }).end(),
    ],
    [
      'refuses the client',
      'sign_in_invalid',
      (response) =>
        response.writeHead(401, { 'content-type': 'application/json' }).end('{"error":"invalid_client"}'),
    ],
  ];
  const { provider, browser } = await startBoth(context);
  for (const [name, code, token] of answers) {
    provider.lies.token = token!;
    assert.equal(await codeOf(await browser.signIn()), code, name);
  }
  assert.ok(!provider.asked.some((line) => line.endsWith('/token2')));
});

const elsewhere = [
  'https://evil.example/',
  '//evil.example/',
  '/\\evil.example/',
  '\\/evil.example',
  '/\t/evil.example',
  '/.//evil.example',
  '/x/..//evil.example',
  'javascript:alert(1)',
  'evil.example',
  '/@evil.example/..//evil.example',
  '',
];

test('whatever stands in next, a person lands on this server', async (context) => {
  const { browser } = await startBoth(context);
  for (const next of elsewhere) {
    const landed = await (await browser.signIn(next)).text();
    assert.match(landed, /content="0;url=\/"/, next);
  }
  const kept = await (await browser.signIn('/a"><script>?x=<b>#frag')).text();
  assert.match(kept, /url=\/a%22%3E%3Cscript%3E\?x=%3Cb%3E#frag"/);
});

test('a session ends when the server starts with other rules, and stays under the same', async (context) => {
  const { server, provider, browser } = await startBoth(context);
  assert.equal((await browser.signIn()).status, 200);
  const cookie = `__Host-indelible=${browser.cookies.get('__Host-indelible')}`;
  await server.handler.close();
  const { createHandler } = await import('indelible/http');
  const statusUnder = async (changed: Partial<OidcOptions> | undefined): Promise<number> => {
    const oidc = {
      issuer: provider.issuer,
      clientId: CLIENT_ID,
      clientSecret: 'changed',
      grants,
      ...changed,
    };
    const handler = createHandler({ data: server.data, ...(changed === undefined ? {} : { oidc }) });
    const response = await handler(new Request(`${ORIGIN}/v1/session`, { headers: { cookie } }));
    await handler.close();
    return response.status;
  };
  assert.equal(await statusUnder({}), 200);
  assert.equal(await statusUnder({ grants: grants.slice(0, 1) }), 401);
  assert.equal(await statusUnder({}), 401);
  assert.equal(await statusUnder(undefined), 401);
});

test('a cookie that is of no use any more does not keep anybody from signing in', async (context) => {
  const { browser } = await startBoth(context);
  browser.cookies.set('__Host-indelible', 'A'.repeat(43));
  assert.equal((await browser.signIn()).status, 200);
  assert.equal((await browser.get('/v1/session')).status, 200);
});

test('who brings many answers that fail waits, before the provider is asked', async (context) => {
  const clock = { wall: () => Date.now(), monotonic: () => 0 };
  const { browser, provider } = await startBoth(context, { isForged: true }, { handler: { clock } });
  for (let round = 0; round < 50; round += 1) await browser.get('/sign-in/callback?state=x&code=y');
  const back = await browser.leave();
  const held = await browser.get(back);
  assert.equal(held.status, 429);
  assert.ok(!provider.asked.includes('POST /token'));
});

test('beyond loopback the address to come back to is never taken from the request', async (context) => {
  const { server } = await startBoth(context);
  const request = new Request('http://evil.example/sign-in');
  assert.equal(await codeOf(await server.handler(request)), 'sign_in_unavailable');
  const named = await startBoth(context, {}, { handler: { publicUrl: 'https://audit.example.com' } });
  const begun = await named.server.handler(request);
  const location = new URL(begun.headers.get('location') ?? '');
  assert.equal(location.searchParams.get('redirect_uri'), 'https://audit.example.com/sign-in/callback');
});

test('without a provider nobody is offered one', async (context) => {
  const { ask } = await startHandler(context);
  assert.deepEqual(await (await ask('GET', '/v1/sign-in')).json(), {});
  assert.notEqual((await ask('GET', '/sign-in')).status, 303);
});

const misuses: Readonly<Record<string, Partial<OidcOptions>>> = {
  'an issuer over plain http': { issuer: 'http://id.example.com' },
  'an issuer with a password': { issuer: 'https://u:p@id.example.com' },
  'no issuer': { issuer: '' },
  'no grants': { grants: [] },
  'a grant of writing': { grants: [{ claim: 'a', values: ['b'], scopes: ['write'] }] },
  'a grant of both hands of an erasure': {
    grants: [{ claim: 'a', values: ['b'], scopes: ['privacy', 'approve'] }],
  },
  'a grant of nothing': { grants: [{ claim: 'a', values: ['b'], scopes: [] }] },
  'a grant without a value': { grants: [{ claim: 'a', values: [], scopes: ['read'] }] },
  'a log that there cannot be': { grants: [{ claim: 'a', values: ['b'], scopes: ['read'], log: '_server' }] },
  'a scope without openid': { scope: 'profile' },
  'an empty secret': { clientSecret: '' },
};

for (const [name, part] of Object.entries(misuses)) {
  test(`a server does not start with ${name}`, async (context) => {
    const oidc = { issuer: 'https://id.example.com', clientId: 'x', grants, ...part };
    await assert.rejects(startHandler(context, { oidc }), { code: 'option_invalid' });
  });
}
