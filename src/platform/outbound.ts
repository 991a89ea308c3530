import { type LookupAddress, lookup } from 'node:dns';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** Asks for all addresses of a name; `dns.lookup`, as far as it is used. */
export type Resolve = (
  hostname: string,
  options: { readonly all: true },
  callback: (error: Error | null, addresses: LookupAddress[]) => void,
) => void;

/** The outside could not be asked, or was not to be asked there. */
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

/** Whether an address is one to which nothing of ours ever connects. */
export function isNever(address: string): boolean {
  return isIn(never, address);
}

/** Whether an address is on the public Internet. */
export function isPublic(address: string): boolean {
  return !isIn(never, address) && !isIn(notPublic, address);
}

/** Whether an address is this machine's own. */
export function isLoopbackAddress(address: string): boolean {
  return isIn(loopback, address);
}

/** One question to the outside. */
export interface Asking {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Whether an address may be connected to. It is asked of every address that a name leads to, at the very connection. */
  readonly mayConnect: (address: string) => boolean;
  /** Who it is that may not name such an address, in words. */
  readonly whose: string;
  readonly resolve?: Resolve | undefined;
  readonly timeoutMs: number;
  readonly answerBytesMax: number;
}

/**
 * Asks an address that somebody else may have named, behind a fence: what a name leads to is checked at the connection that is made, so
 * that a name which leads elsewhere the second time gains nothing. No redirect is followed, no connection is used twice, no answer is
 * longer than it may be. Throws {@link OutboundError}.
 */
export async function askOutside(target: URL, asking: Asking): Promise<Response> {
  const { method, headers, body, signal, mayConnect, whose, resolve: resolveName = lookup } = asking;
  if (target.username !== '' || target.password !== '')
    throw new OutboundError(`${target.host} is named with a password`);
  const literal = target.hostname.replace(/^\[|\]$/g, '');
  if (isIP(literal) !== 0 && !mayConnect(literal)) throw forbidden(target.hostname, literal, whose);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const timeout = AbortSignal.timeout(asking.timeoutMs);
  const request = (target.protocol === 'https:' ? requestHttps : requestHttp)(
    target,
    {
      method,
      headers,
      // A connection of its own for each question: none that somebody else has opened is used again.
      agent: false,
      lookup: fenced(resolveName, mayConnect, whose),
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    },
    resolve,
  );
  request.once('error', reject);
  request.end(body);
  try {
    return await readAnswer(await promise, asking.answerBytesMax);
  } catch (error) {
    if (error instanceof OutboundError) throw error;
    throw new OutboundError(`${target.host} does not answer`, { cause: error });
  }
}

function fenced(resolve: Resolve, mayConnect: Asking['mayConnect'], whose: string): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { all: true }, (error, addresses) => {
      const bad = error === null ? addresses.find(({ address }) => !mayConnect(address)) : undefined;
      const first = addresses?.[0];
      if (error !== null || first === undefined) {
        callback(error ?? new OutboundError(`${hostname} has no address`), []);
      } else if (bad !== undefined) callback(forbidden(hostname, bad.address, whose), []);
      else if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

function forbidden(hostname: string, address: string, whose: string): OutboundError {
  return new OutboundError(`${hostname} leads to ${address}, which ${whose} may not name`);
}

async function readAnswer(answer: IncomingMessage, bytesMax: number): Promise<Response> {
  const status = answer.statusCode ?? 0;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of answer as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > bytesMax) {
      answer.destroy();
      throw new OutboundError(`the answer has more than ${bytesMax} bytes`);
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
