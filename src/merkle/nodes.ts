import { misuse } from '../bytes/index.ts';
import { EMPTY_ROOT, type Hash, hashNode } from './hashing.ts';
import { requireIndex, requireSize, splitPoint } from './sizes.ts';

/**
 * The place of a complete subtree: `level` 0 is the leaves, and node `index` of a level stands over the
 * leaves from `index * 2^level` up to, not including, `(index + 1) * 2^level`. Its hash is fixed as soon as
 * these leaves are there, whatever the size of the tree.
 */
export interface NodeId {
  readonly level: number;
  readonly index: number;
}

/** The first leaf under a node. */
export function nodeBegin({ level, index }: NodeId): number {
  return index * 2 ** level;
}

/** The first leaf behind a node: the smallest size of a tree that contains it. */
export function nodeEnd({ level, index }: NodeId): number {
  return (index + 1) * 2 ** level;
}

/**
 * The fewest complete subtrees that cover the leaves from `begin` up to `end`, left to right. For `begin` 0
 * they are one for each set bit of `end`, the largest first.
 */
export function rangeNodes(begin: number, end: number): NodeId[] {
  requireRange(begin, end);
  const nodes: NodeId[] = [];
  let position = begin;
  while (position < end) {
    let level = 0;
    let width = 1;
    while (position % (width * 2) === 0 && width * 2 <= end - position) {
      width *= 2;
      level += 1;
    }
    nodes.push({ level, index: position / width });
    position += width;
  }
  return nodes;
}

/**
 * The hash over neighbouring subtrees, each at most as large as the one to its left: MTH is split at the
 * largest power of two (RFC 6962 §2.1), so the last two are combined first. Nothing at all is the empty tree.
 */
export function foldHashes(hashes: readonly Hash[]): Hash {
  let hash = hashes.at(-1);
  if (hash === undefined) return EMPTY_ROOT.slice();
  for (let position = hashes.length - 2; position >= 0; position -= 1)
    hash = hashNode(hashes[position]!, hash);
  return hash;
}

/**
 * Whether the leaves from `begin` up to `end` are a subtree (draft-ietf-plants-merkle-tree-certs,
 * "Subtrees"): `begin` is a multiple of the smallest power of two that is not smaller than their number. Such
 * a range has a hash of its own, which is a node of every larger tree or is made of a few nodes at its right
 * edge.
 */
export function isSubtree(begin: number, end: number): boolean {
  requireRange(begin, end);
  const size = end - begin;
  return size <= 1 || begin % (splitPoint(size) * 2) === 0;
}

/** Throws a misuse `range_invalid` unless `begin` and `end` are sizes, in this order. */
export function requireRange(begin: number, end: number): void {
  requireSize(begin);
  requireSize(end);
  if (begin <= end) return;
  throw misuse('range', 'range_invalid', `A range does not end at ${end}, before its beginning at ${begin}.`);
}

/** Throws a misuse `node_invalid` unless the node stands, complete, in a tree of `size`. */
export function requireNodeWithin(node: NodeId, size: number): void {
  requireIndex(node.index);
  if (Number.isSafeInteger(node.level) && node.level >= 0 && nodeEnd(node) <= size) return;
  throw misuse('range', 'node_invalid', `Node ${node.level}/${node.index} is not in a tree of size ${size}.`);
}
