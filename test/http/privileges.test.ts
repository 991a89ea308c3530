// What a credential can make of itself: nothing more than it is.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test from 'node:test';
import { peekLog } from 'indelible';
import { AnchorStore } from 'indelible/anchor';
import { createHandler, ServerKeys } from 'indelible/http';
import type { ApiKeyCreated, EventPage, KeyList, LogSummary, Scope } from 'indelible/wire';
import { codeOf, startHandler } from './server.ts';

const event = { action: 'user.signed_in', actor: { type: 'user', id: 'u_1' } };

test('an administrator gives neither half of the right to erase without holding it, by no chain of keys', async (context) => {
  const { ask, key } = await startHandler(context);
  const make = async (by: string, scopes: readonly Scope[]) =>
    ask('POST', '/v1/keys', { key: by, json: { name: 'x', scopes } });
  const admin = await key(['admin', 'write', 'read', 'audit']);
  for (const half of ['privacy', 'approve'] as const) {
    const refused = await make(admin, ['read', half]);
    assert.equal(refused.status, 403, half);
    const problem = (await refused.json()) as { code: string; pointer: string; hint: string };
    assert.equal(problem.code, 'forbidden');
    assert.equal(problem.pointer, '/scopes');
    assert.match(problem.hint, /indelible api-key create/);
  }
  const other = { privacy: 'approve', approve: 'privacy' } as const;
  for (const half of ['privacy', 'approve'] as const) {
    // Whoever has the one hands it on, and never comes to the other.
    let holder = await key(['admin', half]);
    for (let generation = 0; generation < 3; generation += 1) {
      assert.equal((await make(holder, [other[half]])).status, 403);
      assert.equal((await make(holder, [half, other[half]])).status, 400);
      const made = await make(holder, ['admin', half]);
      assert.equal(made.status, 201);
      holder = ((await made.json()) as ApiKeyCreated).key;
    }
    const plain = ((await (await make(holder, ['admin'])).json()) as ApiKeyCreated).key;
    assert.equal((await make(plain, [half])).status, 403);
  }
});

test('nobody gets both halves, not even the operator in one key', async (context) => {
  const { data } = await startHandler(context);
  using keys = new ServerKeys(data);
  assert.throws(() => keys.create({ name: 'x', scopes: ['privacy', 'approve'] }), {
    code: 'key_scopes_conflict',
  });
  assert.equal(keys.create({ name: 'x', scopes: ['privacy'] }).createdBy, 'operator');
});

test('a list of keys says who made each, and so does the log of the server', async (context) => {
  const { ask, key } = await startHandler(context);
  const admin = await key(['admin']);
  const made = await ask('POST', '/v1/keys', { key: admin, json: { name: 'till', scopes: ['write'] } });
  const created = (await made.json()) as ApiKeyCreated;
  const maker = `key/${admin.split('_')[1]}`;
  assert.equal(created.createdBy, maker);
  const { keys } = (await (await ask('GET', '/v1/keys', { key: admin })).json()) as KeyList;
  assert.deepEqual(
    keys.map(({ createdBy }) => createdBy),
    ['operator', maker],
  );
  const auditor = await key(['audit']);
  const noted = await ask('GET', '/v1/logs/_server/events?q=action:api_key.created', { key: auditor });
  const { events } = (await noted.json()) as EventPage;
  const entry = events.find(({ targets }) => targets[0]?.id === created.id);
  assert.equal(entry?.actor.id, admin.split('_')[1]);
});

test('keys of a data directory that is older than this note are listed without it', async (context) => {
  const data = mkdtempSync(path.join(tmpdir(), 'indelible-server-'));
  context.after(() => rmSync(data, { recursive: true, force: true }));
  await createHandler({ data }).close();
  const made = (() => {
    using keys = new ServerKeys(data);
    return keys.create({ name: 'old', scopes: ['read'] });
  })();
  const database = new DatabaseSync(path.join(data, 'server.db'), { timeout: 10_000 });
  database.exec(`ALTER TABLE api_key DROP COLUMN created_by; DROP TABLE erasure; DROP TABLE retention_run;
    PRAGMA user_version = 1`);
  database.close();
  using keys = new ServerKeys(data);
  const [old] = keys.list();
  assert.equal(old?.id, made.id);
  assert.equal(old && 'createdBy' in old, false);
  assert.equal(keys.create({ name: 'new', scopes: ['read'] }).createdBy, 'operator');
});

test('nobody changes the log of the server, nor opens its tree to everybody', async (context) => {
  const { ask, key } = await startHandler(context);
  const all = await key(['write', 'read', 'audit', 'admin']);
  const json = { isPublic: true };
  assert.equal(await codeOf(await ask('PATCH', '/v1/logs/_server', { key: all, json })), 'not_found');
  const summary = await ask('GET', '/v1/logs/_server', { key: all });
  assert.equal(((await summary.json()) as LogSummary).isPublic, false);
  for (const path of [
    '/logs/_server/checkpoint',
    '/logs/_server/tile/0/000.p/1',
    '/logs/_server/timestamps/000',
  ]) {
    assert.ok([401, 404].includes((await ask('GET', path)).status), path);
  }
  const created = await ask('POST', '/v1/logs', { key: all, json: { name: '_other' } });
  assert.equal(created.status, 400);
});

test('HEAD leaves nothing behind, on no route', async (context) => {
  const { ask, key, handler, data } = await startHandler(context);
  const all = await key(['write', 'read', 'audit', 'admin']);
  await ask('POST', '/v1/logs/alpha/events', { key: all, json: { id: 'e-1', ...event } });
  const link = (await (await ask('POST', '/v1/links', { key: all })).json()) as { url: string };
  const anchors = AnchorStore.open(path.join(data, 'logs', 'alpha', 'anchors.db'));
  anchors.putTimestamp({
    ...{ size: 1, authority: 'tsa', at: 0 },
    token: Buffer.from('token'),
    note: Buffer.from('note'),
  });
  anchors.close();
  const sizes = (): number[] => ['alpha', '_server'].map((log) => peekLog(path.join(data, 'logs', log)).size);
  const before = sizes();
  for (const { method, path: template } of handler.routes) {
    // Of what is there once it was asked for, erasures.test.ts has an example.
    if (method !== 'GET' || /{erasure}|{change}/.test(template)) continue;
    const target = template
      .replace('{log}', 'alpha')
      .replace('{id}', 'e-1')
      .replace('{tile+}', '0/000.p/1')
      .replace('{bundle+}', '000.p/1')
      .replace('{stamp+}', '000')
      .replace(/^\/open$/, new URL(link.url).pathname + new URL(link.url).search);
    const answer = await ask('HEAD', target, { key: all });
    assert.ok(answer.status === 200 || template === '/open', `${template}: ${answer.status}`);
    if (answer.ok) assert.equal(answer.body, null, template);
  }
  // What readers did is recorded by the minute, or when the server stops.
  await handler.close();
  assert.deepEqual(sizes(), before);
});
