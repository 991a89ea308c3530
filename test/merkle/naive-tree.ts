import { createHash } from 'node:crypto';

/**
 * The tree as RFC 6962 §2.1 defines it, word for word and without a thought for speed: what the real one is
 * compared with. It shares no code with it, not even the hash function.
 */
export class NaiveTree {
  readonly leafHashes: readonly Uint8Array[];
  readonly #known = new Map<string, Uint8Array>();

  constructor(entries: readonly Uint8Array[]) {
    this.leafHashes = entries.map((entry) => hash([0x00], entry));
  }

  /** A tree whose entry i is the decimal text of i. */
  static ofSize(size: number): NaiveTree {
    return new NaiveTree(Array.from({ length: size }, (_, index) => Buffer.from(`${index}`)));
  }

  /** MTH(D[begin:end]). */
  hash(begin: number, end: number): Uint8Array {
    if (begin === end) return hash();
    if (end - begin === 1) return this.leafHashes[begin]!;
    const key = `${begin}-${end}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const middle = begin + split(end - begin);
    const value = hash([0x01], this.hash(begin, middle), this.hash(middle, end));
    this.#known.set(key, value);
    return value;
  }

  /** The hash of the complete subtree at a level and index. */
  node({ level, index }: { level: number; index: number }): Uint8Array {
    return this.hash(index * 2 ** level, (index + 1) * 2 ** level);
  }

  /** PATH(m, D[begin:end]), m counted from the beginning of the tree. */
  path(m: number, begin: number, end: number): Uint8Array[] {
    if (end - begin === 1) return [];
    const middle = begin + split(end - begin);
    if (m < middle) return [...this.path(m, begin, middle), this.hash(middle, end)];
    return [...this.path(m, middle, end), this.hash(begin, middle)];
  }

  /** PROOF(m, D[n]). */
  proof(m: number, n: number): Uint8Array[] {
    return this.#subproof(m, 0, n, true);
  }

  #subproof(m: number, begin: number, end: number, b: boolean): Uint8Array[] {
    const n = end - begin;
    if (m === n) return b ? [] : [this.hash(begin, end)];
    const k = split(n);
    if (m <= k) return [...this.#subproof(m, begin, begin + k, b), this.hash(begin + k, end)];
    return [...this.#subproof(m - k, begin + k, end, false), this.hash(begin, begin + k)];
  }
}

/** SHA-256 of the parts, one after the other. */
export function hash(...parts: (Uint8Array | number[])[]): Uint8Array {
  const digest = createHash('sha256');
  for (const part of parts) digest.update(Uint8Array.from(part));
  return new Uint8Array(digest.digest());
}

/**
 * Every way to spoil a proof by one hash: each one flipped in its first and last bit, removed, doubled; one
 * more at each end.
 */
export function spoiledProofs(proof: readonly Uint8Array[]): Map<string, Uint8Array[]> {
  const spoiled = new Map<string, Uint8Array[]>();
  const extra = hash([0x77]);
  spoiled.set('one more behind', [...proof, extra]);
  spoiled.set('one more before', [extra, ...proof]);
  proof.forEach((element, position) => {
    const before = proof.slice(0, position);
    const after = proof.slice(position + 1);
    const flip = (at: number, bit: number) =>
      element.map((byte, index) => (index === at ? byte ^ bit : byte));
    spoiled.set(`first bit of ${position} flipped`, [...before, flip(0, 0x80), ...after]);
    spoiled.set(`last bit of ${position} flipped`, [...before, flip(31, 0x01), ...after]);
    spoiled.set(`${position} removed`, [...before, ...after]);
    spoiled.set(`${position} doubled`, [...before, element, element, ...after]);
    spoiled.set(`${position} one byte short`, [...before, element.subarray(0, 31), ...after]);
    spoiled.set(`${position} one byte long`, [...before, Uint8Array.from([...element, 0]), ...after]);
  });
  return spoiled;
}

function split(n: number): number {
  let k = 1;
  while (k < n) k *= 2;
  return k / 2;
}
