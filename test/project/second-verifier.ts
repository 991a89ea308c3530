// A second verifier, written from the pages under spec/ alone. It shares nothing with the code under src but
// the platform's SHA-256, Ed25519 and JSON parser, so that a page which says too little, or something that the code does not do,
// fails a test. It is here to be short and plain, not to be strict: the strict one is src/verify.

import { createHash, createPublicKey, verify } from 'node:crypto';

/** SHA-256 of the parts, joined. Text counts as its UTF-8 bytes. */
export function hash(...parts: (Uint8Array | string)[]): Buffer {
  const sum = createHash('sha256');
  for (const part of parts) {
    sum.update(part);
  }
  return sum.digest();
}

/** spec/checkpoint.md: the hash of an entry as a leaf of the tree. */
export const leafHash = (entry: Uint8Array): Buffer => hash(Uint8Array.of(0), entry);

/** spec/checkpoint.md: the hash of two neighbours. */
export const nodeHash = (left: Uint8Array, right: Uint8Array): Buffer => hash(Uint8Array.of(1), left, right);

/** spec/checkpoint.md: the root over some leaf hashes. */
export function rootOf(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length < 2) {
    return leaves[0] ?? hash();
  }
  let split = 1;
  while (split * 2 < leaves.length) {
    split *= 2;
  }
  return nodeHash(rootOf(leaves.slice(0, split)), rootOf(leaves.slice(split)));
}

/** spec/checkpoint.md: opens a note signed by one key, and returns what its three lines say. */
export function openCheckpoint(note: string, vkey: string): { origin: string; size: number; root: Buffer } {
  const [name = '', keyId = '', ...rest] = vkey.split('+');
  const key = Buffer.from(rest.join('+'), 'base64');
  const id = hash(`${name}\n`, key).subarray(0, 4);
  assertThat(id.toString('hex') === keyId, 'the key id belongs to the key');
  const end = note.lastIndexOf('\n\n');
  const text = note.slice(0, end + 1);
  const line = note
    .slice(end + 2)
    .split('\n')
    .find((candidate) => candidate.startsWith(`— ${name} `));
  const signature = Buffer.from(line?.split(' ')[2] ?? '', 'base64');
  assertThat(signature.subarray(0, 4).equals(id), 'the signature is by the key');
  const ed25519 = { kty: 'OKP', crv: 'Ed25519', x: key.subarray(1).toString('base64url') };
  const publicKey = createPublicKey({ key: ed25519, format: 'jwk' });
  assertThat(verify(null, Buffer.from(text), publicKey, signature.subarray(4)), 'the signature holds');
  const [origin = '', size = '', root = ''] = text.split('\n');
  return { origin, size: Number(size), root: Buffer.from(root, 'base64') };
}

/** spec/proof.md: verifies that an entry is in the log of a key, from the proof file alone. */
export function verifyProof(proof: string, entry: Uint8Array, vkey: string): { index: number; size: number } {
  const end = proof.indexOf('\n\n');
  const [header, indexLine = '', ...path] = proof.slice(0, end).split('\n');
  assertThat(header === 'c2sp.org/tlog-proof@v1', 'it is a proof file');
  const checkpoint = openCheckpoint(proof.slice(end + 2), vkey);
  assertThat(checkpoint.origin === vkey.split('+')[0], 'the origin is the one of the key');
  const index = Number(indexLine.replace('index ', ''));
  assertThat(index < checkpoint.size, 'the index is below the size');
  let i = index;
  let last = checkpoint.size - 1;
  let root = leafHash(entry);
  for (const sibling of path.map((line) => Buffer.from(line, 'base64'))) {
    assertThat(last !== 0, 'the path is not too long');
    if (i % 2 === 1 || i === last) {
      root = nodeHash(sibling, root);
      while (i % 2 === 0 && i !== 0) {
        i /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      root = nodeHash(root, sibling);
    }
    i = Math.floor(i / 2);
    last = Math.floor(last / 2);
  }
  assertThat(last === 0, 'the path is not too short');
  assertThat(root.equals(checkpoint.root), 'the root is the one that was signed');
  return { index, size: checkpoint.size };
}

/** spec/sealing.md: the digest of a disclosure, as it stands in an entry's `_sd`. */
export function disclosureDigest(disclosure: string): string {
  return hash(Buffer.from(disclosure).toString('base64url')).toString('base64url');
}

/** spec/sealing.md: puts the values of the disclosures back where their digests stand. */
export function join(value: unknown, disclosures: ReadonlyMap<string, string>): unknown {
  if (Array.isArray(value)) {
    return value.map((item) => join(item, disclosures));
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  const { _sd: digests = [], ...rest } = value as { _sd?: string[] };
  const open = Object.entries(rest).map(([name, held]) => [name, join(held, disclosures)]);
  const sealed = digests.flatMap((digest) => {
    const disclosure = disclosures.get(digest);
    return disclosure === undefined ? [] : [JSON.parse(disclosure).slice(1)];
  });
  return Object.fromEntries([...open, ...sealed]);
}

function assertThat(holds: boolean, what: string): void {
  if (!holds) {
    throw new Error(`It does not hold that ${what}.`);
  }
}
