import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineEvents } from 'indelible/catalogue';
import { asActor, runInContext } from 'indelible/context';
import { currentActor, databaseOf, migrate, openPostgresLog, runAs } from 'indelible/postgres';
import { expectRecorded } from 'indelible/testing';
import { temporaryFolder } from '../support/folders.ts';
import { poolOf, testServer, whyNoPostgres } from '../support/postgres.ts';

const skip = whyNoPostgres() ?? false;

test('recordIn and record take actor and context from around the call, also through a catalogue', {
  skip,
}, async (t) => {
  const pool = poolOf(await (await testServer()).database(), 2);
  t.after(() => pool.end());
  await migrate(databaseOf(pool));
  const origin = 'example.com/context';
  const dir = temporaryFolder(t);
  await using audit = await openPostgresLog(pool, { origin, dir, createIfMissing: {}, warn: () => {} });
  const bound = defineEvents({ 'a.in': {} }).bind(audit);
  const inRequest = (requestId: string) =>
    runInContext(
      { actor: { type: 'user', id: 'u_1' }, context: { requestId }, source: { service: 'billing' } },
      async () => {
        await audit.record({ id: 'own-1', action: 'a.own' });
        const client = await pool.connect();
        await client.query('BEGIN');
        const id = await bound.recordIn(client, { id: 'in-1', action: 'a.in' });
        await client.query('COMMIT');
        client.release();
        return audit.awaitReceipt(id);
      },
    );
  const first = await inRequest('r-1');
  const expected = { actor: 'user/u_1', context: { requestId: 'r-1' }, source: { service: 'billing' } };
  await expectRecorded(audit, { action: 'a.own', ...expected }, { times: 1 });
  await expectRecorded(audit, { action: 'a.in', ...expected }, { times: 1 });
  const again = await inRequest('r-2');
  assert.equal(again.index, first.index, 'another request that repeats it finds it recorded');
  await audit.drainOutbox();
  const { waiting, refused } = await audit.outboxState();
  assert.deepEqual([waiting, refused], [0, 0], 'and it is not set aside');
});

test('runAs is the same context, and keeps what is around it', () => {
  const ada = { type: 'user', id: 'u_1' };
  runInContext({ context: { ip: '192.0.2.7' } }, () => {
    assert.equal(currentActor(), undefined);
    runAs({ actor: ada }, () =>
      assert.deepEqual(currentActor(), { actor: ada, context: { ip: '192.0.2.7' } }),
    );
    runAs({ actor: ada, context: { ip: '203.0.113.1' } }, () =>
      assert.deepEqual(currentActor(), { actor: ada, context: { ip: '203.0.113.1' } }),
    );
    asActor(ada, () => assert.deepEqual(currentActor()?.actor, ada));
  });
});
