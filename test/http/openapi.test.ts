// What /openapi.json promises, held against what a real handler answers: every route, as it succeeds and as it fails.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { AnchorStore } from 'indelible/anchor';
import type { Scope, ViewerTokenCreated } from 'indelible/wire';
import { type Ask, ORIGIN, startHandler, type TestServer } from './server.ts';

type Schema = Readonly<Record<string, unknown>>;
type Content = Readonly<Record<string, { readonly schema?: Schema }>>;

interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
}

interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

const problem = 'application/problem+json';
const event = { action: 'user.signed_in', actor: { type: 'user', id: 'u_1', name: 'Ada' } };
const asNdjson = { 'content-type': 'application/x-ndjson' };

/** Compares answers with the description that the same server gives. */
class Witness {
  /** What was seen of each operation, as `operationId status`. */
  static readonly seen = new Set<string>();
  readonly #server: TestServer;
  readonly #description: Description;
  readonly #ajv = new Ajv2020({ strict: true, allowUnionTypes: true });

  private constructor(server: TestServer, description: Description) {
    this.#server = server;
    this.#description = description;
    this.#ajv.addVocabulary(['components']);
  }

  static async of(server: TestServer): Promise<Witness> {
    const answer = await server.ask('GET', '/openapi.json');
    return new Witness(server, (await answer.json()) as Description);
  }

