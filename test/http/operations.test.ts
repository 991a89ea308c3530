import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { listen } from 'indelible/http';
import { codeOf, startHandler } from './server.ts';

const event = { action: 'user.signed_in', actor: { type: 'user', id: 'u_1' } };

test('metrics tell of appends, queue, index and audits, and name no log', async (context) => {
  const server = await startHandler(context);
  const key = await server.key(['write', 'admin']);
  await server.ask('POST', '/v1/logs/alpha/events', { key, json: event });
  const text = await (await server.ask('GET', '/metrics', { key })).text();
  assert.match(text, /^indelible_appends_total\{outcome="recorded"\} [1-9]/m);
  assert.match(text, /^indelible_append_batch_events_count [1-9]/m);
  assert.match(text, /^indelible_commit_duration_seconds_count [1-9]/m);
  assert.match(text, /^indelible_queue_events 0$/m);
  assert.match(text, /^indelible_index_lag_entries \d+$/m);
  assert.match(text, /^indelible_audit_broken_logs 0$/m);
  assert.doesNotMatch(text, /alpha|beta/);
});

test('readiness tells the last audits once there were some, and no name', async (context) => {
  const server = await startHandler(context);
  assert.deepEqual(await (await server.ask('GET', '/readyz')).json(), { status: 'ready' });
  const key = await server.key(['audit']);
  await server.ask('POST', '/v1/logs/alpha/verification', { key });
  const told = (await (await server.ask('GET', '/readyz')).json()) as { audit: Record<string, unknown> };
  assert.equal(told.audit['logs'], 1);
  assert.equal(told.audit['isIntact'], true);
  assert.ok(!JSON.stringify(told).includes('alpha'));
});

test('the log of the server is for administrators and auditors of all logs, and nobody writes to it', async (context) => {
  const server = await startHandler(context);
  const reader = await server.key(['read', 'write']);
  const bound = await server.key(['admin', 'read'], 'alpha');
  const auditor = await server.key(['audit']);
  const all = await server.key(['write', 'read', 'audit', 'admin']);
  for (const key of [reader, bound]) {
    assert.equal(await codeOf(await server.ask('GET', '/v1/logs/_server/events', { key })), 'not_found');
  }
  assert.equal((await server.ask('GET', '/v1/logs/_server/events', { key: auditor })).status, 200);
  const written = await server.ask('POST', '/v1/logs/_server/events', { key: all, json: event });
  assert.equal(await codeOf(written), 'not_found');
});

test('server.db is for its owner alone', async (context) => {
  const { data } = await startHandler(context);
  assert.equal(statSync(path.join(data, 'server.db')).mode & 0o777, 0o600);
});

test('metrics have a listener of their own without a key, which answers nothing else', async (context) => {
  const { handler, ask } = await startHandler(context);
  const own = await listen(handler.metrics, { port: 0, host: '127.0.0.1' });
  context.after(() => own.close(100));
  const told = await fetch(`${own.url}/metrics`);
  assert.equal(told.status, 200);
  assert.match(await told.text(), /^indelible_http_requests_under_way \d+$/m);
  for (const path of ['/v1/keys', '/healthz', '/', '/metrics/']) {
    assert.equal((await fetch(`${own.url}${path}`)).status, 404, path);
  }
  assert.equal((await fetch(`${own.url}/metrics`, { method: 'POST' })).status, 404);
  // A page that a name was bent for: the browser says by which name it came.
  assert.equal((await handler.metrics(new Request('http://evil.example/metrics'))).status, 404);
  assert.equal((await ask('GET', '/metrics')).status, 401);
});
