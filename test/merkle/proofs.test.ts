import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  EMPTY_ROOT,
  type Hash,
  type ProofPlan,
  planConsistency,
  planInclusion,
  rootBeforeLeaf,
  rootFromInclusion,
  SIZE_MAX,
  verifyConsistency,
  verifyInclusion,
} from 'indelible/merkle';
import { NaiveTree, spoiledProofs } from './naive-tree.ts';

const LARGEST = 64;
const tree = NaiveTree.ofSize(LARGEST);
const carryOut = (plan: ProofPlan): Hash[] => plan.assemble(plan.nodes.map((node) => tree.node(node)));
const inclusionInvalid = { name: 'VerificationError', code: 'inclusion_invalid' };
const consistencyInvalid = { name: 'VerificationError', code: 'consistency_invalid' };

test('every inclusion proof up to size 64 is that of RFC 6962, verifies, and fails when spoiled in any one way', () => {
  for (let size = 1; size <= LARGEST; size += 1) {
    const root = tree.hash(0, size);
    for (let index = 0; index < size; index += 1) {
      const proof = carryOut(planInclusion(index, size));
      const claim = { index, size, root, leafHash: tree.leafHashes[index]!, proof };
      assert.deepEqual(proof, tree.path(index, 0, size));
      verifyInclusion(claim);
      assert.deepEqual(rootFromInclusion(claim), root);
      assert.deepEqual(rootBeforeLeaf(claim), tree.hash(0, index));
      for (const [how, spoiled] of spoiledProofs(proof)) {
        assert.throws(
          () => verifyInclusion({ ...claim, proof: spoiled }),
          inclusionInvalid,
          `${index}/${size}: ${how}`,
        );
      }
    }
  }
});

test('an inclusion proof fails for every other leaf, index, size and root', () => {
  for (let size = 1; size <= 33; size += 1) {
    for (let index = 0; index < size; index += 1) {
      const claim = {
        index,
        size,
        root: tree.hash(0, size),
        leafHash: tree.leafHashes[index]!,
        proof: tree.path(index, 0, size),
      };
      const others = [
        ...range(0, 40).map((other) => ({ ...claim, index: other })),
        ...range(1, 40).map((other) => ({ ...claim, size: other, root: tree.hash(0, other) })),
        ...range(0, 33).map((other) => ({ ...claim, leafHash: tree.leafHashes[other]! })),
        { ...claim, root: EMPTY_ROOT },
        { ...claim, root: claim.root.subarray(1) },
        { ...claim, leafHash: claim.leafHash.subarray(1) },
      ].filter(
        (other) =>
          other.index !== index ||
          other.size !== size ||
          other.leafHash !== claim.leafHash ||
          other.root !== claim.root,
      );
      for (const other of others) {
        assert.throws(
          () => verifyInclusion(other),
          inclusionInvalid,
          `${index}/${size} as ${other.index}/${other.size}`,
        );
      }
    }
  }
});

test('every consistency proof up to size 64 is that of RFC 6962, verifies, and fails when spoiled in any one way', () => {
  for (let size2 = 1; size2 <= LARGEST; size2 += 1) {
    for (let size1 = 1; size1 <= size2; size1 += 1) {
      const proof = carryOut(planConsistency(size1, size2));
      const claim = { size1, root1: tree.hash(0, size1), size2, root2: tree.hash(0, size2), proof };
      assert.deepEqual(proof, tree.proof(size1, size2));
      verifyConsistency(claim);
      for (const [how, spoiled] of spoiledProofs(proof)) {
        assert.throws(
          () => verifyConsistency({ ...claim, proof: spoiled }),
          consistencyInvalid,
          `${size1}/${size2}: ${how}`,
        );
      }
    }
  }
});

