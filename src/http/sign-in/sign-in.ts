import { randomNonce, randomPKCECodeVerifier, randomState } from 'openid-client';
import { hexEncode, sha256Text } from '../../bytes/index.ts';
import type { Clock } from '../../platform/index.ts';
import type { FailureReason } from '../credentials.ts';
import type { Logger } from '../handler-options.ts';
import { type ProblemCode, ProblemError } from '../problem.ts';
import type { Admission } from '../sessions.ts';
import type { OidcOptions } from './options.ts';
import type { Resolve } from './outbound.ts';
import { PENDING_LIFETIME_MS, type Pending, PendingSeal } from './pending.ts';
import { Provider, ProviderAway } from './provider.ts';
import { admissionFor, type Claims } from './rules.ts';

/** A sign-in that came to nothing. */
export class SignInFailed extends ProblemError {
  /** What the log of the server counts; undefined where nobody is to blame but the provider. */
  readonly reason: FailureReason | undefined;

  constructor(
    status: number,
    code: ProblemCode,
    message: string,
    more: { hint: string; reason?: FailureReason },
  ) {
    super(status, code, message, {
      hint: more.hint,
      ...(status === 503 ? { retryAfter: RETRY_AFTER_S } : {}),
    });
    this.reason = more.reason;
  }
}

/** A person who signed in. */
export interface SignedIn {
  readonly admission: Admission;
  /** Who it is to the provider: the claim `sub`. */
  readonly subject: string;
  readonly next: string;
}

const RETRY_AFTER_S = 5;

/** What the issuers of sessions begin with that a provider's word opened. */
export const OIDC_ISSUER_PREFIX = 'oidc:';

/** Signing in by an OpenID provider: Authorization Code with PKCE, state and nonce. */
export class SignIn {
  readonly provider: Provider;
  /** What the sessions of these very rules are marked with; others' end when the server starts. */
  readonly sessionIssuer: string;
  readonly #options: OidcOptions;
  readonly #seal: PendingSeal;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** States that came back, until they expire: no answer of a provider is taken twice. */
  readonly #used = new Map<string, number>();

  constructor(
    options: OidcOptions,
    parts: { key: Uint8Array; clock: Clock; logger: Logger; resolve?: Resolve },
  ) {
    this.#options = structuredClone(options);
    this.provider = new Provider(this.#options, parts.clock, parts.resolve);
    const { clientSecret: _, ...rules } = this.#options;
    const fingerprint = hexEncode(sha256Text(JSON.stringify(rules))).slice(0, 16);
    this.sessionIssuer = `${OIDC_ISSUER_PREFIX}${fingerprint}`;
    this.#seal = new PendingSeal(parts.key, parts.clock);
    this.#clock = parts.clock;
    this.#logger = parts.logger;
  }

  /** Where the browser goes, and what it keeps meanwhile. Throws {@link SignInFailed}. */
  async begin(redirectUri: string, next: string): Promise<{ readonly url: URL; readonly sealed: string }> {
    const pending = { state: randomState(), nonce: randomNonce(), verifier: randomPKCECodeVerifier(), next };
    try {
      const url = await this.provider.beginning(redirectUri, pending);
      return { url, sealed: this.#seal.seal(pending) };
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** Who came back. `returned` is the address that the provider sent the browser to. Throws {@link SignInFailed}. */
  async finish(returned: URL, sealed: string | undefined): Promise<SignedIn> {
    const pending = sealed === undefined ? undefined : this.#seal.open(sealed);
    const isOwn = pending !== undefined && returned.searchParams.get('state') === pending.state;
    if (!isOwn || !this.#take(pending)) {
      this.#logger.warn({ code: 'state' }, 'a sign-in came back that this browser did not begin');
      throw invalid();
    }
    let claims: Claims;
    try {
      claims = await this.provider.claims(returned, pending);
    } catch (error) {
      throw this.#failed(error);
    }
    const subject = String(claims['sub']);
    const admission = admissionFor(claims, this.#options);
    if (admission === undefined) {
      this.#logger.warn({ subject }, 'a person signed in whom no grant lets in');
      throw new SignInFailed(403, 'sign_in_refused', 'You are known, but nothing here lets you in.', {
        hint: 'whoever runs this server decides who may sign in',
        reason: 'sign-in-refused',
      });
    }
    return { admission: { ...admission, issuer: this.sessionIssuer }, subject, next: pending.next };
  }

  /** False for a state that was taken before. */
  #take({ state, expiresAt }: Pending): boolean {
    const now = this.#clock.wall();
    // The oldest stand first: they all live for the same time.
    for (const [old, end] of this.#used) {
      if (end > now && this.#used.size < USED_MAX) break;
      this.#used.delete(old);
    }
    if (this.#used.has(state)) return false;
    this.#used.set(state, Math.max(expiresAt, now + PENDING_LIFETIME_MS));
    return true;
  }

  /** Tells the operator what went wrong, and the person as much as is of use; never what was in a token. */
  #failed(error: unknown): SignInFailed {
    const why = causes(error);
    if (error instanceof ProviderAway) {
      this.#logger.error(
        { issuer: this.provider.issuer.href, why },
        'nobody can sign in: the provider is away',
      );
      return new SignInFailed(503, 'sign_in_unavailable', 'The OpenID provider cannot be asked now.', {
        hint: 'try again soon; whoever runs this server finds the reason in its log',
      });
    }
    this.#logger.warn({ why }, 'a sign-in does not hold');
    return invalid();
  }
}

const USED_MAX = 10_000;

function invalid(): SignInFailed {
  return new SignInFailed(403, 'sign_in_invalid', 'This sign-in does not hold.', {
    hint: 'begin again at the viewer',
    reason: 'sign-in',
  });
}

/** Codes and messages from the outermost to the innermost; what else hangs on them may be a token. */
function causes(error: unknown): string[] {
  const found: string[] = [];
  for (let at = error; at instanceof Error && found.length < 6; at = at.cause) {
    const { code, error: said } = at as { code?: unknown; error?: unknown };
    const marks = [code, said].filter((mark) => typeof mark === 'string');
    found.push(`${at.message}${marks.length === 0 ? '' : ` (${marks.join(', ')})`}`);
  }
  return found;
}
