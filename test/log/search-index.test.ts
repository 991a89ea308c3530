// The index as a file: several processes at once, damage, death, and what the verifier says of it.

import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import type { StoredEntry } from 'indelible';
import { parseQuery } from 'indelible/event';
import { compareIndex, type IndexCursor, Searcher, SearchIndex } from '#dist/log/search/index.js';
import { temporaryFolder } from '../support/folders.ts';
import { eventOf, signIns } from './search-world.ts';

const entries = signIns(700);

/** The root of a log without entries: SHA-256 of nothing (RFC 6962, section 2.1). */
const emptyRoot = '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=';

/** The cursor of the first `size` of these entries: what is taken for a root here only has to differ. */
function at(size: number): IndexCursor {
  return { size, root: `root of ${size}` };
}

function fill(index: SearchIndex, until = entries.length): void {
  let from = index.cursor();
  while (from.size < until) {
    const to = at(Math.min(until, from.size + 128));
    assert.equal(index.apply(entries.slice(from.size, to.size), { from, to }), 'applied');
    from = to;
  }
}

function made(path: string, until?: number): void {
  const index = SearchIndex.open(path);
  fill(index, until);
  index.close();
}

function compared(path: string, log: readonly StoredEntry[] = entries) {
  return compareIndex({
    path,
    size: log.length,
    entries: (from, to) => log.slice(from, to),
    rootAt: (size) => (size === 0 ? emptyRoot : at(size).root),
  });
}

function search(index: SearchIndex, query: string): number[] {
  const searcher = new Searcher(index, (indexes) =>
    indexes.flatMap((place) => entries[place] ?? []).map(eventOf),
  );
  const request = { filter: parseQuery(query), order: 'index', limit: 1000 } as const;
  return searcher.page(request).events.map(({ index: place }) => place);
}

/** Plain SQL, as somebody with the disk would. */
function edit(path: string, ...statements: string[]): void {
  const db = new DatabaseSync(path, { defensive: false });
  for (const statement of statements) db.exec(statement);
  db.close();
}

describe('applying', () => {
  test('moves the cursor with the rows, and only from where it is', (t) => {
    const index = SearchIndex.open(join(temporaryFolder(t), 'index.db'));
    t.after(() => index.close());
    const empty = index.cursor();
    assert.deepEqual(empty, { size: 0, root: emptyRoot });
    assert.equal(index.apply(entries.slice(0, 10), { from: empty, to: at(10) }), 'applied');
    assert.deepEqual(index.cursor(), at(10));
    assert.equal(index.apply(entries.slice(0, 10), { from: empty, to: at(10) }), 'moved');
    assert.equal(
      index.apply(entries.slice(10, 20), { from: { ...at(10), root: 'another' }, to: at(20) }),
      'moved',
    );
    assert.deepEqual(index.cursor(), at(10));
    const missing = entries.slice(10, 20).filter(({ index: place }) => place !== 15);
    assert.throws(() => index.apply(missing, { from: at(10), to: at(20) }), {
      name: 'LogError',
      code: 'log_damaged',
    });
    assert.deepEqual(search(index, 'word9'), [9]);
    assert.ok(index.stats().bytes > 0);
  });

  test('leaves pieces that are tidied up without a trace', (t) => {
    const path = join(temporaryFolder(t), 'index.db');
    const index = SearchIndex.open(path);
    for (let size = 0; size < 300; size += 1) {
      const from = size === 0 ? index.cursor() : at(size);
      assert.equal(index.apply(entries.slice(size, size + 1), { from, to: at(size + 1) }), 'applied');
    }
    const pieces = (): number => {
      const db = new DatabaseSync(path, { readOnly: true });
      const sql = 'SELECT count(DISTINCT id >> 37) AS pieces FROM terms_data WHERE id > 10';
      const { pieces: found } = db.prepare(sql).get()!;
      db.close();
      return Number(found);
    };
    const before = pieces();
    for (let steps = 0; index.tidy(); steps += 1) assert.ok(steps < 1000, 'there is no end to it');
    assert.ok(pieces() < before, `${before} pieces became ${pieces()}`);
    assert.equal(index.tidy(), false);
    assert.deepEqual(search(index, 'word7'), [7]);
    index.close();
    assert.deepEqual(compared(path), { covered: 300, differences: [] });
  });

  test('does not wait while another process writes', (t) => {
    const path = join(temporaryFolder(t), 'index.db');
    const index = SearchIndex.open(path);
    const other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');
    const empty = index.cursor();
    assert.equal(index.apply(entries.slice(0, 10), { from: empty, to: at(10) }), 'busy');
    other.exec('ROLLBACK');
    other.close();
    assert.equal(index.apply(entries.slice(0, 10), { from: empty, to: at(10) }), 'applied');
    index.close();
  });

  test('an entry that is none hides no other', (t) => {
    const index = SearchIndex.open(join(temporaryFolder(t), 'index.db'));
    const broken = entries.slice(0, 5).map((stored) => {
      return stored.index === 2 ? { ...stored, entry: new Uint8Array([1, 2, 3]) } : stored;
    });
    index.apply(broken, { from: index.cursor(), to: at(5) });
    assert.deepEqual(search(index, 'actor:user/*'), [4, 3, 1, 0]);
    index.close();
  });

  test('by several processes at once makes the same index as by one', async (t) => {
    const path = join(temporaryFolder(t), 'index.db');
    const workers = [1, 2, 3].map(() => applier(path, { steps: 'all' }));
    await Promise.all(workers.map((worker) => once(worker, 'exit')));
    assert.deepEqual(
      workers.map(({ exitCode }) => exitCode),
      [0, 0, 0],
    );
    assert.deepEqual(compared(path), { covered: entries.length, differences: [] });
  });

  test('by processes that are killed leaves whole transactions', async (t) => {
    const path = join(temporaryFolder(t), 'index.db');
    let covered = 0;
    for (let round = 0; round < 6; round += 1) {
      const worker = applier(path, { steps: 'slow' });
      const exited = once(worker, 'exit');
      await once(worker, 'message');
      await new Promise((resolve) => setTimeout(resolve, 5 + 11 * round));
      worker.kill('SIGKILL');
      await exited;
      const comparison = compared(path);
      assert.deepEqual(comparison.differences, []);
      assert.ok(comparison.covered >= covered);
      covered = comparison.covered;
    }
    assert.ok(covered > 0, 'nothing was ever applied');
    made(path);
    assert.deepEqual(compared(path), { covered: entries.length, differences: [] });
  });
});

