import { misuse, sha256, sha256Text } from '../bytes/index.ts';

/** A SHA-256 hash of a leaf or of a node: `HASH_BYTES` bytes. Treat it as immutable. */
export type Hash = Uint8Array;

/** The length of every hash of the tree. */
export const HASH_BYTES = 32;

/** The root of the tree without leaves: MTH({}) = SHA-256() (RFC 6962 §2.1). */
export const EMPTY_ROOT: Hash = sha256(new Uint8Array(0));

const LEAF_PREFIX = 0x00;
const NODE_PREFIX = 0x01;

/**
 * Room for the prefix and the longest entry that tiles can carry. One buffer for all: a fresh one costs more
 * than the hash.
 */
const leafInput = new Uint8Array(1 + 65_535).fill(LEAF_PREFIX, 0, 1);
const nodeInput = new Uint8Array(1 + 2 * HASH_BYTES).fill(NODE_PREFIX, 0, 1);

/**
 * The hash of a leaf: MTH({d(0)}) = SHA-256(0x00 || d(0)) (RFC 6962 §2.1).
 *
 * The prefix, which differs from a node's, is what keeps a node from being passed off as an entry. So hash
 * entries with this, and never accept a "leaf hash" from outside without its entry.
 */
export function hashLeaf(entry: Uint8Array): Hash {
  const length = 1 + entry.length;
  const input = length <= leafInput.length ? leafInput.subarray(0, length) : new Uint8Array(length);
  input.set(entry, 1);
  return sha256(input);
}

/**
 * `hashLeaf` of the UTF-8 of `entry`, without an array between. Throws a misuse `text_ill_formed` if it has
 * no UTF-8.
 */
export function hashLeafText(entry: string): Hash {
  // The prefix 0x00 is UTF-8 as well.
  return sha256Text(`\0${entry}`);
}

/** The hash of a node over its two children: SHA-256(0x01 || left || right) (RFC 6962 §2.1). */
export function hashNode(left: Hash, right: Hash): Hash {
  requireHash(left);
  requireHash(right);
  nodeInput.set(left, 1);
  nodeInput.set(right, 1 + HASH_BYTES);
  return sha256(nodeInput);
}

/** Throws a misuse `hash_length_invalid` unless `hash` is 32 bytes long. */
export function requireHash(hash: Hash): void {
  if (hash.length === HASH_BYTES) return;
  throw misuse(
    'range',
    'hash_length_invalid',
    `A hash of the tree has ${HASH_BYTES} bytes, not ${hash.length}.`,
  );
}
