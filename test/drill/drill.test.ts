import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { createLog } from 'indelible';
import { drill } from '#dist/drill/index.js';
import { indelible } from '../cli/cli-process.ts';
import { signIn, temporaryFolder } from '../support/folders.ts';

/** A log with `count` events. */
async function makeLog(t: Parameters<typeof temporaryFolder>[0], count: number): Promise<string> {
  const dir = join(temporaryFolder(t), 'log');
  await using log = await createLog(dir, { origin: 'test.example/drill' });
  for (const result of await log.recordMany(
    Array.from({ length: count }, (_, number) => signIn(`e${number}`)),
  )) {
    assert.ok(result.ok);
  }
  return dir;
}

/** Every file of a folder and the mark beside it, by content, mode and time. */
function snapshot(dir: string): string[] {
  const files = readdirSync(dir)
    .filter((name) => !/-(?:wal|shm)$/.test(name))
    .map((name) => join(dir, name));
  return [...files, `${dir}.mark`].sort().map((file) => {
    const { mode, size } = statSync(file);
    return `${file} ${mode} ${size} ${createHash('sha256').update(readFileSync(file)).digest('hex')}`;
  });
}

/** The attacks that the drill promises, as it names them. */
const promised = [
  'edit a payload',
  'edit only a search column',
  "change a column's type",
  'delete a middle entry',
  'delete an entry and renumber the rest',
  'truncate the tail',
  'swap two entries',
  'insert a back-dated entry',
  'replace the checkpoint',
  'replace log and key',
  'restore an old copy, receipt held',
  'drop index rows',
  'rewrite and re-sign with the real key, receipt held',
];

describe('the drill', () => {
  for (const count of [0, 3, 300]) {
    test(`catches what can be caught, on a log of ${count} events, and leaves it as it was`, async (t) => {
      const dir = await makeLog(t, count);
      const before = snapshot(dir);
      const rows = await drill(dir);
      assert.deepEqual(snapshot(dir), before);
      const byName = new Map(rows.map((row) => [row.attack, row]));
      for (const name of promised) {
        const row = byName.get(name);
        assert.ok(row !== undefined, name);
        assert.equal(row.caught, true, `${name}: ${row.words}`);
        assert.equal(row.expected, true, name);
        assert.notEqual(row.by, '', name);
        assert.notEqual(row.words, '', name);
      }
      for (const name of ['nothing (control)', 'rewrite and re-sign with the real key, no receipt held']) {
        assert.equal(byName.get(name)?.caught, false, `${name}: ${byName.get(name)?.words}`);
        assert.equal(byName.get(name)?.expected, false);
      }
      assert.ok(rows.every((row) => row.caught === row.expected));
    });
  }

  test('the attackers leave no trace in the schema unless that is the attack', async (t) => {
    const rows = await drill(await makeLog(t, 20));
    for (const row of rows) {
      if (row.attack === 'put a view in place of a table') assert.match(row.by, /schema_changed/);
      else assert.doesNotMatch(row.by, /schema_changed/, row.attack);
    }
  });

  test('without a key it says which attacks it could not stage', async (t) => {
    const dir = await makeLog(t, 20);
    renameSync(join(dir, 'log.key'), join(dir, '..', 'away.key'));
    const rows = await drill(dir);
    const skipped = rows.filter((row) => row.skipped !== undefined);
    assert.equal(skipped.length, 4);
    for (const row of skipped) assert.match(row.skipped ?? '', /key/);
    assert.ok(rows.filter((row) => row.skipped === undefined).every((row) => row.caught === row.expected));
    const told = await drill(dir, { key: join(dir, '..', 'away.key') });
    assert.ok(told.every((row) => row.skipped === undefined));
  });

  test('a log that was damaged before is not called healthy by the control', async (t) => {
    const dir = await makeLog(t, 20);
    const db = new DatabaseSync(join(dir, 'log.db'));
    db.exec(
      `DROP TRIGGER entries_no_update; UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), 'u_1', 'u_2') AS BLOB) WHERE idx = 5`,
    );
    db.close();
    const run = indelible(['drill', dir, '--json']);
    assert.notEqual(run.status, 0);
  });
});

describe('drill, the command', () => {
  test('prints a list for programs and a table for people', async (t) => {
    const dir = await makeLog(t, 10);
    const json = indelible(['drill', dir, '--json']);
    assert.equal(json.status, 0, json.stderr);
    const rows = JSON.parse(json.stdout);
    for (const row of rows) {
      assert.equal(typeof row.attack, 'string');
      assert.equal(typeof row.caught, 'boolean');
      assert.equal(typeof row.expected, 'boolean');
      assert.equal(typeof row.by, 'string');
    }
    const table = indelible(['drill', dir]);
    assert.equal(table.status, 0);
    assert.match(table.stdout, /^ATTACK +CAUGHT +BY +THE VERIFIER'S WORDS\n/);
    assert.match(table.stdout, /edit a payload +yes +\w+/);
    assert.match(table.stdout, /no receipt held +no, expected/);
  });
});
