import { verifyEd25519, verifyMldsa44 } from '#signatures';
import { concatBytes, misuse, utf8Encode, VerificationError } from '../bytes/index.ts';
import { HASH_BYTES, type Hash } from '../merkle/index.ts';
import { parseCheckpoint } from './checkpoint.ts';
import { keyTypes, type VerifierKey } from './verifier-key.ts';

/** What an ML-DSA-44 cosigner says: the entries from `start` up to `end` of that log have this root. */
export interface CosignedSubtree {
  /** When it says so, in POSIX seconds; 0 says nothing about the time, and must be 0 unless `start` is. */
  readonly timestamp: bigint;
  readonly origin: string;
  readonly start: number;
  readonly end: number;
  readonly hash: Hash;
}

/** c2sp.org/tlog-cosignature: POSIX seconds fit a signed 64-bit number. */
const TIMESTAMP_MAX = 2n ** 63n - 1n;

const UINT64_BYTES = 8;

/** Separates these signatures from all others that an ML-DSA key may make: 12 bytes. */
const subtreeLabel = utf8Encode('subtree/v1\n\0');

/** In the message that ML-DSA signs, a name's length is one byte. */
const COSIGNED_NAME_BYTES_MAX = 255;

/**
 * Verifies one signature, of the form that its key's type asks for, over the text of a note. Returns what the
 * signature adds to the text: the time, for a cosignature. Throws `signature_invalid`.
 */
export function verifySignature(
  key: VerifierKey,
  text: string,
  signature: Uint8Array,
): { timestamp?: bigint } {
  if (key.type === keyTypes.ed25519) {
    if (!verifyEd25519(key.publicKey, utf8Encode(text), signature)) throw invalid(key);
    return {};
  }
  const { timestamp, rest } = splitTimestamp(key, signature);
  if (key.type === keyTypes.cosignatureV1) {
    // A witness signs checkpoints and nothing else: on any other text the signature would have no meaning.
    parseCheckpoint(text);
    if (!verifyEd25519(key.publicKey, cosignatureV1Message(timestamp, text), rest)) throw invalid(key);
    return { timestamp };
  }
  const { origin, size, root } = parseCheckpoint(text);
  verifySubtreeSignature(key, { timestamp, origin, start: 0, end: size, hash: root }, rest);
  return { timestamp };
}

/**
 * Verifies an ML-DSA-44 signature over a subtree, of which a checkpoint is the one that starts at 0.
 * `signature` is what follows the key id and the timestamp. Throws `signature_invalid`.
 */
export function verifySubtreeSignature(
  key: VerifierKey,
  subtree: CosignedSubtree,
  signature: Uint8Array,
): void {
  if (key.type !== keyTypes.mldsa44)
    throw misuse('type', 'key_type_invalid', 'Subtrees are signed with ML-DSA-44.');
  // A time says "the largest tree I have seen", which a part of a tree cannot be.
  if (subtree.start !== 0 && subtree.timestamp !== 0n) throw invalid(key);
  const named = [key.name, subtree.origin].map((name) => utf8Encode(name).length);
  if (named.some((length) => length === 0 || length > COSIGNED_NAME_BYTES_MAX)) throw invalid(key);
  if (!verifyMldsa44(key.publicKey, subtreeMessage(key.name, subtree), signature)) throw invalid(key);
}

/**
 * The bytes that a cosignature/v1 (0x04) signs: a time, and the whole text of the checkpoint, extension lines
 * included.
 */
export function cosignatureV1Message(timestamp: bigint, text: string): Uint8Array {
  return utf8Encode(`cosignature/v1\ntime ${timestamp}\n${text}`);
}

/** The bytes that an ML-DSA-44 cosignature (0x06) signs: `cosigned_message` of c2sp.org/tlog-cosignature. */
export function subtreeMessage(
  cosigner: string,
  { timestamp, origin, start, end, hash }: CosignedSubtree,
): Uint8Array {
  if (hash.length !== HASH_BYTES)
    throw misuse('type', 'hash_length_invalid', `A hash has ${HASH_BYTES} bytes.`);
  return concatBytes(
    subtreeLabel,
    lengthPrefixed(cosigner),
    uint64(timestamp),
    lengthPrefixed(origin),
    uint64(start),
    uint64(end),
    hash,
  );
}

function splitTimestamp(key: VerifierKey, signature: Uint8Array): { timestamp: bigint; rest: Uint8Array } {
  if (signature.length <= UINT64_BYTES) throw invalid(key);
  const timestamp = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0);
  if (timestamp > TIMESTAMP_MAX) throw invalid(key);
  return { timestamp, rest: signature.subarray(UINT64_BYTES) };
}

/** Whether an ML-DSA-44 cosignature can name this cosigner or log: 1 to 255 bytes of UTF-8 (c2sp.org/tlog-cosignature). */
export function isCosignedName(name: string): boolean {
  const { length } = utf8Encode(name);
  return length > 0 && length <= COSIGNED_NAME_BYTES_MAX;
}

/** Throws a misuse `name_length_invalid` for a name that no ML-DSA-44 cosignature can bear. */
export function checkCosignedName(name: string): void {
  if (isCosignedName(name)) return;
  const message = `A cosigned name has 1 to ${COSIGNED_NAME_BYTES_MAX} bytes.`;
  throw misuse('range', 'name_length_invalid', message);
}

function lengthPrefixed(name: string): Uint8Array {
  checkCosignedName(name);
  const bytes = utf8Encode(name);
  return concatBytes(Uint8Array.of(bytes.length), bytes);
}

/** Eight bytes, big-endian. A DataView would wrap what does not fit, in silence, so it is refused before. */
export function uint64(value: bigint | number): Uint8Array {
  if (value < 0 || value > TIMESTAMP_MAX || (typeof value === 'number' && !Number.isSafeInteger(value))) {
    throw misuse('range', 'size_out_of_range', 'A time or an index is a whole number, 0 or more.');
  }
  const bytes = new Uint8Array(UINT64_BYTES);
  const view = new DataView(bytes.buffer);
  if (typeof value === 'bigint') {
    view.setBigUint64(0, value);
  } else {
    view.setUint32(0, Math.floor(value / 2 ** 32));
    view.setUint32(4, value % 2 ** 32);
  }
  return bytes;
}

function invalid(key: VerifierKey): VerificationError {
  return new VerificationError('signature_invalid', `The signature of ${key.name} does not verify.`, {
    name: key.name,
    key: key.text,
  });
}
