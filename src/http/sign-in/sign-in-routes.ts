import type { SignInWays } from '../../wire/index.ts';
import { cookieOf } from '../credentials.ts';
import type { Foundation } from '../foundation.ts';
import { problemPage } from '../pages.ts';
import { isLoopback } from '../peer.ts';
import { ProblemError, problemOf } from '../problem.ts';
import type { Call, Route } from '../route.ts';
import { admit, isLookingAhead } from '../session-routes.ts';
import { PENDING_COOKIE, PENDING_LIFETIME_MS, safeNext } from './pending.ts';
import { type SignIn, SignInFailed } from './sign-in.ts';

const START = '/sign-in';
const CALLBACK = '/sign-in/callback';

/** Routes by which people sign in by an OpenID provider; without one, the first says that there is none. */
export function signInRoutes(house: Foundation): Route[] {
  const { signIn } = house;
  const ways: Route = {
    method: 'GET',
    path: '/v1/sign-in',
    operationId: 'getSignInWays',
    summary: 'How people can sign in, beside one-time links.',
    access: 'public',
    answers: {
      200: {
        description: 'The provider, where one is configured.',
        schema: {
          type: 'object',
          properties: {
            provider: {
              type: 'object',
              required: ['name', 'path'],
              properties: { name: { type: 'string' }, path: { type: 'string' } },
            },
          },
        },
      },
    },
    handle: async () => {
      const found: SignInWays =
        signIn === undefined ? {} : { provider: { name: signIn.provider.issuer.host, path: START } };
      return Response.json(found);
    },
  };
  return signIn === undefined ? [ways] : [ways, startRoute(house, signIn), callbackRoute(house, signIn)];
}

function startRoute(house: Foundation, signIn: SignIn): Route {
  return {
    method: 'GET',
    path: START,
    operationId: 'startSignIn',
    summary: 'Sends the browser to the OpenID provider.',
    access: 'public',
    query: {
      type: 'object',
      additionalProperties: false,
      properties: { next: { type: 'string', maxLength: 2048 } },
    },
    answers: {
      303: { description: 'To the provider.', contentType: 'text/plain' },
      503: { description: 'The provider is away.', contentType: 'text/html' },
    },
    handle: (call) =>
      forPeople(house, call, async () => {
        const { url, query } = call;
        const origin = requireOrigin(house, url);
        const next = safeNext(query['next'] as string | undefined, origin);
        const begun = await signIn.begin(`${origin}${CALLBACK}`, next);
        return new Response(null, {
          status: 303,
          headers: {
            location: begun.url.href,
            'set-cookie': pendingCookie(begun.sealed, PENDING_LIFETIME_MS / 1000),
          },
        });
      }),
  };
}

function callbackRoute(house: Foundation, signIn: SignIn): Route {
  return {
    method: 'GET',
    path: CALLBACK,
    operationId: 'finishSignIn',
    summary:
      'Where the OpenID provider sends the browser back to: opens a session and goes on to the viewer.',
    access: 'public',
    // Providers add what they like.
    query: { type: 'object', additionalProperties: true },
    answers: {
      200: { description: 'A page that goes on to the viewer.', contentType: 'text/html' },
      403: {
        description: 'The sign-in does not hold, or does not let this person in.',
        contentType: 'text/html',
      },
      503: { description: 'The provider is away.', contentType: 'text/html' },
    },
    handle: (call) => forPeople(house, call, () => finish(house, signIn, call)),
  };
}

async function finish(house: Foundation, signIn: SignIn, call: Call): Promise<Response> {
  const { request, url, peer } = call;
  if (isLookingAhead(request))
    throw new ProblemError(403, 'sign_in_invalid', 'A sign-in is not looked ahead at.');
  requireCalm(house, call);
  const returned = new URL(`${requireOrigin(house, url)}${CALLBACK}${url.search}`);
  const sealed = cookieOf(request.headers.get('cookie'), PENDING_COOKIE);
  const { admission, subject, next } = await signIn.finish(returned, sealed);
  const response = await admit(house, admission, peer, {
    next,
    metadata: { issuer: signIn.provider.issuer.href, subject },
  });
  response.headers.append('set-cookie', pendingCookie('', 0));
  return response;
}

/** Each return costs a question to the provider: who brings many that fail waits. */
function requireCalm(house: Foundation, { peer }: Call): void {
  const address = peer.client ?? '';
  if (house.failures.has(address)) return;
  throw new ProblemError(429, 'rate_limited', 'Too many sign-ins from this address came to nothing.', {
    retryAfter: house.failures.waitSeconds(address),
  });
}

/** Counts what fails, and shows it as a page to whoever asked for one. */
async function forPeople(house: Foundation, call: Call, work: () => Promise<Response>): Promise<Response> {
  const { request, peer, requestId } = call;
  try {
    return await work();
  } catch (error) {
    if (error instanceof SignInFailed && error.reason !== undefined) {
      house.serverLog.authenticationFailed(error.reason, peer);
      house.failures.take(peer.client ?? '');
    }
    const isPerson = (request.headers.get('accept') ?? '').includes('text/html');
    if (!isPerson || !(error instanceof ProblemError)) throw error;
    const { retryAfter } = error.details;
    return new Response(problemPage({ ...problemOf(error), requestId }), {
      status: error.status,
      headers: {
        'content-type': 'text/html; charset=utf-8',
        ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
      },
    });
  }
}

/** The address that people come back to. What a request says of it is taken on loopback alone. */
function requireOrigin(house: Foundation, url: URL): string {
  if (house.publicUrl === undefined && !isLoopback(url.hostname)) {
    throw new ProblemError(503, 'sign_in_unavailable', 'This server does not know its own address.', {
      hint: 'give publicUrl, or --public-url',
    });
  }
  return house.originOf(url);
}

function pendingCookie(value: string, seconds: number): string {
  return `${PENDING_COOKIE}=${value}; Path=/; Max-Age=${seconds}; Secure; HttpOnly; SameSite=Lax`;
}
