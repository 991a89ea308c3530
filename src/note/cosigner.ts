import { createEd25519Signer, createMldsa44Signer } from '#signatures';
import { base64Decode, base64Encode, concatBytes, misuse, VerificationError } from '../bytes/index.ts';
import { parseCheckpoint } from './checkpoint.ts';
import { cosignatureV1Message, subtreeMessage, uint64 } from './cosignature.ts';
import { isKeyName } from './key-name.ts';
import { readWithin } from './malformed.ts';
import { formatSignatureLine } from './note.ts';
import { PREFIX, SEED_BYTES } from './signer.ts';
import { createVerifierKey, formatKeyId, keyTypes, type VerifierKey } from './verifier-key.ts';

/** The types of key that cosign: both put a time under a checkpoint. */
export type CosignerKeyType = typeof keyTypes.cosignatureV1 | typeof keyTypes.mldsa44;

/** Something that cosigns checkpoints: a witness's key; or a log's own ML-DSA-44 key, whose name is the origin. */
export interface Cosigner {
  readonly key: VerifierKey;
  /**
   * The signature line, without its newline, that says: at `timestamp` (POSIX seconds) the text of this
   * checkpoint was the largest that this cosigner had seen. A time of 0 says
   * nothing of the time: what a log's own signature bears, and a witness's must not. Throws `malformed_checkpoint`, and misuse for a time that is none.
   */
  cosign(text: string, timestamp: bigint): string;
}

/**
 * The private key of a cosigner, as text, from 32 random bytes: `PRIVATE+KEY+<name>+<key id>+<base64 of type and
 * seed>`, after Go's convention, with the type of the key that it makes. It is the whole secret. Throws a misuse
 * for a name or seed that cannot be one.
 */
export function cosignerKeyFromSeed(name: string, type: CosignerKeyType, seed: Uint8Array): string {
  if (seed.length !== SEED_BYTES)
    throw misuse('range', 'seed_length_invalid', `A seed has ${SEED_BYTES} bytes.`);
  const { publicKey } = openSeed(type, seed);
  return formatPrivateKey(createVerifierKey({ name, type, publicKey }), seed);
}

/**
 * Opens the private key of a cosigner, the inverse of `cosignerKeyFromSeed`. Strict, as `parseSignerKey`. Throws
 * `malformed_key`; the message never holds the text.
 */
export function parseCosignerKey(text: string): Cosigner {
  if (!text.startsWith(PREFIX)) throw malformed(`It does not begin with ${PREFIX}.`);
  const [name = '', , ...rest] = text.slice(PREFIX.length).split('+');
  if (rest.length === 0) throw malformed('After the prefix come three parts, joined by plus signs.');
  if (!isKeyName(name)) throw malformed('The name is empty, or holds a space or a control character.');
  const material = readWithin('malformed_key', 'The private key', () => base64Decode(rest.join('+')));
  const type = cosignerTypes.find((known) => known === material[0]);
  if (type === undefined || material.length !== 1 + SEED_BYTES)
    throw malformed('It holds no seed of a cosigner.');
  const seed = material.slice(1);
  const { publicKey, sign } = openSeed(type, seed);
  const key = createVerifierKey({ name, type, publicKey });
  if (formatPrivateKey(key, seed) !== text)
    throw malformed('The key id is not the one that belongs to this key.');
  return Object.freeze({
    key,
    cosign: (checkpoint: string, timestamp: bigint): string => {
      const message = messageOf(key, checkpoint, timestamp);
      const signature = concatBytes(uint64(timestamp), sign(message));
      return formatSignatureLine({ name, keyId: key.keyId, signature });
    },
  });
}

const cosignerTypes: readonly CosignerKeyType[] = [keyTypes.cosignatureV1, keyTypes.mldsa44];

function messageOf(key: VerifierKey, text: string, timestamp: bigint): Uint8Array {
  const { origin, size, root } = parseCheckpoint(text);
  if (key.type === keyTypes.mldsa44) {
    return subtreeMessage(key.name, { timestamp, origin, start: 0, end: size, hash: root });
  }
  return cosignatureV1Message(timestamp, text);
}

function openSeed(type: CosignerKeyType, seed: Uint8Array) {
  return type === keyTypes.mldsa44 ? createMldsa44Signer(seed) : createEd25519Signer(seed);
}

function formatPrivateKey({ name, keyId, type }: VerifierKey, seed: Uint8Array): string {
  return `${PREFIX}${name}+${formatKeyId(keyId)}+${base64Encode(concatBytes(Uint8Array.of(type), seed))}`;
}

function malformed(message: string): VerificationError {
  return new VerificationError('malformed_key', `This is not a private key of a cosigner. ${message}`);
}
