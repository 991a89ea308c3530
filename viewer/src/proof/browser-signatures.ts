import { base64Encode, concatBytes, utf8Encode } from '../../../src/bytes/index.ts';
import {
  cosignatureV1Message,
  keyTypes,
  type NoteSignature,
  type PortableSignatures,
  parseNote,
  type VerifierKey,
} from '../../../src/note/index.ts';
import type { SignedBy } from '../../../src/verify/index.ts';

/**
 * Signatures by the browser's own WebCrypto: the third body of `#signatures`, a fifth of the size of the portable one.
 *
 * WebCrypto answers later, and the note room asks now. So before a checkpoint is opened, every line on it that is by a
 * known key is verified here, and the answers are kept by their exact question; `verifyEd25519` only looks them up. A
 * question that was never settled is answered with no.
 */
const settled = new Map<string, boolean>();

/** Bytes of the time in front of a cosignature. */
const TIMESTAMP_BYTES = 8;

let mldsa: typeof import('@noble/post-quantum/ml-dsa.js') | undefined;

/** Verifies the lines of each note that any of its keys claims to have signed. What was settled before is forgotten. */
export async function settleSignatures(asked: readonly SignedBy[]): Promise<void> {
  settled.clear();
  for (const { note, keys } of asked) await settleNote(note, keys);
}

async function settleNote(bytes: Uint8Array, keys: readonly VerifierKey[]): Promise<void> {
  const { text, signatures } = parseNote(bytes);
  for (const signature of signatures) {
    const known = keys.find(({ name, keyId }) => name === signature.name && keyId === signature.keyId);
    if (known !== undefined) await settleLine(known, text, signature);
  }
}

async function settleLine(key: VerifierKey, text: string, { signature }: NoteSignature): Promise<void> {
  if (key.type === keyTypes.ed25519) {
    await settle(key.publicKey, utf8Encode(text), signature);
  } else if (key.type === keyTypes.cosignatureV1 && signature.length > TIMESTAMP_BYTES) {
    const time = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0);
    await settle(key.publicKey, cosignatureV1Message(time, text), signature.slice(TIMESTAMP_BYTES));
  } else if (key.type === keyTypes.mldsa44) {
    mldsa ??= await import('@noble/post-quantum/ml-dsa.js');
  }
}

async function settle(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<void> {
  const key = await crypto.subtle.importKey('raw', publicKey.slice(), 'Ed25519', false, ['verify']);
  const isValid = await crypto.subtle.verify('Ed25519', key, signature.slice(), message.slice());
  settled.set(questionOf(publicKey, message, signature), isValid);
}

function questionOf(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): string {
  return base64Encode(concatBytes(publicKey, signature, message));
}

/** Whether `signature` was found to be one of `message`. */
export const verifyEd25519: typeof PortableSignatures.verifyEd25519 = (publicKey, message, signature) =>
  signature.length === 64 && settled.get(questionOf(publicKey, message, signature)) === true;

/** Whether `signature` is an ML-DSA-44 signature of `message`; its code is fetched once a known key needs it. */
export const verifyMldsa44: typeof PortableSignatures.verifyMldsa44 = (publicKey, message, signature) => {
  const lengths = mldsa?.ml_dsa44.lengths;
  if (publicKey.length !== lengths?.publicKey || signature.length !== lengths.signature) return false;
  return mldsa!.ml_dsa44.verify(signature, message, publicKey);
};

/** A viewer never signs. */
export const createEd25519Signer: typeof PortableSignatures.createEd25519Signer = () => {
  throw new Error('The viewer holds no private key, and signs nothing.');
};

/** A viewer never signs. */
export const createMldsa44Signer: typeof PortableSignatures.createMldsa44Signer = () => {
  throw new Error('The viewer holds no private key, and signs nothing.');
};
