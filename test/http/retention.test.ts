// Retention over HTTP: what shortens takes two people and time, what lengthens neither; and the server applies it every day.

import assert from 'node:assert/strict';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, type TestContext, test } from 'node:test';
import { createHandler } from 'indelible/http';
import type { EventPage, RetentionChangeWire, RetentionWire, Scope } from 'indelible/wire';
import { filesWith, markOf } from '../log/erasure-world.ts';
import { recordInThePast } from '../log/past-log.ts';
import { temporaryFolder } from '../support/folders.ts';
import { codeOf, requestOf, startHandler } from './server.ts';

const HOUR = 60 * 60_000;
const at = '/v1/logs/past/retention';
const year = [{ match: '*', keep: '1y' }];
const day = [
  { match: 'record.read', keep: '1d' },
  { match: '*', keep: '1y' },
];
const words = { basis: 'policy 4', requestId: 'R-1' };

async function start(t: TestContext) {
  const clock = { now: Date.now(), wall: () => clock.now, monotonic: () => performance.now() };
  const server = await startHandler(t, { clock });
  recordInThePast({
    dir: path.join(server.data, 'logs', 'past'),
    daysAgo: 100,
    actions: Array.from({ length: 70 }, (_, n) => (n % 7 === 3 ? 'record.read' : 'record.written')),
  });
  const keyOf = async (name: string, scopes: readonly Scope[]) =>
    (await server.handler.desk.createKey({ name, scopes })).key;
  const privacy = await keyOf('Privacy desk', ['privacy', 'read']);
  const approve = await keyOf('Approver', ['approve']);
  const change = async (method: string, target: string, key: string, json?: object) => {
    const answer = await server.ask(method, target, { key, ...(json && { json }) });
    assert.ok(answer.ok, `${answer.status} ${await answer.clone().text()}`);
    return (await answer.json()) as RetentionChangeWire;
  };
  const ask = (rules: object) => change('POST', `${at}/changes`, privacy, { rules, ...words });
  const policy = async () => (await (await server.ask('GET', at, { key: privacy })).json()) as RetentionWire;
  const set = async (rules: object) => {
    const { id } = await ask(rules);
    await change('POST', `${at}/changes/${id}/approval`, approve);
    clock.now += 72 * HOUR;
    await server.handler.retain();
  };
  return { ...server, clock, privacy, approve, keyOf, change, asked: ask, policy, set };
}

