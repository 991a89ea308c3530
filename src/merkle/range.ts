import { misuse } from '../bytes/index.ts';
import { type Hash, hashNode, requireHash } from './hashing.ts';
import { foldHashes, isSubtree, rangeNodes } from './nodes.ts';
import { requireSize, SIZE_MAX } from './sizes.ts';

/** Called for a node whose hash has just become known. */
export type NodeVisitor = (level: number, index: number, hash: Hash) => void;

/** What `Range.from` takes. */
export interface RangeParts {
  readonly begin: number;
  readonly end: number;
  /** The hashes of `rangeNodes(begin, end)`, in this order. */
  readonly hashes: readonly Hash[];
}

/**
 * A compact range: all that must be remembered of the leaves from `begin` up to `end` in order to go on
 * hashing, which is one hash for each subtree of `rangeNodes(begin, end)`, at most 104. A range grows leaf by
 * leaf at its right end, and two that meet can be joined, so that several workers can hash a log at once.
 * `Frontier` is the range that begins at 0.
 */
export class Range {
  readonly begin: number;
  #end: number;
  readonly #hashes: Hash[];

  private constructor(begin: number, end: number, hashes: Hash[]) {
    this.begin = begin;
    this.#end = end;
    this.#hashes = hashes;
  }

  /** The range without leaves before the leaf `begin`. */
  static empty(begin: number): Range {
    requireSize(begin);
    return new Range(begin, begin, []);
  }

  /**
   * A range remembered earlier. Throws a misuse `hashes_mismatch` unless there is one hash for each subtree.
   */
  static from({ begin, end, hashes }: RangeParts): Range {
    const count = rangeNodes(begin, end).length;
    if (hashes.length !== count) {
      const range = `[${begin}, ${end})`;
      throw misuse(
        'range',
        'hashes_mismatch',
        `The range ${range} is ${count} hashes, not ${hashes.length}.`,
      );
    }
    hashes.forEach(requireHash);
    return new Range(begin, end, [...hashes]);
  }

  /** The index behind the last leaf. */
  get end(): number {
    return this.#end;
  }

  /** The hashes of `rangeNodes(begin, end)`, left to right; a copy. */
  get hashes(): Hash[] {
    return [...this.#hashes];
  }

  /**
   * Adds the leaf with index `end`. `visit` is called for the leaf itself, as node of level 0, and then
   * upwards for every subtree that this leaf completes within the range. Throws a misuse `size_out_of_range`
   * at `SIZE_MAX` leaves.
   */
  append(leafHash: Hash, visit?: NodeVisitor): void {
    requireHash(leafHash);
    if (this.#end === SIZE_MAX)
      throw misuse('range', 'size_out_of_range', 'A tree has at most 2^53 - 1 leaves.');
    visit?.(0, this.#end, leafHash);
    this.#push(0, this.#end, leafHash, visit);
    this.#end += 1;
  }

  /**
   * This range and `next`, which begins where this one ends, as one. Neither changes. `visit` is called for
   * every subtree that only the two together complete. Throws a misuse `range_invalid` if they do not meet.
   */
  join(next: Range, visit?: NodeVisitor): Range {
    if (next.begin !== this.#end) {
      throw misuse(
        'range',
        'range_invalid',
        `A range from ${next.begin} does not continue one up to ${this.#end}.`,
      );
    }
    const joined = this.clone();
    rangeNodes(next.begin, next.end).forEach(({ level, index }, position) => {
      joined.#push(level, index, next.#hashes[position]!, visit);
    });
    joined.#end = next.end;
    return joined;
  }

  /**
   * The hash over all leaves: the root of the tree where `begin` is 0, else the hash of the subtree. Throws a
   * misuse `range_invalid` where the range has no hash of its own (see `isSubtree`).
   */
  root(): Hash {
    if (isSubtree(this.begin, this.#end)) return foldHashes(this.#hashes);
    throw misuse('range', 'range_invalid', `The leaves [${this.begin}, ${this.#end}) are not a subtree.`);
  }

  /** An independent copy. */
  clone(): Range {
    return new Range(this.begin, this.#end, [...this.#hashes]);
  }

  /**
   * Adds a subtree at the right end, and combines it with its left sibling as long as that lies within the
   * range.
   */
  #push(nodeLevel: number, nodeIndex: number, nodeHash: Hash, visit: NodeVisitor | undefined): void {
    let level = nodeLevel;
    let index = nodeIndex;
    let hash = nodeHash;
    while (index % 2 === 1 && (index - 1) * 2 ** level >= this.begin) {
      // The subtrees are the fewest possible, so the last of them is exactly this sibling.
      hash = hashNode(this.#hashes.pop()!, hash);
      level += 1;
      index = (index - 1) / 2;
      visit?.(level, index, hash);
    }
    this.#hashes.push(hash);
  }
}
