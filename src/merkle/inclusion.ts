import { equalBytes, misuse, VerificationError } from '../bytes/index.ts';
import { HASH_BYTES, type Hash, hashNode } from './hashing.ts';
import { foldHashes } from './nodes.ts';
import { type Interval, type ProofPlan, planIntervals } from './proof-plan.ts';
import { halve, requireIndex, requireSize, splitPoint } from './sizes.ts';

/** What an inclusion proof is about, and the proof: hashes from the leaf's sibling upwards. */
export interface InclusionPath {
  readonly index: number;
  readonly size: number;
  readonly leafHash: Hash;
  readonly proof: readonly Hash[];
}

/**
 * The claim that the leaf `index` of the tree with `size` leaves and this `root` has this `leafHash`, with
 * its proof.
 */
export interface InclusionProof extends InclusionPath {
  readonly root: Hash;
}

/**
 * The plan of the proof that the leaf `index` is in the tree of `size`: PATH(index, D[size]) of RFC 6962
 * §2.1.1. Throws a misuse `index_out_of_range` if it is not.
 */
export function planInclusion(index: number, size: number): ProofPlan {
  requireSize(size);
  requireIndex(index);
  if (index >= size) {
    throw misuse('range', 'index_out_of_range', `A tree of size ${size} has no leaf with index ${index}.`);
  }
  return planIntervals(path(index, { begin: 0, end: size }));
}

/**
 * PATH(m, D[n]) of RFC 6962 §2.1.1 for the leaves D[begin:end]: the tree hashes beside the way from the leaf
 * to the root.
 */
function path(index: number, { begin, end }: Interval): Interval[] {
  if (end - begin === 1) return [];
  const middle = begin + splitPoint(end - begin);
  const left = { begin, end: middle };
  const right = { begin: middle, end };
  return index < middle ? [...path(index, left), right] : [...path(index, right), left];
}

/**
 * Returns if the proof shows that the leaf is in the tree, and throws `inclusion_invalid` if it does not.
 * Sizes and indexes beyond 2^53 - 1 are misuse (`size_out_of_range`, `index_out_of_range`).
 */
export function verifyInclusion(claim: InclusionProof): void {
  const root = rootFromInclusion(claim);
  if (!equalBytes(root, claim.root)) fail(claim, 'leads to another root');
}

/**
 * The root that the proof leads to, by RFC 9162 §2.1.3.2. It says nothing until it has been compared with a
 * root that is trusted; `verifyInclusion` does both. Throws `inclusion_invalid` if the proof has not exactly
 * the length, or one of its hashes not the length, that the place in the tree demands.
 */
export function rootFromInclusion(claim: InclusionPath): Hash {
  requireSize(claim.size);
  requireIndex(claim.index);
  if (claim.index >= claim.size) fail(claim, 'names a leaf outside of the tree');
  if (![claim.leafHash, ...claim.proof].every((hash) => hash.length === HASH_BYTES))
    fail(claim, 'holds no hashes');
  let position = claim.index;
  let last = claim.size - 1;
  let hash = claim.leafHash;
  for (const sibling of claim.proof) {
    if (last === 0) fail(claim, 'is too long');
    if (position % 2 === 1 || position === last) {
      hash = hashNode(sibling, hash);
      // The last node of a level rises without a sibling until it is a right child.
      while (position % 2 === 0 && position !== 0) {
        position = halve(position);
        last = halve(last);
      }
    } else {
      hash = hashNode(hash, sibling);
    }
    position = halve(position);
    last = halve(last);
  }
  if (last !== 0) fail(claim, 'is too short');
  return hash;
}

/**
 * The root over the leaves before `index`, which every inclusion proof of that leaf holds: the hashes to the left of its way
 * to the root are the complete subtrees of the first `index` leaves. Worth as much as the proof: verify that first. So who
 * holds the root of size n learns from the proof of leaf n, and from nothing else, that the log has only grown.
 */
export function rootBeforeLeaf({ index, size, proof }: InclusionPath): Hash {
  requireSize(size);
  requireIndex(index);
  const lefts: Hash[] = [];
  let position = index;
  let last = size - 1;
  for (const sibling of proof) {
    // As in `rootFromInclusion`: where the node has no sibling to its right, it rises until it is a right child.
    while (position === last && position % 2 === 0 && position !== 0) {
      position = halve(position);
      last = halve(last);
    }
    if (position % 2 === 1) lefts.unshift(sibling);
    position = halve(position);
    last = halve(last);
  }
  return foldHashes(lefts);
}

function fail({ index, size, proof }: InclusionPath, what: string): never {
  const message = `The proof that leaf ${index} is in the tree of size ${size} ${what}.`;
  throw new VerificationError('inclusion_invalid', message, { index, size, hashes: proof.length });
}
