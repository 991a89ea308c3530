// A log in PostgreSQL does what a log in a folder does, and several instances write one without a leader.

import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { isLogError } from 'indelible';
import { utf8Encode } from 'indelible/bytes';
import { openWithPolicy, parsePolicy, signerKeyFromSeed } from 'indelible/note';
import {
  createPostgresLog,
  databaseOf,
  migrate,
  openPostgresLog,
  type PostgresLog,
} from 'indelible/postgres';
import { verifyProof } from 'indelible/verify';
import type pg from 'pg';
import postgres from 'postgres';
import { temporaryFolder } from '../support/folders.ts';
import { poolOf, testServer, whyNoPostgres } from '../support/postgres.ts';
import { makeWitness, policyText, serveWitness } from '../support/witness-process.ts';

const skip = whyNoPostgres() ?? false;
const actor = { type: 'user', id: 'u_42', name: 'Ada Example' };
const event = (n: number, more: object = {}) => ({
  action: 'document.opened',
  actor,
  targets: [{ type: 'document', id: `d_${n}` }],
  ...more,
});

describe('a log in PostgreSQL', { skip }, () => {
  let url: string;
  let pool: pg.Pool;
  let count = 0;

  before(async () => {
    url = await (await testServer()).database();
    pool = poolOf(url, 20);
    await migrate(databaseOf(pool));
  });
  after(() => pool.end());

  const origin = () => `example.com/log-${++count}`;

  test('is witnessed as a log in a folder is: by the instance that has the policy', async (t) => {
    const dir = temporaryFolder(t);
    const name = origin();
    const { vkey } = await createPostgresLog(pool, { origin: name, dir }).then(async (log) => {
      await log.close();
      return log;
    });
    const folder = `${temporaryFolder(t)}/witness`;
    makeWitness(folder, 'w.example');
    const text = policyText(vkey, [await serveWitness(t, folder, vkey)], 1);
    const policy = parsePolicy(text);
    await using audit = await openPostgresLog(pool, {
      origin: name,
      dir,
      witnesses: text,
      publish: { everyMs: 20 },
    });
    const receipt = await audit.record(event(1));
    const { checkpoint } = await audit.log.witnessed(receipt, { timeoutMs: 15_000 });
    openWithPolicy(utf8Encode(checkpoint), policy);
    const { proof, entry } = await audit.log.prove(receipt);
    assert.equal(verifyProof({ proof: utf8Encode(proof), entry, policy }).verified.length, 2);
    const report = await audit.verify({ policy });
    assert.deepEqual(report.findings, []);
    assert.equal(report.witnessed?.witnesses[0]?.witness, 'w.example');
  });

  test('records, answers repeats, reads, searches, proves, verifies', async (t) => {
    const dir = temporaryFolder(t);
    await using audit = await createPostgresLog(pool, { origin: origin(), dir });
    const receipts = await Promise.all(
      Array.from({ length: 300 }, (_, n) => audit.record(event(n, { id: `e-${n}` }))),
    );
    assert.deepEqual(new Set(receipts.map(({ index }) => index)).size, 300);
    const repeat = await audit.record(event(7, { id: 'e-7' }));
    assert.deepEqual([repeat.index, repeat.leafHash], [receipts[7]!.index, receipts[7]!.leafHash]);
    await assert.rejects(audit.record(event(8, { id: 'e-7' })), (error) => isLogError(error, 'id_conflict'));
    assert.deepEqual((await audit.log.get('e-3'))?.actor, actor);
    const found = [];
    for await (const { id } of audit.log.query('target:document/d_12*')) found.push(id);
    assert.deepEqual(found.sort(), ['e-12', ...Array.from({ length: 10 }, (_, n) => `e-12${n}`)].sort());
    const page = await audit.log.query('"Ada Example"', { limit: 5 }).page();
    assert.equal(page.events.length, 5);
    const { proof, entry } = await audit.log.prove(receipts[299]!);
    assert.equal(
      verifyProof({ proof: utf8Encode(proof), entry, policy: { vkey: audit.vkey } }).index,
      receipts[299]!.index,
    );
    const report = await audit.verify({ vkey: audit.vkey, held: receipts.slice(0, 3) });
    assert.deepEqual(report.findings, []);
    assert.deepEqual([report.ok, report.size], [true, 301]);
    assert.equal((await audit.log.checkpoint()).size, 301);
  });

  test('instances without a leader write one sequence, by both drivers', async (t) => {
    const name = origin();
    const dir = temporaryFolder(t);
    await (await createPostgresLog(pool, { origin: name, dir })).close();
    const sql = postgres(url, { max: 4, onnotice: () => {} });
    const open = (client: pg.Pool | postgres.Sql, mark: string) =>
      openPostgresLog(client, {
        origin: name,
        key: `${dir}/log.key`,
        mark: `${dir}/${mark}.mark`,
        heartbeatMs: 0,
        warn: () => {},
      });
    const instances: PostgresLog[] = [];
    for (let n = 0; n < 6; n++) instances.push(await open(n % 2 === 0 ? pool : sql, `m${n}`));
    const receipts = await Promise.all(
      instances.flatMap((instance, who) =>
        Array.from({ length: 40 }, (_, n) => instance.record(event(n, { id: `i${who}-${n}` }))),
      ),
    );
    assert.equal(new Set(receipts.map(({ index }) => index)).size, 240);
    const report = await instances[0]!.verify({ vkey: instances[0]!.vkey, held: receipts });
    assert.deepEqual(report.findings, []);
    for (const instance of instances) await instance.close();
    await sql.end();
  });

  test('an event acknowledged before another is sent has the smaller index, whoever takes them', async (t) => {
    const name = origin();
    const dir = temporaryFolder(t);
    await using one = await createPostgresLog(pool, { origin: name, dir });
    await using other = await openPostgresLog(pool, {
      origin: name,
      key: `${dir}/log.key`,
      mark: `${dir}/2.mark`,
      warn: () => {},
    });
    let last = -1;
    for (let n = 0; n < 40; n++) {
      const { index } = await (n % 2 === 0 ? one : other).record(event(n));
      assert.ok(index > last);
      last = index;
    }
  });

  test('what is not there, is there already, or is asked for wrongly, is said', async (t) => {
    const name = origin();
    const dir = temporaryFolder(t);
    await assert.rejects(openPostgresLog(pool, { origin: name }), (error) =>
      isLogError(error, 'log_missing'),
    );
    await assert.rejects(createPostgresLog(pool, { origin: name }), { code: 'option_invalid' });
    await assert.rejects(openPostgresLog(pool, { origin: name, colour: 1 } as never), {
      code: 'option_unknown',
    });
    await assert.rejects(openPostgresLog({} as never, { origin: name }), { code: 'argument_invalid' });
    await using made = await openPostgresLog(pool, {
      origin: name,
      dir,
      createIfMissing: {},
      warn: () => {},
    });
    await assert.rejects(createPostgresLog(pool, { origin: name, dir }), (error) =>
      isLogError(error, 'log_exists'),
    );
    await assert.rejects(made.log.backup(dir), { code: 'argument_invalid' });
    await using reading = await openPostgresLog(pool, { origin: name });
    await assert.rejects(reading.record(event(1)), (error) => isLogError(error, 'read_only'));
    const empty = await (await testServer()).database();
    const other = poolOf(empty);
    await assert.rejects(openPostgresLog(other, { origin: name }), (error) =>
      isLogError(error, 'schema_missing'),
    );
    await other.end();
  });

  test('of two who begin one log at the same moment one does, with one key as with two', async (t) => {
    const folder = temporaryFolder(t);
    const seed = await createPostgresLog(pool, { origin: origin(), dir: `${folder}/seed` });
    await seed.close();
    for (let round = 0; round < 10; round++) {
      const name = origin();
      const shared = signerKeyFromSeed(name, new Uint8Array(32).fill(round + 1));
      const begin = (n: number) => {
        const key = round % 2 === 0 ? { key: () => shared } : {};
        return createPostgresLog(pool, {
          origin: name,
          dir: `${folder}/${round}-${n}`,
          ...key,
          heartbeatMs: 0,
        });
      };
      const begun = await Promise.allSettled([begin(0), begin(1), begin(2)]);
      const made = begun.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      assert.equal(made.length, 1);
      for (const one of begun)
        if (one.status === 'rejected') assert.ok(isLogError(one.reason, 'log_exists'), String(one.reason));
      assert.equal((await made[0]!.log.checkpoint()).size, 1, 'one first entry');
      await made[0]!.close();
      const kept = readdirSync(folder).filter(
        (n) => n.startsWith(`${round}-`) && existsSync(`${folder}/${n}/root.key`),
      );
      assert.equal(kept.length, 1, 'keys of a log that never was are taken away');
    }
  });

  test('a schema of a later release is refused', async () => {
    const later = poolOf(await (await testServer()).database());
    await migrate(databaseOf(later));
    await later.query('UPDATE indelible.schema_version SET version = 99');
    await assert.rejects(migrate(databaseOf(later)), (error) => isLogError(error, 'schema_newer'));
    await assert.rejects(openPostgresLog(later, { origin: 'a.example/b' }), (error) =>
      isLogError(error, 'schema_newer'),
    );
    await later.end();
  });

  test('migrations at once make one schema', async () => {
    const shared = poolOf(await (await testServer()).database());
    const versions = await Promise.all(Array.from({ length: 4 }, () => migrate(databaseOf(shared))));
    assert.ok(versions.every(({ to }) => to === 3));
    await shared.end();
  });

  test('a question about one log looks at nothing of another', async (t) => {
    const quiet = origin();
    await using busy = await createPostgresLog(pool, { origin: origin(), dir: temporaryFolder(t) });
    await using audit = await createPostgresLog(pool, { origin: quiet, dir: temporaryFolder(t) });
    await busy.log.recordMany(Array.from({ length: 3000 }, (_, n) => event(n)));
    await audit.log.recordMany(Array.from({ length: 20 }, (_, n) => event(n)));
    await pool.query('ANALYZE indelible.entries, indelible.disclosures, indelible.ids');
    const { rows } = await pool.query(
      `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT e.idx, e.entry, d.texts FROM indelible.entries e
       LEFT JOIN indelible.disclosures d ON d.log = e.log AND d.idx = e.idx AND d.month = e.month
       WHERE e.log = (SELECT log FROM indelible.logs WHERE origin = $1) AND e.idx >= 0 AND e.idx < 100 ORDER BY e.idx`,
      [quiet],
    );
    const plan = JSON.stringify(rows[0]['QUERY PLAN'][0].Plan);
    assert.doesNotMatch(
      plan,
      /"Seq Scan","[^}]*"Relation Name":"(?:entries|disclosures)_\d+"[^}]*"Actual Rows":[1-9]/,
    );
    const { 'Shared Hit Blocks': hit, 'Shared Read Blocks': read } = rows[0]['QUERY PLAN'][0].Plan;
    assert.ok(hit + read < 200, `${hit + read} pages for 21 entries`);
  });
});
