import { formatFilter } from '../event/index.ts';
import type { ViewerSession, ViewerTokenRequest } from '../wire/index.ts';
import { PROBLEM_TYPE } from '../wire/index.ts';
import type { Foundation } from './foundation.ts';
import { requireReach } from './key-routes.ts';
import { onwardPage } from './pages.ts';
import { notFound, ProblemError } from './problem.ts';
import type { Call, Caller, Route, Schema } from './route.ts';
import { type Admission, SESSION_COOKIE } from './sessions.ts';
import { shape } from './shapes.ts';
import { sessionScopes } from './sign-in/options.ts';
import { TOKEN_LIFETIME_S_MAX } from './viewer-tokens.ts';

const BODY_BYTES_MAX = 65_536;
const ORIGINS_MAX = 16;

const tokenSchema: Schema = {
  type: 'object',
  additionalProperties: false,
  required: ['log', 'origins'],
  properties: {
    log: { type: 'string', pattern: '^[a-z0-9][a-z0-9-]{0,62}$' },
    filter: { type: 'string', maxLength: 2000 },
    origins: { type: 'array', minItems: 1, maxItems: ORIGINS_MAX, items: { type: 'string', maxLength: 256 } },
    lifetime: { type: 'integer', minimum: 1, maximum: TOKEN_LIFETIME_S_MAX },
  },
};

/** Routes by which people come in: one-time links, sessions, and tokens for embedded viewers. */
export function sessionRoutes(house: Foundation): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/session',
      operationId: 'getSession',
      summary: 'Who is asking, and what they may do.',
      access: 'anyone',
      forViewerTokens: true,
      answers: { 200: { description: 'The caller.', schema: shape('Session') } },
      handle: async ({ caller }) => Response.json({ ...sessionOf(caller!), ...house.sentences }),
    },
    {
      method: 'DELETE',
      path: '/v1/session',
      operationId: 'endSession',
      summary: 'Signs out.',
      access: 'anyone',
      answers: { 204: { description: 'The session has ended.' } },
      handle: async ({ caller }) => {
        if (caller!.kind === 'session') house.sessions.end(caller!.id);
        return new Response(null, {
          status: 204,
          headers: { 'set-cookie': `${SESSION_COOKIE}=; ${cookieRules(0)}` },
        });
      },
    },
    {
      method: 'POST',
      path: '/v1/links',
      operationId: 'createLink',
      summary: 'Makes a link that opens the viewer, once, with what the caller may read.',
      access: ['read', 'audit', 'admin'],
      answers: { 201: { description: 'The link.', schema: shape('Link') } },
      handle: (call) => createLink(house, call),
    },
    {
      method: 'GET',
      path: '/open',
      operationId: 'openLink',
      summary: 'Follows a one-time link: opens a session and goes on to the viewer.',
      access: 'public',
      query: {
        type: 'object',
        required: ['link'],
        additionalProperties: false,
        properties: { link: { type: 'string', pattern: '^[A-Za-z0-9_-]{43}$' } },
      },
      answers: {
        200: { description: 'A page that goes on to the viewer.', contentType: 'text/html' },
        403: { description: 'The link was used, or is too old.', contentType: PROBLEM_TYPE },
      },
      handle: (call) => openLink(house, call),
    },
    viewerTokenRoute(house),
  ];
}

function viewerTokenRoute(house: Foundation): Route {
  return {
    method: 'POST',
    path: '/v1/viewer-tokens',
    operationId: 'createViewerToken',
    summary: 'Makes a short-lived token for a viewer that is embedded in a page of one of the origins.',
    access: ['read', 'admin'],
    body: { contentTypes: ['application/json'], bytesMax: BODY_BYTES_MAX, schema: tokenSchema },
    answers: {
      201: {
        description: 'The token.',
        schema: shape('ViewerToken'),
      },
    },
    handle: (call) => createViewerToken(house, call),
  };
}

function sessionOf(caller: Caller): ViewerSession {
  return {
    kind: caller.kind,
    name: caller.name,
    scopes: [...caller.scopes],
    ...(caller.log === undefined ? {} : { log: caller.log }),
    ...(caller.filter === undefined ? {} : { filter: formatFilter(caller.filter) }),
    ...(caller.expiresAt === undefined ? {} : { expiresAt: new Date(caller.expiresAt).toISOString() }),
  };
}

