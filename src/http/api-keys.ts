import { timingSafeEqual } from 'node:crypto';
import { sha256Text } from '../bytes/index.ts';
import type { Clock } from '../platform/index.ts';
import type { ApiKey, ApiKeyCreated, ApiKeyRequest, Scope } from '../wire/index.ts';
import type { ServerDatabase } from './database.ts';
import { makeKey, parseKey } from './key-text.ts';
import { ProblemError } from './problem.ts';
import type { Caller } from './route.ts';

interface Row {
  readonly id: string;
  readonly name: string;
  readonly scopes: string;
  readonly log: string | null;
  readonly service: string;
  readonly secret_hash: Uint8Array;
  readonly created_at: number;
  readonly expires_at: number | null;
  readonly last_used_at: number | null;
  readonly revoked_at: number | null;
  readonly created_by: string | null;
}

interface Known {
  readonly row: Row;
  readonly caller: Caller;
}

/** Compared with where the id is unknown, so that an unknown id takes the time of a wrong secret. */
const nobody = sha256Text('');

/** Who makes keys on the machine itself. */
const OPERATOR = 'operator';

/** How often the times of last use are written down. */
const LAST_USE_MS = 30_000;

/** The API keys of a server: made, listed, revoked, and recognised. Only hashes of their secrets are kept. */
export class ApiKeys {
  readonly #database: ServerDatabase;
  readonly #clock: Clock;
  readonly #used = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;
  #known: ReadonlyMap<string, Known> = new Map();
  #version = -1;
  #isFresh = false;

  constructor(database: ServerDatabase, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
    this.#timer = setInterval(() => this.flush(), LAST_USE_MS).unref();
  }

  /** Who the key is of. Undefined for what is no key, or a wrong, expired or revoked one. */
  recognise(text: string): Caller | undefined {
    const parts = parseKey(text);
    if (parts === undefined) return undefined;
    this.#refresh();
    const known = this.#known.get(parts.id);
    const isRight = timingSafeEqual(sha256Text(parts.secret), known?.row.secret_hash ?? nobody);
    if (known === undefined || !isRight || known.row.revoked_at !== null) return undefined;
    const now = this.#clock.wall();
    if (known.row.expires_at !== null && known.row.expires_at <= now) return undefined;
    this.#used.set(parts.id, now);
    return known.caller;
  }

  /** Makes a key; `by` is who asked for it, the operator if absent. Throws `key_scopes_conflict`, `body_invalid`. */
  create(request: ApiKeyRequest, by?: Pick<Caller, 'kind' | 'id'>): ApiKeyCreated {
    requireScopes(request.scopes);
    const { id, secret, text } = makeKey();
    const expiresAt = request.expiresAt === undefined ? null : Date.parse(request.expiresAt);
    if (expiresAt !== null && !(expiresAt > this.#clock.wall())) {
      throw new ProblemError(400, 'body_invalid', 'A key cannot have expired before it is made.', {
        pointer: '/expiresAt',
        hint: 'RFC 3339, as 2030-01-01T00:00:00Z',
      });
    }
    this.#database.run(
      `INSERT INTO api_key (id, name, scopes, log, service, secret_hash, created_at, expires_at, created_by)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      id,
      request.name,
      [...new Set(request.scopes)].join(' '),
      request.log ?? null,
      request.service ?? request.name,
      sha256Text(secret),
      this.#clock.wall(),
      expiresAt,
      by === undefined ? OPERATOR : `${by.kind}/${by.id}`,
    );
    this.#version = -1;
    return { ...this.find(id)!, key: text };
  }

  /** All keys, the revoked ones too, or those that are bound to one log. */
  list(log?: string): readonly ApiKey[] {
    this.flush();
    const rows = this.#database.all<Row>('SELECT * FROM api_key ORDER BY created_at, id');
    return rows.filter((row) => log === undefined || row.log === log).map(described);
  }

  find(id: string): ApiKey | undefined {
    const row = this.#database.get<Row>('SELECT * FROM api_key WHERE id = ?', id);
    return row && described(row);
  }

  /** From the next request on, nobody is recognised by this key. False where there is none. */
  revoke(id: string): boolean {
    const changed = this.#database.run(
      'UPDATE api_key SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?',
      this.#clock.wall(),
      id,
    );
    this.#version = -1;
    return changed > 0;
  }

  /** Whether a session or a token that this credential issued still stands. */
  stands(id: string): boolean {
    this.#refresh();
    const row = this.#known.get(id)?.row;
    return (
      row === undefined ||
      (row.revoked_at === null && (row.expires_at ?? Number.POSITIVE_INFINITY) > this.#clock.wall())
    );
  }

  get isEmpty(): boolean {
    return this.#database.get('SELECT 1 FROM api_key LIMIT 1') === undefined;
  }

  /** Writes down when keys were last used. */
  flush(): void {
    if (this.#used.size === 0) return;
    const used = [...this.#used];
    this.#used.clear();
    this.#database.transaction(() => {
      for (const [id, at] of used) {
        this.#database.run('UPDATE api_key SET last_used_at = ? WHERE id = ?', at, id);
      }
    });
  }

  close(): void {
    clearInterval(this.#timer);
    this.flush();
  }

  /** Reads the keys again if they changed; asks once in a turn of the event loop, however many requests it brought. */
  #refresh(): void {
    if (this.#isFresh && this.#version !== -1) return;
    this.#isFresh = true;
    setImmediate(() => {
      this.#isFresh = false;
    });
    const version = this.#database.version;
    if (version === this.#version) return;
    const rows = this.#database.all<Row>('SELECT * FROM api_key');
    this.#known = new Map(rows.map((row) => [row.id, { row, caller: callerOf(row) }]));
    this.#version = version;
  }
}

/** Who erases never approves: the two are never in one hand. */
export function requireScopes(scopes: readonly Scope[]): void {
  if (scopes.includes('privacy') && scopes.includes('approve')) {
    throw new ProblemError(
      400,
      'key_scopes_conflict',
      'One key cannot both ask for an erasure and approve it.',
      {
        pointer: '/scopes',
        hint: 'make two keys, and give them to two people',
      },
    );
  }
}

function callerOf(row: Row): Caller {
  return {
    kind: 'key',
    id: row.id,
    name: row.name,
    scopes: new Set(row.scopes.split(' ') as Scope[]),
    log: row.log ?? undefined,
    service: row.service,
    filter: undefined,
    expiresAt: row.expires_at ?? undefined,
  };
}

function described(row: Row): ApiKey {
  const time = (ms: number): string => new Date(ms).toISOString();
  return {
    id: row.id,
    name: row.name,
    scopes: row.scopes.split(' ') as Scope[],
    ...(row.log === null ? {} : { log: row.log }),
    service: row.service,
    createdAt: time(row.created_at),
    ...(row.created_by === null ? {} : { createdBy: row.created_by }),
    ...(row.expires_at === null ? {} : { expiresAt: time(row.expires_at) }),
    ...(row.last_used_at === null ? {} : { lastUsedAt: time(row.last_used_at) }),
    ...(row.revoked_at === null ? {} : { revokedAt: time(row.revoked_at) }),
  };
}
