import type { CustomFetch } from 'openid-client';
import {
  askOutside,
  isLoopbackAddress,
  isNever,
  isPublic,
  OutboundError,
  type Resolve,
} from '../../platform/index.ts';

export { OutboundError, type Resolve };

/** An answer of a provider has no more bytes. */
export const ANSWER_BYTES_MAX = 1024 * 1024;

/** An answer of a provider is here by then. */
export const ANSWER_TIMEOUT_MS = 10_000;

/**
 * The one way in which a server asks the outside: its OpenID provider. The documents of a provider name further
 * addresses to ask. Those on the issuer's own host and port are asked wherever the operator's provider stands; others
 * only by https on its usual port, and only where they are public. What a name leads to is checked at the very
 * connection that is made, so a name that leads elsewhere the second time gains nothing. Redirects are not followed.
 */
export class Outbound {
  readonly #issuer: URL;
  readonly #resolve: Resolve | undefined;

  constructor(issuer: URL, resolve?: Resolve) {
    this.#issuer = issuer;
    this.#resolve = resolve;
  }

  /** `fetch`, as far as openid-client uses it. */
  readonly fetch: CustomFetch = async (url, { method, headers, body, signal }) => {
    const target = new URL(url);
    return askOutside(target, {
      method,
      headers,
      body: body instanceof URLSearchParams ? body.toString() : (body as string | undefined),
      signal,
      mayConnect: this.#requireAllowed(target),
      whose: "a provider's documents",
      resolve: this.#resolve,
      timeoutMs: ANSWER_TIMEOUT_MS,
      answerBytesMax: ANSWER_BYTES_MAX,
    });
  };

  /** Which addresses may be connected to under this URL. Throws where none may. */
  #requireAllowed(url: URL): (address: string) => boolean {
    const issuer = this.#issuer;
    const isOwn = url.origin === issuer.origin;
    if (!isOwn && (url.protocol !== 'https:' || url.port !== '')) {
      throw new OutboundError(`${url.origin} is neither at the issuer's address nor on the port of https`);
    }
    return (address) => {
      if (!isOwn) return isPublic(address);
      return !isNever(address) && (issuer.protocol === 'https:' || isLoopbackAddress(address));
    };
  }
}
