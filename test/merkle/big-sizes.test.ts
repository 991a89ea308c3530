import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { hexEncode } from 'indelible/bytes';
import {
  hashNode,
  type ProofPlan,
  planConsistency,
  planInclusion,
  rootFromInclusion,
  SIZE_MAX,
  verifyConsistency,
  verifyInclusion,
} from 'indelible/merkle';
import { readVector, vectorsMissing } from '../support/vectors.ts';

const sha = (text: string) => new Uint8Array(createHash('sha256').update(text).digest());

/**
 * The same algorithm over big integers, which cannot round: RFC 9162 §2.1.3.2 by bit lengths instead of
 * loops.
 */
function bigRoot(
  index: bigint,
  size: bigint,
  leafHash: Uint8Array,
  proof: readonly Uint8Array[],
): Uint8Array {
  const inner = (index ^ (size - 1n)).toString(2).replace(/^0$/, '').length;
  let hash = leafHash;
  proof.forEach((sibling, level) => {
    const isRight = level >= inner || (index >> BigInt(level)) % 2n === 1n;
    hash = isRight ? hashNode(sibling, hash) : hashNode(hash, sibling);
  });
  return hash;
}

function bigLength(index: bigint, size: bigint): number {
  const inner = (index ^ (size - 1n)).toString(2).replace(/^0$/, '').length;
  return inner + [...(index >> BigInt(inner)).toString(2)].filter((bit) => bit === '1').length;
}

interface BigCase {
  index: string;
  size: string;
  leafHash: string;
  proofLength: number;
  root: string;
}

const proofOf = (length: number) => Array.from({ length }, (_, k) => sha(`p${k}`));

test('the big-integer vectors: the reference reproduces them, and we refuse their sizes by name', {
  skip: vectorsMissing,
}, () => {
  const { cases } = JSON.parse(readVector('generated/inclusion-bigint.json')) as { cases: BigCase[] };
  assert.ok(cases.length >= 7);
  for (const { index, size, leafHash, proofLength, root } of cases) {
    const leaf = new Uint8Array(Buffer.from(leafHash, 'hex'));
    const proof = proofOf(proofLength);
    assert.equal(bigLength(BigInt(index), BigInt(size)), proofLength);
    assert.equal(hexEncode(bigRoot(BigInt(index), BigInt(size), leaf, proof)), root);
    const claim = { index: Number(index), size: Number(size), leafHash: leaf, proof };
    assert.throws(() => rootFromInclusion(claim), { name: 'RangeError', code: 'size_out_of_range' }, size);
  }
});

const bigSize = fc.oneof(
  fc.integer({ min: 1, max: SIZE_MAX }),
  fc.integer({ min: 0, max: 1000 }).map((below) => SIZE_MAX - below),
  fc
    .tuple(fc.integer({ min: 30, max: 52 }), fc.integer({ min: -2, max: 2 }))
    .map(([bits, near]) => 2 ** bits + near),
);

test('up to 2^53 - 1, inclusion is what big integers say it is, to the hash', () => {
  fc.assert(
    fc.property(bigSize, fc.double({ min: 0, max: 1, noNaN: true }), (size, part) => {
      const index = Math.min(Math.floor(part * size), size - 1);
      const length = bigLength(BigInt(index), BigInt(size));
      const leafHash = sha('leaf');
      const proof = proofOf(length);
      const root = bigRoot(BigInt(index), BigInt(size), leafHash, proof);
      verifyInclusion({ index, size, leafHash, proof, root });
      for (const wrong of [length - 1, length + 1].filter((other) => other >= 0)) {
        const claim = { index, size, leafHash, proof: proofOf(wrong), root };
        assert.throws(() => verifyInclusion(claim), { code: 'inclusion_invalid' });
      }
      assert.equal(synthetic(planInclusion(index, size)).length, length);
    }),
  );
});

test('2^53 - 1 is the last size, for every function that takes one', () => {
  const leafHash = sha('leaf');
  const size = { name: 'RangeError', code: 'size_out_of_range' };
  for (const index of [0, 1, 2 ** 52 - 1, 2 ** 52, SIZE_MAX - 1]) {
    const length = bigLength(BigInt(index), BigInt(SIZE_MAX));
    const proof = proofOf(length);
    const root = bigRoot(BigInt(index), BigInt(SIZE_MAX), leafHash, proof);
    verifyInclusion({ index, size: SIZE_MAX, leafHash, proof, root });
    assert.throws(() => verifyInclusion({ index, size: SIZE_MAX + 1, leafHash, proof, root }), size);
    assert.throws(() => planInclusion(index, SIZE_MAX + 1), size);
  }
  const tooLate = { index: SIZE_MAX + 1, size: SIZE_MAX, leafHash, proof: [], root: leafHash };
  assert.throws(() => verifyInclusion(tooLate), { name: 'RangeError', code: 'index_out_of_range' });
  const consistency = { size1: 1, root1: leafHash, size2: SIZE_MAX + 1, root2: leafHash, proof: [] };
  assert.throws(() => verifyConsistency(consistency), size);
  assert.throws(() => verifyConsistency({ ...consistency, size1: SIZE_MAX + 1 }), size);
  assert.throws(() => planConsistency(1, SIZE_MAX + 1), size);
});

/**
 * A tree too large to build: all leaves are equal, so the nodes of a level are equal too, and one hash a
 * level is the whole tree. Positions do not matter for its hashes, but lengths and the order of folding do.
 */
const uniform: Uint8Array[] = [sha('the only leaf')];
for (let level = 1; level <= 53; level += 1) uniform.push(hashNode(uniform[level - 1]!, uniform[level - 1]!));
const synthetic = (plan: ProofPlan) => plan.assemble(plan.nodes.map(({ level }) => uniform[level]!));

function uniformRoot(size: number): Uint8Array {
  const levels = [...BigInt(size).toString(2)]
    .reverse()
    .flatMap((bit, level) => (bit === '1' ? [level] : []));
  return levels.map((level) => uniform[level]!).reduce((right, left) => hashNode(left, right));
}

test('up to 2^53 - 1, planned proofs verify against the root of a tree of equal leaves', () => {
  fc.assert(
    fc.property(bigSize, bigSize, (one, other) => {
      const [size1, size2] = [Math.min(one, other), Math.max(one, other)];
      const [root1, root2] = [uniformRoot(size1), uniformRoot(size2)];
      const index = size1 - 1;
      verifyInclusion({
        index,
        size: size2,
        leafHash: uniform[0]!,
        root: root2,
        proof: synthetic(planInclusion(index, size2)),
      });
      const plan = planConsistency(size1, size2);
      verifyConsistency({ size1, root1, size2, root2, proof: synthetic(plan) });
      for (const { level, index } of plan.nodes) {
        assert.ok(Number.isSafeInteger(index));
        assert.ok((BigInt(index) + 1n) << BigInt(level) <= BigInt(size2));
      }
    }),
    { numRuns: 300 },
  );
});
