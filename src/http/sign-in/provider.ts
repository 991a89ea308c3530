import * as openid from 'openid-client';
import type { Clock } from '../../platform/index.ts';
import { OIDC_SCOPE_DEFAULT, type OidcOptions } from './options.ts';
import { Outbound, OutboundError, type Resolve } from './outbound.ts';
import type { Pending } from './pending.ts';
import type { Claims } from './rules.ts';

/** What the provider says of itself is asked again after this long. */
const METADATA_LIFETIME_MS = 60 * 60_000;

/** Seconds: openid-client counts in them. */
const TIMEOUT_S = 10;

/** The provider is away, or what it says of itself cannot be. */
export class ProviderAway extends Error {
  override readonly name = 'ProviderAway';
}

/** An OpenID provider, found when it is first needed: a server starts also while its provider is away. */
export class Provider {
  readonly issuer: URL;
  readonly #options: OidcOptions;
  readonly #outbound: Outbound;
  readonly #clock: Clock;
  #found: { readonly configuration: openid.Configuration; readonly at: number } | undefined;
  #finding: Promise<openid.Configuration> | undefined;

  constructor(options: OidcOptions, clock: Clock, resolve?: Resolve) {
    this.issuer = new URL(options.issuer);
    this.#options = options;
    this.#clock = clock;
    this.#outbound = new Outbound(this.issuer, resolve);
  }

  /** Where the browser goes to sign in. Throws {@link ProviderAway}. */
  async beginning(redirectUri: string, { state, nonce, verifier }: Omit<Pending, 'expiresAt'>): Promise<URL> {
    const configuration = await this.#discovered();
    return openid.buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUri,
      scope: this.#options.scope ?? OIDC_SCOPE_DEFAULT,
      code_challenge: await openid.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    });
  }

  /**
   * Exchanges the code that the browser came back with, and checks the ID token: signature, issuer, audience, times,
   * nonce. Throws {@link ProviderAway}, and openid-client's own errors where something does not hold.
   */
  async claims(returned: URL, { state, nonce, verifier }: Pending): Promise<Claims> {
    const configuration = await this.#discovered();
    try {
      const tokens = await openid.authorizationCodeGrant(configuration, returned, {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
        idTokenExpected: true,
      });
      return tokens.claims()!;
    } catch (error) {
      if (isAway(error))
        throw new ProviderAway('the provider does not exchange the code now', { cause: error });
      throw error;
    }
  }

  /** Asked by many at once, the provider is asked once; what failed is not kept. */
  async #discovered(): Promise<openid.Configuration> {
    const now = this.#clock.monotonic();
    if (this.#found !== undefined && now - this.#found.at < METADATA_LIFETIME_MS) {
      return this.#found.configuration;
    }
    this.#finding ??= this.#discover().finally(() => {
      this.#finding = undefined;
    });
    const configuration = await this.#finding;
    this.#found = { configuration, at: now };
    return configuration;
  }

  async #discover(): Promise<openid.Configuration> {
    const { clientId, clientSecret } = this.#options;
    const authentication = clientSecret === undefined ? openid.None() : withSecret(clientSecret);
    const insecure = this.issuer.protocol === 'http:' ? [openid.allowInsecureRequests] : [];
    try {
      const configuration = await openid.discovery(this.issuer, clientId, undefined, authentication, {
        timeout: TIMEOUT_S,
        [openid.customFetch]: this.#outbound.fetch,
        execute: [...insecure, openid.enableNonRepudiationChecks],
      });
      // Providers of many tenants answer with an issuer of another name, which would let any tenant in.
      const { issuer } = configuration.serverMetadata();
      if (new URL(issuer).href !== this.issuer.href) throw new Error(`it calls itself ${issuer}`);
      return configuration;
    } catch (error) {
      throw new ProviderAway(`the provider ${this.issuer.href} cannot be used`, { cause: error });
    }
  }
}

/** Shows the secret in the way that the provider asks for: in a header by RFC 6749, in the body where it knows no other. */
function withSecret(secret: string): openid.ClientAuth {
  const [basic, post] = [openid.ClientSecretBasic(secret), openid.ClientSecretPost(secret)];
  return (server, ...others) => {
    const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
    const isPost = !methods.includes('client_secret_basic') && methods.includes('client_secret_post');
    (isPost ? post : basic)(server, ...others);
  };
}

/** Whether nothing was said against this sign-in: the provider was not reached, or answered out of all order. */
function isAway(error: unknown): boolean {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown };
  return (
    error instanceof OutboundError ||
    cause instanceof OutboundError ||
    code === 'OAUTH_RESPONSE_IS_NOT_CONFORM' ||
    code === 'OAUTH_RESPONSE_IS_NOT_JSON'
  );
}
