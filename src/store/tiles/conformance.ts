import assert from 'node:assert/strict';
import { isLogError, utf8Encode } from '../../bytes/index.ts';
import type { TileStore } from './contract.ts';

/** One case of the suite that every tile store must pass. */
export interface TileConformanceCase {
  readonly name: string;
  run(open: () => Promise<TileStore>): Promise<void>;
}

/**
 * What a tile store promises, as cases. `open` returns the same place each time it is called within one case, and a new empty one for
 * each case.
 */
export const tileConformance: readonly TileConformanceCase[] = [
  {
    name: 'a new place holds nothing',
    async run(open) {
      const store = await open();
      assert.equal(await store.read('checkpoint', 10), undefined);
      assert.equal(await store.read('tile/0/000', 10), undefined);
      assert.equal(await store.read('tile/0/x001/000.p/7', 10), undefined);
      await store.close();
    },
  },
  {
    name: 'what was put is read back, byte for byte, by every handle, and no more of it than was asked for',
    async run(open) {
      const store = await open();
      const bytes = Uint8Array.from({ length: 8192 }, (_, at) => at % 251);
      assert.equal(await store.putImmutable('tile/0/x001/x234/067', bytes), 'written');
      assert.equal(await store.putImmutable('tile/entries/000.p/1', new Uint8Array(0)), 'written');
      for (const reader of [store, await open()]) {
        assert.deepEqual(await reader.read('tile/0/x001/x234/067', 8192), bytes);
        assert.deepEqual(await reader.read('tile/0/x001/x234/067', 9000), bytes);
        assert.deepEqual(await reader.read('tile/0/x001/x234/067', 99), bytes.slice(0, 100));
        assert.deepEqual(await reader.read('tile/entries/000.p/1', 10), new Uint8Array(0));
        await reader.close();
      }
    },
  },
  {
    name: 'the same bytes may be put again, others never',
    async run(open) {
      const store = await open();
      await store.putImmutable('tile/0/000', utf8Encode('one'));
      assert.equal(await (await open()).putImmutable('tile/0/000', utf8Encode('one')), 'present');
      for (const other of ['two', 'on', 'onet', '']) {
        await assert.rejects(store.putImmutable('tile/0/000', utf8Encode(other)), isConflict);
      }
      assert.deepEqual(await store.read('tile/0/000', 10), utf8Encode('one'));
      await store.close();
    },
  },
  {
    name: 'of many who put different bytes at once, one is served',
    async run(open) {
      const stores = await Promise.all(Array.from({ length: 8 }, () => open()));
      const puts = await Promise.allSettled(
        stores.map((store, at) => store.putImmutable('tile/0/000', utf8Encode(`writer ${at}`))),
      );
      const served = puts.flatMap((put, at) => (put.status === 'fulfilled' ? [at] : []));
      assert.equal(served.length, 1);
      for (const put of puts) assert.ok(put.status === 'fulfilled' || isConflict(put.reason));
      assert.deepEqual(await stores[0]!.read('tile/0/000', 20), utf8Encode(`writer ${served[0]}`));
      await Promise.all(stores.map((store) => store.close()));
    },
  },
  {
    name: 'many files at once, in folders that were not there',
    async run(open) {
      const store = await open();
      const paths = Array.from(
        { length: 40 },
        (_, at) => `tile/${at % 3}/x00${at % 5}/${String(at).padStart(3, '0')}`,
      );
      await Promise.all(paths.map((path) => store.putImmutable(path, utf8Encode(path))));
      for (const path of paths) assert.deepEqual(await store.read(path, 100), utf8Encode(path));
      await store.close();
    },
  },
  {
    name: 'the checkpoint is replaced by whoever has read it, and by nobody else',
    async run(open) {
      const [store, other] = [await open(), await open()];
      await store.putCheckpoint(utf8Encode('first'), undefined);
      await assert.rejects(other.putCheckpoint(utf8Encode('another first'), undefined), isConflict);
      await store.putCheckpoint(utf8Encode('second'), utf8Encode('first'));
      await assert.rejects(
        other.putCheckpoint(utf8Encode('another second'), utf8Encode('first')),
        isConflict,
      );
      assert.deepEqual(await other.read('checkpoint', 100), utf8Encode('second'));
      await Promise.all([store.close(), other.close()]);
    },
  },
  {
    name: 'a path that leaves the place is refused',
    async run(open) {
      const store = await open();
      for (const path of [
        '../x',
        '/x',
        'tile//0',
        'tile/../../x',
        '.writing/x',
        'tile/0/',
        '',
        'Tile/0',
        'a'.repeat(300),
      ]) {
        await assert.rejects(store.putImmutable(path, utf8Encode('x')), { code: 'argument_invalid' });
        await assert.rejects(store.read(path, 10), { code: 'argument_invalid' });
      }
      await store.close();
    },
  },
];

function isConflict(error: unknown): true {
  assert.ok(isLogError(error, 'archive_conflict'), String(error));
  return true;
}