  get operations(): readonly Operation[] {
    return Object.values(this.#description.paths).flatMap((methods) => Object.values(methods));
  }

  /** Whether every schema of the description can be used at all. */
  compileAll(): number {
    let count = 0;
    for (const { operationId, responses } of this.operations) {
      for (const [status, { content }] of Object.entries(responses)) {
        for (const [type, { schema }] of Object.entries(content ?? {})) {
          assert.ok(schema, `${operationId} ${status} ${type} has no schema`);
          this.#validatorOf(schema);
          count += 1;
        }
      }
    }
    return count;
  }

  /** Asks, expects this status, and holds the answer against the description. Answers the body. */
  async expect(status: number, method: string, target: string, asked: Ask = {}): Promise<unknown> {
    const operation = this.#operationOf(method, target);
    const name = `${operation.operationId} ${status}`;
    const answer = await this.#server.ask(method, target, asked);
    const text = await answer.text();
    assert.equal(answer.status, status, `${name}: ${text}`);
    const promised = operation.responses[String(status)] ?? operation.responses['default'];
    Witness.seen.add(name);
    if (promised?.content === undefined) {
      assert.equal(text, '', name);
      return undefined;
    }
    const type = (answer.headers.get('content-type') ?? '').split(';', 1)[0]!;
    const described = promised.content[type];
    assert.ok(
      described?.schema,
      `${name} answers ${type}, and is described as ${Object.keys(promised.content)}`,
    );
    const isJson = type === 'application/json' || type === problem;
    const body: unknown = isJson ? JSON.parse(text) : text;
    if (operation.operationId === 'exportEvents' && type === 'application/x-ndjson') {
      const line = this.#validatorOf({ $ref: '#/components/schemas/Event' });
      for (const one of text.trimEnd().split('\n')) assert.ok(line(JSON.parse(one)), one);
    }
    const validate = this.#validatorOf(described.schema);
    assert.ok(validate(body), `${name}: ${this.#ajv.errorsText(validate.errors)} in ${text}`);
    if (type === problem) assert.equal((body as { status: number }).status, status, name);
    return body;
  }

  /** The tag of an answer. */
  async tagOf(target: string, key: string): Promise<string> {
    const answer = await this.#server.ask('GET', target, { key });
    await answer.body?.cancel();
    return answer.headers.get('etag') ?? '';
  }

  /** A stream: compares the events that it begins with, and leaves. */
  async begins(method: string, target: string, key: string): Promise<void> {
    const operation = this.#operationOf(method, target);
    const answer = await this.#server.ask(method, target, { key });
    assert.equal(answer.status, 200);
    assert.ok(operation.responses['200']?.content?.[answer.headers.get('content-type') ?? '']?.schema);
    Witness.seen.add(`${operation.operationId} 200`);
    const reader = answer.body!.getReader();
    let said = '';
    while (!said.includes('data: ')) said += new TextDecoder().decode((await reader.read()).value);
    await reader.cancel();
    const validate = this.#validatorOf({ $ref: '#/components/schemas/Event' });
    for (const [, data] of said.matchAll(/^data: (.*)$/gm)) {
      assert.ok(validate(JSON.parse(data!)), this.#ajv.errorsText(validate.errors));
    }
  }

  #operationOf(method: string, target: string): Operation {
    const { pathname } = new URL(target, ORIGIN);
    for (const [path, methods] of Object.entries(this.#description.paths)) {
      // A last parameter may take the rest of the path where no other path fits.
      const pattern = path.replace(/\{(tile|bundle|stamp)\}/, '.+').replace(/\{\w+\}/g, '[^/]+');
      const found = methods[method.toLowerCase()];
      if (found !== undefined && new RegExp(`^${pattern}$`).test(pathname)) return found;
    }
    throw new Error(`the description knows no ${method} ${pathname}`);
  }

  #validatorOf(schema: Schema) {
    return this.#ajv.compile({ ...schema, components: this.#description.components });
  }
}

async function start(t: TestContext) {
  const server = await startHandler(t);
  const witness = await Witness.of(server);
  const key = await server.key(['write', 'read', 'audit', 'admin']);
  return { server, witness, key };
}

const events = '/v1/logs/alpha/events';

describe('answers are what /openapi.json says', () => {
  test('recording: one, many, lines, and what is refused', async (t) => {
    const { witness, key, server } = await start(t);
    const json = { id: 'e-1', ...event };
    await witness.expect(201, 'POST', events, { key, json });
    await witness.expect(201, 'POST', `${events}?prove=true`, { key, json });
    await witness.expect(409, 'POST', events, { key, json: { ...json, outcome: 'denied' } });
    await witness.expect(422, 'POST', events, { key, json: { action: 'nobody' } });
    await witness.expect(200, 'POST', `${events}?prove=true`, { key, json: [event, { action: 'x' }, event] });
    await witness.expect(200, 'POST', events, {
      key,
      body: `${JSON.stringify(event)}\n{`,
      headers: asNdjson,
    });
    await witness.expect(200, 'POST', events, { key, json: [] });
    await witness.expect(422, 'POST', events, { key, json: [event], headers: { 'idempotency-key': 'x' } });
    await witness.expect(400, 'POST', events, { key, json: 7 });
    await witness.expect(400, 'POST', `${events}?prove=perhaps`, { key, json });
    await witness.expect(413, 'POST', events, { key, body: ' '.repeat(5_000_000), headers: asNdjson });
    await witness.expect(415, 'POST', events, { key, body: 'x', headers: { 'content-type': 'text/plain' } });
    await witness.expect(401, 'POST', events, { json });
    await witness.expect(401, 'POST', events, { key: 'ind_wrong', json });
    await witness.expect(403, 'POST', events, { key: await server.key(['read']), json });
    await witness.expect(404, 'POST', '/v1/logs/nobody/events', { key, json });
  });

  test('reading: events of every kind, pages, proofs, entries, counts, tiles', async (t) => {
    const { witness, key, server } = await start(t);
    const rich = {
      ...event,
      id: 'e-1',
      actor: { ...event.actor, onBehalfOf: { type: 'user', id: 'u_2' } },
      targets: [{ type: 'invoice', id: 'in_1', label: 'First' }],
      outcome: 'failure',
      severity: 'high',
      correlationId: 'c-1',
      causationId: 'c-0',
      changes: [{ path: '/plan', from: 'a', to: null }],
      context: { ip: '192.0.2.1' },
      reason: 'because',
      error: { code: 'E1', message: 'it broke' },
      labels: { region: 'north' },
      metadata: { nested: [1, { deep: true }] },
      source: { instance: '01890000-0000-7000-8000-000000000001', seq: 0, version: '1.0' },
    };
    await witness.expect(201, 'POST', events, { key, json: rich });
    await witness.expect(200, 'POST', events, { key, json: Array.from({ length: 5 }, () => event) });
    const page = (await witness.expect(200, 'GET', `${events}?limit=2&include=entry`, { key })) as {
      next: string;
    };
    await witness.expect(
      200,
      'GET',
      `${events}?limit=2&include=entry&cursor=${encodeURIComponent(page.next)}`,
      { key },
    );
    await witness.expect(200, 'GET', `${events}?order=occurredAt&q=actor:u_1`, { key });
    await witness.expect(400, 'GET', `${events}?cursor=no`, { key });
    await witness.expect(400, 'GET', `${events}?q=${encodeURIComponent('((')}`, { key });
    await witness.expect(400, 'GET', `${events}?limit=0`, { key });
    await witness.expect(400, 'GET', `${events}?colour=red`, { key });
    await witness.expect(404, 'GET', '/v1/logs/nobody/events', { key });
    await witness.expect(200, 'GET', `${events}/e-1`, { key });
    await witness.expect(200, 'GET', `${events}/e-1?include=entry`, { key });
    await witness.expect(200, 'GET', `${events}/e-1/proof`, { key });
    await witness.expect(200, 'GET', `${events}/e-1/entry`, { key });
    for (const tail of ['', '/proof', '/entry']) {
      await witness.expect(404, 'GET', `${events}/never-was${tail}`, { key });
      await witness.expect(401, 'GET', `${events}/e-1${tail}`);
    }
    await witness.expect(200, 'GET', '/v1/logs/alpha/stats', { key });
    await witness.expect(200, 'GET', '/v1/logs/alpha/stats?q=actor:nobody&buckets=5', { key });
    await witness.expect(400, 'GET', '/v1/logs/alpha/stats?buckets=501', { key });
    await witness.expect(200, 'GET', '/v1/logs/alpha/export', { key });
    await witness.expect(200, 'GET', '/v1/logs/alpha/export?format=csv&q=actor:u_1', { key });
    await witness.expect(400, 'GET', '/v1/logs/alpha/export?format=xlsx', { key });
    await witness.expect(200, 'GET', '/logs/alpha/checkpoint', { key });
    await witness.expect(401, 'GET', '/logs/alpha/checkpoint');
    await witness.expect(200, 'GET', '/logs/alpha/tile/0/000.p/3', { key });
    await witness.expect(404, 'GET', '/logs/alpha/tile/0/999', { key });
    await witness.expect(200, 'GET', '/logs/alpha/tile/entries/000.p/3', { key });
    await witness.expect(404, 'GET', '/logs/alpha/tile/entries/999', { key });
    await witness.expect(404, 'GET', '/logs/alpha/timestamps/000', { key });
    const anchors = AnchorStore.open(join(server.data, 'logs', 'alpha', 'anchors.db'));
    const [token, note] = [Buffer.from('token'), Buffer.from('note')];
    anchors.putTimestamp({ size: 1, authority: 'tsa', at: 0, token, note });
    anchors.close();
    await witness.expect(200, 'GET', '/logs/alpha/timestamps/000', { key });
    const headers = { 'if-none-match': await witness.tagOf(`${events}?limit=3`, key) };
    await witness.expect(304, 'GET', `${events}?limit=3`, { key, headers });
    await witness.begins('GET', '/v1/logs/alpha/stream?from=0&include=entry', key);
    await witness.expect(400, 'GET', '/v1/logs/alpha/stream?from=-1', { key });
    await witness.expect(404, 'GET', '/v1/logs/nobody/stream', { key });
  });

  test('logs, audits, probes', async (t) => {
    const { witness, key, server } = await start(t);
    await witness.expect(201, 'POST', '/v1/logs', { key, json: { name: 'gamma', isPublic: true } });
    await witness.expect(409, 'POST', '/v1/logs', { key, json: { name: 'gamma' } });
    await witness.expect(400, 'POST', '/v1/logs', { key, json: { name: '../up' } });
    await witness.expect(404, 'POST', '/v1/logs', {
      key: await server.key(['admin'], 'alpha'),
      json: { name: 'd' },
    });
    await witness.expect(200, 'GET', '/v1/logs', { key });
    await witness.expect(200, 'GET', '/v1/logs?limit=1', { key });
    await witness.expect(400, 'GET', '/v1/logs?limit=0', { key });
    await witness.expect(401, 'GET', '/v1/logs');
    await witness.expect(200, 'GET', '/v1/logs/gamma', { key });
    await witness.expect(200, 'GET', '/v1/logs/gamma/keys', { key });
    await witness.expect(404, 'GET', '/v1/logs/nobody/keys', { key });
    await witness.expect(404, 'GET', '/v1/logs/nobody', { key });
    await witness.expect(200, 'PATCH', '/v1/logs/gamma', { key, json: { isPublic: false } });
    await witness.expect(400, 'PATCH', '/v1/logs/gamma', { key, json: {} });
    await witness.expect(403, 'PATCH', '/v1/logs/gamma', {
      key: await server.key(['read']),
      json: { isPublic: true },
    });
    await witness.expect(200, 'GET', '/v1/logs/alpha/verification', { key });
    await witness.expect(200, 'GET', '/readyz');
    await witness.expect(200, 'POST', '/v1/logs/alpha/verification', { key });
    await witness.expect(200, 'GET', '/v1/logs/alpha/verification', { key });
    await witness.expect(404, 'POST', '/v1/logs/nobody/verification', { key });
    await witness.expect(403, 'POST', '/v1/logs/alpha/verification', { key: await server.key(['read']) });
    await witness.expect(200, 'GET', '/healthz');
    await witness.expect(200, 'GET', '/readyz');
    await witness.expect(200, 'GET', '/openapi.json');
    await witness.expect(200, 'GET', '/metrics', { key });
    await witness.expect(403, 'GET', '/metrics', { key: await server.key(['read']) });
    await server.handler.close();
    await witness.expect(503, 'GET', '/readyz');
    await witness.expect(503, 'GET', '/v1/logs', { key });
  });

  test('keys, sessions, links, tokens', async (t) => {
    const { witness, key, server } = await start(t);
    const expiresAt = '2999-01-01T00:00:00Z';
    const json = { name: 'till', scopes: ['read'], log: 'alpha', service: 'shop', expiresAt };
    const made = (await witness.expect(201, 'POST', '/v1/keys', { key, json })) as {
      id: string;
      key: string;
    };
    await witness.expect(400, 'POST', '/v1/keys', { key, json: { name: 'x' } });
    await witness.expect(400, 'POST', '/v1/keys', {
      key,
      json: { name: 'x', scopes: ['privacy', 'approve'] },
    });
    await witness.expect(403, 'POST', '/v1/keys', { key, json: { name: 'x', scopes: ['approve'] } });
    await witness.expect(404, 'POST', '/v1/keys', {
      key,
      json: { name: 'x', scopes: ['read'], log: 'nobody' },
    });
    await witness.expect(200, 'GET', '/v1/session', { key: made.key });
    const tokenFor = { log: 'alpha', origins: ['https://app.example'], filter: 'actor:u_1' };
    const { token } = (await witness.expect(201, 'POST', '/v1/viewer-tokens', {
      key,
      json: tokenFor,
    })) as ViewerTokenCreated;
    await witness.expect(200, 'GET', '/v1/session', { key: token });
    await witness.expect(400, 'POST', '/v1/viewer-tokens', { key, json: { ...tokenFor, origins: ['x'] } });
    await witness.expect(400, 'POST', '/v1/viewer-tokens', { key, json: { ...tokenFor, filter: '((' } });
    await witness.expect(404, 'POST', '/v1/viewer-tokens', { key, json: { ...tokenFor, log: 'nobody' } });
    await witness.expect(404, 'DELETE', '/v1/session', { key: token });
    const { url } = (await witness.expect(201, 'POST', '/v1/links', { key })) as { url: string };
    await witness.expect(403, 'POST', '/v1/links', { key: await server.key(['write']) });
    const open = url.slice(ORIGIN.length);
    await witness.expect(200, 'GET', open);
    await witness.expect(403, 'GET', open);
    await witness.expect(400, 'GET', '/open');
    await witness.expect(200, 'GET', '/v1/keys', { key });
    await witness.expect(204, 'DELETE', `/v1/keys/${made.id}`, { key });
    await witness.expect(404, 'DELETE', '/v1/keys/000000000000', { key });
    await witness.expect(200, 'GET', '/v1/keys', { key });
    await witness.expect(401, 'GET', '/v1/session');
    await witness.expect(200, 'GET', '/v1/sign-in');
    await witness.expect(204, 'DELETE', '/v1/session', { key });
  });

  test('erasures and holds', async (t) => {
    const { witness, key, server } = await start(t);
    const keyOf = async (name: string, scopes: readonly Scope[]) =>
      (await server.handler.desk.createKey({ name, scopes })).key;
    const privacy = await keyOf('privacy desk', ['privacy', 'read']);
    const approver = await keyOf('approver', ['approve']);
    const at = '/v1/logs/alpha/erasures';
    const json = { subject: 'user/u_1', basis: 'gdpr-17', requestId: 'R-1' };
    const made = (await witness.expect(201, 'POST', at, { key: privacy, json })) as { id: string };
    await witness.expect(400, 'POST', at, { key: privacy, json: { ...json, subject: 'u_1' } });
    await witness.expect(400, 'POST', at, { key: privacy, json: { ...json, fields: ['action'] } });
    await witness.expect(403, 'POST', at, { key, json });
    await witness.expect(200, 'GET', at, { key });
    await witness.expect(200, 'GET', `${at}/${made.id}`, { key: approver });
    await witness.expect(404, 'GET', `${at}/nobody`, { key });
    await witness.expect(403, 'POST', `${at}/${made.id}/approval`, { key: privacy });
    await witness.expect(200, 'POST', `${at}/${made.id}/approval`, { key: approver });
    await witness.expect(409, 'POST', `${at}/${made.id}/approval`, { key: approver });
    await witness.expect(200, 'DELETE', `${at}/${made.id}`, { key: privacy });
    await witness.expect(409, 'DELETE', `${at}/${made.id}`, { key: privacy });
    const holds = '/v1/logs/alpha/holds';
    const hold = {
      name: 'case-1',
      subject: 'user/u_1',
      from: '2026-01-31',
      query: 'invoice',
      reason: 'court',
    };
    await witness.expect(201, 'POST', holds, { key, json: hold });
    await witness.expect(409, 'POST', holds, { key, json: { ...hold, subject: 'user/u_2' } });
    await witness.expect(400, 'POST', holds, { key, json: { name: 'case-2' } });
    await witness.expect(403, 'POST', holds, { key: privacy, json: hold });
    await witness.expect(200, 'GET', holds, { key });
    await witness.expect(204, 'DELETE', `${holds}/case-1`, { key });
    await witness.expect(404, 'DELETE', `${holds}/case-1`, { key });
  });

  test('retention', async (t) => {
    const { witness, key, server } = await start(t);
    const keyOf = async (name: string, scopes: readonly Scope[]) =>
      (await server.handler.desk.createKey({ name, scopes })).key;
    const privacy = await keyOf('privacy desk', ['privacy', 'read']);
    const approver = await keyOf('approver', ['approve']);
    const at = '/v1/logs/alpha/retention';
    const json = { rules: [{ match: '*', keep: '7y' }], basis: 'policy 4', requestId: 'R-1' };
    const made = (await witness.expect(201, 'POST', `${at}/changes`, { key: privacy, json })) as {
      id: string;
    };
    const one = `${at}/changes/${made.id}`;
    await witness.expect(400, 'POST', `${at}/changes`, { key: privacy, json: { ...json, delayMs: 0 } });
    const own = [{ match: 'log.*', keep: '7y' }];
    await witness.expect(400, 'POST', `${at}/changes`, { key: privacy, json: { ...json, rules: own } });
    await witness.expect(403, 'POST', `${at}/changes`, { key, json });
    await witness.expect(200, 'GET', at, { key });
    await witness.expect(200, 'GET', one, { key: approver });
    await witness.expect(404, 'GET', `${at}/changes/nobody`, { key });
    await witness.expect(403, 'POST', `${one}/approval`, { key: privacy });
    await witness.expect(200, 'POST', `${one}/approval`, { key: approver });
    await witness.expect(409, 'POST', `${one}/approval`, { key: approver });
    await witness.expect(200, 'DELETE', one, { key: privacy });
    await witness.expect(409, 'DELETE', one, { key: privacy });
  });

  test('every schema can be used, and every route was asked', async (t) => {
    const { witness } = await start(t);
    assert.ok(witness.compileAll() > 50);
    // Signing in needs a provider: tests of its own do that.
    const elsewhere = new Set(['startSignIn', 'finishSignIn']);
    for (const { operationId, responses } of witness.operations) {
      if (elsewhere.has(operationId)) continue;
      for (const status of Object.keys(responses)) {
        if (!/^[23]/.test(status)) continue;
        assert.ok(Witness.seen.has(`${operationId} ${status}`), `${operationId} ${status} was never seen`);
      }
    }
  });
});
