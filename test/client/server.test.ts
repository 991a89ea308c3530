// The client and the real handler behind a real socket.

import assert from 'node:assert/strict';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { openLog } from 'indelible';
import { AuditClient, type AuditClientOptions } from 'indelible/client';
import { retentionAppliedEvent } from 'indelible/event';
import { startHandler, startListening } from '../http/server.ts';
import { recordInThePast } from '../log/past-log.ts';
import { signIn } from '../support/folders.ts';

async function makeWorld(t: TestContext) {
  const server = await startHandler(t);
  const { url } = await startListening(t, server);
  const key = await server.key(['write', 'read'], 'alpha');
  const { vkey } = (await (await server.ask('GET', '/v1/logs/alpha', { key })).json()) as { vkey: string };
  const clients: AuditClient[] = [];
  const client = (options: Partial<AuditClientOptions<'block'>> = {}): AuditClient => {
    const made = new AuditClient({
      url: url.replace(/\/$/, ''),
      log: 'alpha',
      key,
      vkey,
      retryMs: 2000,
      ...options,
    });
    clients.push(made);
    return made;
  };
  return { server, key, client };
}

test('what is recorded through a server is proven, found and framed', async (t) => {
  const { client } = await makeWorld(t);
  const log = client({ version: '1.2.3' });
  const results = await log.recordMany(Array.from({ length: 600 }, (_, n) => signIn(`e-${n}`, `u_${n % 7}`)));
  assert.ok(
    results.every(({ ok }) => ok),
    JSON.stringify(results.find(({ ok }) => !ok)),
  );
  const receipt = await log.record({ ...signIn('late'), occurredAt: '2026-01-31T12:00:00.000Z' });
  assert.deepEqual(
    await log.record({ ...signIn('late'), occurredAt: '2026-01-31T12:00:00Z' }).then(({ index }) => index),
    receipt.index,
  );
  await assert.rejects(log.record(signIn('e-1', 'u_99')), { name: 'LogError', code: 'id_conflict' });
  const event = await log.get('late');
  assert.equal(event?.occurredAt, '2026-01-31T12:00:00.000Z');
  assert.equal(event?.source.version, '1.2.3');
  assert.equal(event?.source.seq, 600);
  assert.match(event?.source.credential ?? '', /./);
  assert.equal(await log.get('nobody'), undefined);
  assert.equal((await log.prove('late')).index, receipt.index);
  let found = 0;
  for await (const { actor } of log.query('actor:user/u_3')) found += Number(actor.id === 'u_3');
  assert.equal(found, 86);
  await log.close();
  const after = client({ heartbeatMs: 0 });
  const frames = await after.query('action:source.*').page();
  assert.deepEqual(
    frames.events.map(({ action }) => action),
    ['source.stopped', 'source.started'],
  );
  assert.deepEqual(frames.events[0]?.metadata, { seq: 602, unrecorded: [[601, 602]], everyMs: 20_000 });
  await after.close();
});

test('the refusals of a server come as the errors of the embedded log', async (t) => {
  const { server, client } = await makeWorld(t);
  const log = client({ heartbeatMs: 0 });
  await assert.rejects(log.record({ ...signIn(), actor: { type: 'user', id: 'jane@example.com' } }), {
    name: 'EventError',
    code: 'personal_id',
    pointer: '/actor/id',
    message:
      '/actor/id must not be an address: an id can never be erased. Use an internal id and put the address into an attribute such as email, or create the log with personalIds: "pseudonymise".',
  });
  await assert.rejects(client({ log: 'beta' }).record(signIn()), { code: 'not_found' });
  await assert.rejects(client({ key: 'ind_nobody_x' }).record(signIn()), { code: 'credential_refused' });
  const writer = client({ key: await server.key(['write'], 'alpha'), heartbeatMs: 0 });
  await assert.rejects(writer.query().page(), { code: 'credential_refused' });
  await log.close();
});

test('a key that may only write has its receipts verified, and its checkpoints held together, too', async (t) => {
  const { server, client } = await makeWorld(t);
  const writer = client({ key: await server.key(['write'], 'alpha'), heartbeatMs: 0 });
  const other = client({ heartbeatMs: 0 });
  const { index } = await writer.record(signIn('w-1'));
  await other.recordMany(Array.from({ length: 300 }, () => signIn()));
  assert.equal((await writer.record(signIn('w-2'))).index, index + 301);
  await writer.close();
  await other.close();
});

test('a value that retention removed is gone by a record in the tree; one that is gone without is refused', async (t) => {
  const { server } = await makeWorld(t);
  const dir = path.join(server.data, 'logs', 'past');
  const actions = ['record.read', 'record.written', 'record.read', 'record.written'];
  recordInThePast({ dir, daysAgo: 100, actions });
  const log = await openLog(dir, { heartbeatMs: 0 });
  await log.retention.set([{ match: 'record.read', keep: '90d' }], {
    approvedBy: ['p_1', 'p_2'],
    delayMs: 0,
  });
  assert.equal((await log.retention.apply()).entries, 2);
  // A record whose index is one thing and its time another: what it names was recorded just now.
  await log.record({ action: 'record.read', actor: { type: 'user', id: 'u_9', name: 'Young' } });
  const { size, vkey } = { ...(await log.checkpoint()), vkey: log.vkey };
  const before = '1970-01-01T00:00:00.000Z';
  const rules = [{ match: 'record.read', keep: '90d', before, below: size }];
  await log.recordOwn(
    retentionAppliedEvent({ rules, values: 1, entries: 1, digest: '', policy: 5, heldBy: [] }),
  );
  await log.close();
  const { url } = await startListening(t, server);
  const key = await server.key(['read'], 'past');
  const ask = async (q: string) => {
    const client = new AuditClient({ url: url.replace(/\/$/, ''), log: 'past', key, vkey, retryMs: 2000 });
    const { events } = await client.query(q).page();
    await client.close();
    return events;
  };
  const [young, ...events] = await ask('action:record.*');
  assert.deepEqual(
    events.map(({ action, withheld }) => [action, withheld.length > 0]),
    actions.toReversed().map((action) => [action, action === 'record.read']),
  );
  const db = new DatabaseSync(path.join(dir, 'log.db'), { timeout: 10_000 });
  db.exec('DROP TRIGGER IF EXISTS disclosures_no_delete');
  db.exec(`DELETE FROM disclosures WHERE idx IN (${events[0]!.index}, ${young!.index})`);
  db.close();
  for (const q of ['action:record.written', 'action:record.read'])
    await assert.rejects(ask(q), { code: 'disclosure_missing' });
});
