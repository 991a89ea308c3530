import { hexEncode, sha256Text } from '../bytes/index.ts';
import type { Clock } from '../platform/index.ts';
import type { Scope } from '../wire/index.ts';
import type { ServerDatabase } from './database.ts';
import { makeToken } from './key-text.ts';
import type { Caller } from './route.ts';

/** What a person is let in with. */
export interface Admission {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** The one log that may be seen; all if absent. */
  readonly log?: string | undefined;
  /** The id of the key that let them in; when it is revoked, they are out. `''` for the server itself, `oidc:…` for a provider. */
  readonly issuer: string;
}

interface Row {
  readonly id: string;
  readonly name: string;
  readonly scopes: string;
  readonly log: string | null;
  readonly issuer: string;
  readonly expires_at: number;
}

/** A one-time link is of use for this long. */
export const LINK_LIFETIME_MS = 15 * 60_000;

/** A session ends after this long. */
export const SESSION_LIFETIME_MS = 12 * 60 * 60_000;

/** The name of the cookie; its prefix binds it to this very host, path `/`, and `Secure` (RFC 6265bis). */
export const SESSION_COOKIE = '__Host-indelible';

/** People's sessions in the viewer, and the links that open one. Only hashes of the tokens are kept. */
export class Sessions {
  readonly #database: ServerDatabase;
  readonly #clock: Clock;

  constructor(database: ServerDatabase, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** A token that opens one session, once, soon. */
  createLink(admission: Admission): { readonly token: string; readonly expiresAt: number } {
    const token = makeToken();
    const expiresAt = this.#clock.wall() + LINK_LIFETIME_MS;
    const { name, scopes, log = null, issuer } = admission;
    this.#database.run('DELETE FROM link WHERE expires_at <= ?', this.#clock.wall());
    this.#database.run(
      'INSERT INTO link VALUES (?, ?, ?, ?, ?, ?)',
      hashOf(token),
      name,
      scopes.join(' '),
      log,
      issuer,
      expiresAt,
    );
    return { token, expiresAt };
  }

  /** Takes a link: it is of no use afterwards, whatever becomes of the answer. */
  redeem(token: string): Admission | undefined {
    const row = this.#database.get<Omit<Row, 'id'>>(
      'DELETE FROM link WHERE token_hash = ? RETURNING *',
      hashOf(token),
    );
    if (row === undefined || row.expires_at <= this.#clock.wall()) return undefined;
    return {
      name: row.name,
      scopes: row.scopes.split(' ') as Scope[],
      log: row.log ?? undefined,
      issuer: row.issuer,
    };
  }

  /** Opens a session and answers the token for its cookie. */
  open(admission: Admission): { readonly token: string; readonly expiresAt: number; readonly id: string } {
    const [token, now] = [makeToken(), this.#clock.wall()];
    const { name, scopes, log = null, issuer } = admission;
    const id = `s_${hashOf(token).slice(0, 12)}`;
    const expiresAt = now + SESSION_LIFETIME_MS;
    this.#database.run('DELETE FROM session WHERE expires_at <= ?', now);
    this.#database.run(
      'INSERT INTO session VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      hashOf(token),
      id,
      name,
      scopes.join(' '),
      log,
      issuer,
      now,
      expiresAt,
    );
    return { token, expiresAt, id };
  }

  /** Who the cookie is of, and who let them in. */
  recognise(token: string): { readonly caller: Caller; readonly issuer: string } | undefined {
    const row = this.#database.get<Row>('SELECT * FROM session WHERE token_hash = ?', hashOf(token));
    if (row === undefined || row.expires_at <= this.#clock.wall()) return undefined;
    const caller: Caller = {
      kind: 'session',
      id: row.id,
      name: row.name,
      scopes: new Set(row.scopes.split(' ') as Scope[]),
      log: row.log ?? undefined,
      service: 'viewer',
      filter: undefined,
      expiresAt: row.expires_at,
    };
    return { caller, issuer: row.issuer };
  }

  /** Ends the sessions of all issuers with this beginning but one. */
  endOthers(prefix: string, issuer = ''): void {
    const sql = 'DELETE FROM session WHERE substr(issuer, 1, ?) = ? AND issuer <> ?';
    this.#database.run(sql, prefix.length, prefix, issuer);
  }

  /** Ends a session by its id. */
  end(id: string): void {
    this.#database.run('DELETE FROM session WHERE id = ?', id);
  }
}

/** The lookup is by hash: comparing it leaks nothing of the token, whose hash nobody can steer. */
function hashOf(token: string): string {
  return hexEncode(sha256Text(token));
}
