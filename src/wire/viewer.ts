import type { Scope } from './keys.ts';

/** `POST /v1/viewer-tokens`: for a viewer that is embedded in somebody else's page. */
export interface ViewerTokenRequest {
  readonly log: string;
  /** A query in the language of `docs/query.md`, joined to every question of this viewer. */
  readonly filter?: string;
  /** The origins whose pages may embed it. */
  readonly origins: readonly string[];
  /** Seconds; 900 if absent, at most 3600. */
  readonly lifetime?: number;
}

/** The token, shown once. */
export interface ViewerTokenCreated {
  readonly token: string;
  readonly expiresAt: string;
}

/** `GET /v1/sign-in`: how people can sign in, beside one-time links. */
export interface SignInWays {
  /** An OpenID provider: its name for people, and where signing in by it begins. */
  readonly provider?: { readonly name: string; readonly path: string };
}

/** `GET /v1/session`: who looks, and what they may do; the viewer asks it first. */
export interface ViewerSession {
  readonly kind: 'session' | 'key' | 'viewer-token';
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** The log that the credential is bound to; absent: all. */
  readonly log?: string;
  readonly filter?: string;
  readonly expiresAt?: string;
  /** What happened, in words, by action: as the server's operator wrote it. */
  readonly sentences?: Readonly<Record<string, string>>;
}
