// Tile stores: the suite that each passes, and what is a folder's own.

import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
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
import { setTimeout as sleep } from 'node:timers/promises';
import { utf8Encode } from 'indelible/bytes';
import { DirectoryTileStore } from 'indelible/store';
import { tileConformance } from 'indelible/store/tiles/conformance';
import { temporaryFolder } from '../support/folders.ts';

/** What stands among the drafts, but for the lock of whoever puts the checkpoint. */
function draftsIn(folder: string): string[] {
  return readdirSync(join(folder, '.writing')).filter((name) => name !== 'checkpoint.lock');
}

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
    assert.deepEqual(draftsIn(folder), []);
  });

  test('whatever the mask of the publisher, others can read what is published', {
    skip: process.platform === 'win32',
  }, async (t) => {
    for (const mask of [0o077, 0o002]) {
      const above = temporaryFolder(t);
      chmodSync(above, 0o700);
      const before = process.umask(mask);
      try {
        const store = await DirectoryTileStore.open(join(above, 'www', 'audit'));
        await store.putImmutable('tile/0/x001/000', utf8Encode('tile'));
        await store.putCheckpoint(utf8Encode('note'), undefined);
      } finally {
        process.umask(before);
      }
      const modeOf = (path: string) => statSync(join(above, path)).mode % 0o1000;
      assert.equal(modeOf('www/audit/tile/0/x001/000'), 0o444);
      assert.equal(modeOf('www/audit/checkpoint'), 0o644);
      for (const path of ['www', 'www/audit', 'www/audit/tile', 'www/audit/tile/0', 'www/audit/tile/0/x001'])
        assert.equal(modeOf(path), mask === 0o002 ? 0o775 : 0o755, path);
      // What was there is left as it is.
      assert.equal(statSync(above).mode % 0o1000, 0o700);
    }
  });

  test('a checkpoint is put by one process at a time, and a killed one holds nobody up', async (t) => {
    const folder = temporaryFolder(t);
    const store = await DirectoryTileStore.open(folder);
    await store.putCheckpoint(utf8Encode('one'), undefined);
    // Another process is about to put what comes after `one`, and its disk is slow.
    const child = fork(join(import.meta.dirname, 'slow-rename-child.ts'), [folder], { silent: true });
    t.after(() => child.kill('SIGKILL'));
    assert.equal((await once(child, 'message'))[0], 'renaming');
    const other = await DirectoryTileStore.open(folder);
    const put = other.putCheckpoint(utf8Encode('three'), utf8Encode('one'));
    put.catch(() => {});
    assert.equal(await Promise.race([put.then(() => 'put', String), sleep(500, 'waits')]), 'waits');
    assert.deepEqual(await store.read('checkpoint', 100), utf8Encode('one'));
    child.send('go on');
    assert.equal((await once(child, 'message'))[0], 'renamed');
    await assert.rejects(put, { code: 'archive_conflict' });
    assert.deepEqual(await store.read('checkpoint', 100), utf8Encode('two'));

    const killed = fork(join(import.meta.dirname, 'slow-rename-child.ts'), [folder], { silent: true });
    t.after(() => killed.kill('SIGKILL'));
    assert.equal((await once(killed, 'message'))[0], 'renaming');
    const ended = once(killed, 'exit');
    killed.kill('SIGKILL');
    await ended;
    await other.putCheckpoint(utf8Encode('three'), utf8Encode('two'));
    assert.deepEqual(await store.read('checkpoint', 100), utf8Encode('three'));
    assert.deepEqual(readdirSync(folder).sort(), ['.writing', 'checkpoint']);
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
    assert.deepEqual(draftsIn(folder), []);
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
