import { misuse } from '../bytes/index.ts';
import type { Hash } from './hashing.ts';
import { foldHashes, type NodeId, rangeNodes } from './nodes.ts';

/**
 * A proof before its hashes have been fetched: which nodes to read, in one batch and by whatever means, and
 * how to make the proof of them. Every node named is a complete subtree, so its hash never changes and may be
 * cached for ever.
 */
export interface ProofPlan {
  readonly nodes: readonly NodeId[];
  /**
   * The proof, out of the hashes of `nodes` in the same order. Throws a misuse `hashes_mismatch` if any is
   * missing or left over.
   */
  assemble(hashes: readonly Hash[]): Hash[];
}

/** The leaves whose tree hash is one element of a proof: D[begin:end] in the words of RFC 6962. */
export interface Interval {
  readonly begin: number;
  readonly end: number;
}

/** The plan of the proof that consists of the tree hash of each interval. */
export function planIntervals(intervals: readonly Interval[]): ProofPlan {
  // Only an interval at the right edge of the tree is more than one node, and then it is folded.
  const groups = intervals.map(({ begin, end }) => rangeNodes(begin, end));
  const nodes = Object.freeze(groups.flat());
  return Object.freeze({
    nodes,
    assemble(hashes: readonly Hash[]): Hash[] {
      if (hashes.length !== nodes.length) {
        const message = `The proof is made of ${nodes.length} hashes, and ${hashes.length} were given.`;
        throw misuse('range', 'hashes_mismatch', message);
      }
      let taken = 0;
      return groups.map((group) => {
        const first = taken;
        taken += group.length;
        return foldHashes(hashes.slice(first, taken));
      });
    },
  });
}
