import { equalBytes, misuse, VerificationError } from '../bytes/index.ts';
import { HASH_BYTES, type Hash, hashNode } from './hashing.ts';
import { rootFromInclusion } from './inclusion.ts';
import { isSubtree, requireRange } from './nodes.ts';
import { type Interval, type ProofPlan, planIntervals } from './proof-plan.ts';
import { halve, requireSize, splitPoint } from './sizes.ts';

/**
 * The claim that the leaf `index` is in the subtree over the leaves from `begin` up to `end`, with its proof.
 */
export interface SubtreeInclusionProof {
  readonly index: number;
  readonly begin: number;
  readonly end: number;
  readonly leafHash: Hash;
  readonly subtreeHash: Hash;
  readonly proof: readonly Hash[];
}

/**
 * The claim that the subtree over the leaves from `begin` up to `end` is part of the tree of `size`, with its
 * proof.
 */
export interface SubtreeConsistencyProof {
  readonly begin: number;
  readonly end: number;
  readonly subtreeHash: Hash;
  readonly size: number;
  readonly root: Hash;
  readonly proof: readonly Hash[];
}

/**
 * Returns if the proof shows that the leaf is in the subtree, else throws `inclusion_invalid`;
 * draft-ietf-plants-merkle-tree-certs, "Subtree Inclusion Proofs". A subtree is a tree of its own whose
 * leaves are counted from `begin`.
 */
export function verifySubtreeInclusion(claim: SubtreeInclusionProof): void {
  const { index, begin, end, leafHash, subtreeHash, proof } = claim;
  requireRange(begin, end);
  if (!isSubtree(begin, end)) failInclusion(claim, 'is about leaves that are not a subtree');
  if (index < begin || index >= end) failInclusion(claim, 'names a leaf outside of it');
  const hash = rootFromInclusion({ index: index - begin, size: end - begin, leafHash, proof });
  if (!equalBytes(hash, subtreeHash)) failInclusion(claim, 'leads to another hash');
}

/**
 * The plan of the proof that the subtree over the leaves from `begin` up to `end` is part of the tree of
 * `size`: SUBTREE_PROOF of draft-ietf-plants-merkle-tree-certs, "Subtree Consistency Proofs", which for
 * `begin` 0 is RFC 6962 PROOF. Throws a misuse `range_invalid` unless these leaves are a subtree, not empty,
 * within the tree.
 */
export function planSubtreeConsistency({ begin, end }: Interval, size: number): ProofPlan {
  requireSize(size);
  if (!isSubtree(begin, end) || begin === end || end > size) {
    throw misuse(
      'range',
      'range_invalid',
      `The leaves [${begin}, ${end}) are no subtree of a tree of size ${size}.`,
    );
  }
  return planIntervals(subproof({ begin, end }, { begin: 0, end: size }, true));
}

/** SUBTREE_SUBPROOF(start, end, D[n], b) for the leaves of `tree`; `isKnown` is b, as in RFC 6962 §2.1.2. */
function subproof(subtree: Interval, tree: Interval, isKnown: boolean): Interval[] {
  if (subtree.begin === tree.begin && subtree.end === tree.end) return isKnown ? [] : [tree];
  const middle = tree.begin + splitPoint(tree.end - tree.begin);
  const left = { begin: tree.begin, end: middle };
  const right = { begin: middle, end: tree.end };
  if (subtree.end <= middle) return [...subproof(subtree, left, isKnown), right];
  if (subtree.begin >= middle) return [...subproof(subtree, right, isKnown), left];
  // The subtree begins with the whole left half, whose hash is then part of the proof.
  return [...subproof({ begin: middle, end: subtree.end }, right, false), left];
}

/**
 * Returns if the proof shows that the subtree is part of the tree, else throws `consistency_invalid`;
 * draft-ietf-plants-merkle-tree-certs, "Verifying a Subtree Consistency Proof". The empty subtree is refused:
 * the draft lets it pass without a look at the tree, which is true and says nothing.
 */
export function verifySubtreeConsistency(claim: SubtreeConsistencyProof): void {
  const { begin, end, subtreeHash, size, root, proof } = claim;
  requireRange(begin, end);
  requireSize(size);
  if (begin === end || end > size || !isSubtree(begin, end))
    failConsistency(claim, 'is about leaves that are no subtree of it');
  if (begin === 0 && end === size) {
    // The subtree is the tree.
    if (proof.length > 0) failConsistency(claim, 'is too long');
    if (!equalBytes(subtreeHash, root)) failConsistency(claim, 'is about two trees of one size');
    return;
  }
  if (![subtreeHash, root, ...proof].every((hash) => hash.length === HASH_BYTES))
    failConsistency(claim, 'holds no hashes');
  const hashes = hashesFromConsistency(claim);
  if (!equalBytes(hashes.subtree, subtreeHash))
    failConsistency(claim, 'leads to another hash of the subtree');
  if (!equalBytes(hashes.tree, root)) failConsistency(claim, 'leads to another root');
}

/** The hashes of the subtree and of the tree that the proof leads to: the draft's fr and sr. */
function hashesFromConsistency(claim: SubtreeConsistencyProof): { subtree: Hash; tree: Hash } {
  // The draft's fn, sn and tn: the way up from the first and the last leaf of the subtree and from the last
  // of the tree.
  let first = claim.begin;
  let position = claim.end - 1;
  let last = claim.size - 1;
  const rise = (): void => {
    first = halve(first);
    position = halve(position);
    last = halve(last);
  };
  // Up to the largest node of the tree at the right edge of the subtree, where the proof begins.
  if (position === last) while (first !== position) rise();
  else while (first !== position && position % 2 === 1) rise();
  const [start, ...rest] = first === position ? [claim.subtreeHash, ...claim.proof] : claim.proof;
  if (start === undefined) failConsistency(claim, 'is too short');
  let subtree = start;
  let tree = start;
  for (const hash of rest) {
    if (last === 0) failConsistency(claim, 'is too long');
    if (position % 2 === 1 || position === last) {
      // Within the subtree as long as its left edge is still apart from its right one.
      if (first < position) subtree = hashNode(hash, subtree);
      tree = hashNode(hash, tree);
      while (position % 2 === 0 && position !== 0) rise();
    } else {
      tree = hashNode(tree, hash);
    }
    rise();
  }
  if (last !== 0) failConsistency(claim, 'is too short');
  return { subtree, tree };
}

function failInclusion({ index, begin, end, proof }: SubtreeInclusionProof, what: string): never {
  const message = `The proof that leaf ${index} is in the subtree [${begin}, ${end}) ${what}.`;
  throw new VerificationError('inclusion_invalid', message, { index, begin, end, hashes: proof.length });
}

function failConsistency({ begin, end, size, proof }: SubtreeConsistencyProof, what: string): never {
  const message = `The proof that the subtree [${begin}, ${end}) is in the tree of size ${size} ${what}.`;
  throw new VerificationError('consistency_invalid', message, { begin, end, size, hashes: proof.length });
}
