import type { Hash } from './hashing.ts';
import { type NodeVisitor, Range } from './range.ts';

/**
 * The right edge of a tree: the compact range of its leaves from 0 to `size`, one hash for each set bit of
 * the size, the largest subtree first. It is all that a log needs in order to take the next entry and to know
 * its root.
 */
export class Frontier {
  readonly #range: Range;

  private constructor(range: Range) {
    this.#range = range;
  }

  /** The tree without leaves. */
  static empty(): Frontier {
    return new Frontier(Range.empty(0));
  }

  /**
   * A frontier remembered earlier as `size` and `hashes`. Throws a misuse `hashes_mismatch` if their numbers
   * do not fit.
   */
  static from(size: number, hashes: readonly Hash[]): Frontier {
    return new Frontier(Range.from({ begin: 0, end: size, hashes }));
  }

  /** The number of leaves. */
  get size(): number {
    return this.#range.end;
  }

  /** The hashes of the complete subtrees, the largest first; a copy. */
  get hashes(): Hash[] {
    return this.#range.hashes;
  }

  /**
   * Adds the leaf with index `size`, in amortised two hashes. `visit` is called for the leaf itself, as node
   * of level 0, and then upwards for every subtree that it completes: in the end once for each complete
   * subtree of the tree.
   */
  append(leafHash: Hash, visit?: NodeVisitor): void {
    this.#range.append(leafHash, visit);
  }

  /**
   * The tree with the leaves of `next`, hashed elsewhere, behind its own; see `Range.join`. This frontier
   * does not change.
   */
  join(next: Range, visit?: NodeVisitor): Frontier {
    return new Frontier(this.#range.join(next, visit));
  }

  /** The root of the tree: MTH(D[size]) (RFC 6962 §2.1). */
  root(): Hash {
    return this.#range.root();
  }

  /** An independent copy. */
  clone(): Frontier {
    return new Frontier(this.#range.clone());
  }
}
