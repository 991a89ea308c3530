import { equalBytes, misuse, VerificationError } from '../bytes/index.ts';
import { HASH_BYTES, type Hash, hashNode } from './hashing.ts';
import { type Interval, type ProofPlan, planIntervals } from './proof-plan.ts';
import { halve, isPowerOfTwo, requireSize, splitPoint } from './sizes.ts';

/**
 * The claim that the tree with `size1` leaves and `root1` is the beginning of the tree with `size2` leaves
 * and `root2`: nothing was changed, removed or reordered in between. With its proof.
 */
export interface ConsistencyProof {
  readonly size1: number;
  readonly root1: Hash;
  readonly size2: number;
  readonly root2: Hash;
  readonly proof: readonly Hash[];
}

/**
 * The plan of the proof that the tree of `size1` is the beginning of the tree of `size2`: PROOF(size1,
 * D[size2]) of RFC 6962 §2.1.2. It is empty for equal sizes. Throws a misuse `size_out_of_range` unless 0 <
 * size1 <= size2: everything begins with the empty tree, so there is nothing to prove of it.
 */
export function planConsistency(size1: number, size2: number): ProofPlan {
  requireSize(size1);
  requireSize(size2);
  if (size1 === 0 || size1 > size2) {
    const message = `A consistency proof leads from a size to one not smaller, not from ${size1} to ${size2}.`;
    throw misuse('range', 'size_out_of_range', message);
  }
  return planIntervals(subproof(size1, { begin: 0, end: size2 }, true));
}

/**
 * SUBPROOF(m, D[n], b) of RFC 6962 §2.1.2 for the leaves D[begin:end], where m ends at the index `boundary`.
 * `isKnown` is its b: whether the verifier holds the hash of these leaves already, as the old root.
 */
function subproof(boundary: number, { begin, end }: Interval, isKnown: boolean): Interval[] {
  if (boundary === end) return isKnown ? [] : [{ begin, end }];
  const middle = begin + splitPoint(end - begin);
  const left = { begin, end: middle };
  const right = { begin: middle, end };
  return boundary <= middle
    ? [...subproof(boundary, left, isKnown), right]
    : [...subproof(boundary, right, false), left];
}

/**
 * Returns if the proof shows that the older tree is the beginning of the newer one, and throws
 * `consistency_invalid` if it does not; by RFC 9162 §2.1.4.2. The proof must have exactly the length that the
 * sizes demand. Sizes beyond 2^53 - 1 are misuse (`size_out_of_range`). Nothing is proven of the empty tree:
 * a `size1` of 0 is refused too.
 */
export function verifyConsistency(claim: ConsistencyProof): void {
  const { size1, root1, size2, root2, proof } = claim;
  requireSize(size1);
  requireSize(size2);
  if (size1 === 0 || size1 > size2) fail(claim, 'does not exist');
  if (size1 === size2) {
    if (proof.length > 0) fail(claim, 'is too long');
    if (!equalBytes(root1, root2)) fail(claim, 'is about two trees of one size');
    return;
  }
  if (![root1, root2, ...proof].every((hash) => hash.length === HASH_BYTES)) fail(claim, 'holds no hashes');
  const roots = rootsFromConsistency(claim);
  if (!equalBytes(roots.older, root1)) fail(claim, 'leads to another older root');
  if (!equalBytes(roots.newer, root2)) fail(claim, 'leads to another newer root');
}

/** The two roots that the proof leads to: fr and sr of RFC 9162 §2.1.4.2. */
function rootsFromConsistency(claim: ConsistencyProof): { older: Hash; newer: Hash } {
  // Step 2: a complete older tree is a node of the newer one, and the verifier knows its hash.
  const [start, ...rest] = isPowerOfTwo(claim.size1) ? [claim.root1, ...claim.proof] : claim.proof;
  if (start === undefined) fail(claim, 'is too short');
  // Steps 3 and 4.
  let position = claim.size1 - 1;
  let last = claim.size2 - 1;
  while (position % 2 === 1) {
    position = halve(position);
    last = halve(last);
  }
  // Steps 5 and 6.
  let older = start;
  let newer = start;
  for (const hash of rest) {
    if (last === 0) fail(claim, 'is too long');
    if (position % 2 === 1 || position === last) {
      older = hashNode(hash, older);
      newer = hashNode(hash, newer);
      while (position % 2 === 0 && position !== 0) {
        position = halve(position);
        last = halve(last);
      }
    } else {
      newer = hashNode(newer, hash);
    }
    position = halve(position);
    last = halve(last);
  }
  if (last !== 0) fail(claim, 'is too short');
  return { older, newer };
}

function fail({ size1, size2, proof }: ConsistencyProof, what: string): never {
  const message = `The proof that the tree of size ${size1} is the beginning of that of size ${size2} ${what}.`;
  throw new VerificationError('consistency_invalid', message, { size1, size2, hashes: proof.length });
}
