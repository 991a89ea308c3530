// Every instance of a log in PostgreSQL publishes for itself, to one place, at once: the same files, each written once, no step back.

import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import {
  createPostgresLog,
  databaseOf,
  migrate,
  openPostgresLog,
  type PostgresLog,
} from 'indelible/postgres';
import { publishLog, publishTiles, verifyPublished } from 'indelible/publish';
import { filesOf, urlOf } from '../publish/world.ts';
import { signIn, temporaryFolder } from '../support/folders.ts';
import { poolOf, testServer, whyNoPostgres } from '../support/postgres.ts';
import { S3Double } from '../support/s3-double.ts';

const origin = 'example.com/published';

/** Two instances of a log with so many entries of a person each, as on two machines: with a folder of its own, and the same key. */
async function instances(t: TestContext, entries: number): Promise<[PostgresLog, PostgresLog]> {
  const url = await (await testServer()).database();
  const pool = poolOf(url, 20);
  const opened: PostgresLog[] = [];
  t.after(async () => {
    await Promise.all(opened.map((log) => log.close()));
    await pool.end();
  });
  await migrate(databaseOf(pool));
  const [one, other] = [temporaryFolder(t), temporaryFolder(t)].map((folder) => join(folder, 'instance'));
  const first = await createPostgresLog(pool, { origin, dir: one! });
  opened.push(first);
  mkdirSync(other!);
  for (const name of ['log.key', 'log.vkey']) copyFileSync(join(one!, name), join(other!, name));
  const second = await openPostgresLog(pool, { origin, dir: other! });
  opened.push(second);
  await recordInto(first, entries);
  return [first, second];
}

async function recordInto({ log }: PostgresLog, events: number): Promise<void> {
  const made = Array.from({ length: events }, (_, at) => signIn(undefined, `u_${at % 5}`));
  for (const result of await log.recordMany(made)) if (!result.ok) throw result.error;
}

describe('two instances of a log in PostgreSQL', { skip: whyNoPostgres() ?? false }, () => {
  test('publish to one bucket at once, while both record: each file once, checkpoints that only grow', async (t) => {
    const double = await S3Double.start(t);
    const [one, other] = await instances(t, 600);
    const [place, s3] = ['s3://archive/audit', { client: double.client(t), retention: { days: 10 } }];
    const follow = { to: place, s3, disclosures: false, everyMs: 0 };
    for (const { log } of [one, other]) log.followers.add(publishTiles(log, follow));
    for (let step = 0; step < 8; step += 1) {
      await Promise.all([recordInto(one, 150), recordInto(other, 150)]);
    }
    const { size } = await one.log.checkpoint();
    const sizes = () =>
      (double.objects.get('audit/checkpoint') ?? []).map(({ bytes }) =>
        Number(bytes!.toString().split('\n')[1]),
      );
    for (const end = performance.now() + 60_000; (sizes().at(-1) ?? 0) < size; ) {
      assert.ok(performance.now() < end, `published up to ${sizes().at(-1)} of ${size}`);
      await new Promise((done) => setTimeout(done, 20));
    }
    const found = sizes();
    assert.ok(found.length > 1);
    assert.deepEqual(
      found,
      [...new Set(found)].sort((before, after) => before - after),
    );
    const refused = double.answers.filter(({ status }) => status === 412);
    assert.ok(refused.length > 0, 'nobody came second: nothing was shown');
    for (const [key, versions] of double.objects) {
      if (key.includes('/probe/') || key.endsWith('/checkpoint')) continue;
      assert.equal(versions.length, 1, key);
    }
    const report = await verifyPublished(place, { vkey: one.vkey, s3, threads: 0 });
    assert.deepEqual([report.ok, report.size >= size], [true, true], JSON.stringify(report.findings));
  });

  test('publish to one folder at once: the files that one of them makes, the sealed values by keys they share', async (t) => {
    const [one, other] = await instances(t, 900);
    const folder = temporaryFolder(t);
    const subjectKeys = join(folder, 'subject-keys.db');
    const [both, alone] = [join(folder, 'both'), join(folder, 'alone')];
    const { size } = await one.log.checkpoint();
    const results = await Promise.allSettled(
      [one, other].map(({ log }) => publishLog(log, { to: urlOf(both), subjectKeys })),
    );
    // Who comes second to the checkpoint may be told so; nothing is lost, and the next time it finds all there.
    for (const result of results)
      if (result.status === 'rejected') assert.equal(result.reason.code, 'archive_conflict', result.reason);
    assert.ok(results.some(({ status }) => status === 'fulfilled'));
    const again = await publishLog(other.log, { to: urlOf(both), subjectKeys });
    assert.deepEqual([again.size >= size, again.added], [true, again.size - size]);
    await publishLog(one.log, { to: urlOf(alone), subjectKeys });
    for (const [name, hash] of filesOf(alone)) {
      if (name !== 'checkpoint') assert.equal(filesOf(both).get(name), hash, name);
    }
    const report = await verifyPublished(urlOf(both), { vkey: one.vkey, subjectKeys, threads: 0 });
    assert.deepEqual(report.findings, []);
    assert.ok(report.counts.present > 900);
  });

  test('sealed values under keys that they do not share: neither file of keys opens all of them', async (t) => {
    const [one, other] = await instances(t, 300);
    const to = urlOf(join(temporaryFolder(t), 'pub'));
    await publishLog(one.log, { to });
    await recordInto(other, 300);
    await publishLog(other.log, { to });
    for (const { log, vkey } of [one, other]) {
      const subjectKeys = join(log.dir, 'subject-keys.db');
      const { findings } = await verifyPublished(to, { vkey, subjectKeys, threads: 0 });
      assert.deepEqual(new Set(findings.map(({ code }) => code)), new Set(['disclosure_missing']));
    }
  });
});
