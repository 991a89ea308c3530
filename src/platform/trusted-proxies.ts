import { BlockList, isIP } from 'node:net';
import { misuse, parseDecimal } from '../bytes/index.ts';

/** Proxies that are believed about whom they speak for. */
export class TrustedProxies {
  readonly #list = new BlockList();

  constructor(blocks: readonly string[]) {
    for (const block of blocks) this.#add(block);
  }

  /**
   * The client's address: the peer's own, unless the peer is a trusted proxy; then the last address of
   * `X-Forwarded-For` that is not a trusted proxy's. What stands before that one, anybody can have written.
   */
  clientOf(peer: string | undefined, forwardedFor: string | null): string | undefined {
    if (peer === undefined || forwardedFor === null || !this.isTrusted(peer)) return peer;
    const hops = forwardedFor.split(',').map((hop) => hop.trim());
    for (const hop of hops.reverse()) {
      if (isIP(hop) === 0) return peer;
      if (!this.isTrusted(hop)) return hop;
    }
    return peer;
  }

  isTrusted(address: string): boolean {
    const plain = address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
    const family = isIP(plain);
    return family !== 0 && this.#list.check(plain, family === 6 ? 'ipv6' : 'ipv4');
  }

  #add(block: string): void {
    const [address = '', bits] = block.split('/', 2);
    const family = isIP(address);
    if (family === 0) throw misuse('type', 'option_invalid', `${block} is no address and no CIDR block`);
    const name = family === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) this.#list.addAddress(address, name);
    else this.#list.addSubnet(address, parseDecimal(bits), name);
  }
}