describe('retention on a server', () => {
  test('attack-43, attack-44: set to a day by one person, it waits for a second one and for its time, and each step is an entry', async (t) => {
    const { ask, asked, change, policy, set, clock, handler, data, privacy, approve, keyOf } = await start(t);
    await set(year);
    assert.deepEqual((await policy()).rules, year);
    const { id, state } = await asked(day);
    assert.equal(state, 'pending');
    clock.now += 1000 * HOUR;
    await handler.retain();
    assert.deepEqual(
      (await policy()).rules,
      year,
      'one person alone shortens nothing, however long they wait',
    );
    for (const key of [privacy, await keyOf(' privacy DESK', ['approve'])])
      assert.equal((await ask('POST', `${at}/changes/${id}/approval`, { key })).status, 403);
    const approved = await change('POST', `${at}/changes/${id}/approval`, approve);
    assert.equal(Date.parse(approved.dueAt!) - clock.now, 72 * HOUR);
    clock.now += 72 * HOUR - 1;
    await handler.retain();
    assert.deepEqual((await policy()).rules, year, 'not before its time');
    assert.ok(filesWith(data, markOf(3)).length > 0);
    clock.now += 1;
    await handler.retain();
    const { rules, changes, index } = await policy();
    assert.deepEqual([rules, changes[0]!.state, changes[0]!.index], [day, 'done', index]);
    clock.now += 25 * HOUR;
    await handler.retain();
    assert.deepEqual(filesWith(data, markOf(3)), [], 'no byte, the server’s own files included');
    const page = await ask(
      'GET',
      '/v1/logs/past/events?limit=50&q=action:log.retention* OR action:log.config_changed',
      {
        key: privacy,
      },
    );
    const { events } = (await page.json()) as EventPage;
    assert.deepEqual(events.map(({ action }) => action).reverse(), [
      'log.retention_requested',
      'log.retention_approved',
      'log.config_changed',
      'log.retention_requested',
      'log.retention_approved',
      'log.config_changed',
      'log.retention_applied',
    ]);
    const { approvedBy } = events[1]!.metadata as { approvedBy: string[] };
    assert.equal(new Set(approvedBy).size, 2);
  });

  test('what lengthens is in force at once; what waits is cancelled by either of the two', async (t) => {
    const { asked, change, policy, set, clock, handler, approve } = await start(t);
    await set(year);
    assert.equal((await asked([{ match: '*', keep: '2y' }])).state, 'done');
    assert.deepEqual((await policy()).rules, [{ match: '*', keep: '2y' }]);
    const { id } = await asked(day);
    await change('POST', `${at}/changes/${id}/approval`, approve);
    assert.equal((await change('DELETE', `${at}/changes/${id}`, approve)).state, 'cancelled');
    clock.now += 100 * HOUR;
    await handler.retain();
    assert.deepEqual((await policy()).rules, [{ match: '*', keep: '2y' }]);
  });

  test('is applied once a day, also when the server was started again; an erasure is no change, nor the other way round', async (t) => {
    const { ask, asked, policy, set, clock, handler, data, privacy } = await start(t);
    await set([{ match: 'record.read', keep: '200d' }]);
    const first = (await policy()).appliedAt;
    assert.ok(first !== undefined);
    const { id } = await asked(day);
    const answer = await ask('GET', `/v1/logs/past/erasures/${id}`, { key: privacy });
    assert.deepEqual([answer.status, await codeOf(answer)], [404, 'not_found']);
    await handler.close();
    clock.now += 2 * HOUR;
    const next = createHandler({ data, clock });
    t.after(() => next.close());
    const appliedAt = async () => {
      const said = await next(requestOf('GET', at, { key: privacy }), { address: '127.0.0.1' });
      return ((await said.json()) as RetentionWire).appliedAt;
    };
    await next.retain();
    assert.equal(await appliedAt(), first);
    clock.now += 22 * HOUR;
    await next.retain();
    assert.equal(Date.parse((await appliedAt())!), clock.now);
  });

  test('a server.db of before is taken over', async (t) => {
    const data = temporaryFolder(t);
    const made = createHandler({ data });
    await made.desk.ensureLog('alpha');
    await made.close();
    const db = new DatabaseSync(path.join(data, 'server.db'), { timeout: 10_000 });
    db.exec(`ALTER TABLE erasure DROP COLUMN kind; ALTER TABLE erasure DROP COLUMN policy; DROP TABLE retention_run;
      INSERT INTO erasure (id, log, subject, basis, request_id, state, requested_by, requested_hand, requested_at)
        VALUES ('x', 'alpha', 'user/u_1', 'b', 'r', 'pending', 'a', 'h', 1);
      PRAGMA user_version = 3`);
    db.close();
    const handler = createHandler({ data });
    t.after(() => handler.close());
    const { key } = await handler.desk.createKey({ name: 'n', scopes: ['admin'] });
    const answer = await handler(requestOf('GET', '/v1/logs/alpha/erasures', { key }), {
      address: '127.0.0.1',
    });
    assert.equal(((await answer.json()) as { erasures: { id: string }[] }).erasures[0]!.id, 'x');
  });

  test('prunes entries every day where the policy says so, which takes two people; of what went it answers 410', async (t) => {
    const { ask, change, policy, clock, handler, data, privacy, approve, keyOf } = await start(t);
    recordInThePast({
      dir: path.join(data, 'logs', 'past'),
      daysAgo: 99,
      actions: Array.from({ length: 250 }, () => 'record.written'),
    });
    const reader = await keyOf('Reader', ['read']);
    const rules = [{ match: '*', keep: '90d' }];
    const json = { rules, entries: 'delete', ...words };
    const { id, state, entries } = await change('POST', `${at}/changes`, privacy, json);
    assert.deepEqual([state, entries], ['pending', 'delete']);
    assert.equal(
      (await ask('POST', `${at}/changes`, { key: privacy, json: { ...json, entries: 'all' } })).status,
      400,
    );
    await change('POST', `${at}/changes/${id}/approval`, approve);
    const old = (await (
      await ask('GET', '/v1/logs/past/events?q=action:record.read&limit=1', { key: reader })
    ).json()) as EventPage;
    const { id: oldId, index: oldIndex } = old.events[0]!;
    assert.ok(oldIndex < 256);
    clock.now += 72 * HOUR;
    await handler.retain();
    assert.equal((await policy()).entries, 'delete');
    clock.now += 25 * HOUR;
    await handler.retain();
    const page = (await (
      await ask('GET', '/v1/logs/past/events?q=action:log.pruned', { key: privacy })
    ).json()) as EventPage;
    assert.equal(page.events.length, 1);
    const bundle = await ask('GET', '/logs/past/tile/entries/000', { key: reader });
    assert.equal(bundle.status, 410);
    assert.equal((await ask('GET', '/logs/past/tile/0/000', { key: reader })).status, 200);
    assert.deepEqual((page.events[0] as unknown as { metadata: { minimum: number } }).metadata.minimum, 256);
    for (const what of ['', '/proof', '/entry']) {
      const gone = await ask('GET', `/v1/logs/past/events/${oldId}${what}`, { key: reader });
      assert.deepEqual([gone.status, await codeOf(gone)], [410, 'entry_pruned']);
    }
  });
});
