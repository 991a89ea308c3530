// The commands of PostgreSQL, run as a user would.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { openPostgresLog } from 'indelible/postgres';
import type pg from 'pg';
import { temporaryFolder } from '../support/folders.ts';
import { poolOf, startServer, testServer, whyNoPostgres } from '../support/postgres.ts';
import { indelible } from './cli-process.ts';

const skip = whyNoPostgres() ?? false;

describe('indelible pg', { skip }, () => {
  let url: string;
  let pool: pg.Pool;
  const removals: (() => void)[] = [];
  let cwd: string;

  before(async () => {
    url = await (await testServer()).database();
    pool = poolOf(url, 3);
    cwd = temporaryFolder({ after: (remove) => removals.push(remove as () => void) });
  });
  after(async () => {
    await pool.end();
    for (const remove of removals) remove();
  });

  const run = (...words: string[]) => indelible(['pg', ...words], { cwd });

  test('before migrate, each command says what is to be done', () => {
    for (const words of [
      ['doctor', url],
      ['verify', url],
      ['coverage', url],
      ['capture', url, '--table', 'public.x'],
    ]) {
      const { status, stderr } = run(...words);
      assert.equal(status, 3, stderr);
      assert.match(stderr, /schema_missing[\s\S]*indelible pg migrate/);
    }
  });

  test('migrate, init, doctor and verify; a second time changes nothing', () => {
    assert.deepEqual(run('migrate', url).stdout, 'The schema indelible is made, version 3.\n');
    assert.deepEqual(run('migrate', url).stdout, 'The schema indelible is of version 3 already.\n');
    assert.equal(run('verify', url).status, 3, 'there is no log yet');
    const made = run('init', url, '--origin', 'example.com/cli', '--dir', 'audit');
    assert.equal(made.status, 0, made.stderr);
    assert.match(made.stdout, /^log key {2}example\.com\/cli\+/);
    assert.equal(run('init', url, '--origin', 'example.com/cli', '--dir', 'audit').status, 3);
    assert.deepEqual(
      [run('doctor', url).status, run('doctor', url).stdout],
      [0, 'Everything is as it was made.\n'],
    );
    const verified = run('verify', url, '--vkey', made.stdout.trim().replace('log key  ', ''));
    assert.equal(verified.status, 0, verified.stderr);
    assert.match(verified.stdout, /No change was found/);
  });

  test('erase counts, erases, and says where nothing reaches', async () => {
    const audit = await openPostgresLog(pool, {
      origin: 'example.com/cli',
      dir: `${cwd}/audit`,
      heartbeatMs: 0,
    });
    await audit.record({
      action: 'user.signed_in',
      actor: { type: 'user', id: 'u_42', name: 'Jane Sesame' },
    });
    await audit.close();
    const words = ['--dir', 'audit', '--subject', 'user/u_42', '--basis', 'gdpr-17', '--request', 'R-17'];
    const approved = ['--approved-by', 'p_1,p_2'];
    assert.equal(run('erase', url, ...words).status, 2, 'nobody has approved it');
    const trial = run('erase', url, ...words, ...approved, '--dry-run');
    assert.deepEqual([trial.status, trial.stderr], [0, '']);
    assert.match(
      trial.stdout,
      /^user\/u_42: 1 values in 1 entries would be erased\. Nothing was changed\.$/m,
    );
    const done = run('erase', url, ...words, ...approved, '--json');
    assert.equal(done.status, 0, done.stderr);
    assert.deepEqual([JSON.parse(done.stdout).values, JSON.parse(done.stdout).isClean], [1, true]);
    const { rows } = await pool.query(
      "SELECT FROM indelible.disclosures WHERE encode(texts, 'escape') LIKE '%Jane%'",
    );
    assert.equal(rows.length, 0);
    assert.match(run('verify', url).stdout, /1 erased with a record of it, 0 missing/);
  });

  test('key rotate and revoke: what was signed before holds, a running instance goes on, and the thief’s key is worth nothing', async (t) => {
    const own = await (await testServer()).database();
    const db = poolOf(own, 4);
    t.after(() => db.end());
    assert.equal(run('migrate', own).status, 0);
    const origin = 'example.com/rotated';
    assert.equal(run('init', own, '--origin', origin, '--dir', 'rotated').status, 0);
    const at = (name: string): string => readFileSync(`${cwd}/rotated/${name}`, 'utf8').trim();
    const event = { action: 'job.run', actor: { type: 'service', id: 'test' } };
    const open = (options: object) =>
      openPostgresLog(db, { origin, heartbeatMs: 0, sequence: false, ...options });
    await using audit = await open({ dir: `${cwd}/rotated` });
    const receipt = await audit.record(event);
    const [first, stolen, root] = [at('log.vkey'), at('log.key'), at('root.vkey')];
    const where = ['--origin', origin, '--dir', 'rotated'];
    const rootKey = ['--root-key', 'rotated/root.key'];
    assert.equal(run('key', 'rotate', own, ...where).status, 2, 'without the root key nothing is changed');
    const rotated = run('key', 'rotate', own, ...where, ...rootKey, '--json');
    assert.equal(rotated.status, 0, rotated.stderr);
    const second = at('log.vkey');
    assert.notEqual(second, first);
    assert.equal(JSON.parse(rotated.stdout).vkey, second);
    await audit.record(event);
    // With the root key elsewhere: a request, what was signed there, and the change, in three steps.
    assert.equal(run('key', 'rotate', own, ...where, '--request', 'request.json').status, 0);
    const signed = indelible(['key', 'root', 'sign', 'request.json', ...rootKey, '--out', 'signed.json'], {
      cwd,
    });
    assert.equal(signed.status, 0, signed.stderr);
    const applied = run('key', 'rotate', own, ...where, '--authorisation', 'signed.json');
    assert.equal(applied.status, 0, applied.stderr);
    assert.notEqual(at('log.vkey'), second);
    assert.notEqual(
      run('key', 'rotate', own, ...where, '--authorisation', 'signed.json').status,
      0,
      'it is used once',
    );
    await audit.record(event);
    const revoked = run(
      'key',
      'revoke',
      own,
      ...where,
      ...rootKey,
      '--since',
      '2020-01-01T00:00:00Z',
      '--vkey',
      second,
    );
    assert.equal(revoked.status, 0, revoked.stderr);
    assert.equal(run('key', 'revoke', own, ...where, ...rootKey).status, 2, 'it has to say since when');
    await assert.rejects(open({ key: () => stolen }), { code: 'key_mismatch' });
    assert.equal((await audit.verify({ vkey: root, held: [receipt] })).held!.agree, 1);
    assert.match(run('verify', own, '--origin', origin, '--vkey', at('log.vkey')).stdout, /key /);
    assert.deepEqual(
      (await audit.log.keys()).keys.map(({ vkey }) => vkey),
      [first, second, at('log.vkey')],
    );
  });

  test('what was taken apart ends with status 1, and is named', async () => {
    await pool.query('ALTER TABLE indelible.entries DISABLE TRIGGER no_update');
    const doctor = run('doctor', url);
    assert.equal(doctor.status, 1);
    assert.match(doctor.stdout, /append_only {2}the trigger entries\.no_update is disabled/);
    assert.equal(run('verify', url).status, 1);
    assert.ok(JSON.parse(run('doctor', url, '--json').stdout).length > 0);
    assert.equal(run('migrate', url).status, 0);
    assert.equal(run('doctor', url).status, 0);
  });

  test('misuse ends with status 2', () => {
    for (const words of [
      ['doctor'],
      ['doctor', 'http://example.com'],
      ['capture', url],
      ['coverage', url, '--since', 'yesterday'],
      ['key', 'rotate', url],
      ['key', 'revoke', url, '--dir', 'audit', '--root-key', 'x'],
      ['capture', url, '--table', 'public.a', '--table', 'public.b', '--exclude', 'x'],
      ['capture', url, '--table', 'public.nothing', '--exclude', 'x', '--wrong'],
    ]) {
      assert.equal(run(...words).status, 2, words.join(' '));
    }
    assert.equal(run('capture', url, '--table', 'public.nothing').status, 3);
  });

  test('a server that keeps no commit times compares nothing: for whoever asks strictly that is not enough', async () => {
    const own = await (await testServer()).database();
    assert.equal(run('migrate', own).status, 0);
    assert.equal(run('init', own, '--origin', 'example.com/timeless', '--dir', 'timeless').status, 0);
    assert.equal(
      run('coverage', own, '--strict').status,
      0,
      'nothing is captured, so nothing is to be compared',
    );
    const db = poolOf(own, 1);
    await db.query('CREATE TABLE users (id int PRIMARY KEY)');
    await db.end();
    assert.equal(run('capture', own, '--table', 'public.users').status, 0);
    assert.deepEqual([run('coverage', own).status, run('coverage', own, '--strict').status], [0, 1]);
  });

  test('a server that is not there ends with status 3, and no message repeats a password', () => {
    const { status, stdout, stderr } = run('doctor', 'postgres://someone:sesame-word@127.0.0.1:1/app');
    assert.equal(status, 3);
    assert.doesNotMatch(stdout + stderr, /sesame/);
  });

  test('coverage finds rows that were written without an event', {
    skip: process.env.INDELIBLE_TEST_PG !== undefined,
  }, async (t) => {
    const server = await startServer(['track_commit_timestamp=on']);
    t.after(() => server.stop());
    const own = await server.database();
    const db = poolOf(own, 2);
    await db.query('CREATE TABLE users (id int PRIMARY KEY, name text); CREATE TABLE other (id int)');
    run('migrate', own);
    run('init', own, '--origin', 'example.com/covered', '--dir', 'covered');
    assert.equal(run('capture', own, '--table', 'public.users').status, 0);
    await db.query("INSERT INTO users SELECT n, 'x' FROM generate_series(1, 20) n");
    await db.query("BEGIN; SAVEPOINT a; UPDATE users SET name = 'y' WHERE id = 3; RELEASE a; COMMIT");
    const waiting = run('coverage', own);
    assert.deepEqual(
      [waiting.status, /20 rows written, each with its event/.test(waiting.stdout)],
      [0, true],
      waiting.stdout,
    );
    const audit = await openPostgresLog(db, {
      origin: 'example.com/covered',
      dir: `${cwd}/covered`,
      heartbeatMs: 0,
      warn: () => {},
    });
    await audit.drainOutbox();
    await audit.close();
    const logged = run('coverage', own);
    assert.deepEqual(
      [logged.status, /20 rows written, each with its event/.test(logged.stdout)],
      [0, true],
      logged.stdout,
    );
    assert.match(logged.stdout, /^not {7}public\.other$/m);
    // Whoever may do so disables everything, writes, and puts it back.
    await db.query(`ALTER EVENT TRIGGER indelible_ddl DISABLE; ALTER TABLE users DISABLE TRIGGER ALL;
      INSERT INTO users VALUES (99, 'unseen'); ALTER TABLE users ENABLE ALWAYS TRIGGER indelible_insert;
      ALTER TABLE users ENABLE ALWAYS TRIGGER indelible_update; ALTER TABLE users ENABLE ALWAYS TRIGGER indelible_delete;
      ALTER TABLE users ENABLE ALWAYS TRIGGER indelible_truncate; ALTER EVENT TRIGGER indelible_ddl ENABLE ALWAYS`);
    const found = run('coverage', own);
    assert.equal(found.status, 1);
    assert.match(found.stdout, /1 of 21 rows written have NO EVENT/);
    // Beside a change that is captured, in the same transaction, another row that is not; and a table of an odd name.
    await db.query(`DELETE FROM users WHERE id = 99; CREATE TABLE "Odd ""Name" (id int PRIMARY KEY)`);
    assert.equal(run('capture', own, '--table', 'public.Odd "Name').status, 0);
    await db.query(`BEGIN; UPDATE users SET name = 'z' WHERE id = 1; ALTER EVENT TRIGGER indelible_ddl DISABLE;
      ALTER TABLE users DISABLE TRIGGER indelible_insert; INSERT INTO users VALUES (100, 'beside');
      ALTER TABLE users ENABLE ALWAYS TRIGGER indelible_insert;
      INSERT INTO "Odd ""Name" VALUES (1); ALTER TABLE "Odd ""Name" DISABLE TRIGGER indelible_update;
      ALTER EVENT TRIGGER indelible_ddl ENABLE ALWAYS; COMMIT`);
    const beside = run('coverage', own);
    assert.equal(beside.status, 1);
    assert.match(beside.stdout, /public\.users: 1 of 21 rows written have no event of their own/);
    // Where nothing else is wanting, such a row alone ends with 1 for whoever asks strictly.
    assert.equal(run('migrate', own).status, 0);
    assert.equal(run('capture', own, '--table', 'public.Odd "Name').status, 0);
    const lax = run('coverage', own);
    assert.deepEqual([lax.status, run('coverage', own, '--strict').status], [0, 1], lax.stdout);
    assert.match(lax.stdout, /public\.users: 1 of 21 rows written have no event of their own/);
    await db.query('DELETE FROM users WHERE id = 100');
    assert.equal(run('coverage', own, '--strict').status, 0, 'and where each has its event, it ends with 0');
    assert.match(
      beside.stdout,
      /^captured {2}public\.Odd "Name: BROKEN, public\.Odd "Name\.indelible_update$/m,
    );
    await db.end();
  });
});
