import { type LookupAddress, lookup } from 'node:dns';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import type { CustomFetch } from 'openid-client';

/** Asks for all addresses of a name; `dns.lookup`, as far as it is used. */
export type Resolve = (
  hostname: string,
  options: { readonly all: true },
  callback: (error: Error | null, addresses: LookupAddress[]) => void,
) => void;

/** An answer of a provider has no more bytes. */
export const ANSWER_BYTES_MAX = 1024 * 1024;

/** An answer of a provider is here by then. */
export const ANSWER_TIMEOUT_MS = 10_000;

/** The provider could not be asked, or was not to be asked there. */
export class OutboundError extends Error {
  override readonly name = 'OutboundError';
}

/** Where nothing of use to us is, whoever names it: link-local (cloud metadata), multicast, unspecified. */
const never = blocks('0.0.0.0/8 169.254.0.0/16 224.0.0.0/4 240.0.0.0/4', '::/128 fe80::/10 ff00::/8');

/** Addresses that are not on the public Internet, in any of their disguises. */
const notPublic = blocks(
  '10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24',
  '::/96 ::ffff:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 2002::/16 fc00::/7 fec0::/10',
);

const loopback = blocks('127.0.0.0/8', '::1/128');

/**
 * The one way in which a server asks the outside: its OpenID provider. The documents of a provider name further
 * addresses to ask. Those on the issuer's own host and port are asked wherever the operator's provider stands; others
 * only by https on its usual port, and only where they are public. What a name leads to is checked at the very
 * connection that is made, so a name that leads elsewhere the second time gains nothing. Redirects are not followed.
 */
export class Outbound {
  readonly #issuer: URL;
  readonly #resolve: Resolve;

  constructor(issuer: URL, resolve: Resolve = lookup) {
    this.#issuer = issuer;
    this.#resolve = resolve;
  }

  /** `fetch`, as far as openid-client uses it. */
  readonly fetch: CustomFetch = async (url, { method, headers, body, signal }) => {
    const target = new URL(url);
    const mayConnect = this.#requireAllowed(target);
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const timeout = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    const request = (target.protocol === 'https:' ? requestHttps : requestHttp)(
      target,
      {
        method,
        headers,
        // A connection of its own for each question: none that somebody else has opened is used again.
        agent: false,
        lookup: this.#lookup(mayConnect),
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      },
      resolve,
    );
    request.once('error', reject);
    request.end(body instanceof URLSearchParams ? body.toString() : (body as string | undefined));
    try {
      return await readAnswer(await promise);
    } catch (error) {
      if (error instanceof OutboundError) throw error;
      throw new OutboundError(`${target.host} does not answer`, { cause: error });
    }
  };

  /** Which addresses may be connected to under this URL. Throws where none may. */
  #requireAllowed(url: URL): (address: string) => boolean {
    const issuer = this.#issuer;
    const isOwn = url.origin === issuer.origin;
    if (url.username !== '' || url.password !== '')
      throw new OutboundError(`${url.host} is named with a password`);
    if (!isOwn && (url.protocol !== 'https:' || url.port !== '')) {
      throw new OutboundError(`${url.origin} is neither at the issuer's address nor on the port of https`);
    }
    const mayConnect = (address: string): boolean => {
      if (isIn(never, address)) return false;
      if (isOwn) return issuer.protocol === 'https:' || isIn(loopback, address);
      return !isIn(notPublic, address);
    };
    const literal = url.hostname.replace(/^\[|\]$/g, '');
    if (isIP(literal) !== 0 && !mayConnect(literal)) throw forbidden(url.hostname, literal);
    return mayConnect;
  }

  #lookup(mayConnect: (address: string) => boolean): LookupFunction {
    return (hostname, options, callback) => {
      this.#resolve(hostname, { all: true }, (error, addresses) => {
        const bad = error === null ? addresses.find(({ address }) => !mayConnect(address)) : undefined;
        const first = addresses?.[0];
        if (error !== null || first === undefined) {
          callback(error ?? new OutboundError(`${hostname} has no address`), []);
        } else if (bad !== undefined) callback(forbidden(hostname, bad.address), []);
        else if (options.all === true) callback(null, addresses);
        else callback(null, first.address, first.family);
      });
    };
  }
}

function forbidden(hostname: string, address: string): OutboundError {
  return new OutboundError(`${hostname} leads to ${address}, which a provider's documents may not name`);
}

async function readAnswer(answer: IncomingMessage): Promise<Response> {
  const status = answer.statusCode ?? 0;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of answer as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > ANSWER_BYTES_MAX) {
      answer.destroy();
      throw new OutboundError(`the answer has more than ${ANSWER_BYTES_MAX} bytes`);
    }
    chunks.push(chunk);
  }
  const type = answer.headers['content-type'];
  const hasBody = ![204, 205, 304].includes(status);
  return new Response(hasBody ? Buffer.concat(chunks) : null, {
    status,
    headers: type === undefined ? {} : { 'content-type': type },
  });
}

function blocks(v4: string, v6: string): BlockList {
  const list = new BlockList();
  for (const [family, text] of [
    ['ipv4', v4],
    ['ipv6', v6],
  ] as const) {
    for (const block of text.split(' ')) {
      const [net = '', bits] = block.split('/');
      list.addSubnet(net, Number(bits), family);
    }
  }
  return list;
}

function isIn(list: BlockList, address: string): boolean {
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}
