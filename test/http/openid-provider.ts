// An OpenID provider on node:http with real keys: discovery, authorization, token and keys. It keeps the rules of a
// provider (codes are good once, PKCE, the client's secret), and lies where a test tells it to.

import { createHash, createHmac, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

export const CLIENT_ID = 'audit viewer';
export const CLIENT_SECRET = 'a secret: with %, + and ü';

/** What a test changes of what the provider says. */
export interface Lies {
  claims?: (claims: Record<string, unknown>) => Record<string, unknown>;
  metadata?: (metadata: Record<string, unknown>) => Record<string, unknown>;
  alg?: 'RS256' | 'ES256' | 'none' | 'HS256';
  /** Signs with a key that the provider does not publish. */
  isForged?: boolean;
  /** Changes the claims after they were signed. */
  isAltered?: boolean;
  /** Answers at the token endpoint in place of the provider. */
  token?: (response: ServerResponse) => void;
  /** Takes a code as often as it is shown. */
  isForgetful?: boolean;
  noIdToken?: boolean;
}

export interface OpenIdProvider {
  readonly issuer: string;
  readonly lies: Lies;
  /** What was asked: method and path, in order. */
  readonly asked: string[];
  /** The parameters of the last request to the authorization endpoint. */
  readonly last: () => URLSearchParams;
  stop(): Promise<void>;
  start(): Promise<void>;
}

interface Grant {
  readonly nonce: string;
  readonly challenge: string;
  readonly redirectUri: string;
}

const b64u = (bytes: string | Uint8Array): string => Buffer.from(bytes).toString('base64url');

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });

function jwt(claims: Record<string, unknown>, { alg = 'RS256', isForged, isAltered }: Lies): string {
  const head = b64u(JSON.stringify({ alg, ...(alg === 'none' ? {} : { kid: alg }) }));
  const body = `${head}.${b64u(JSON.stringify(claims))}`;
  const sent = isAltered ? `${head}.${b64u(JSON.stringify({ ...claims, groups: ['admins'] }))}` : body;
  if (alg === 'none') return `${sent}.`;
  if (alg === 'HS256') {
    // The oldest trick: the public key as the secret of a MAC.
    const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' });
    return `${sent}.${createHmac('sha256', pem).update(body).digest('base64url')}`;
  }
  const own: KeyObject = alg === 'RS256' ? rsa.privateKey : ec.privateKey;
  const key = { key: isForged ? stranger.privateKey : own, dsaEncoding: 'ieee-p1363' as const };
  return `${sent}.${b64u(sign('sha256', Buffer.from(body), key))}`;
}

/** Starts a provider on a port of its own. Whoever asks to be let in is the person `u_ada`, in the group `auditors`. */
export async function startProvider(context: TestContext, lies: Lies = {}): Promise<OpenIdProvider> {
  const grants = new Map<string, Grant>();
  const asked: string[] = [];
  let [port, last] = [0, new URLSearchParams()];
  const issuer = (): string => `http://127.0.0.1:${port}`;

  const metadata = () => {
    const honest = {
      issuer: issuer(),
      authorization_endpoint: `${issuer()}/authorize`,
      token_endpoint: `${issuer()}/token`,
      jwks_uri: `${issuer()}/keys`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256', 'ES256'],
      code_challenge_methods_supported: ['S256'],
    };
    return lies.metadata?.(honest) ?? honest;
  };
  const keys = () => ({
    keys: [
      { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'RS256', alg: 'RS256', use: 'sig' },
      { ...ec.publicKey.export({ format: 'jwk' }), kid: 'ES256', alg: 'ES256', use: 'sig' },
    ],
  });

  const authorize = (query: URLSearchParams, response: ServerResponse): void => {
    last = query;
    const isRight =
      query.get('client_id') === CLIENT_ID &&
      query.get('response_type') === 'code' &&
      query.get('code_challenge_method') === 'S256' &&
      query.get('scope')?.split(' ').includes('openid') === true;
    if (!isRight) return void response.writeHead(400).end('not a request of this client');
    const code = randomUUID();
    const redirectUri = query.get('redirect_uri') ?? '';
    grants.set(code, {
      nonce: query.get('nonce') ?? '',
      challenge: query.get('code_challenge') ?? '',
      redirectUri,
    });
    const back = new URL(redirectUri);
    back.search = new URLSearchParams({
      code,
      state: query.get('state') ?? '',
      session_state: 'x.y',
    }).toString();
    response.writeHead(302, { location: back.href }).end();
  };

  const token = (form: URLSearchParams, authorization: string, response: ServerResponse) => {
    const refuse = (error: string) =>
      response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
    const encode = (text: string): string =>
      encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
    const [id = '', secret = ''] = Buffer.from(authorization.slice('Basic '.length), 'base64')
      .toString()
      .split(':');
    const plain = (text: string): string => decodeURIComponent(text.replaceAll('+', '%20'));
    if (plain(id) !== CLIENT_ID || encode(plain(secret)) !== encode(CLIENT_SECRET))
      return refuse('invalid_client');
    const code = form.get('code') ?? '';
    const grant = grants.get(code);
    if (!lies.isForgetful) grants.delete(code);
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    const holds = grant?.challenge === challenge && grant.redirectUri === form.get('redirect_uri');
    if (grant === undefined || !holds || form.get('grant_type') !== 'authorization_code') {
      return refuse('invalid_grant');
    }
    const now = Math.floor(Date.now() / 1000);
    const honest: Record<string, unknown> = {
      iss: issuer(),
      sub: 'u_ada',
      aud: CLIENT_ID,
      iat: now,
      exp: now + 300,
      nonce: grant.nonce,
      name: 'Ada <b>Byron</b>',
      groups: ['staff', 'auditors'],
      email_verified: true,
    };
    const claims = lies.claims?.(honest) ?? honest;
    const answer = {
      access_token: randomUUID(),
      token_type: 'Bearer',
      ...(lies.noIdToken ? {} : { id_token: jwt(claims, lies) }),
    };
    return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  };

  const listener = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', issuer());
    asked.push(`${request.method} ${url.pathname}`);
    const json = (value: unknown): void =>
      void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    if (url.pathname === '/.well-known/openid-configuration') return json(metadata());
    if (url.pathname === '/keys') return json(keys());
    if (url.pathname === '/authorize') return authorize(url.searchParams, response);
    if (url.pathname !== '/token') return void response.writeHead(404).end();
    let form = '';
    for await (const chunk of request) form += chunk;
    if (lies.token !== undefined) return lies.token(response);
    token(new URLSearchParams(form), request.headers.authorization ?? '', response);
  };

  let server = createServer(listener);
  const start = async (): Promise<void> => {
    server = createServer(listener);
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
  };
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  await start();
  context.after(stop);
  return { issuer: issuer(), lies, asked, last: () => last, start, stop };
}