describe('an index that is not ours', () => {
  const damage: Readonly<Record<string, (path: string) => void>> = {
    'is no database': (path) => writeFileSync(path, 'x'.repeat(20_000)),
    'is empty': (path) => writeFileSync(path, ''),
    'lost a table': (path) => edit(path, 'DROP TABLE zones'),
    'lost the terms': (path) => edit(path, 'DROP TABLE terms'),
    'has a view for a table': (path) =>
      edit(
        path,
        'ALTER TABLE events RENAME TO hidden',
        'CREATE VIEW events AS SELECT * FROM hidden WHERE idx <> 3',
      ),
    'has another type of column': (path) =>
      edit(
        path,
        'PRAGMA writable_schema = ON',
        "UPDATE sqlite_schema SET sql = replace(sql, 'occurred INTEGER', 'occurred TEXT') WHERE name = 'events'",
      ),
    'has a trigger': (path) =>
      edit(path, 'CREATE TRIGGER hide AFTER INSERT ON events BEGIN DELETE FROM events WHERE idx = 3; END'),
    'has another layout': (path) => edit(path, 'PRAGMA user_version = 99'),
    'is another database': (path) => {
      rmSync(path);
      edit(path, 'CREATE TABLE mine (x)');
    },
  };
  for (const [what, spoil] of Object.entries(damage)) {
    test(`since it ${what}, is put aside and made anew, and the verifier says so`, (t) => {
      const path = join(temporaryFolder(t), 'index.db');
      made(path);
      spoil(path);
      const isEmpty = what === 'is empty';
      assert.ok(compared(path).differences.length > 0);
      const reasons: string[] = [];
      const index = SearchIndex.open(path, { onReplaced: (reason) => reasons.push(reason) });
      assert.equal(index.cursor().size, 0);
      assert.equal(reasons.length, isEmpty ? 0 : 1, reasons.join());
      assert.equal(existsSync(`${path}.damaged`), !isEmpty);
      fill(index);
      assert.deepEqual(search(index, 'word3'), [3]);
      index.close();
      assert.deepEqual(compared(path), { covered: entries.length, differences: [] });
      assert.equal(existsSync(`${path}.replacing`), false);
    });
  }

  test('that a process has left locked which died, or whose clock was ahead, waits for nobody', (t) => {
    const path = join(temporaryFolder(t), 'index.db');
    for (const ahead of [-60, 3600]) {
      writeFileSync(`${path}.replacing`, '');
      const taken = Date.now() / 1000 + ahead;
      utimesSync(`${path}.replacing`, taken, taken);
      SearchIndex.open(path).close();
      assert.equal(existsSync(`${path}.replacing`), false);
      rmSync(path);
    }
  });

  test('is refused by those who only read', (t) => {
    const path = join(temporaryFolder(t), 'index.db');
    assert.throws(() => SearchIndex.open(path, { readOnly: true }), { name: 'LogError', code: 'not_found' });
    assert.equal(existsSync(path), false);
    made(path);
    const index = SearchIndex.open(path, { readOnly: true });
    assert.deepEqual(search(index, 'word3'), [3]);
    index.close();
    edit(path, 'DROP TABLE zones');
    assert.throws(() => SearchIndex.open(path, { readOnly: true }), {
      name: 'LogError',
      code: 'index_corrupt',
    });
    assert.equal(existsSync(`${path}.damaged`), false);
  });

  test('is noticed while it is open', (t) => {
    const path = join(temporaryFolder(t), 'index.db');
    const [one, two] = [SearchIndex.open(path), SearchIndex.open(path)];
    fill(one);
    one.replace('its cursor is none of this log');
    assert.equal(one.cursor().size, 0);
    assert.equal(two.cursor().size, 0);
    fill(two);
    assert.deepEqual(search(one, 'word3'), [3]);
    SearchIndex.drop(path);
    assert.equal(one.cursor().size, 0);
    one.close();
    two.close();
  });

  test('with rows before their turn is put aside', (t) => {
    const path = join(temporaryFolder(t), 'index.db');
    made(path, 100);
    edit(path, 'INSERT INTO events VALUES (150, 1, 1, 2, 3, 4)');
    const index = SearchIndex.open(path);
    assert.equal(index.apply(entries.slice(100, 200), { from: at(100), to: at(200) }), 'moved');
    fill(index);
    index.close();
    assert.deepEqual(compared(path).differences, []);
  });
});

