// A real handler on a real data directory, and a real server around it.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { createHandler, type Handler, type HandlerOptions, type Listening, listen } from 'indelible/http';
import type { Scope } from 'indelible/wire';

export interface TestServer {
  readonly handler: Handler;
  readonly data: string;
  /** One request, as if it came over the wire, without one. */
  ask(method: string, path: string, options?: Ask): Promise<Response>;
  key(scopes: readonly Scope[], log?: string): Promise<string>;
}

export interface Ask {
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly body?: string | Uint8Array;
  readonly from?: string;
}

export const ORIGIN = 'http://127.0.0.1:4040';

/** A handler with the logs `alpha` and `beta`. */
export async function startHandler(
  context: TestContext,
  options: Partial<HandlerOptions> = {},
): Promise<TestServer> {
  const data = mkdtempSync(path.join(tmpdir(), 'indelible-server-'));
  const handler = createHandler({ data, ...options });
  context.after(async () => {
    await handler.close();
    rmSync(data, { recursive: true, force: true });
  });
  await handler.desk.ensureLog('alpha');
  await handler.desk.ensureLog('beta');
  return {
    handler,
    data,
    ask: (method, target, asked = {}) =>
      handler(requestOf(method, target, asked), { address: asked.from ?? '127.0.0.1' }),
    key: async (scopes, log) => {
      const made = await handler.desk.createKey({
        name: 'test',
        scopes,
        ...(log === undefined ? {} : { log }),
      });
      return made.key;
    },
  };
}

export function requestOf(method: string, target: string, { key, headers, json, body }: Ask): Request {
  const sent = json === undefined ? body : JSON.stringify(json);
  return new Request(`${ORIGIN}${target}`, {
    method,
    headers: {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(sent === undefined ? {} : { body: sent as string }),
  });
}

/** The same behind a socket. */
export async function startListening(context: TestContext, server: TestServer): Promise<Listening> {
  const listening = await listen(server.handler, { port: 0, host: '127.0.0.1' });
  context.after(() => listening.close(100));
  return listening;
}

export async function codeOf(response: Response): Promise<string> {
  return ((await response.json()) as { code: string }).code;
}
