import { isIP } from 'node:net';
import { misuse } from '../bytes/index.ts';
import { TrustedProxies } from '../platform/index.ts';

/** Whom to believe about where a request comes from. */
export interface AddressOptions {
  /**
   * The proxies in front of this process: their addresses and CIDR blocks, or, where those change, how many there are, one behind
   * the other. None by default: then a request comes from where its connection comes from, whatever its headers say.
   */
  readonly trustedProxies?: readonly string[] | number;
  /** The one header in which those proxies say it. Default `x-forwarded-for`. The other is never read: anybody can send it. */
  readonly forwardedHeader?: 'x-forwarded-for' | 'forwarded';
}

/** Hops that are looked at, from the right; those further left are further away than any chain of proxies is long. */
export const FORWARDED_HOPS_MAX = 32;

/** Tells the address of a client from that of the proxies before it. What a client wrote about itself is never believed. */
export class AddressRule {
  readonly #proxies: TrustedProxies | undefined;
  readonly #hops: number;
  /** The header to read; undefined where nobody is trusted. */
  readonly header: 'x-forwarded-for' | 'forwarded' | undefined;

  /** Throws misuse `option_invalid`. */
  constructor({ trustedProxies = [], forwardedHeader = 'x-forwarded-for' }: AddressOptions) {
    if (!['x-forwarded-for', 'forwarded'].includes(forwardedHeader)) {
      throw misuse('type', 'option_invalid', 'forwardedHeader must be x-forwarded-for or forwarded');
    }
    const isCount = typeof trustedProxies === 'number';
    if (isCount ? !isHopCount(trustedProxies) : !Array.isArray(trustedProxies)) {
      const what = `a list of addresses and CIDR blocks, or a number of hops up to ${FORWARDED_HOPS_MAX}`;
      throw misuse('type', 'option_invalid', `trustedProxies must be ${what}`);
    }
    this.#hops = isCount ? trustedProxies : 0;
    this.#proxies = isCount || trustedProxies.length === 0 ? undefined : new TrustedProxies(trustedProxies);
    this.header = this.#proxies === undefined && this.#hops === 0 ? undefined : forwardedHeader;
  }

  /** Whether the other end of the connection is one of the proxies, so that what it says about a request is believed. */
  trusts(peer: string | undefined): boolean {
    if (this.#proxies !== undefined) return peer !== undefined && this.#proxies.isTrusted(peer);
    return this.#hops > 0;
  }

  /**
   * The client's address: the right-most of the chain that no trusted proxy has. Where a hop cannot be read, the nearest one that
   * could; undefined where nothing is known.
   */
  addressOf(peer: string | undefined, forwarded: string | undefined): string | undefined {
    const near = plainAddress(peer);
    if (forwarded === undefined || !this.trusts(peer)) return near;
    const hops = forwarded.split(',').slice(-FORWARDED_HOPS_MAX).reverse();
    const chain = hops.map((hop) => (this.header === 'forwarded' ? forwardedFor(hop) : addressIn(hop)));
    return this.#proxies === undefined ? this.#countedOff(near, chain) : this.#walkedTo(near, chain);
  }

  /** The address so many hops away. A chain that is shorter did not come through all of the proxies: its header is not theirs. */
  #countedOff(near: string | undefined, chain: readonly (string | undefined)[]): string | undefined {
    return chain.length < this.#hops ? near : (chain[this.#hops - 1] ?? near);
  }

  #walkedTo(near: string | undefined, chain: readonly (string | undefined)[]): string | undefined {
    let known = near;
    for (const hop of chain) {
      if (hop === undefined) return known;
      known = hop;
      if (!this.#proxies!.isTrusted(hop)) return hop;
    }
    return known;
  }
}

function isHopCount(count: number): boolean {
  return Number.isSafeInteger(count) && count >= 0 && count <= FORWARDED_HOPS_MAX;
}

/** The `for` of one element of `Forwarded` (RFC 7239, section 4). */
function forwardedFor(element: string): string | undefined {
  const match = /(?:^|;)\s*for=(?:"([^"]*)"|([^";\s]*))\s*(?:;|$)/i.exec(element);
  return match === null ? undefined : addressIn(match[1] ?? match[2] ?? '');
}

/** The address of a hop, which may come with a port (`192.0.2.1:8080`, `[2001:db8::1]:8080`). */
function addressIn(hop: string): string | undefined {
  const text = hop.trim();
  const [, bracketed, bare] = /^\[([^\]]+)\](?::\d{1,5})?$|^(\d+\.\d+\.\d+\.\d+):\d{1,5}$/.exec(text) ?? [];
  return plainAddress(bracketed ?? bare ?? text);
}

/** An address as it is recorded: IPv4 within IPv6 as IPv4; undefined for what is none. */
export function plainAddress(address: string | undefined): string | undefined {
  if (address === undefined) return undefined;
  const plain = /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(address) ? address.slice('::ffff:'.length) : address;
  return isIP(plain) === 0 ? undefined : plain;
}
