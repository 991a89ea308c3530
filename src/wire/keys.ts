/** What a credential may do. `privacy` and `approve` are for erasure, and never in one key. */
export const scopes = ['write', 'read', 'audit', 'admin', 'privacy', 'approve'] as const;

/** One of {@link scopes}. */
export type Scope = (typeof scopes)[number];

/** `POST /v1/keys`. */
export interface ApiKeyRequest {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** The log it is bound to; all logs if absent. */
  readonly log?: string;
  /** What `source.service` says of events written with it; the name of the key if absent. */
  readonly service?: string;
  /** RFC 3339; never, if absent. */
  readonly expiresAt?: string;
}

/** A key as it is listed: never its secret. */
export interface ApiKey extends ApiKeyRequest {
  /** The public part: `ind_<id>_…`. */
  readonly id: string;
  readonly service: string;
  readonly createdAt: string;
  /** `operator`, `key/<id>` or `session/<id>`; absent where the key is older than this note. */
  readonly createdBy?: string;
  readonly lastUsedAt?: string;
  readonly revokedAt?: string;
}

/** The answer to its creation: the only time that the key itself is shown. */
export interface ApiKeyCreated extends ApiKey {
  /** `ind_<id>_<secret><crc>`. */
  readonly key: string;
}

/** `GET /v1/keys`. */
export interface KeyList {
  readonly keys: readonly ApiKey[];
}
