import assert from 'node:assert/strict';
import { isLogError, utf8Encode } from '../bytes/index.ts';
import { commit, entry, plainHead, Tree } from './conformance-tree.ts';
import type { HeadTransaction, LogStore, NewEntry } from './contract.ts';

/** One case of the suite that every store must pass. */
export interface ConformanceCase {
  readonly name: string;
  run(open: () => Promise<LogStore> | LogStore): Promise<void>;
}

/**
 * What a store promises, as cases. `open` returns the same log each time it is called within one case
 * (a second handle on it, where the store can have two), and a new empty log for each case.
 *
 * ```ts
 * for (const { name, run } of storeConformance) test(name, () => run(openMyStore()));
 * ```
 */
export const storeConformance: readonly ConformanceCase[] = [
  {
    name: 'a new log has no head, no entries, no tiles and no ids',
    async run(open) {
      const store = await open();
      assert.equal(await store.head(), undefined);
      assert.deepEqual(await store.readEntries(0, 10), []);
      assert.deepEqual(await store.readTiles([{ level: 0, index: 0 }]), [undefined]);
      assert.equal((await store.findIds(['a'])).size, 0);
      await store.close();
    },
  },
  {
    name: 'what was committed is read back, byte for byte, by every handle',
    async run(open) {
      const store = await open();
      const tree = new Tree();
      const entries = [
        entry('a', ['["s","name","Ann"]', '["s","emoji","\u{1f600}"]']),
        entry('b'),
        entry('c'),
      ];
      const head = await commit(store, tree, entries);
      const other = await open();
      for (const reader of [store, other]) {
        assert.deepEqual(plainHead(await reader.head()), plainHead(head));
        const read = await reader.readEntries(0, 3);
        assert.deepEqual(
          read.map(({ index, disclosures }) => ({ index, disclosures })),
          entries.map(({ disclosures }, index) => ({ index, disclosures })),
        );
        for (const [index, { entry: bytes }] of entries.entries()) {
          assert.deepEqual([...read[index]!.entry], [...bytes]);
        }
        assert.deepEqual(
          await reader.findIds(['c', 'x', 'a']),
          new Map([
            ['c', 2],
            ['a', 0],
          ]),
        );
        assert.deepEqual(
          (await reader.readEntries(1, 2)).map(({ index }) => index),
          [1],
        );
        assert.deepEqual(await reader.readEntries(3, 9), []);
      }
      await other.close();
      await store.close();
    },
  },
  {
    name: 'a transaction that was rolled back, or never committed, leaves nothing',
    async run(open) {
      const store = await open();
      const tree = new Tree();
      const transaction = await store.begin();
      await transaction.append(tree.append([entry('a')], 1));
      await transaction.rollback();
      assert.equal(await store.head(), undefined);
      assert.equal((await store.findIds(['a'])).size, 0);
      await commit(store, new Tree(), [entry('a')]);
      assert.equal((await store.head())?.size, 1);
      await store.close();
    },
  },
  {
    name: 'a reader sees nothing of a transaction before its commit',
    async run(open) {
      const store = await open();
      const reader = await open();
      await commit(store, new Tree(), [entry('a')]);
      const tree = await Tree.of(store);
      const transaction = await store.begin();
      await transaction.append(tree.append([entry('b')], 2));
      if (reader !== store) assert.equal((await reader.head())?.size, 1);
      await transaction.commit();
      assert.equal((await reader.head())?.size, 2);
      if (reader !== store) await reader.close();
      await store.close();
    },
  },
  {
    name: 'the head is held: a second begin waits, and then takes the new head',
    async run(open) {
      const first = await open();
      const second = await open();
      await commit(first, new Tree(), [entry('a')]);
      const holding = await first.begin();
      let taken: HeadTransaction | undefined;
      const waiting = Promise.resolve(second.begin()).then((transaction) => {
        taken = transaction;
        return transaction;
      });
      await new Promise((resolve) => setTimeout(resolve, 30));
      assert.equal(taken, undefined, 'the lock was taken twice');
      const tree = await Tree.of(first);
      await holding.append(tree.append([entry('b')], 2));
      await holding.commit();
      assert.equal((await waiting).taken?.size, 2);
      await (await waiting).rollback();
      if (second !== first) await second.close();
      await first.close();
    },
  },
  {
    name: 'an append that does not continue the taken head is refused and leaves nothing',
    async run(open) {
      const store = await open();
      const tree = new Tree();
      await commit(store, tree, [entry('a')]);
      const transaction = await store.begin();
      const wrong = tree.append([entry('b'), entry('c')], 2);
      await assert.rejects(
        async () => transaction.append({ ...wrong, entries: wrong.entries.slice(1) }),
        (error) => isLogError(error, 'store_contract') || isLogError(error, 'head_moved'),
      );
      await transaction.rollback();
      assert.equal((await store.head())?.size, 1);
      await store.close();
    },
  },
  {
    name: 'an append of nothing, and a second one in the same transaction, are refused; the first stands',
    async run(open) {
      const store = await open();
      const tree = new Tree();
      await commit(store, tree, [entry('a')]);
      const transaction = await store.begin();
      const first = tree.append([entry('b')], 2);
      await assert.rejects(async () => transaction.append({ ...first, entries: [] }));
      await transaction.append(first);
      const second = tree.append([entry('c')], 3);
      await assert.rejects(async () => transaction.append(second));
      await transaction.commit();
      assert.equal((await store.head())?.size, 2);
      assert.deepEqual([...(await store.findIds(['a', 'b', 'c'])).keys()].sort(), ['a', 'b']);
      await store.close();
    },
  },
  {
    name: 'a transaction reads the state at its begin; giving the head back once more takes nothing back',
    async run(open) {
      const store = await open();
      const tree = new Tree();
      await commit(store, tree, [entry('a')]);
      const transaction = await store.begin();
      assert.deepEqual(plainHead(await transaction.head()), plainHead(transaction.taken));
      assert.equal((await transaction.readEntries(0, 9)).length, 1);
      assert.deepEqual([...(await transaction.findIds(['a', 'x']))], [['a', 0]]);
      await transaction.append(tree.append([entry('b')], 2));
      await transaction.commit();
      await transaction.rollback();
      await transaction.rollback();
      assert.equal((await store.head())?.size, 2);
      await commit(store, tree, [entry('c')]);
      assert.equal((await store.head())?.size, 3);
      await store.close();
    },
  },
  {
    name: 'an id is stored once',
    async run(open) {
      const store = await open();
      const tree = new Tree();
      await commit(store, tree, [entry('a')]);
      const transaction = await store.begin();
      await assert.rejects(async () => {
        await transaction.append(tree.append([entry('a')], 2));
        await transaction.commit();
      });
      await transaction.rollback();
      assert.equal((await store.head())?.size, 1);
      await store.close();
    },
  },
  {
    name: 'an erasure takes disclosures away with the append that records it, or not at all',
    async run(open) {
      const store = await open();
      const tree = new Tree();
      const own = entry('a', ['["s","name","Ann"]', '["s","mail","ann"]']);
      await commit(store, tree, [own, entry('b', ['["s","name","Ben"]']), entry('c')]);
      const kept = [
        { index: 0, disclosures: ['["s","mail","ann"]'] },
        { index: 1, disclosures: [] },
      ];
      const left = async () => (await store.readEntries(0, 3)).map(({ disclosures }) => disclosures);
      const before = await left();
      const given = await store.begin();
      await given.withdraw(kept);
      await given.rollback();
      assert.deepEqual(await left(), before, 'what was rolled back is there');
      const alone = await store.begin();
      await alone.withdraw(kept);
      await assert.rejects(async () => alone.commit(), { code: 'store_contract' });
      await alone.rollback();
      assert.deepEqual(await left(), before, 'nothing goes without a record');
      const transaction = await store.begin();
      await transaction.withdraw(kept);
      const record = utf8Encode('{"action":"log.erased","id":"d","metadata":{"below":3,"subject":"user/a"}}');
      await transaction.append(tree.append([{ id: 'd', entry: record, disclosures: [] }], 9));
      await transaction.commit();
      assert.deepEqual(await left(), [['["s","mail","ann"]'], [], []]);
      await store.scour?.(5_000, ['user/a']);
      assert.deepEqual(await left(), [['["s","mail","ann"]'], [], []]);
      await store.close();
    },
  },
  {
    name: 'a pruning takes entries below an index away with the append that records it, or not at all',
    async run(open) {
      const store = await open();
      const tree = new Tree();
      const many = Array.from({ length: 600 }, (_, n) =>
        entry(`e${n}`, n % 2 === 0 ? [`["s","n",${n}]`] : []),
      );
      await commit(store, tree, many);
      const there = async () => (await store.readEntries(0, 600)).map(({ index }) => index);
      const tiles = await store.readTiles([{ level: 0, index: 0 }]);
      const all = await there();
      const prune = { below: 256, keep: [0, 7, 255] };
      const given = await store.begin();
      assert.equal(await given.prune(prune), 253);
      await given.rollback();
      assert.deepEqual(await there(), all, 'what was rolled back is there');
      const alone = await store.begin();
      await alone.prune(prune);
      await assert.rejects(async () => alone.commit(), { code: 'store_contract' });
      await alone.rollback();
      assert.deepEqual(await there(), all, 'nothing goes without a record');
      for (const wrong of [
        { below: 255, keep: [] },
        { below: 768, keep: [] },
        { below: 0, keep: [] },
      ]) {
        const refused = await store.begin();
        await assert.rejects(async () => refused.prune(wrong), { code: 'store_contract' });
        await refused.rollback();
      }
      const record = (number: number, minimum: number): NewEntry => ({
        id: `log.pruned.${number}`,
        entry: utf8Encode(
          `{"action":"log.pruned","id":"log.pruned.${number}","metadata":{"minimum":${minimum}}}`,
        ),
        disclosures: [],
      });
      const first = await store.begin();
      await first.prune(prune);
      await first.append(tree.append([record(1, 256)], 601));
      await first.commit();
      assert.deepEqual(await there(), [0, 7, ...all.slice(255)]);
      assert.deepEqual(await store.readTiles([{ level: 0, index: 0 }]), tiles, 'hashes stay');
      assert.deepEqual(
        [...(await store.findIds(['e3', 'e300']))].sort(),
        [
          ['e3', 3],
          ['e300', 300],
        ],
        'ids stay',
      );
      const second = await store.begin();
      assert.equal(
        await second.prune({ below: 512, keep: [0, 7, 255, 400] }),
        255,
        'what is gone is not counted again',
      );
      await second.append(tree.append([record(2, 512)], 602));
      await second.commit();
      assert.deepEqual(await there(), [0, 7, 255, 400, ...all.slice(512)]);
      await store.scour?.(5_000, []);
      await store.close();
      const again = await open();
      assert.equal((await again.head())?.size, 602);
      await again.close();
    },
  },
  {
    name: 'full tiles are kept as they were; partial tiles above level 0 grow',
    async run(open) {
      const store = await open();
      const tree = new Tree();
      for (let round = 0; round < 3; round++) {
        await commit(
          store,
          tree,
          Array.from({ length: 300 }, (_, n) => entry(`${round}-${n}`)),
        );
      }
      const tiles = await store.readTiles([0, 1, 2, 3].map((index) => ({ level: 0, index })));
      assert.deepEqual(
        tiles.map((tile) => tile?.length),
        [8192, 8192, 8192, undefined],
      );
      assert.deepEqual(tiles.slice(0, 3), tree.full.slice(0, 3));
      const [above] = await store.readTiles([{ level: 1, index: 0 }]);
      assert.equal(above?.length, 3 * 32);
      await store.close();
    },
  },
  {
    name: 'many commits from two handles make one sequence',
    async run(open) {
      const stores = [await open(), await open()];
      const writer = async (store: LogStore, name: string): Promise<void> => {
        for (let round = 0; round < 25; round++) {
          const transaction = await store.begin();
          const tree = await Tree.of(transaction);
          const recordedAt = 1 + (transaction.taken?.recordedAt ?? 0);
          await transaction.append(tree.append([entry(`${name}-${round}`)], recordedAt));
          await transaction.commit();
        }
      };
      await Promise.all([writer(stores[0]!, 'left'), writer(stores[1]!, 'right')]);
      const head = await stores[0]!.head();
      assert.equal(head?.size, 50);
      assert.deepEqual([...(await Tree.of(stores[0]!)).root()], [...head.root]);
      if (stores[1] !== stores[0]) await stores[1]!.close();
      await stores[0]!.close();
    },
  },
  {
    name: 'a closed store refuses to begin; closing twice is harmless',
    async run(open) {
      const store = await open();
      await store.close();
      await store.close();
      await assert.rejects(async () => store.begin());
    },
  },
];
