import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  EMPTY_ROOT,
  isSubtree,
  planConsistency,
  planSubtreeConsistency,
  verifySubtreeConsistency,
  verifySubtreeInclusion,
} from 'indelible/merkle';
import { NaiveTree, spoiledProofs } from './naive-tree.ts';

const LARGEST = 34;
const tree = NaiveTree.ofSize(LARGEST);
const inclusionInvalid = { name: 'VerificationError', code: 'inclusion_invalid' };
const consistencyInvalid = { name: 'VerificationError', code: 'consistency_invalid' };

function* subtrees(size: number): Generator<{ begin: number; end: number }> {
  for (let end = 1; end <= size; end += 1) {
    for (let begin = 0; begin < end; begin += 1) if (isSubtree(begin, end)) yield { begin, end };
  }
}

test('every leaf of every subtree within 34 leaves is proven to be in it, and no spoiled proof passes', () => {
  for (const { begin, end } of subtrees(LARGEST)) {
    for (let index = begin; index < end; index += 1) {
      const proof = tree.path(index, begin, end);
      const claim = {
        index,
        begin,
        end,
        leafHash: tree.leafHashes[index]!,
        subtreeHash: tree.hash(begin, end),
        proof,
      };
      verifySubtreeInclusion(claim);
      for (const [how, spoiled] of spoiledProofs(proof)) {
        assert.throws(() => verifySubtreeInclusion({ ...claim, proof: spoiled }), inclusionInvalid, how);
      }
      assert.throws(() => verifySubtreeInclusion({ ...claim, index: end }), inclusionInvalid);
      if (begin > 0)
        assert.throws(() => verifySubtreeInclusion({ ...claim, index: begin - 1 }), inclusionInvalid);
      assert.throws(() => verifySubtreeInclusion({ ...claim, subtreeHash: EMPTY_ROOT }), inclusionInvalid);
    }
  }
});

test('every subtree of every tree within 34 leaves is proven to be part of it, and no spoiled proof passes', () => {
  for (let size = 1; size <= LARGEST; size += 1) {
    for (const { begin, end } of subtrees(size)) {
      const plan = planSubtreeConsistency({ begin, end }, size);
      const proof = plan.assemble(plan.nodes.map((node) => tree.node(node)));
      const claim = { begin, end, subtreeHash: tree.hash(begin, end), size, root: tree.hash(0, size), proof };
      verifySubtreeConsistency(claim);
      for (const [how, spoiled] of spoiledProofs(proof)) {
        const name = `[${begin}, ${end}) in ${size}: ${how}`;
        assert.throws(() => verifySubtreeConsistency({ ...claim, proof: spoiled }), consistencyInvalid, name);
      }
      assert.throws(
        () => verifySubtreeConsistency({ ...claim, subtreeHash: EMPTY_ROOT }),
        consistencyInvalid,
      );
      assert.throws(() => verifySubtreeConsistency({ ...claim, root: EMPTY_ROOT }), consistencyInvalid);
    }
  }
});

test('the proof for one subtree passes for no other subtree or size', () => {
  const size = 21;
  for (const subtree of subtrees(size)) {
    const plan = planSubtreeConsistency(subtree, size);
    const proof = plan.assemble(plan.nodes.map((node) => tree.node(node)));
    const claim = {
      ...subtree,
      subtreeHash: tree.hash(subtree.begin, subtree.end),
      size,
      root: tree.hash(0, size),
      proof,
    };
    for (const other of subtrees(size)) {
      if (other.begin === subtree.begin && other.end === subtree.end) continue;
      assert.throws(() => verifySubtreeConsistency({ ...claim, ...other }), consistencyInvalid);
    }
    for (let other = 1; other <= LARGEST; other += 1) {
      if (other === size) continue;
      assert.throws(
        () => verifySubtreeConsistency({ ...claim, size: other, root: tree.hash(0, other) }),
        consistencyInvalid,
      );
    }
  }
});

test('a subtree from the first leaf on is an older tree: its plan is that of RFC 6962', () => {
  for (let size2 = 1; size2 <= 64; size2 += 1) {
    for (let size1 = 1; size1 <= size2; size1 += 1) {
      const plan = planSubtreeConsistency({ begin: 0, end: size1 }, size2);
      assert.deepEqual(plan.nodes, planConsistency(size1, size2).nodes);
    }
  }
});

test('leaves that are no subtree are refused', () => {
  const hash = tree.leafHashes[0]!;
  for (const [begin, end] of [
    [1, 3],
    [2, 5],
    [4, 9],
    [5, 5],
    [0, 9],
  ] as const) {
    assert.throws(() => planSubtreeConsistency({ begin, end }, 8), {
      name: 'RangeError',
      code: 'range_invalid',
    });
    const claim = { begin, end, subtreeHash: hash, size: 8, root: hash, proof: [] };
    assert.throws(() => verifySubtreeConsistency(claim), consistencyInvalid);
  }
  const claim = { index: 1, begin: 1, end: 3, leafHash: hash, subtreeHash: hash, proof: [hash] };
  assert.throws(() => verifySubtreeInclusion(claim), inclusionInvalid);
});
