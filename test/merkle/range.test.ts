import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { hexEncode } from 'indelible/bytes';
import {
  EMPTY_ROOT,
  Frontier,
  foldHashes,
  hashLeaf,
  hashLeafText,
  hashNode,
  isSubtree,
  nodeBegin,
  nodeEnd,
  Range,
  rangeNodes,
  SIZE_MAX,
} from 'indelible/merkle';
import { NaiveTree } from './naive-tree.ts';

const LARGEST = 2048;
const tree = NaiveTree.ofSize(LARGEST);

function rangeOf(begin: number, end: number): Range {
  const range = Range.empty(begin);
  for (let index = begin; index < end; index += 1) range.append(tree.leafHashes[index]!);
  return range;
}

test('2048 roots in a row are those of the definition, and their digest is the one computed in another language', () => {
  const frontier = Frontier.empty();
  const ours = createHash('sha256').update(frontier.root());
  const naive = createHash('sha256').update(tree.hash(0, 0));
  for (let size = 1; size <= LARGEST; size += 1) {
    frontier.append(tree.leafHashes[size - 1]!);
    ours.update(frontier.root());
    naive.update(tree.hash(0, size));
  }
  const digest = ours.digest('hex');
  assert.equal(digest, naive.digest('hex'));
  assert.equal(digest, 'cf29e28ef16a7df69441284dbc41226a191ca5c423faa4a3f95dc5789ce57f41');
});

test('a frontier is one hash for each set bit of the size, the largest subtree first, and can be set down and taken up', () => {
  let frontier = Frontier.empty();
  for (let size = 0; size <= 130; size += 1) {
    assert.equal(frontier.size, size);
    assert.equal(frontier.hashes.length, [...size.toString(2)].filter((bit) => bit === '1').length);
    assert.deepEqual(
      frontier.hashes,
      rangeNodes(0, size).map((node) => tree.node(node)),
    );
    frontier = Frontier.from(size, frontier.hashes);
    assert.deepEqual(frontier.root(), tree.hash(0, size));
    frontier.append(tree.leafHashes[size]!);
  }
});

test('append shows every complete subtree, once, with its hash, the leaf itself first', () => {
  const frontier = Frontier.empty();
  const seen = new Map<string, Uint8Array>();
  for (let index = 0; index < 300; index += 1) {
    let expectedLevel = 0;
    frontier.append(tree.leafHashes[index]!, (level, nodeIndex, hash) => {
      assert.equal(level, expectedLevel);
      assert.equal(nodeEnd({ level, index: nodeIndex }), index + 1);
      assert.ok(!seen.has(`${level}/${nodeIndex}`));
      seen.set(`${level}/${nodeIndex}`, hash);
      expectedLevel += 1;
    });
  }
  let complete = 0;
  for (let level = 0; 2 ** level <= 300; level += 1) {
    for (let index = 0; (index + 1) * 2 ** level <= 300; index += 1) {
      assert.deepEqual(seen.get(`${level}/${index}`), tree.node({ level, index }));
      complete += 1;
    }
  }
  assert.equal(seen.size, complete);
});

test('a clone goes its own way, and what a frontier shows of itself is a copy', () => {
  const frontier = Frontier.from(3, rangeOf(0, 3).hashes);
  const clone = frontier.clone();
  clone.append(tree.leafHashes[3]!);
  frontier.hashes.pop();
  assert.deepEqual(frontier.root(), tree.hash(0, 3));
  assert.deepEqual(clone.root(), tree.hash(0, 4));
});

test('every range within 64 leaves is its fewest subtrees', () => {
  for (let begin = 0; begin <= 64; begin += 1) {
    for (let end = begin; end <= 64; end += 1) {
      const nodes = rangeNodes(begin, end);
      let position = begin;
      for (const node of nodes) {
        assert.equal(nodeBegin(node), position);
        position = nodeEnd(node);
      }
      assert.equal(position, end);
      // Fewest: no two neighbours are the two halves of one subtree.
      nodes.slice(1).forEach((node, left) => {
        assert.ok(!(nodes[left]!.level === node.level && node.index % 2 === 1), `[${begin}, ${end})`);
      });
      assert.deepEqual(
        rangeOf(begin, end).hashes,
        nodes.map((node) => tree.node(node)),
      );
    }
  }
});