async function createLink(house: Foundation, { caller, url, peer }: Call): Promise<Response> {
  if (caller!.kind !== 'key') {
    throw new ProblemError(403, 'forbidden', 'Only a key makes links.', { hint: 'use an API key' });
  }
  requireAdmissionRate(house, caller!);
  const admission: Admission = {
    name: caller!.name,
    scopes: sessionScopes.filter((scope) => caller!.scopes.has(scope)),
    log: caller!.log,
    issuer: caller!.id,
  };
  await house.serverLog.administered(
    'viewer_link.created',
    caller,
    { type: 'viewer-link', id: caller!.id },
    peer,
  );
  const { token, expiresAt } = house.sessions.createLink(admission);
  const link = { url: linkUrl(house.originOf(url), token), expiresAt: new Date(expiresAt).toISOString() };
  return Response.json(link, { status: 201 });
}

/** Each admission leaves an entry and a row: one key alone does not fill the log of the server. */
function requireAdmissionRate({ admissions }: Foundation, { id }: Caller): void {
  if (admissions.take(id)) return;
  throw new ProblemError(429, 'rate_limited', 'This key makes links and viewer tokens too often.', {
    retryAfter: admissions.waitSeconds(id),
  });
}

/** The address of a link. */
export function linkUrl(origin: string, token: string): string {
  return `${origin}/open?link=${token}`;
}

async function openLink(house: Foundation, { request, query, peer }: Call): Promise<Response> {
  const admission = isLookingAhead(request) ? undefined : house.sessions.redeem(String(query['link']));
  if (admission === undefined || !house.keys.stands(admission.issuer)) {
    throw new ProblemError(403, 'link_invalid', 'This link was used already, or is too old.', {
      hint: 'make another: restart the server, or POST /v1/links',
    });
  }
  return admit(house, admission, peer);
}

/** Whether a browser only looks ahead, or a program only asks for headers: that uses nothing up. */
export function isLookingAhead(request: Request): boolean {
  return request.method === 'HEAD' || (request.headers.get('sec-purpose') ?? '').includes('prefetch');
}

/** Opens a session, and answers a page that goes on to the viewer: a redirect would not carry a strict cookie along. */
export async function admit(
  house: Foundation,
  admission: Admission,
  peer: Call['peer'],
  { next = '/', metadata = { issuer: admission.issuer } as Readonly<Record<string, unknown>> } = {},
): Promise<Response> {
  const { token, expiresAt, id } = house.sessions.open(admission);
  await house.serverLog.administered(
    'session.opened',
    undefined,
    { type: 'session', id, name: admission.name },
    peer,
    metadata,
  );
  const seconds = Math.floor((expiresAt - house.clock.wall()) / 1000);
  return new Response(onwardPage(next), {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'set-cookie': `${SESSION_COOKIE}=${token}; ${cookieRules(seconds)}`,
    },
  });
}

function cookieRules(seconds: number): string {
  return `Path=/; Max-Age=${seconds}; Secure; HttpOnly; SameSite=Strict`;
}

async function createViewerToken(house: Foundation, { body, caller, peer }: Call): Promise<Response> {
  const request = (await body.json()) as ViewerTokenRequest;
  requireReach(caller!, request.log);
  if (caller!.kind !== 'key' || !caller!.scopes.has('read')) {
    throw new ProblemError(403, 'forbidden', 'Only a key that may read makes viewer tokens.');
  }
  requireAdmissionRate(house, caller!);
  if (!(await house.logs.names()).includes(request.log)) throw notFound();
  const { id, token, expiresAt } = house.tokens.create(request, caller!.id);
  await house.serverLog.administered('viewer_token.created', caller, { type: 'viewer-token', id }, peer, {
    log: request.log,
    origins: request.origins,
    ...(request.filter === undefined ? {} : { filter: request.filter }),
  });
  return Response.json({ token, expiresAt }, { status: 201 });
}
