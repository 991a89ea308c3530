/**
 * Signing in to the viewer by an OpenID provider: Authorization Code with PKCE, state and nonce, by openid-client. What a
 * provider says opens the same session as a one-time link; whom no grant of the configuration lets in stays outside.
 */

export {
  type ClaimRule,
  checkOidcOptions,
  type OidcOptions,
  type SignInGrant,
  sessionScopes,
} from './options.ts';
export { OIDC_ISSUER_PREFIX, SignIn } from './sign-in.ts';
export { signInRoutes } from './sign-in-routes.ts';