describe('an index that contradicts the log', () => {
  const lies: readonly (readonly [what: string, sql: string, query: string])[] = [
    [
      'the action',
      "UPDATE events SET action = (SELECT id FROM dictionary WHERE kind = 'actor' LIMIT 1) WHERE idx = 650",
      '',
    ],
    ['the actor', 'UPDATE events SET actor = (SELECT actor FROM events WHERE idx = 649) WHERE idx = 650', ''],
    [
      'the outcome',
      'UPDATE events SET outcome = (SELECT outcome FROM events WHERE idx = 649) WHERE idx = 650',
      'outcome:success',
    ],
    ['the severity', 'UPDATE events SET severity = 1 WHERE idx = 650', 'word650'],
    ['the time', 'UPDATE events SET occurred = occurred + 1 WHERE idx = 650', 'actor:user/u_6'],
    ['a name', "UPDATE dictionary SET name = 'user/u_60' WHERE name = 'user/u_6'", 'actor:user/u_60'],
    ['that there is a row', 'DELETE FROM events WHERE idx = 650', 'word650'],
    ['a number beyond all numbers', 'UPDATE events SET occurred = 9223372036854775807 WHERE idx = 650', ''],
    [
      'that there is an entry',
      'INSERT INTO events SELECT 5000, occurred, action, actor, outcome, severity FROM events WHERE idx = 1; UPDATE state SET size = 6000',
      '',
    ],
  ];
  for (const [what, sql, query] of lies) {
    test(`over ${what} is loud, in an answer and in the verifier's report`, (t) => {
      const path = join(temporaryFolder(t), 'index.db');
      made(path);
      edit(path, sql);
      const { differences } = compared(path);
      assert.ok(differences.length > 0);
      const index = SearchIndex.open(path);
      assert.throws(() => search(index, query), { name: 'LogError', code: 'index_corrupt' });
      index.close();
    });
  }
});

