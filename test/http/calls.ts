import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Call, type Caller, type LogRegistry, logRoutes, openLogs, type Route } from 'indelible/http';

/** A caller with these rights. */
export function callerWith(part: Partial<Caller> = {}): Caller {
  return {
    kind: 'key',
    id: 'k1',
    name: 'Key one',
    scopes: new Set(['write', 'read', 'audit', 'admin']),
    log: undefined,
    service: 'billing',
    filter: undefined,
    expiresAt: undefined,
    ...part,
  };
}

/** What a call brings. */
export interface Given {
  readonly log?: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly ndjson?: string;
  readonly caller?: Caller | undefined;
  readonly signal?: AbortSignal;
}

/** The routes of logs over a real data directory, called one by one: what stands in front of them is tested by itself. */
export class Routes {
  readonly dataDir: string;
  readonly logs: LogRegistry;
  readonly warnings: string[] = [];
  readonly #routes: readonly Route[];

  constructor(t: TestContext, options: { openMax?: number } = {}, dataDir?: string) {
    this.dataDir = dataDir ?? mkdtempSync(join(tmpdir(), 'indelible-http-'));
    this.logs = openLogs(this.dataDir, { ...options, warn: (warning) => this.warnings.push(warning) });
    this.#routes = logRoutes({
      logs: this.logs,
      problemOf: (error) => {
        const { code, message, pointer } = error as { code: string; message: string; pointer?: string };
        return { type: 'about:blank', title: '', status: 0, detail: message, code, pointer: pointer ?? '' };
      },
    });
    t.after(async () => {
      await this.logs.close();
      if (dataDir === undefined) rmSync(this.dataDir, { recursive: true, force: true });
    });
  }

  /** Calls the route with this operation id. */
  async call(operationId: string, given: Given = {}): Promise<Response> {
    const route = this.#routes.find((one) => one.operationId === operationId);
    if (route === undefined) throw new Error(`no route ${operationId}`);
    const taken = given.log === undefined ? undefined : await this.logs.take(given.log);
    const url = new URL(`http://localhost${route.path}`);
    const init = { headers: given.headers ?? {}, ...(given.signal ? { signal: given.signal } : {}) };
    const call = {
      request: new Request(url, init),
      url,
      params: given.params ?? {},
      query: given.query ?? {},
      caller: 'caller' in given ? given.caller : callerWith(),
      body: {
        contentType: given.ndjson === undefined ? 'application/json' : 'application/x-ndjson',
        bytes: async () => new TextEncoder().encode(given.ndjson),
        json: async () => given.json,
      },
      peer: { socket: '127.0.0.1', client: '127.0.0.1' },
      requestId: 'r1',
      isStillLetIn: () => true,
      log: taken,
    } as unknown as Call;
    try {
      return await route.handle(call);
    } finally {
      taken?.release();
    }
  }
}
