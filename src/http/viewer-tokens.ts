import { createHmac, timingSafeEqual } from 'node:crypto';
import {
  base64urlDecode,
  base64urlEncode,
  base64urlEncodeText,
  parseJson,
  utf8Decode,
} from '../bytes/index.ts';
import { parseQuery } from '../event/index.ts';
import { type Clock, uuidv7 } from '../platform/index.ts';
import type { ViewerTokenCreated, ViewerTokenRequest } from '../wire/index.ts';
import type { ServerDatabase } from './database.ts';
import { ProblemError } from './problem.ts';
import type { Caller } from './route.ts';

/** What tells a viewer token from a key: `indv_<claims>.<mac>`. */
export const TOKEN_PREFIX = 'indv_';

/** How long a token is good for, unless it says otherwise. */
export const TOKEN_LIFETIME_S_DEFAULT = 900;

/** How long at most. */
export const TOKEN_LIFETIME_S_MAX = 3600;

/** Written and read by this server alone. */
interface Claims {
  readonly id: string;
  readonly log: string;
  readonly filter: string;
  readonly origins: readonly string[];
  readonly issuer: string;
  readonly expiresAt: number;
}

/** Short-lived tokens for a viewer in somebody else's page: bound to a log, a filter and origins by a MAC. */
export class ViewerTokens {
  readonly #database: ServerDatabase;
  readonly #clock: Clock;
  readonly #secret: Uint8Array;

  constructor(database: ServerDatabase, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
    this.#secret = database.secret('viewer-tokens');
  }

  /** Makes a token. Throws `query_invalid`, `body_invalid`. */
  create(request: ViewerTokenRequest, issuer: string): ViewerTokenCreated & { readonly id: string } {
    const { log, filter = '', origins, lifetime = TOKEN_LIFETIME_S_DEFAULT } = request;
    parseQuery(filter);
    for (const [at, origin] of origins.entries()) requireOrigin(origin, at);
    const now = this.#clock.wall();
    const expiresAt = now + lifetime * 1000;
    const id = `v_${uuidv7(now)}`;
    const claims: Claims = { id, log, filter, origins, issuer, expiresAt };
    this.#database.run('DELETE FROM embedder WHERE expires_at <= ?', now);
    for (const origin of origins) {
      this.#database.run(
        `INSERT INTO embedder VALUES (?, ?)
         ON CONFLICT (origin) DO UPDATE SET expires_at = max(expires_at, excluded.expires_at)`,
        origin,
        expiresAt,
      );
    }
    const body = TOKEN_PREFIX + base64urlEncodeText(JSON.stringify(claims));
    return {
      id,
      token: `${body}.${base64urlEncode(this.#mac(body))}`,
      expiresAt: new Date(expiresAt).toISOString(),
    };
  }

  recognise(token: string): { caller: Caller; origins: readonly string[]; issuer: string } | undefined {
    const claims = this.#read(token);
    if (claims === undefined || claims.expiresAt <= this.#clock.wall()) return undefined;
    const caller: Caller = {
      kind: 'viewer-token',
      id: claims.id,
      name: 'embedded viewer',
      scopes: new Set(['read']),
      log: claims.log,
      service: 'viewer',
      filter: claims.filter === '' ? undefined : parseQuery(claims.filter),
      expiresAt: claims.expiresAt,
    };
    return { caller, origins: claims.origins, issuer: claims.issuer };
  }

  /** Whether a page of this origin may ask at all: a preflight carries no token to go by. */
  embeds(origin: string): boolean {
    const sql = 'SELECT 1 FROM embedder WHERE origin = ? AND expires_at > ?';
    return this.#database.get(sql, origin, this.#clock.wall()) !== undefined;
  }

  #read(token: string): Claims | undefined {
    const [body = '', mac = '', ...rest] = token.split('.');
    if (rest.length > 0) return undefined;
    try {
      const given = base64urlDecode(mac);
      const right = this.#mac(body);
      if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
      const text = utf8Decode(base64urlDecode(body.slice(TOKEN_PREFIX.length)));
      return parseJson(text) as unknown as Claims;
    } catch {
      return undefined;
    }
  }

  #mac(body: string): Uint8Array {
    return createHmac('sha256', this.#secret).update(body).digest();
  }
}

function requireOrigin(origin: string, at: number): void {
  const url = URL.parse(origin);
  if (url !== null && /^https?:$/.test(url.protocol) && url.origin === origin) return;
  throw new ProblemError(400, 'body_invalid', 'An origin is a scheme and a host, and no more.', {
    pointer: `/origins/${at}`,
    hint: 'as https://app.example.com',
  });
}
