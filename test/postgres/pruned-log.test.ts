// A whole log in PostgreSQL, pruned: every question about it is answered as of a log in a folder, by every instance.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { parseEntry } from 'indelible/event';
import { auditDatabase, databaseOf, doctor, migrate, openPostgresLog } from 'indelible/postgres';
import type pg from 'pg';
import { recordInThePast } from '../log/past-log.ts';
import { temporaryFolder } from '../support/folders.ts';
import { poolOf, testServer, whyNoPostgres } from '../support/postgres.ts';

const skip = whyNoPostgres() ?? false;
const origin = 'example.com/past';
const event = { action: 'user.signed_in', actor: { type: 'user', id: 'u_1' } };

describe('a pruned log in PostgreSQL', { skip }, () => {
  let pool: pg.Pool;
  let url: string;

  before(async () => {
    url = await (await testServer()).database();
    pool = poolOf(url, 10);
    await migrate(databaseOf(pool));
  });
  after(() => pool.end());

  test('verifies, answers and goes on, in every instance', async (t) => {
    const dir = temporaryFolder(t);
    const actions = Array.from({ length: 700 }, () => 'record.written');
    recordInThePast({ dir, daysAgo: 100, actions, postgres: url });
    await using audit = await openPostgresLog(pool, { origin, dir, heartbeatMs: 0 });
    const { log } = audit;
    const [old] = await log.reader.entries(7, 8);
    const { id } = parseEntry(old!.entry);
    const kept = await log.checkpoint();
    await log.record(event);
    const rules = [{ match: '*', keep: '90d' }];
    await log.retention.set(rules, { approvedBy: ['p_1', 'p_2'], delayMs: 0, entries: 'delete' });
    const result = await log.retention.prune();
    assert.deepEqual([result.minimum, result.isClean, result.residue], [512, true, undefined]);
    const { rows } = await pool.query(
      'SELECT count(*)::int AS entries, (SELECT count(*)::int FROM indelible.ids) AS ids FROM indelible.entries',
    );
    assert.equal(rows[0].ids - rows[0].entries, result.entries);
    const report = await audit.verify({ vkey: audit.vkey, held: [kept.note] });
    assert.deepEqual([report.findings, report.counts.pruned], [[], result.entries]);
    const apart = await auditDatabase(databaseOf(pool), { origin }, { vkey: audit.vkey });
    assert.deepEqual(apart.findings, []);
    await assert.rejects(log.get(id), { code: 'entry_pruned' });
    await assert.rejects(audit.record({ ...event, id }), { code: 'entry_pruned' });
    assert.equal((await log.query('action:user.signed_in').page()).events.length, 1);
    assert.deepEqual(await doctor(databaseOf(pool)), []);

    await using other = await openPostgresLog(pool, {
      origin,
      dir: temporaryFolder(t),
      heartbeatMs: 0,
      key: `${dir}/log.key`,
    });
    await other.record({ ...event, id: 'other' });
    await audit.record({ ...event, id: 'this' });
    assert.deepEqual((await other.verify()).findings, []);
    assert.deepEqual(await other.log.retention.prune().then(({ records }) => records), []);

    // Whoever takes more than the record says is found out.
    await pool.query(`BEGIN; ALTER TABLE indelible.entries DISABLE TRIGGER no_delete;
      DELETE FROM indelible.entries WHERE idx IN (0, 513); ALTER TABLE indelible.entries ENABLE ALWAYS TRIGGER no_delete; COMMIT`);
    const { findings } = await audit.verify({ vkey: audit.vkey });
    const found = findings.map(({ code, from }) => `${code} ${from}`);
    for (const one of ['genesis_invalid 0', 'index_gap 513'])
      assert.ok(found.includes(one), found.join('; '));
    assert.ok(!found.some((one) => one === 'index_gap 7'), 'what was pruned is no gap');
  });

  test('an instance that was left behind by a pruning goes on', async (t) => {
    const own = poolOf(await (await testServer()).database(), 10);
    t.after(() => own.end());
    await migrate(databaseOf(own));
    const there = { dir: temporaryFolder(t), daysAgo: 100, postgres: own.options.connectionString! };
    recordInThePast({ ...there, actions: ['record.written'] });
    const options = { origin, dir: there.dir, heartbeatMs: 0, sequence: false };
    await using behind = await openPostgresLog(own, options);
    recordInThePast({ ...there, actions: Array.from({ length: 700 }, () => 'record.written') });
    await using audit = await openPostgresLog(own, options);
    const rules = [{ match: '*', keep: '90d' }];
    await audit.log.retention.set(rules, { approvedBy: ['p_1', 'p_2'], delayMs: 0, entries: 'delete' });
    assert.equal((await audit.log.retention.prune()).minimum, 512);
    const receipt = await behind.record(event);
    assert.ok(receipt.index > 700);
    assert.deepEqual((await behind.verify()).findings, []);
  });
});
