import assert from 'node:assert/strict';
import { readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createHandler, listen, openLogs } from 'indelible/http';
import { codeOf, requestOf, startHandler } from './server.ts';

/** What an attacker with the database and without the key does: triggers go, the deed is done, triggers return. */
function tamper(data: string, log: string, deed: string): void {
  const db = new DatabaseSync(path.join(data, 'logs', log, 'log.db'), { timeout: 10_000 });
  const triggers = db.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all();
  for (const { name } of triggers) db.exec(`DROP TRIGGER ${name}`);
  db.exec(deed);
  for (const { sql } of triggers) db.exec(String(sql));
  db.close();
}

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

test('readiness and metrics remember the audits before the server was started again', async (context) => {
  const first = await startHandler(context);
  const key = await first.key(['audit', 'admin', 'write']);
  await first.ask('POST', '/v1/logs/alpha/events', { key, json: event });
  await first.ask('POST', '/v1/logs/beta/verification', { key });
  await first.handler.close();
  tamper(
    first.data,
    'alpha',
    "UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), 'u_1', 'u_2') AS BLOB) WHERE idx > 0",
  );
  const second = createHandler({ data: first.data });
  const audited = await second(requestOf('POST', '/v1/logs/alpha/verification', { key }));
  assert.equal(audited.status, 200);
  await second.close();
  const third = createHandler({ data: first.data });
  context.after(() => third.close());
  const told = (await (await third(requestOf('GET', '/readyz', {}))).json()) as {
    audit: Record<string, unknown>;
  };
  assert.deepEqual([told.audit['logs'], told.audit['brokenLogs'], told.audit['isIntact']], [2, 1, false]);
  const metrics = await (await third(requestOf('GET', '/metrics', { key }))).text();
  assert.match(metrics, /^indelible_audit_broken_logs 1$/m);
  // A log that is gone is no longer spoken of.
  await third.close();
  rmSync(path.join(first.data, 'logs/alpha'), { recursive: true });
  const fourth = createHandler({ data: first.data });
  context.after(() => fourth.close());
  assert.equal((await (await fourth(requestOf('GET', '/readyz', {}))).json()).audit.logs, 1);
});

test('a log that cannot be opened any more is audited all the same, and keeps no other from it', async (context) => {
  const first = await startHandler(context);
  const key = await first.key(['audit', 'read']);
  await first.handler.close();
  const db = new DatabaseSync(path.join(first.data, 'logs/alpha/log.db'), { timeout: 10_000 });
  db.exec('DROP TRIGGER entries_no_update');
  db.close();
  const again = createHandler({ data: first.data });
  context.after(() => again.close());
  again.startAudits();
  let audit: Record<string, unknown> | undefined;
  for (let tries = 0; audit?.['brokenLogs'] !== 1 || audit['logs'] === 1; tries += 1) {
    assert.ok(tries < 600, JSON.stringify(audit));
    await sleep(50);
    const told = await (await again(requestOf('GET', '/readyz', {}))).json();
    audit = (told as { audit?: Record<string, unknown> }).audit;
  }
  const beta = await again(requestOf('GET', '/v1/logs/beta/verification', { key }));
  assert.equal(((await beta.json()) as { last: { isIntact: boolean } }).last.isIntact, true);
  const remembered = readFileSync(path.join(first.data, 'logs/alpha.audit.json'), 'utf8');
  assert.match(remembered, /"code":"schema_changed"/);
});

test('a log whose thread has ended is opened again by the next who asks, and those who have it keep it', async (context) => {
  const { data, ask, key: makeKey } = await startHandler(context);
  const key = await makeKey(['write', 'read']);
  await ask('POST', '/v1/logs/alpha/events', { key, json: event });
  const said: string[] = [];
  const logs = openLogs(data, { warn: (text) => said.push(text) });
  context.after(() => logs.close());
  const held = await logs.take('alpha');
  Object.defineProperty(held!.log, 'isLost', { value: true });
  const again = await logs.take('alpha');
  assert.notEqual(again!.log, held!.log);
  assert.deepEqual(said, ['alpha: it answers nothing more, and is opened again']);
  assert.equal((await again!.log.checkpoint()).size, (await held!.log.checkpoint()).size);
  held!.release();
  again!.release();
  const once = await logs.take('alpha');
  assert.equal(once!.log, again!.log);
  once!.release();
  await assert.rejects(held!.log.checkpoint(), { code: 'closed' });
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

test('no answer names a place on the disk of the server, and only the root is the page', async (context) => {
  const first = await startHandler(context);
  const key = await first.key(['read', 'write', 'admin', 'audit']);
  await first.handler.close();
  const db = new DatabaseSync(path.join(first.data, 'logs/beta/log.db'), { timeout: 10_000 });
  db.exec('DROP TRIGGER entries_no_update');
  db.close();
  rmSync(path.join(first.data, 'logs/alpha/log.key'));
  const again = createHandler({ data: first.data });
  context.after(() => again.close());
  const ask = (method: string, target: string, json?: unknown) =>
    again(requestOf(method, target, { key, ...(json === undefined ? {} : { json }) }));
  const answers = [
    [409, 'log_exists', await ask('POST', '/v1/logs', { name: 'beta' })],
    [500, 'schema_changed', await ask('GET', '/v1/logs/beta/events')],
    [500, 'key_missing', await ask('POST', '/v1/logs/alpha/events', event)],
    [404, 'route_unknown', await ask('GET', '/etc/passwd')],
    [404, 'route_unknown', await ask('GET', '/viewer')],
  ] as const;
  for (const [status, code, answer] of answers) {
    const text = await answer.text();
    assert.equal(answer.status, status, text);
    assert.equal(JSON.parse(text).code, code);
    assert.ok(!text.includes(path.basename(first.data)), text);
  }
});
