// A verifier that shares nothing with the code under test: node:sqlite reads the rows, node:crypto hashes and verifies,
// and the tree is the recursion of RFC 6962, section 2.1, with nothing clever in it. It believes no column but the bytes.

import { createHash, createPublicKey, verify } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';

/** One entry as the file holds it. */
export interface FoundEntry {
  readonly index: number;
  readonly bytes: Buffer;
  /** The entry's JSON; undefined where it is none. */
  readonly json: Record<string, unknown> | undefined;
  readonly disclosures: readonly string[];
}

/** Everything that `log.db` holds, read and not yet believed. */
export interface FoundLog {
  readonly entries: readonly FoundEntry[];
  /** Rows of the id table, in the order of their indexes. */
  readonly ids: readonly { readonly id: string; readonly index: number }[];
  readonly head: {
    readonly size: number;
    readonly root: Buffer;
    readonly recordedAt: number;
    readonly checkpoint: string;
  };
  readonly tiles: readonly { readonly level: number; readonly index: number; readonly hashes: Buffer }[];
  /** What SQLite's own check of the file says: `ok` when it finds nothing. */
  readonly integrity: string;
}

/** What a checkpoint says, once its signature has been verified. */
export interface OpenedCheckpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
}

/** Reads a log without the right to change it. Throws what SQLite throws. */
export function readLog(database: string): FoundLog {
  const db = new DatabaseSync(database, { readOnly: true, timeout: 10_000 });
  try {
    // One transaction, so that the answer is one state of a log that is being written.
    db.exec('BEGIN');
    const texts = new Map(
      db
        .prepare('SELECT idx, texts FROM disclosures')
        .all()
        .map((row) => [Number(row['idx']), buffer(row['texts']).toString('utf8').split('\n')]),
    );
    const entries = db
      .prepare('SELECT idx, entry FROM entries ORDER BY idx')
      .all()
      .map((row) => found(Number(row['idx']), buffer(row['entry']), texts));
    const ids = db.prepare('SELECT id, idx FROM ids ORDER BY idx, id').all();
    const head = db.prepare('SELECT size, root, recorded_at, checkpoint FROM head').get();
    if (head === undefined) throw new Error('log.db has no head');
    const tiles = db.prepare('SELECT level, idx, hashes FROM tiles ORDER BY level, idx').all();
    return {
      entries,
      ids: ids.map((row) => ({ id: String(row['id']), index: Number(row['idx']) })),
      head: {
        size: Number(head['size']),
        root: buffer(head['root']),
        recordedAt: Number(head['recorded_at']),
        checkpoint: buffer(head['checkpoint']).toString('utf8'),
      },
      tiles: tiles.map((row) => ({
        level: Number(row['level']),
        index: Number(row['idx']),
        hashes: buffer(row['hashes']),
      })),
      integrity: String(db.prepare('PRAGMA integrity_check').get()?.['integrity_check']),
    };
  } finally {
    db.close();
  }
}

function found(index: number, bytes: Buffer, texts: ReadonlyMap<number, string[]>): FoundEntry {
  let json: Record<string, unknown> | undefined;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch {
    json = undefined;
  }
  return { index, bytes, json, disclosures: texts.get(index) ?? [] };
}

function buffer(value: unknown): Buffer {
  if (!(value instanceof Uint8Array)) throw new Error('a column that must hold bytes holds something else');
  return Buffer.from(value);
}

/** SHA-256 of the parts, one behind the other. */
export function sha256(...parts: readonly (Uint8Array | string)[]): Buffer {
  const sum = createHash('sha256');
  for (const part of parts) sum.update(part);
  return sum.digest();
}

/** RFC 6962, section 2.1: the hash of a leaf. */
export function leafHash(entry: Uint8Array): Buffer {
  return sha256(Uint8Array.of(0), entry);
}

/** RFC 6962, section 2.1: the hash of two neighbours. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  return sha256(Uint8Array.of(1), left, right);
}

/**
 * The roots of one sequence of entries at any size: the recursion of RFC 6962, section 2.1, remembering only complete
 * subtrees, which never change.
 */
export class Roots {
  readonly #leaves: readonly Buffer[];
  readonly #complete = new Map<string, Buffer>();

  constructor(entries: readonly Uint8Array[]) {
    this.#leaves = entries.map(leafHash);
  }

  /** How many entries there are. */
  get size(): number {
    return this.#leaves.length;
  }

  /** The hash of one leaf. */
  leaf(index: number): Buffer {
    const leaf = this.#leaves[index];
    if (leaf === undefined) throw new Error(`there is no leaf ${index}`);
    return leaf;
  }

  /** MTH(D[size]). */
  at(size: number): Buffer {
    return size === 0 ? sha256() : this.#of(0, size);
  }

  #of(from: number, count: number): Buffer {
    if (count === 1) return this.leaf(from);
    const split = largestPowerOfTwoBelow(count);
    if (count !== 2 * split) return nodeHash(this.#of(from, split), this.#of(from + split, count - split));
    const key = `${from}+${count}`;
    const known = this.#complete.get(key);
    if (known !== undefined) return known;
    const hash = nodeHash(this.#of(from, split), this.#of(from + split, split));
    this.#complete.set(key, hash);
    return hash;
  }
}

function largestPowerOfTwoBelow(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}

/** Opens a checkpoint: verifies the signature of `vkey` and returns what was signed. Throws where it does not hold. */
export function openCheckpoint(note: string, vkey: string): OpenedCheckpoint {
  const [name = '', keyId = '', ...rest] = vkey.trim().split('+');
  const typed = Buffer.from(rest.join('+'), 'base64');
  const id = sha256(`${name}\n`, typed).subarray(0, 4);
  if (id.toString('hex') !== keyId || typed[0] !== 1) throw new Error('the verifier key is not one');
  const split = note.lastIndexOf('\n\n');
  const text = note.slice(0, split + 1);
  const lines = note.slice(split + 2).split('\n');
  const line = lines.find((candidate) => candidate.startsWith(`\u2014 ${name} `));
  const signature = Buffer.from(line?.split(' ')[2] ?? '', 'base64');
  if (!signature.subarray(0, 4).equals(id)) throw new Error('the checkpoint is not signed by the key');
  const key = createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: typed.subarray(1).toString('base64url') },
    format: 'jwk',
  });
  if (!verify(null, Buffer.from(text), key, signature.subarray(4)))
    throw new Error('the signature does not hold');
  const [origin = '', size = '', root = ''] = text.split('\n');
  if (!/^(0|[1-9][0-9]*)$/.test(size)) throw new Error('the checkpoint names no size');
  return { origin, size: Number(size), root: Buffer.from(root, 'base64') };
}

/** RFC 9901: the digest of a disclosure, over its base64url text. */
export function disclosureDigest(text: string): string {
  return sha256(Buffer.from(text, 'utf8').toString('base64url')).toString('base64url');
}

/** Every digest that an entry commits to, at any depth. */
export function digestsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(digestsOf);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    name === '_sd' ? (inner as string[]) : digestsOf(inner),
  );
}
