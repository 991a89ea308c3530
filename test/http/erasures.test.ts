// Erasure over HTTP: two people, time, no hold in the way; and nothing of it is forgotten when the server goes.

import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { createHandler, type Handler } from 'indelible/http';
import type { ErasureWire, EventPage, Scope } from 'indelible/wire';
import { eventAbout, filesWith, markOf } from '../log/erasure-world.ts';
import { type Ask, codeOf, requestOf, startHandler } from './server.ts';

const HOUR = 60 * 60_000;
const at = '/v1/logs/alpha/erasures';
const json = { subject: 'user/u_3', basis: 'gdpr-17', requestId: 'R-1' };

async function start(t: TestContext) {
  const clock = { now: Date.now(), wall: () => clock.now, monotonic: () => performance.now() };
  const server = await startHandler(t, { clock });
  const keyOf = async (name: string, scopes: readonly Scope[]) =>
    (await server.handler.desk.createKey({ name, scopes })).key;
  const keys = {
    writer: await keyOf('writer', ['write', 'read', 'admin']),
    privacy: await keyOf('Privacy desk', ['privacy', 'read']),
    approve: await keyOf('Approver', ['approve']),
  };
  const events = Array.from({ length: 60 }, (_, n) => eventAbout(n));
  const sent = await server.ask('POST', '/v1/logs/alpha/events', { key: keys.writer, json: events });
  assert.equal(sent.status, 200, await sent.text());
  const erasure = async (method: string, target: string, asked: Ask): Promise<ErasureWire> => {
    const answer = await server.ask(method, target, asked);
    assert.ok(answer.ok, `${answer.status} ${await answer.clone().text()}`);
    return (await answer.json()) as ErasureWire;
  };
  return { ...server, clock, keys, keyOf, erasure };
}

async function actionsOf(
  ask: (method: string, target: string, asked: Ask) => Promise<Response>,
  key: string,
) {
  const answer = await ask('GET', '/v1/logs/alpha/events?limit=50&q=action:log.eras*', { key });
  return ((await answer.json()) as EventPage).events.map(({ action }) => action).reverse();
}

