// Tile stores: the suite that each passes, and what is a folder's own.

import assert from 'node:assert/strict';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { utf8Encode } from 'indelible/bytes';
import { DirectoryTileStore } from 'indelible/store';
import { tileConformance } from 'indelible/store/tiles/conformance';
import { temporaryFolder } from '../support/folders.ts';

describe('a folder', () => {
  for (const { name, run } of tileConformance) {
    test(name, (t) => {
      const folder = join(temporaryFolder(t), 'a', 'new', 'one');
      return run(() => DirectoryTileStore.open(folder));
    });
  }

  test('files are nobody’s to write, and no draft stays behind', async (t) => {
    const folder = temporaryFolder(t);
    const store = await DirectoryTileStore.open(folder);
    await store.putImmutable('tile/0/000', utf8Encode('tile'));
    await assert.rejects(store.putImmutable('tile/0/000', utf8Encode('other')));
    await store.putCheckpoint(utf8Encode('note'), undefined);
    assert.equal(statSync(join(folder, 'tile/0/000')).mode % 0o1000, 0o444);
    assert.equal(statSync(join(folder, 'checkpoint')).mode % 0o1000, 0o644);
    assert.deepEqual(readdirSync(join(folder, '.writing')), []);
  });

  test('drafts of the dead are removed, those of the living are not', async (t) => {
    const folder = temporaryFolder(t);
    mkdirSync(join(folder, '.writing'));
    for (const name of ['old', 'new']) writeFileSync(join(folder, '.writing', name), 'x');
    const now = Date.now();
    utimesSync(join(folder, '.writing', 'old'), now / 1000 - 7200, now / 1000 - 7200);
    await DirectoryTileStore.open(folder, { now: () => now });
    assert.deepEqual(readdirSync(join(folder, '.writing')), ['new']);
  });

  test('a link that somebody put there is not followed', async (t) => {
    const folder = temporaryFolder(t);
    const store = await DirectoryTileStore.open(folder);
    writeFileSync(join(folder, 'secret'), 'secret');
    mkdirSync(join(folder, 'tile/0'), { recursive: true });
    symlinkSync(join(folder, 'secret'), join(folder, 'tile/0/000'));
    symlinkSync(join(folder, 'secret'), join(folder, 'checkpoint'));
    await assert.rejects(store.read('tile/0/000', 100), { code: 'not_a_file' });
    const conflict = { code: 'archive_conflict' };
    await assert.rejects(store.putImmutable('tile/0/000', utf8Encode('secret')), conflict);
    await assert.rejects(store.putCheckpoint(utf8Encode('note'), undefined), conflict);
    await assert.rejects(store.putCheckpoint(utf8Encode('note'), utf8Encode('secret')), conflict);
    assert.equal(readFileSync(join(folder, 'secret'), 'utf8'), 'secret');
    assert.deepEqual(readdirSync(join(folder, '.writing')), []);
  });

  test('a link that somebody put in the place of a folder is not followed, and nothing is made behind it', async (t) => {
    const [folder, elsewhere] = [temporaryFolder(t), temporaryFolder(t)];
    mkdirSync(join(elsewhere, '0'));
    writeFileSync(join(elsewhere, '0/000'), 'secret');
    symlinkSync(elsewhere, join(folder, 'tile'));
    const store = await DirectoryTileStore.open(folder);
    await assert.rejects(store.read('tile/0/000', 100), { code: 'not_a_file' });
    const conflict = { code: 'archive_conflict' };
    await assert.rejects(store.putImmutable('tile/0/000', utf8Encode('secret')), conflict);
    await assert.rejects(store.putImmutable('tile/1/000', utf8Encode('tile')), conflict);
    assert.deepEqual(readdirSync(elsewhere), ['0']);
  });

  test('what cannot be made says so', async (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, 'file'), 'x');
    await assert.rejects(DirectoryTileStore.open(join(folder, 'file', 'below')), { code: 'io_failed' });
    chmodSync(join(folder, 'file'), 0o400);
  });
});
