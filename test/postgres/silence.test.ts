// What is not there: an application that dies or falls silent, a trigger that is switched off, a table that nobody captures. Each is told, by
// whatever can know it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RecordedEvent, watchSources } from 'indelible';
import {
  captureTable,
  coverage,
  createPostgresLog,
  databaseOf,
  migrate,
  type PostgresLog,
} from 'indelible/postgres';
import { temporaryFolder } from '../support/folders.ts';
import { poolOf, startServer, testServer, whyNoPostgres } from '../support/postgres.ts';

const skip = whyNoPostgres() ?? false;
const isForeign = process.env.INDELIBLE_TEST_PG !== undefined;
const origin = 'example.com/silence';

async function found(audit: PostgresLog, query: string): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for await (const event of audit.log.query(query)) events.push(event);
  return events;
}

describe('attack-38: what stops to be recorded', { skip }, () => {
  test('a process that is killed is missed within a minute, and by an entry; its numbers tell how far it came', async (t) => {
    const url = await (await testServer()).database();
    const pool = poolOf(url, 8);
    t.after(() => pool.end());
    await migrate(databaseOf(pool));
    const dir = temporaryFolder(t);
    const audit = await createPostgresLog(pool, { origin, dir, heartbeatMs: 0 });
    t.after(() => audit.close());
    const clock = { aheadMs: 0 };
    const watch = watchSources(audit.log, { checkMs: 3_600_000, now: () => Date.now() + clock.aheadMs });
    const child = spawn(
      process.execPath,
      [
        path.join(import.meta.dirname, 'pg-writer.ts'),
        url,
        origin,
        path.join(dir, 'log.key'),
        'shop',
        '5',
        'stay',
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    t.after(() => child.kill('SIGKILL'));
    const end = performance.now() + 30_000;
    while ((await found(audit, 'action:source.heartbeat')).length < 2) {
      assert.ok(performance.now() < end, 'no heartbeat came');
      await sleep(100);
    }
    const [beat] = await found(audit, 'action:source.heartbeat');
    assert.deepEqual(beat?.metadata, { seq: 4, unrecorded: [], everyMs: 1000 });
    const follows = async (): Promise<void> => {
      const { size } = await audit.log.checkpoint();
      while (!audit.log.followers.list().every((one) => one.size >= size)) await sleep(20);
      await watch.check();
    };
    await follows();
    assert.deepEqual(watch.gaps(), []);
    child.kill('SIGKILL');
    await once(child, 'exit');
    clock.aheadMs = 60_000;
    await follows();
    const gap = watch.gaps().find(({ kind }) => kind === 'heartbeat');
    assert.equal(gap?.instance, beat?.source.instance);
    const [entry] = await found(audit, 'action:log.source_gap');
    assert.deepEqual(
      [entry?.severity, (entry?.metadata as { instance?: string } | undefined)?.instance],
      ['high', gap?.instance],
    );
    assert.deepEqual((await audit.verify({ vkey: audit.vkey })).findings, []);
  });

  test('an application that stops to call record is seen by its rows; a trigger that is switched off, in its own transaction', {
    skip: isForeign && 'it needs a server with track_commit_timestamp',
  }, async (t) => {
    const server = await startServer(['track_commit_timestamp=on']);
    t.after(() => server.stop());
    const pool = poolOf(await server.database(), 6);
    t.after(() => pool.end());
    const database = databaseOf(pool);
    await migrate(database);
    const audit = await createPostgresLog(pool, { origin, dir: temporaryFolder(t), heartbeatMs: 0 });
    t.after(() => audit.close());
    await pool.query('CREATE TABLE paid (id int PRIMARY KEY); CREATE TABLE unseen (id int PRIMARY KEY)');
    const since = new Date(0);
    await captureTable(database, { origin, table: 'public.paid' });
    const table = async (name: string) =>
      (await coverage(database, { since })).find((one) => one.table === `public.${name}`);

    // It writes its rows and says nothing of them.
    await pool.query('INSERT INTO paid VALUES (1); INSERT INTO unseen VALUES (1)');
    const until = async (query: string): Promise<RecordedEvent> => {
      for (const end = performance.now() + 5_000; ; ) {
        const [event] = await found(audit, query);
        if (event !== undefined) return event;
        assert.ok(performance.now() < end, `nothing came: ${query}`);
        await sleep(20);
      }
    };
    const created = await until('action:record.created');
    assert.deepEqual(
      [created.actor.type, created.targets[0]],
      ['database_role', { type: 'public.paid', id: '1' }],
    );
    assert.deepEqual([(await table('paid'))?.unmatched, (await table('unseen'))?.captured], [0, false]);

    await pool.query('ALTER TABLE paid DISABLE TRIGGER indelible_insert');
    const told = await until('action:capture.disabled');
    assert.equal(told.severity, 'critical');
    await pool.query('INSERT INTO paid VALUES (2)');
    const wanting = await table('paid');
    assert.deepEqual([wanting?.broken, wanting?.unmatched], [['public.paid.indelible_insert'], 1]);
  });
});
