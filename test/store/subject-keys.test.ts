// The keys of subjects: what is remembered of them is never older than the file.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { SubjectKeys } from 'indelible/store';
import { temporaryFolder } from '../support/folders.ts';

let made = 0;
const random = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(++made);
const at = (index: number, ...subjects: string[]) => subjects.map((subject) => ({ subject, index }));

test('a key that another process destroys is used no more, and what comes later has a new one', (t) => {
  const path = join(temporaryFolder(t), 'keys.db');
  const [publishing, erasing] = [SubjectKeys.open(path, random), SubjectKeys.open(path, random)];
  t.after(() => [publishing, erasing].map((keys) => keys.close()));
  const before = publishing.keysFor(at(5, 'user/a', 'user/b'));
  const [a, b] = [before('user/a', 5), before('user/b', 5)];
  assert.ok(a !== undefined && b !== undefined);
  // Remembered, without asking the file.
  assert.deepEqual(publishing.keysFor(at(6, 'user/a'))('user/a', 6), a);
  erasing.destroy(['user/a'], 10);
  const after = publishing.keysFor(at(9, 'user/a', 'user/b'));
  assert.equal(after('user/a', 9), undefined);
  assert.deepEqual(after('user/b', 9), b);
  assert.equal(publishing.find('user/a'), undefined, 'none is made for what was erased');
  const later = publishing.keysFor([...at(9, 'user/a'), ...at(10, 'user/a')]);
  assert.equal(later('user/a', 9), undefined);
  const fresh = later('user/a', 10);
  assert.ok(fresh !== undefined);
  assert.notDeepEqual(fresh, a);
  assert.deepEqual(erasing.find('user/a'), fresh);
  // Its own erasures, too.
  publishing.destroy(['user/a'], 20);
  assert.equal(publishing.keysFor(at(15, 'user/a'))('user/a', 15), undefined);
});

test('a key that could not be made durable is not remembered', (t) => {
  const path = join(temporaryFolder(t), 'keys.db');
  const keys = SubjectKeys.open(path, random);
  const other = new DatabaseSync(path);
  t.after(() => [keys.close(), other.close()]);
  other.exec(
    `CREATE TRIGGER refuse BEFORE INSERT ON keys WHEN NEW.subject = 'user/last' BEGIN SELECT RAISE(ABORT, 'no'); END`,
  );
  assert.throws(() => keys.keysFor(at(0, 'user/first', 'user/last')), { code: 'io_failed' });
  assert.equal(keys.find('user/first'), undefined);
  other.exec('DROP TRIGGER refuse');
  const key = keys.keysFor(at(0, 'user/first'))('user/first', 0);
  assert.deepEqual(keys.find('user/first'), key);
});

test('more subjects than are remembered', (t) => {
  const keys = SubjectKeys.open(join(temporaryFolder(t), 'keys.db'), random);
  t.after(() => keys.close());
  const names = Array.from({ length: 40_000 }, (_, n) => `user/${n}`);
  const all = keys.keysFor(at(0, ...names));
  for (const name of names) assert.ok(all(name, 0) !== undefined, name);
  for (const name of ['user/0', 'user/39999'])
    assert.deepEqual(keys.keysFor(at(1, name))(name, 1), all(name, 0));
});