describe('comparing', () => {
  const changes: readonly (readonly [what: string, sql: string, from: number, to: number, says: RegExp])[] = [
    ['a row that was dropped', 'DELETE FROM events WHERE idx = 300', 300, 300, /events: the row is missing/],
    ['rows that were dropped', 'DELETE FROM events WHERE idx BETWEEN 20 AND 40', 20, 40, /21 rows in all/],
    ['a row too many', 'INSERT INTO events VALUES (9000, 0, 1, 2, 3, 0)', 9000, 9000, /belongs nowhere/],
    ['a column', 'UPDATE events SET outcome = 0 WHERE idx = 7', 7, 7, /outcome is 0, and should be/],
    [
      'a word that was taken',
      "INSERT INTO terms (terms, rowid, text) VALUES ('delete', 77, 'word77')",
      77,
      77,
      /does not find "word77"/,
    ],
    [
      'a word that was added',
      "INSERT INTO terms (rowid, text) VALUES (77, 'innocent')",
      77,
      77,
      /it finds "innocent"/,
    ],
    ['a zone', 'UPDATE zones SET latest = latest - 60000 WHERE zone = 1', 256, 511, /latest is/],
    [
      'a name',
      "UPDATE dictionary SET name = 'user.signed_off' WHERE name = 'user.signed_in'",
      0,
      699,
      /user\.signed_off/,
    ],
    ['a count', 'UPDATE dictionary SET uses = 1 WHERE id = 1', 0, 699, /uses is 1/],
    ['an option of FTS5', "INSERT INTO terms (terms, rank) VALUES ('automerge', 4)", 0, 699, /automerge/],
    ['the size', 'UPDATE state SET size = 9000', 700, 8999, /claims to cover 9000/],
    [
      'a smaller size',
      "UPDATE state SET size = 600, root = 'root of 600'",
      600,
      699,
      /belongs nowhere.* 100 rows/,
    ],
    ['the root', "UPDATE state SET root = 'x'", 0, 699, /made of other entries/],
    ['the cursor itself', 'DELETE FROM state', 0, 699, /does not say/],
  ];
  for (const [what, sql, from, to, says] of changes) {
    test(`finds ${what}`, (t) => {
      const path = join(temporaryFolder(t), 'index.db');
      made(path);
      edit(path, sql);
      const { differences } = compared(path);
      assert.ok(
        differences.some(
          (difference) => difference.from === from && difference.to === to && says.test(difference.what),
        ),
        JSON.stringify(differences.slice(0, 5)),
      );
      assert.ok(differences.length <= 101);
    });
  }

  test('finds what was changed in the log after it was indexed', (t) => {
    const path = join(temporaryFolder(t), 'index.db');
    made(path);
    const [other] = signIns(1, 1234);
    const changed = entries.map((stored) => (stored.index === 10 ? { ...other!, index: 10 } : stored));
    const { differences } = compared(path, changed);
    assert.ok(differences.length > 0 && differences.some((difference) => difference.from === 10));
  });

  test('takes a missing index, and one that is behind, for what they are', (t) => {
    const path = join(temporaryFolder(t), 'index.db');
    assert.deepEqual(compared(path), { covered: 0, differences: [] });
    assert.equal(existsSync(path), false);
    made(path, 300);
    assert.deepEqual(compared(path), { covered: 300, differences: [] });
  });

  test('says that it cannot go on where the log itself has holes', (t) => {
    const path = join(temporaryFolder(t), 'index.db');
    made(path);
    const { differences } = compared(path, [...entries.slice(0, 100), ...entries.slice(101), entries[0]!]);
    assert.match(differences[0]!.what, /entries are missing/);
  });

  test('neither changes nor makes any file', (t) => {
    const path = join(temporaryFolder(t), 'index.db');
    made(path);
    const before = [readFileSync(path), statSync(path).mtimeMs];
    compared(path);
    assert.deepEqual([readFileSync(path), statSync(path).mtimeMs], before);
  });

  test('objects to a flipped bit, or every answer is what it was', (t) => {
    const path = join(temporaryFolder(t), 'index.db');
    made(path, 60);
    const sound = readFileSync(path);
    const queries = [
      '',
      'word3',
      'actor:user/u_2',
      'outcome:failure',
      'word1*',
      'before:2026-05-04T12:00:20Z',
      '-word7',
    ];
    const open = SearchIndex.open(path, { readOnly: true });
    const expected = queries.map((query) => search(open, query));
    open.close();
    let found = 0;
    for (let position = 13; position < sound.length; position += 499) {
      const damaged = Buffer.from(sound);
      damaged[position]! ^= 1 << (position % 8);
      writeFileSync(path, damaged);
      if (compared(path, entries.slice(0, 60)).differences.length > 0) {
        found += 1;
        continue;
      }
      const index = SearchIndex.open(path, { readOnly: true });
      assert.deepEqual(
        queries.map((query) => search(index, query)),
        expected,
        `byte ${position}`,
      );
      index.close();
    }
    assert.ok(found > 10, `only ${found} were found`);
  });
});

/** A process that applies what is missing until nothing is, and says so when it begins. */
function applier(path: string, { steps }: { steps: 'all' | 'slow' }): ChildProcess {
  return fork(join(import.meta.dirname, 'search-applier.ts'), [path, steps], { serialization: 'advanced' });
}
