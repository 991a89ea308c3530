import { createEd25519Signer } from '#signatures';
import { base64Decode, base64Encode, concatBytes, misuse, VerificationError } from '../bytes/index.ts';
import { isKeyName } from './key-name.ts';
import { readWithin } from './malformed.ts';
import { createVerifierKey, formatKeyId, keyTypes, type VerifierKey } from './verifier-key.ts';

/**
 * Something that signs notes: a key in a file, or a door to a key that never leaves its hardware.
 * Synchronous, because it runs inside the commit of a transaction, where waiting for a network would hold
 * everybody up.
 */
export interface Signer {
  /** The key's name: for a log, its origin. */
  readonly name: string;
  readonly keyId: number;
  /** The public half, as text, to give away. */
  readonly vkey: string;
  /** The Ed25519 signature of `message`: 64 bytes. */
  sign(message: Uint8Array): Uint8Array;
}

/** An Ed25519 seed is 32 random bytes; the key is derived from it. */
export const SEED_BYTES = 32;

/**
 * Go's convention for private keys, which C2SP does not define: it lets one key file serve this program and
 * Go's tools.
 */
export const PREFIX = 'PRIVATE+KEY+';

/**
 * The private key of `name`, as text, from 32 random bytes: `PRIVATE+KEY+<name>+<key id>+<base64 of type and
 * seed>`. It is the whole secret: who reads it can sign. Deterministic; the randomness is the caller's.
 * Throws a misuse for a name or seed that cannot be one.
 */
export function signerKeyFromSeed(name: string, seed: Uint8Array): string {
  if (seed.length !== SEED_BYTES)
    throw misuse('range', 'seed_length_invalid', `A seed has ${SEED_BYTES} bytes.`);
  const { publicKey } = createEd25519Signer(seed);
  return formatSignerKey(createVerifierKey({ name, type: keyTypes.ed25519, publicKey }), seed);
}

/**
 * Opens a private key, the inverse of `signerKeyFromSeed`, for use. Strict: the key id must belong to the
 * name and the public key, and writing the key again must give the same text. Throws `malformed_key`; the
 * message never holds the text.
 */
export function parseSignerKey(text: string): Signer {
  if (!text.startsWith(PREFIX)) throw malformed(`It does not begin with ${PREFIX}.`);
  const rest = text.slice(PREFIX.length);
  const first = rest.indexOf('+');
  const second = rest.indexOf('+', first + 1);
  if (first < 0 || second < 0) throw malformed('After the prefix come three parts, joined by plus signs.');
  const name = rest.slice(0, first);
  if (!isKeyName(name)) throw malformed('The name is empty, or holds a space or a control character.');
  const material = readWithin('malformed_key', 'The private key', () => base64Decode(rest.slice(second + 1)));
  if (material[0] !== keyTypes.ed25519 || material.length !== 1 + SEED_BYTES) {
    throw malformed('It holds no Ed25519 seed.');
  }
  const seed = material.slice(1);
  const { publicKey, sign } = createEd25519Signer(seed);
  const key = createVerifierKey({ name, type: keyTypes.ed25519, publicKey });
  if (formatSignerKey(key, seed) !== text)
    throw malformed('The key id is not the one that belongs to this key.');
  return Object.freeze({ name, keyId: key.keyId, vkey: key.text, sign });
}

function formatSignerKey({ name, keyId }: VerifierKey, seed: Uint8Array): string {
  return `${PREFIX}${name}+${formatKeyId(keyId)}+${base64Encode(concatBytes(Uint8Array.of(keyTypes.ed25519), seed))}`;
}

function malformed(message: string): VerificationError {
  return new VerificationError('malformed_key', `This is not a private key. ${message}`);
}
