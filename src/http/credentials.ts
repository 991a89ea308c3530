import type { ApiKeys } from './api-keys.ts';
import { ProblemError } from './problem.ts';
import type { Caller } from './route.ts';
import { SESSION_COOKIE, type Sessions } from './sessions.ts';
import { TOKEN_PREFIX, type ViewerTokens } from './viewer-tokens.ts';

/** Who asks, and what else their credential says. */
export interface Recognised {
  readonly caller: Caller;
  /** Of a viewer token: the origins whose pages may use it. */
  readonly origins?: readonly string[];
}

/** Why nobody was recognised; told apart for the operator, never for whoever asks. */
export type FailureReason = 'key' | 'viewer-token' | 'session' | 'scheme' | 'sign-in' | 'sign-in-refused';

/** A credential was given and is none. */
export class WrongCredential extends ProblemError {
  readonly reason: FailureReason;

  constructor(reason: FailureReason) {
    super(401, 'credential_invalid', 'The credential is not valid, or not any more.', {
      headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
    });
    this.reason = reason;
  }
}

/** Recognises callers by what their requests carry: a key, a viewer token, a session's cookie. */
export class Credentials {
  readonly #keys: ApiKeys;
  readonly #sessions: Sessions;
  readonly #tokens: ViewerTokens;

  constructor(keys: ApiKeys, sessions: Sessions, tokens: ViewerTokens) {
    this.#keys = keys;
    this.#sessions = sessions;
    this.#tokens = tokens;
  }

  /** Undefined where the request carries no credential. Throws {@link WrongCredential}. */
  recognise(request: Request): Recognised | undefined {
    const header = request.headers.get('authorization');
    if (header !== null) return this.#bearer(header);
    const cookie = cookieOf(request.headers.get('cookie'), SESSION_COOKIE);
    return cookie === undefined ? undefined : this.#session(cookie);
  }

  #bearer(header: string): Recognised {
    const [scheme, text] = header.split(' ', 2);
    if (scheme?.toLowerCase() !== 'bearer' || text === undefined) throw new WrongCredential('scheme');
    if (text.startsWith(TOKEN_PREFIX)) {
      const found = this.#tokens.recognise(text);
      if (found === undefined || !this.#keys.stands(found.issuer)) throw new WrongCredential('viewer-token');
      return found;
    }
    const caller = this.#keys.recognise(text);
    if (caller === undefined) throw new WrongCredential('key');
    return { caller };
  }

  #session(token: string): Recognised {
    const found = this.#sessions.recognise(token);
    if (found === undefined || !this.#keys.stands(found.issuer)) throw new WrongCredential('session');
    return { caller: found.caller };
  }
}

/** The value of a cookie. */
export function cookieOf(header: string | null, name: string): string | undefined {
  for (const pair of header?.split(';') ?? []) {
    const at = pair.indexOf('=');
    if (pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return undefined;
}

/**
 * Refuses what another site makes a browser send with this server's cookie. `SameSite=Strict` holds cookies back
 * already; this is the second wall. Every browser that has such cookies says where a request comes from.
 */
export function requireSameSite(request: Request, origin: string): void {
  const site = request.headers.get('sec-fetch-site');
  const isOwn = site === null ? request.headers.get('origin') === origin : site === 'same-origin';
  const isHarmless = request.method === 'GET' && (site === null || site === 'none');
  if (isOwn || isHarmless) return;
  throw new ProblemError(403, 'cross_site', 'Another site sent this request with your session.', {
    hint: 'from a program, send authorization: Bearer with an API key in place of the cookie',
  });
}