test('any two neighbouring ranges within 48 leaves join to the range over both, and show each new subtree once', () => {
  for (let begin = 0; begin <= 48; begin += 1) {
    for (let middle = begin; middle <= 48; middle += 1) {
      const left = rangeOf(begin, middle);
      for (let end = middle; end <= 48; end += 1) {
        const seen: string[] = [];
        const joined = left.join(rangeOf(middle, end), (level, index, hash) => {
          assert.deepEqual(hash, tree.node({ level, index }));
          assert.ok(index * 2 ** level < middle && (index + 1) * 2 ** level > middle);
          seen.push(`${level}/${index}`);
        });
        assert.equal(new Set(seen).size, seen.length);
        assert.deepEqual([joined.begin, joined.end], [begin, end]);
        assert.deepEqual(
          joined.hashes,
          rangeNodes(begin, end).map((node) => tree.node(node)),
        );
      }
      assert.equal(left.end, middle);
    }
  }
});

test('leaves hashed in chunks by many hands give the root of the whole', () => {
  const cuts = fc.uniqueArray(fc.integer({ min: 1, max: LARGEST - 1 }), { maxLength: 12 });
  fc.assert(
    fc.property(cuts, (places) => {
      const ends = [...places.sort((a, b) => a - b), LARGEST];
      let frontier = Frontier.empty();
      for (const end of ends) frontier = frontier.join(rangeOf(frontier.size, end));
      assert.deepEqual(frontier.root(), tree.hash(0, LARGEST));
    }),
    { numRuns: 30 },
  );
});

test('joining does not depend on the order of joining', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 4, maxLength: 4 }), (places) => {
      const [a, b, c, d] = places.sort((x, y) => x - y) as [number, number, number, number];
      const [first, second, third] = [rangeOf(a, b), rangeOf(b, c), rangeOf(c, d)];
      assert.deepEqual(first.join(second).join(third).hashes, first.join(second.join(third)).hashes);
    }),
  );
});

test('a range has a root where it is a subtree, and only there', () => {
  for (let begin = 0; begin <= 48; begin += 1) {
    for (let end = begin; end <= 48; end += 1) {
      const range = rangeOf(begin, end);
      const size = end - begin;
      let ceiling = 1;
      while (ceiling < size) ceiling *= 2;
      assert.equal(isSubtree(begin, end), begin % ceiling === 0);
      if (isSubtree(begin, end)) assert.deepEqual(range.root(), tree.hash(begin, end));
      else assert.throws(() => range.root(), { name: 'RangeError', code: 'range_invalid' });
    }
  }
});

test('ranges that do not meet, hashes that do not fit, and sizes that do not exist are misuse', () => {
  const hash = tree.leafHashes[0]!;
  assert.throws(() => rangeOf(0, 3).join(rangeOf(4, 5)), { code: 'range_invalid' });
  assert.throws(() => rangeOf(0, 3).join(rangeOf(2, 5)), { code: 'range_invalid' });
  assert.throws(() => Frontier.from(3, [hash]), { name: 'RangeError', code: 'hashes_mismatch' });
  assert.throws(() => Frontier.from(3, [hash, hash, hash]), { code: 'hashes_mismatch' });
  assert.throws(() => Frontier.from(0, [hash]), { code: 'hashes_mismatch' });
  assert.throws(() => Frontier.from(1, [hash.subarray(1)]), { code: 'hash_length_invalid' });
  assert.throws(() => Frontier.empty().append(hash.subarray(1)), { code: 'hash_length_invalid' });
  assert.throws(() => hashNode(hash, new Uint8Array(33)), { code: 'hash_length_invalid' });
  assert.throws(() => rangeNodes(3, 2), { code: 'range_invalid' });
  for (const size of [
    -1,
    0.5,
    Number.NaN,
    SIZE_MAX + 1,
    Number.POSITIVE_INFINITY,
    '3' as unknown as number,
  ]) {
    assert.throws(() => rangeNodes(0, size), { name: 'RangeError', code: 'size_out_of_range' }, `${size}`);
    assert.throws(() => Frontier.from(size, []), { code: 'size_out_of_range' });
    assert.throws(() => Range.empty(size), { code: 'size_out_of_range' });
  }
});