describe('an erasure that is asked for', () => {
  test('attack-42: waits for a second person, and then for its time; each step is an entry', async (t) => {
    const { ask, keys, clock, erasure, handler, data } = await start(t);
    const made = await erasure('POST', at, { key: keys.privacy, json });
    assert.equal(made.state, 'pending');
    clock.now += 1000 * HOUR;
    await handler.erase();
    assert.equal((await erasure('GET', `${at}/${made.id}`, { key: keys.privacy })).state, 'pending');
    assert.ok(
      filesWith(data, markOf(3)).length > 0,
      'one person alone erases nothing, however long they wait',
    );
    const approved = await erasure('POST', `${at}/${made.id}/approval`, { key: keys.approve });
    assert.equal(approved.state, 'approved');
    assert.equal(Date.parse(approved.dueAt!) - clock.now, 72 * HOUR);
    clock.now += 72 * HOUR - 1;
    await handler.erase();
    assert.ok(filesWith(data, markOf(3)).length > 0, 'not before its time');
    clock.now += 1;
    assert.equal((await erasure('GET', `${at}/${made.id}`, { key: keys.approve })).state, 'due');
    await handler.erase();
    const done = await erasure('GET', `${at}/${made.id}`, { key: keys.approve });
    assert.equal(done.state, 'done', done.why);
    assert.ok(done.values! > 20 && done.index! > 60);
    assert.deepEqual(filesWith(data, markOf(3)), [], 'no byte, the server’s own files included');
    assert.deepEqual(await actionsOf(ask, keys.privacy), [
      'log.erasure_requested',
      'log.erasure_approved',
      'log.erased',
    ]);
    const page = (await (
      await ask('GET', '/v1/logs/alpha/events?q=action:log.erased', { key: keys.writer })
    ).json()) as EventPage;
    const { approvedBy } = page.events[0]!.metadata as { approvedBy: string[] };
    assert.equal(new Set(approvedBy).size, 2);
    assert.ok(approvedBy.every((by) => /^api_key\/[0-9a-f]{12}$/.test(by)));
  });

  test('is not approved by the same hand, nor by a key of the same name, nor without the scope', async (t) => {
    const { ask, keys, keyOf, erasure } = await start(t);
    const { id } = await erasure('POST', at, { key: keys.privacy, json });
    const approve = (key: string) => ask('POST', `${at}/${id}/approval`, { key });
    assert.deepEqual([(await approve(keys.privacy)).status, (await approve(keys.writer)).status], [403, 403]);
    const twin = await approve(await keyOf(' privacy DESK', ['approve']));
    assert.deepEqual([twin.status, await codeOf(twin)], [403, 'approver_conflict']);
    assert.equal((await ask('POST', at, { key: keys.approve, json })).status, 403);
    for (const more of [{ fields: ['action'] }, { action: 'user.signed_in' }, { actor: 'user/u_3' }]) {
      const refused = await ask('POST', at, { key: keys.privacy, json: { ...json, ...more } });
      assert.deepEqual([refused.status, await codeOf(refused)], [400, 'body_invalid']);
    }
    const bound = (await ask('POST', '/v1/logs/beta/erasures/x/approval', { key: keys.approve })).status;
    assert.equal(bound, 404, 'an erasure is of its log');
    assert.equal(
      (await ask('POST', `/v1/logs/beta/erasures/${id}/approval`, { key: keys.approve })).status,
      404,
    );
  });

  test('is held up by a hold, also one that is placed later, and goes on when that is released', async (t) => {
    const { ask, keys, clock, erasure, handler, data } = await start(t);
    const { id } = await erasure('POST', at, { key: keys.privacy, json });
    await erasure('POST', `${at}/${id}/approval`, { key: keys.approve });
    const hold = { name: 'case-1', actor: 'user/u_3', reason: 'court' };
    assert.equal((await ask('POST', '/v1/logs/alpha/holds', { key: keys.writer, json: hold })).status, 201);
    const again = await ask('POST', at, { key: keys.privacy, json });
    assert.deepEqual([again.status, await codeOf(again)], [409, 'held']);
    clock.now += 73 * HOUR;
    await handler.erase();
    await handler.erase();
    const blocked = await erasure('GET', `${at}/${id}`, { key: keys.privacy });
    assert.equal(blocked.state, 'blocked');
    assert.match(blocked.why!, /case-1/);
    assert.ok(filesWith(data, markOf(3)).length > 0);
    assert.equal((await ask('DELETE', '/v1/logs/alpha/holds/case-1', { key: keys.writer })).status, 204);
    await handler.erase();
    assert.equal((await erasure('GET', `${at}/${id}`, { key: keys.privacy })).state, 'done');
    assert.equal(
      (await actionsOf(ask, keys.privacy)).filter((action) => action === 'log.erasure_blocked').length,
      1,
    );
  });

  test('is cancelled by either of the two, and then never done', async (t) => {
    const { ask, keys, clock, erasure, handler, data } = await start(t);
    const { id } = await erasure('POST', at, { key: keys.privacy, json });
    await erasure('POST', `${at}/${id}/approval`, { key: keys.approve });
    assert.equal((await ask('DELETE', `${at}/${id}`, { key: keys.writer })).status, 403);
    assert.equal((await erasure('DELETE', `${at}/${id}`, { key: keys.approve })).state, 'cancelled');
    clock.now += 100 * HOUR;
    await handler.erase();
    assert.ok(filesWith(data, markOf(3)).length > 0);
    const late = await ask('POST', `${at}/${id}/approval`, { key: keys.approve });
    assert.deepEqual([late.status, await codeOf(late)], [409, 'erasure_conflict']);
  });

  test('of somebody who was erased before is done at once, without a record of its own; the log itself is nobody', async (t) => {
    const { ask, keys, clock, erasure, handler } = await start(t);
    const { id } = await erasure('POST', at, { key: keys.privacy, json });
    const twin = await erasure('POST', at, { key: keys.privacy, json });
    await erasure('POST', `${at}/${id}/approval`, { key: keys.approve });
    clock.now += 1;
    await erasure('POST', `${at}/${twin.id}/approval`, { key: keys.approve });
    clock.now += 73 * HOUR;
    await handler.erase();
    const done = await erasure('GET', `${at}/${id}`, { key: keys.privacy });
    const second = await erasure('GET', `${at}/${twin.id}`, { key: keys.privacy });
    assert.deepEqual([second.state, second.index, second.values], ['done', done.index, 0]);
    const before = await actionsOf(ask, keys.privacy);
    assert.equal(before.filter((action) => action === 'log.erased').length, 1);
    const again = await erasure('POST', at, { key: keys.privacy, json });
    assert.deepEqual([again.state, again.index, again.values], ['done', done.index, 0]);
    assert.deepEqual(await actionsOf(ask, keys.privacy), before, 'nothing was recorded');
    const own = await ask('POST', at, { key: keys.privacy, json: { ...json, subject: 'log/self' } });
    assert.deepEqual([own.status, await codeOf(own)], [400, 'subject_not_erasable']);
    const late = await ask('POST', `${at}/${again.id}/approval`, { key: keys.approve });
    assert.deepEqual([late.status, await codeOf(late)], [409, 'erasure_conflict']);
  });

  test('is known to the next process, which does it; no name of a person is kept beside the subject', async (t) => {
    const { keys, clock, erasure, handler, data } = await start(t);
    const { id } = await erasure('POST', at, { key: keys.privacy, json });
    await erasure('POST', `${at}/${id}/approval`, { key: keys.approve });
    await handler.close();
    clock.now += 73 * HOUR;
    const next: Handler = createHandler({ data, clock });
    try {
      await next.erase();
      const answer = await next(requestOf('GET', `${at}/${id}`, { key: keys.approve }), {
        address: '127.0.0.1',
      });
      assert.equal(((await answer.json()) as ErasureWire).state, 'done');
    } finally {
      await next.close();
    }
    assert.deepEqual(filesWith(path.join(data, 'logs'), markOf(3)), []);
  });
});
