import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, test } from 'node:test';
import { createLog, openLog } from 'indelible';
import { CannotStage } from '#dist/drill/attack.js';
import { Attacker } from '#dist/drill/attacker.js';
import { type DrillRow, drill } from '#dist/drill/index.js';
import { indelible } from '../cli/cli-process.ts';
import { recordInThePast } from '../log/past-log.ts';
import { signIn, temporaryFolder } from '../support/folders.ts';

/** A log with `count` events in a folder. */
async function makeLog(folder: string, count: number): Promise<string> {
  const dir = join(folder, 'log');
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

/** Each attack that the drill promises, by its number in the table of attacks, and by what it must be caught. */
const promised: readonly [number: string, attack: string, by: RegExp][] = [
  ['attack-01', 'edit a payload', /root_mismatch|tile_mismatch/],
  ['attack-01', 'edit a sealed value', /disclosure_altered/],
  ['attack-01', 'remove a sealed value without a record', /disclosure_missing/],
  ['attack-02', 'edit only a search column', /search_differs/],
  ['attack-03', "change a column's type", /column_changed/],
  ['attack-03', 'put a view in place of a table', /schema_changed/],
  ['attack-04', 'delete a middle entry', /index_gap/],
  ['attack-04', 'delete an entry and renumber the rest', /root_mismatch|size_mismatch/],
  ['attack-05', 'truncate the tail', /size_mismatch/],
  ['attack-06', 'restore an old copy, the mark still there', /rolled_back/],
  ['attack-06', 'restore an old copy, receipt held', /rolled_back/],
  ['attack-07', 'swap two entries', /root_mismatch|tile_mismatch/],
  ['attack-08', 'insert a back-dated entry', /root_mismatch|size_mismatch/],
  ['attack-09', 'replace the checkpoint', /key_unknown|checkpoint_invalid/],
  ['attack-09', 'replace log and key', /key_unknown/],
  ['attack-10', 'rewrite and re-sign with the real key, receipt held', /forked/],
  ['attack-52', 'drop index rows', /search_differs/],
  ['attack-08', 'insert an entry at a negative index', /index_repeated|index_gap/],
  ['attack-02', 'give an id a second name', /id_mismatch|id_duplicate/],
  ['attack-08', 'plant a tile that is not there yet', /tile_mismatch/],
  ['attack-09', 'forge an entry, the head and an unsigned checkpoint', /checkpoint_invalid/],
  ['attack-09', 'a second birth under the same key, the mark still there', /forked|rolled_back/],
  ['attack-09', 'a second birth under the same key, receipt held', /forked|rolled_back/],
];
/** What must not be reported: nothing happened, or nothing inside the log can show it. */
const unseen = ['nothing (control)', 'rewrite and re-sign with the real key, no receipt held'];

describe('the drill', () => {
  for (const count of [0, 3, 300]) {
    describe(`on a log of ${count} events`, () => {
      const folder = mkdtempSync(join(tmpdir(), 'indelible-'));
      after(() => rmSync(folder, { recursive: true, force: true }));
      const rows = new Map<string, DrillRow>();

      test('leaves the log as it was', async () => {
        const dir = await makeLog(folder, count);
        const before = snapshot(dir);
        for (const row of await drill(dir)) rows.set(row.attack, row);
        assert.deepEqual(snapshot(dir), before);
        assert.deepEqual(
          [...rows.keys()].sort(),
          [...promised.map(([, attack]) => attack), ...unseen].sort(),
        );
      });
      for (const [number, attack, by] of promised) {
        test(`${number}: ${attack}`, () => {
          const row = rows.get(attack);
          assert.equal(row?.skipped, undefined);
          assert.equal(row?.caught, true, row?.words);
          assert.equal(row?.expected, true);
          assert.match(row?.by ?? '', by);
          assert.notEqual(row?.words, '');
        });
      }
      for (const attack of unseen) {
        test(`unseen: ${attack}`, () => {
          assert.equal(rows.get(attack)?.caught, false, rows.get(attack)?.words);
          assert.equal(rows.get(attack)?.expected, false);
        });
      }
    });
  }

  test('the attackers leave no trace in the schema unless that is the attack', async (t) => {
    const rows = await drill(await makeLog(temporaryFolder(t), 20));
    for (const row of rows) {
      if (row.attack === 'put a view in place of a table') assert.match(row.by, /schema_changed/);
      else assert.doesNotMatch(row.by, /schema_changed/, row.attack);
    }
  });

  test('on a pruned log it attacks what is left, and all of it is caught', async (t) => {
    const dir = join(temporaryFolder(t), 'log');
    const actions = (count: number): string[] => Array.from({ length: count }, () => 'record.written');
    recordInThePast({ dir, daysAgo: 100, actions: actions(700) });
    {
      await using log = await openLog(dir, { heartbeatMs: 0 });
      const rules = [{ match: '*', keep: '90d' }];
      await log.retention.set(rules, { approvedBy: ['p_1', 'p_2'], delayMs: 0, entries: 'delete' });
      assert.equal((await log.retention.prune()).minimum, 512);
    }
    const rows = await drill(dir);
    const told = rows.map(({ attack, caught, expected, by, skipped }) => ({
      attack,
      caught,
      expected,
      by,
      skipped,
    }));
    assert.deepEqual(
      told.filter(({ caught, expected }) => caught !== expected),
      [],
    );
    assert.deepEqual(
      told.filter(({ skipped }) => skipped !== undefined),
      [],
    );
  });

  test('what changes nothing is no attack', async (t) => {
    const attacker = new Attacker(await makeLog(temporaryFolder(t), 3));
    assert.equal(attacker.unbrokenFrom(), 0);
    assert.throws(() => attacker.run('DELETE FROM entries WHERE idx = 99'), CannotStage);
    attacker.run('DELETE FROM entries WHERE idx = 2');
  });

  test('without a key it says which attacks it could not stage', async (t) => {
    const dir = await makeLog(temporaryFolder(t), 20);
    renameSync(join(dir, 'log.key'), join(dir, '..', 'away.key'));
    const rows = await drill(dir);
    const skipped = rows.filter((row) => row.skipped !== undefined);
    assert.equal(skipped.length, 6);
    for (const row of skipped) assert.match(row.skipped ?? '', /key/);
    assert.ok(rows.filter((row) => row.skipped === undefined).every((row) => row.caught === row.expected));
    const told = await drill(dir, { key: join(dir, '..', 'away.key') });
    assert.ok(told.every((row) => row.skipped === undefined));
  });

  test('a log that was damaged before is not called healthy by the control', async (t) => {
    const dir = await makeLog(temporaryFolder(t), 20);
    const db = new DatabaseSync(join(dir, 'log.db'));
    db.exec(
      `DROP TRIGGER entries_no_update; UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), 'u_1', 'u_2') AS BLOB) WHERE idx = 5`,
    );
    db.close();
    const run = indelible(['drill', dir, '--json']);
    assert.notEqual(run.status, 0);
  });
});

describe("the verifier's words", () => {
  test('are those of the cause, not of what follows from it', async (t) => {
    const rows = await drill(await makeLog(temporaryFolder(t), 300));
    const by = (attack: string): string => rows.find((row) => row.attack === attack)?.by ?? '';
    assert.match(by('edit a payload'), /^(?:root|tile)_mismatch/);
    assert.match(by("change a column's type"), /^column_changed/);
    assert.match(by('swap two entries'), /^(?:root|tile)_mismatch/);
    assert.match(by('forge an entry, the head and an unsigned checkpoint'), /^checkpoint_invalid/);
  });
});

describe('drill, the command', () => {
  test('prints a list for programs and a table for people', async (t) => {
    const dir = await makeLog(temporaryFolder(t), 10);
    const json = indelible(['drill', dir, '--json']);
    assert.equal(json.status, 0, json.stderr);
    assert.equal(json.stderr, '');
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
