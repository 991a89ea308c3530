import { randomUUID } from 'node:crypto';
import { parseTraceparent } from '../context/index.ts';
import type { EventContext } from '../event/index.ts';
import { type AddressOptions, AddressRule, plainAddress } from './client-address.ts';
import { compact } from './names.ts';

/** Characters of a user agent that are kept; what is longer is cut. */
export const USER_AGENT_CHARACTERS_MAX = 512;

/** What a request tells of itself, in any framework. */
export interface RequestFacts {
  /** A header by its name in lower case, as it came. */
  header(name: string): string | null | undefined;
  /** The address of the socket's other end; undefined where the framework does not tell. */
  readonly peer?: string | undefined;
}

/** How the context of a request is read. */
export interface ContextOptions extends AddressOptions {
  /** The header in which a trusted proxy names the request. Default `x-request-id`. Of anybody else it is not believed. */
  readonly requestIdHeader?: string;
}

/**
 * Reads the context of a request: what `context` of its events will say. What does not fit the rules of events is cut or left
 * out, so that no header makes a record fail.
 */
export class ContextRule {
  readonly #addresses: AddressRule;
  readonly #requestIdHeader: string;

  /** Throws misuse `option_invalid`. */
  constructor(options: ContextOptions) {
    this.#addresses = new AddressRule(options);
    this.#requestIdHeader = (options.requestIdHeader ?? 'x-request-id').toLowerCase();
  }

  /** The context of one request. */
  contextOf({ header, peer }: RequestFacts): EventContext {
    const forwarded = this.#addresses.header && (header(this.#addresses.header) ?? undefined);
    return compact({
      ip: this.#addresses.addressOf(peer, forwarded),
      peer: plainAddress(peer),
      userAgent: userAgentOf(header('user-agent')),
      requestId: this.#requestId(header, peer),
      ...parseTraceparent(header('traceparent')),
    });
  }

  /** The proxy's name for the request, or one of our own: whoever may choose it can make two requests look like one. */
  #requestId(header: RequestFacts['header'], peer: string | undefined): string {
    const given = this.#addresses.trusts(peer) ? header(this.#requestIdHeader) : undefined;
    return typeof given === 'string' && /^[A-Za-z0-9._:+/=-]{1,128}$/.test(given) ? given : randomUUID();
  }
}

/** Headers may hold anything: controls are taken out, halves of surrogate pairs replaced, and the rest is cut. */
function userAgentOf(header: string | null | undefined): string | undefined {
  if (typeof header !== 'string') return undefined;
  const text = header.slice(0, USER_AGENT_CHARACTERS_MAX).toWellFormed();
  return text.replaceAll(/\p{Cc}/gu, '').trim();
}
