/**
 * The Merkle tree: one hash that stands for every entry of a log, and short proofs about it.
 *
 * The leaves of the tree are the log's entries in their order. A leaf's hash is SHA-256(0x00 || entry), a
 * node's is SHA-256(0x01 || left || right), and the tree over n leaves splits at the largest power of two
 * smaller than n (RFC 6962 §2.1, unchanged in RFC 9162). So complete subtrees never change as the log grows,
 * and
 *
 * - an *inclusion proof*, about log2(n) hashes, shows that an entry is in the tree with a given root;
 * - a *consistency proof*, as short, shows that an older tree is the beginning of a newer one;
 * - a *frontier*, one hash for each set bit of n, is all that a writer needs in order to go on;
 * - *tiles* of 256 hashes are how the tree is stored and served (c2sp.org/tlog-tiles).
 *
 * ```ts
 * const frontier = Frontier.empty(); for (const entry of entries) frontier.append(hashLeaf(entry), (level,
 * index, hash) => save(level, index, hash)); const root = frontier.root();
 *
 * const plan = planInclusion(index, frontier.size); // which nodes the proof is made of const proof =
 * plan.assemble(load(plan.nodes)); // by whatever means, at once or not verifyInclusion({ index, size:
 * frontier.size, leafHash: hashLeaf(entry), root, proof }); // throws unless it holds
 * ```
 *
 * Everything is pure; the one thing that waits, `TileAuthenticator`, waits for a function that the caller
 * hands in. Sizes and indexes are JavaScript numbers up to `SIZE_MAX`, 2^53 - 1, and what lies beyond is
 * refused instead of rounded.
 */

export { type ConsistencyProof, planConsistency, verifyConsistency } from './consistency.ts';
export { decodeEntryBundle, ENTRY_BYTES_MAX, encodeEntryBundle } from './entry-bundle.ts';
export { Frontier } from './frontier.ts';
export { EMPTY_ROOT, HASH_BYTES, type Hash, hashLeaf, hashLeafText, hashNode } from './hashing.ts';
export {
  type InclusionPath,
  type InclusionProof,
  planInclusion,
  rootBeforeLeaf,
  rootFromInclusion,
  verifyInclusion,
} from './inclusion.ts';
export { foldHashes, isSubtree, type NodeId, nodeBegin, nodeEnd, rangeNodes } from './nodes.ts';
export type { Interval, ProofPlan } from './proof-plan.ts';
export { type NodeVisitor, Range, type RangeParts } from './range.ts';
export { SIZE_MAX } from './sizes.ts';
export {
  planSubtreeConsistency,
  type SubtreeConsistencyProof,
  type SubtreeInclusionProof,
  verifySubtreeConsistency,
  verifySubtreeInclusion,
} from './subtree.ts';
export {
  hashFromTile,
  partialWidth,
  TILE_HEIGHT,
  TILE_WIDTH,
  type Tile,
  type TilePlace,
  tileInTree,
  tileOfNode,
  tilesOfSize,
} from './tile.ts';
export {
  type ReadTiles,
  TILES_CACHED_MAX,
  TileAuthenticator,
  type TileAuthenticatorOptions,
} from './tile-authenticator.ts';
export { type EntryBundleId, entriesPath, parseEntriesPath, parseTilePath, tilePath } from './tile-path.ts';
