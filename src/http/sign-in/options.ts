import { misuse } from '../../bytes/index.ts';
import { type Scope, scopes } from '../../wire/index.ts';
import { isLoopback } from '../peer.ts';

/** A claim of the provider about a person, and the values of which it must have one. */
export interface ClaimRule {
  /** The name of a claim of the ID token, or a JSON pointer into it, as `/realm_access/roles`. */
  readonly claim: string;
  /** Where the claim is a list, one of its elements must be among these. */
  readonly values: readonly string[];
}

/** Whom the claim lets in, and how far. */
export interface SignInGrant extends ClaimRule {
  /** What the session may do; never `write`, which is for programs. */
  readonly scopes: readonly Scope[];
  /** The one log that the session sees; all if absent. */
  readonly log?: string;
}

/** How people sign in to the viewer by an OpenID provider. */
export interface OidcOptions {
  /** The provider's issuer, `https:`; `http:` is taken on loopback alone. */
  readonly issuer: string;
  readonly clientId: string;
  /** Absent for a public client, which PKCE alone protects. */
  readonly clientSecret?: string;
  /** Whom to let in, and how far: the first grant that fits decides. Whom none fits stays outside. */
  readonly grants: readonly SignInGrant[];
  /** What everybody must fulfil besides. None by default. */
  readonly requires?: readonly ClaimRule[];
  /** The claim that becomes the name of the session; `name`, `preferred_username`, `email` or `sub` if absent. */
  readonly nameClaim?: string;
  /** What is asked of the provider; {@link OIDC_SCOPE_DEFAULT} if absent. */
  readonly scope?: string;
}

/** What is asked of the provider. */
export const OIDC_SCOPE_DEFAULT = 'openid profile email';

/** What a session in the viewer may do at most: writing events is for programs. */
export const sessionScopes: readonly Scope[] = scopes.filter((scope) => scope !== 'write');

const names = ['issuer', 'clientId', 'clientSecret', 'grants', 'requires', 'nameClaim', 'scope'];
const logName = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** Refuses what could let somebody in whom nobody meant. Throws misuse. */
export function checkOidcOptions(options: OidcOptions): void {
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw misuse('type', 'option_unknown', `unknown option oidc.${unknown}: known are ${names.join(', ')}`);
  }
  const { clientId, clientSecret, nameClaim, scope = OIDC_SCOPE_DEFAULT } = options;
  requireIssuer(options.issuer);
  requireText('clientId', clientId);
  if (clientSecret !== undefined) requireText('clientSecret', clientSecret);
  if (nameClaim !== undefined) requireText('nameClaim', nameClaim);
  requireText('scope', scope);
  if (!scope.split(' ').includes('openid')) throw wrong('scope', 'must ask for openid');
  if (!Array.isArray(options.grants) || options.grants.length === 0) {
    throw wrong('grants', 'must say who is let in: without a grant nobody is');
  }
  for (const [at, rule] of (options.requires ?? []).entries()) requireRule(`requires[${at}]`, rule);
  for (const [at, grant] of options.grants.entries()) requireGrant(`grants[${at}]`, grant);
}

function requireIssuer(issuer: string): void {
  const url = typeof issuer === 'string' ? URL.parse(issuer) : null;
  if (url === null || url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') {
    throw wrong('issuer', 'must be the URL of a provider, without query, fragment or password');
  }
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname))) return;
  throw wrong('issuer', 'must be an https URL; http is taken on loopback alone');
}

function requireGrant(where: string, grant: SignInGrant): void {
  requireRule(where, grant);
  const { scopes: granted, log } = grant;
  if (!Array.isArray(granted) || granted.length === 0) throw wrong(where, 'must grant a scope');
  const unknown = granted.find((scope) => !sessionScopes.includes(scope));
  if (unknown !== undefined) {
    throw wrong(where, `cannot grant ${unknown}: a session may have ${sessionScopes.join(', ')}`);
  }
  if (granted.includes('privacy') && granted.includes('approve')) {
    throw wrong(where, 'cannot grant privacy and approve to one person');
  }
  if (log !== undefined && !logName.test(log)) throw wrong(where, 'names a log that there cannot be');
}

function requireRule(where: string, { claim, values }: ClaimRule): void {
  requireText(`${where}.claim`, claim);
  if (!Array.isArray(values) || values.length === 0) throw wrong(where, 'must name a value of the claim');
  for (const value of values) requireText(`${where}.values`, value);
}

function requireText(where: string, value: unknown): void {
  if (typeof value !== 'string' || value === '') throw wrong(where, 'must be a text that is not empty');
}

function wrong(where: string, what: string): Error {
  return misuse('type', 'option_invalid', `oidc.${where} ${what}`);
}