test('a consistency proof fails for every other size and root', () => {
  for (let size2 = 1; size2 <= 33; size2 += 1) {
    for (let size1 = 1; size1 <= size2; size1 += 1) {
      const claim = {
        size1,
        root1: tree.hash(0, size1),
        size2,
        root2: tree.hash(0, size2),
        proof: tree.proof(size1, size2),
      };
      const others = [
        ...range(0, 40).map((other) => ({ ...claim, size1: other, root1: tree.hash(0, other) })),
        ...range(0, 40).map((other) => ({ ...claim, size2: other, root2: tree.hash(0, other) })),
        ...range(1, 33).map((other) => ({ ...claim, root1: tree.hash(0, other) })),
        ...range(1, 33).map((other) => ({ ...claim, root2: tree.hash(0, other) })),
        { ...claim, root1: claim.root2, root2: claim.root1 },
        { ...claim, root1: claim.root1.subarray(1) },
        { ...claim, root2: claim.root2.subarray(1) },
      ].filter(
        (other) =>
          other.size1 !== size1 ||
          other.size2 !== size2 ||
          other.root1 !== claim.root1 ||
          other.root2 !== claim.root2,
      );
      for (const other of others) {
        const name = `${size1}/${size2} as ${other.size1}/${other.size2}`;
        // The empty proof is the right one for all equal sizes; everything else belongs to one pair of sizes.
        const holds =
          other.size1 === other.size2 &&
          other.size1 > 0 &&
          other.proof.length === 0 &&
          other.root1 === other.root2;
        if (!holds) assert.throws(() => verifyConsistency(other), consistencyInvalid, name);
      }
    }
  }
});

test('a wrong consistency proof never makes a changed tree look like a continuation', () => {
  const changed = new NaiveTree(
    range(0, 64).map((index) => Buffer.from(index === 5 ? 'changed' : `${index}`)),
  );
  for (let size1 = 6; size1 <= 32; size1 += 1) {
    for (let size2 = size1; size2 <= 64; size2 += 1) {
      for (const source of [tree, changed]) {
        const claim = {
          size1,
          root1: tree.hash(0, size1),
          size2,
          root2: changed.hash(0, size2),
          proof: source.proof(size1, size2),
        };
        assert.throws(() => verifyConsistency(claim), consistencyInvalid, `${size1}/${size2}`);
      }
    }
  }
});

test('an entry that looks like a node is not taken for one', () => {
  const [left, right] = [tree.leafHashes[0]!, tree.leafHashes[1]!];
  const forged = new NaiveTree([Buffer.concat([left, right])]);
  assert.notDeepEqual(forged.hash(0, 1), tree.hash(0, 2));
  assert.notDeepEqual(
    new NaiveTree([Buffer.concat([[1], left, right].map((part) => Buffer.from(part)))]).hash(0, 1),
    tree.hash(0, 2),
  );
});

test('a plan wants exactly its hashes', () => {
  const plan = planInclusion(3, 7);
  const hashes = plan.nodes.map((node) => tree.node(node));
  const mismatch = { name: 'RangeError', code: 'hashes_mismatch' };
  assert.throws(() => plan.assemble(hashes.slice(1)), mismatch);
  assert.throws(() => plan.assemble([...hashes, hashes[0]!]), mismatch);
  assert.throws(() => plan.assemble([...hashes.slice(1), hashes[0]!.subarray(1)]), {
    code: 'hash_length_invalid',
  });
});

test('plans for what does not exist are misuse', () => {
  const index = { name: 'RangeError', code: 'index_out_of_range' };
  const size = { name: 'RangeError', code: 'size_out_of_range' };
  assert.throws(() => planInclusion(0, 0), index);
  assert.throws(() => planInclusion(7, 7), index);
  assert.throws(() => planInclusion(-1, 7), index);
  assert.throws(() => planInclusion(0.5, 7), index);
  assert.throws(() => planInclusion(0, SIZE_MAX + 1), size);
  assert.throws(() => planConsistency(0, 7), size);
  assert.throws(() => planConsistency(8, 7), size);
  assert.throws(() => planConsistency(1, SIZE_MAX + 1), size);
  assert.throws(() => planConsistency(Number.NaN, 7), size);
});

test('a proof about the empty tree does not exist', () => {
  assert.throws(
    () => verifyInclusion({ index: 0, size: 0, root: EMPTY_ROOT, leafHash: EMPTY_ROOT, proof: [] }),
    inclusionInvalid,
  );
  const claim = { size1: 0, root1: EMPTY_ROOT, size2: 1, root2: tree.hash(0, 1), proof: [] };
  assert.throws(() => verifyConsistency(claim), consistencyInvalid);
});

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, offset) => from + offset);
}