test('a frontier counts exactly up to 2^53 - 1 leaves and takes not one more', () => {
  const hash = tree.leafHashes[0]!;
  const nodes = rangeNodes(0, SIZE_MAX - 1);
  assert.deepEqual(
    nodes.map(({ level }) => level),
    Array.from({ length: 52 }, (_, position) => 52 - position),
  );
  const frontier = Frontier.from(
    SIZE_MAX - 1,
    nodes.map(() => hash),
  );
  frontier.append(hash);
  assert.equal(frontier.size, 2 ** 53 - 1);
  assert.equal(frontier.hashes.length, 53);
  const before = frontier.root();
  assert.throws(() => frontier.append(hash), { name: 'RangeError', code: 'size_out_of_range' });
  assert.deepEqual(frontier.root(), before);
  assert.equal(frontier.size, 2 ** 53 - 1);
});

test('at sizes beyond 32 bits, an append completes the subtrees that the arithmetic of big integers says', () => {
  const hash = tree.leafHashes[0]!;
  const sizes = fc.oneof(
    fc.maxSafeNat(),
    fc.integer({ min: 1, max: 52 }).map((bits) => 2 ** bits - 1),
  );
  fc.assert(
    fc.property(
      sizes.filter((size) => size < SIZE_MAX),
      (size) => {
        const frontier = Frontier.from(
          size,
          rangeNodes(0, size).map(() => hash),
        );
        const seen: [number, number][] = [];
        frontier.append(hash, (level, index) => seen.push([level, index]));
        const expected: [number, number][] = [[0, size]];
        for (let level = 1; (BigInt(size) + 1n) % (1n << BigInt(level)) === 0n; level += 1) {
          expected.push([level, Number(BigInt(size) >> BigInt(level))]);
        }
        assert.deepEqual(seen, expected);
      },
    ),
  );
});

test('leaves and nodes are hashed behind different prefixes; the empty tree is the hash of nothing', () => {
  assert.equal(hexEncode(EMPTY_ROOT), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  assert.deepEqual(Frontier.empty().root(), EMPTY_ROOT);
  assert.equal(
    hexEncode(hashLeaf(new Uint8Array(0))),
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  );
  const digest = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest('hex');
  for (const length of [0, 1, 700, 65_534, 65_535, 65_536, 200_000]) {
    const entry = new Uint8Array(length).fill(7);
    assert.equal(hexEncode(hashLeaf(entry)), digest(Uint8Array.of(0), entry));
  }
  const [left, right] = [tree.leafHashes[0]!, tree.leafHashes[1]!];
  assert.equal(hexEncode(hashNode(left, right)), digest(Uint8Array.of(1), left, right));
  for (const text of ['', '{"v":1}', 'naïve 😀', 'x'.repeat(65_535)]) {
    assert.deepEqual(hashLeafText(text), hashLeaf(Buffer.from(text)));
  }
  assert.throws(() => hashLeafText('\ud800'), { code: 'text_ill_formed' });
});

test('nobody can change the root of the empty tree through what a function returned', () => {
  foldHashes([]).fill(0);
  Frontier.empty().root().fill(0);
  assert.equal(
    hexEncode(Frontier.empty().root()),
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  );
});
