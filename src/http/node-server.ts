import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { misuse } from '../bytes/index.ts';
import { type Connection, isLoopback } from './peer.ts';
import { textOf } from './text-answer.ts';

/** Bytes of all headers of one request. */
export const HEADERS_BYTES_MAX = 16_384;

/** Headers of one request. */
export const HEADERS_MAX = 100;

/** The headers have to be here by then: a client that sends one byte a second is not waited for. */
export const HEADERS_TIMEOUT_MS = 10_000;

/** The whole request has to be here by then. */
export const REQUEST_TIMEOUT_MS = 30_000;

/** Connections at once. */
export const CONNECTIONS_MAX = 8192;

const KEEP_ALIVE_MS = 65_000;
const CHECK_MS = 2_000;

/** How often connections are looked for that have become idle while the server stops, milliseconds. */
const IDLE_MS = 50;

/** What answers requests. */
export type Answer = (request: Request, connection?: Connection) => Promise<Response>;

/** How a server listens. */
export interface ListenOptions {
  readonly port: number;
  readonly host: string;
  /** Certificate chain and private key, PEM. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Says that a proxy in front speaks TLS with the outside. */
  readonly isBehindProxy?: boolean;
}

/** A server that listens. */
export interface Listening {
  readonly url: string;
  readonly port: number;
  /** Takes no more connections; resolves when the last answer is out, or after `patienceMs`. */
  close(patienceMs?: number): Promise<void>;
}

/** A listener for `node:http`, and for frameworks that take one. */
export function toNodeListener(
  answer: Answer,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  return getRequestListener(
    async (request, { incoming, outgoing }) => {
      const { socket } = incoming as IncomingMessage;
      const connection = { address: socket.remoteAddress, isEncrypted: 'encrypted' in socket };
      const response = await answer(request, connection);
      const text = textOf(response);
      if (text === undefined) return response;
      sendText(outgoing as ServerResponse, response, text);
      return RESPONSE_ALREADY_SENT;
    },
    { overrideGlobalObjects: false },
  ) as (request: IncomingMessage, response: ServerResponse) => Promise<void>;
}

/** In one write, where reading the text back out of the answer's stream would take several turns of the event loop. */
function sendText(outgoing: ServerResponse, { status, headers }: Response, text: string): void {
  const pairs = [...headers, ['content-length', String(Buffer.byteLength(text))]];
  outgoing.writeHead(status, pairs.flat()).end(text);
}

/** Listens. Throws misuse where it would be heard beyond this machine without TLS. */
export async function listen(answer: Answer, options: ListenOptions): Promise<Listening> {
  const { host, port, tls } = options;
  requirePrivacy(options);
  const limits = {
    maxHeaderSize: HEADERS_BYTES_MAX,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: CHECK_MS,
    insecureHTTPParser: false,
    noDelay: true,
  };
  const listener = toNodeListener(answer);
  const server: Server =
    tls === undefined
      ? createServer(limits, listener)
      : createTlsServer({ ...limits, ...tls, minVersion: 'TLSv1.2' }, listener);
  server.maxHeadersCount = HEADERS_MAX;
  server.maxConnections = CONNECTIONS_MAX;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).listen(port, host, resolve);
  await promise;
  const bound = server.address() as AddressInfo;
  const name = host.includes(':') ? `[${host}]` : host;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${name}:${bound.port}`,
    port: bound.port,
    close: (patienceMs = 10_000) => stop(server, patienceMs),
  };
}

function requirePrivacy({ host, tls, isBehindProxy }: ListenOptions): void {
  if (isLoopback(host) || tls !== undefined || isBehindProxy === true) return;
  throw misuse(
    'range',
    'option_invalid',
    `${host} can be reached from elsewhere, and keys would cross the network in the open: give --tls-cert and --tls-key, or --behind-proxy where a proxy speaks TLS`,
  );
}

async function stop(server: Server, patienceMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeIdleConnections();
  // A connection that has just been answered would be kept for another request, which nobody takes any more.
  const idle = setInterval(() => server.closeIdleConnections(), IDLE_MS);
  const timer = setTimeout(() => server.closeAllConnections(), patienceMs);
  await promise;
  clearInterval(idle);
  clearTimeout(timer);
}
