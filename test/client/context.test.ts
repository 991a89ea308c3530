import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AuditClient } from 'indelible/client';
import { runInContext } from 'indelible/context';
import type { LogSummary } from 'indelible/wire';
import { startHandler, startListening } from '../http/server.ts';

test('a client takes actor and context from around the call; another request repeats an event all the same', async (context) => {
  const server = await startHandler(context);
  await server.handler.desk.ensureLog('main');
  const { url } = await startListening(context, server);
  const key = await server.key(['write', 'read'], 'main');
  const { vkey } = (await (await server.ask('GET', '/v1/logs/main', { key })).json()) as LogSummary;
  await using client = new AuditClient({ url, key, vkey, heartbeatMs: 0 });
  const inRequest = (requestId: string, event: object = {}) =>
    runInContext({ actor: { type: 'user', id: 'u_1' }, context: { requestId, ip: '192.0.2.7' } }, () =>
      client.record({ id: 'webhook-1', action: 'a.b', ...event }),
    );
  const first = await inRequest('r-1');
  const event = await client.get('webhook-1');
  assert.deepEqual(event?.context, { requestId: 'r-1', ip: '192.0.2.7' });
  assert.deepEqual(event?.actor, { type: 'user', id: 'u_1' });
  const again = await inRequest('r-2');
  assert.deepEqual([again.index, again.leafHash], [first.index, first.leafHash]);
  await assert.rejects(inRequest('r-2', { context: { ip: '203.0.113.9' } }), { code: 'id_conflict' });
  await assert.rejects(client.record({ action: 'a.b' }), { code: 'event_field_missing' });
  const filled = (names: unknown) =>
    server.ask('POST', '/v1/logs/main/events', {
      key,
      json: {
        action: 'a.b',
        actor: { type: 'user', id: 'u_1' },
        source: { instance: crypto.randomUUID(), seq: null, filled: names },
      },
    });
  for (const wrong of ['ip', [1], ['a,b'], Array.from({ length: 33 }, (_, n) => `f${n}`)]) {
    assert.equal((await filled(wrong)).status, 422, JSON.stringify(wrong));
  }
});
