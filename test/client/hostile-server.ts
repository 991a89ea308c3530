// A small HTTP server over real logs that speaks as much of the API as the client needs, and does whatever evil a test asks for.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { AuditEvent, Log, RecordedEvent } from 'indelible';
import { base64Encode } from 'indelible/bytes';
import { foldHashes, type Hash, hashLeaf, parseTilePath } from 'indelible/merkle';
import { parseProof } from 'indelible/verify';

/** What a test may do to a request before the honest answer goes out; true: the test has answered itself. */
export type Interfere = (
  request: { method: string; path: string; body: string },
  response: ServerResponse,
) => boolean | Promise<boolean>;

export interface HostileServer {
  readonly url: string;
  /** The log that it shows; a test may put another in its place. */
  log: Log;
  /** May change an answer before it is sent. */
  bend: (path: string, answer: Record<string, unknown>) => Record<string, unknown>;
  before: Interfere;
  /** After the work was done, in the place of the answer. */
  instead: Interfere;
  readonly requests: string[];
  close(): Promise<void>;
}

type Sent = AuditEvent & { source?: { instance: string; seq: number | null } };

export async function startHostileServer(
  t: Pick<TestContext, 'after'>,
  log: Log,
  port = 0,
): Promise<HostileServer> {
  const http = createServer((request, response) => {
    void answer(server, request, response).catch((error) => {
      response.statusCode = 500;
      response.end(String(error));
    });
  });
  await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve));
  const server: HostileServer = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    log,
    bend: (_path, value) => value,
    before: () => false,
    instead: () => false,
    requests: [],
    close: () =>
      new Promise((resolve) => {
        http.closeAllConnections();
        http.close(() => resolve());
      }),
  };
  t.after(() => server.close());
  return server;
}

async function answer(
  server: HostileServer,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let body = '';
  for await (const chunk of request) body += chunk;
  const path = request.url!;
  const asked = { method: request.method!, path, body };
  server.requests.push(`${asked.method} ${path}`);
  if (await server.before(asked, response)) return;
  const bytes = await honest(server, asked);
  if (await server.instead(asked, response)) return;
  if (bytes === undefined) {
    response.writeHead(404, { 'content-type': 'application/problem+json' });
    response.end(
      JSON.stringify({
        type: 'about:blank',
        title: 'Not found',
        status: 404,
        detail: 'no such thing',
        code: 'not_found',
      }),
    );
    return;
  }
  response.end(bytes);
}

async function honest(
  server: HostileServer,
  { method, path, body }: { method: string; path: string; body: string },
) {
  const { log } = server;
  const url = new URL(path, 'http://x');
  const json = (value: object) => JSON.stringify(server.bend(path, value as Record<string, unknown>));
  if (method === 'POST') return json(await record(log, JSON.parse(body) as Sent[]));
  if (url.pathname === '/logs/main/checkpoint') return (await log.checkpoint()).note;
  if (url.pathname.startsWith('/logs/main/tile/'))
    return tileOf(log, url.pathname.slice('/logs/main/'.length));
  const id = /^\/v1\/logs\/main\/events\/([^/]+)(\/proof)?$/.exec(url.pathname);
  if (id !== null) {
    const event = await log.get(decodeURIComponent(id[1]!));
    if (event === undefined) return undefined;
    if (id[2] !== undefined) return (await log.prove(event.id)).proof;
    return json(await shown(log, event));
  }
  if (url.pathname === '/v1/logs/main/events') {
    const cursor = url.searchParams.get('cursor');
    const page = await log
      .query(url.searchParams.get('q') ?? '', {
        limit: Number(url.searchParams.get('limit')),
        ...(cursor && { cursor }),
        ...(url.searchParams.has('order') && {
          order: url.searchParams.get('order') as 'index' | 'occurredAt',
        }),
      })
      .page();
    return json({ ...page, events: await Promise.all(page.events.map((event) => shown(log, event))) });
  }
  return undefined;
}

async function record(log: Log, events: Sent[]) {
  const results = await Promise.all(
    events.map(async ({ source, ...event }) => {
      const counted = source && { instance: source.instance, seq: source.seq as number };
      try {
        return {
          ok: true,
          id: (await log.recordFor(event, { service: 'test', ...(counted && { counted }) })).id,
        };
      } catch (error) {
        const { code, message, pointer, hint, retryable } = error as Record<string, unknown> as never;
        return {
          ok: false,
          problem: {
            type: 'about:blank',
            title: 'Refused',
            status: 422,
            detail: message,
            code,
            pointer,
            hint,
            retryable,
          },
        };
      }
    }),
  );
  const { note, size, root } = await log.checkpoint();
  const proven = [];
  for (const result of results) {
    if (!result.ok) {
      proven.push(result);
      continue;
    }
    const { proof, entry, disclosures, index } = await log.prove(result.id!);
    if (parseProof(Buffer.from(proof)).checkpoint !== note)
      throw new Error(`the log moved beyond ${size} ${root}`);
    const bytes = { entry: base64Encode(entry), disclosures };
    proven.push({
      ok: true,
      receipt: { id: result.id, index, leafHash: base64Encode(hashLeaf(entry)), proof, bytes },
    });
  }
  return { results: proven, ...(proven.some(({ ok }) => ok) && { checkpoint: note }) };
}

async function shown(log: Log, event: RecordedEvent) {
  const [stored] = await all(log.entries({ from: event.index, to: event.index + 1 }));
  const bytes = { entry: base64Encode(stored!.entry), disclosures: stored!.disclosures };
  return { ...event, leafHash: base64Encode(hashLeaf(stored!.entry)), bytes };
}

/** A tile, of any width, out of the leaves: slow and obvious. */
async function tileOf(log: Log, path: string): Promise<Uint8Array | undefined> {
  const { level, index, width } = parseTilePath(path);
  const leaves = (await all(log.entries())).map(({ entry }) => hashLeaf(entry));
  const span = 256 ** level;
  const hashes: Hash[] = [];
  for (let node = index * 256; node < index * 256 + width; node += 1) {
    if ((node + 1) * span > leaves.length) return undefined;
    hashes.push(treeHash(leaves.slice(node * span, (node + 1) * span)));
  }
  return Buffer.concat(hashes);
}

function treeHash(leaves: Hash[]): Hash {
  if (leaves.length === 1) return leaves[0]!;
  const half = leaves.length / 2;
  return foldHashes([treeHash(leaves.slice(0, half)), treeHash(leaves.slice(half))]);
}

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const value of values) list.push(value);
  return list;
}
