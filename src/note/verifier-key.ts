import {
  base64Decode,
  base64Encode,
  concatBytes,
  hexEncode,
  misuse,
  sha256,
  utf8Encode,
  VerificationError,
} from '../bytes/index.ts';
import { isKeyName } from './key-name.ts';
import { readWithin } from './malformed.ts';

/**
 * The signature types of c2sp.org/signed-note that this room verifies: the byte between the key's name and
 * its public key. A verifier supports what is in this list and nothing else, so that a key can never be
 * talked down to a weaker algorithm.
 */
export const keyTypes = {
  /** Ed25519 over the note's text. What a log signs its checkpoints with. */
  ed25519: 0x01,
  /** cosignature/v1: Ed25519 over a time and the checkpoint's text. What most witnesses use today. */
  cosignatureV1: 0x04,
  /**
   * subtree/v1: ML-DSA-44 over the cosigner's name, a time, and the checkpoint. For witnesses, and for logs.
   */
  mldsa44: 0x06,
} as const;

/** One of `keyTypes`. */
export type KeyType = (typeof keyTypes)[keyof typeof keyTypes];

/** How long the public key of each type is. */
const publicKeyBytes: Readonly<Record<KeyType, number>> = {
  [keyTypes.ed25519]: 32,
  [keyTypes.cosignatureV1]: 32,
  [keyTypes.mldsa44]: 1312,
};

/** Longer than any vkey of a known type whose name fits a line that people can read. */
const VKEY_LENGTH_MAX = 4096;

/** A public key that a verifier has chosen to trust, under the name it trusts it for. */
export interface VerifierKey {
  /** Who signs: for a log, its origin. */
  readonly name: string;
  /**
   * The first four bytes of SHA-256 over name, type and key: a label that finds the key, not a proof of
   * anything.
   */
  readonly keyId: number;
  readonly type: KeyType;
  readonly publicKey: Uint8Array;
  /** The key as text: `<name>+<key id>+<base64>`. */
  readonly text: string;
}

/** What a verifier key is made of. */
export type VerifierKeyParts = Pick<VerifierKey, 'name' | 'type' | 'publicKey'>;

/** The verifier key of a name, a type and a public key. Throws a misuse when the three do not make one. */
export function createVerifierKey({ name, type, publicKey }: VerifierKeyParts): VerifierKey {
  if (!isKeyName(name))
    throw misuse('type', 'key_name_invalid', `A key cannot be named ${JSON.stringify(name)}.`);
  if (publicKey.length !== publicKeyBytes[type]) {
    throw misuse(
      'type',
      'key_length_invalid',
      `A public key of type ${type} has ${publicKeyBytes[type]} bytes.`,
    );
  }
  const material = concatBytes(Uint8Array.of(type), publicKey);
  const keyId = keyIdOf(name, material);
  const text = `${name}+${formatKeyId(keyId)}+${base64Encode(material)}`;
  return Object.freeze({ name, keyId, type, publicKey, text });
}

/**
 * A verifier key as text, the inverse of `parseVerifierKey`: `<name>+<key id in hex>+<base64 of type and
 * key>`.
 */
export function formatVerifierKey(parts: VerifierKeyParts): string {
  return createVerifierKey(parts).text;
}

/**
 * Reads a verifier key (vkey). Strict: the key id must be the one that name, type and key give, and writing
 * the key again must give the same text. Throws `malformed_key`, or `key_type_unknown` for a type that this
 * room does not verify.
 */
export function parseVerifierKey(text: string): VerifierKey {
  if (text.length > VKEY_LENGTH_MAX)
    throw malformed(`A verifier key has at most ${VKEY_LENGTH_MAX} characters.`);
  // Only the first two plus signs separate: base64 may hold more of them.
  const first = text.indexOf('+');
  const second = text.indexOf('+', first + 1);
  if (first < 0 || second < 0) throw malformed('A verifier key has three parts, joined by plus signs.');
  const name = text.slice(0, first);
  if (!isKeyName(name)) throw malformed('The name is empty, or holds a space or a control character.');
  const material = readWithin('malformed_key', 'The key', () => base64Decode(text.slice(second + 1)));
  const key = keyFromMaterial(name, material);
  if (key.text !== text) throw malformed('The key id is not the one that belongs to this name and key.');
  return key;
}

/**
 * The key id of c2sp.org/signed-note: the first four bytes of SHA-256(name, newline, type, key), big-endian.
 */
export function keyIdOf(name: string, material: Uint8Array): number {
  const digest = sha256(concatBytes(utf8Encode(`${name}\n`), material));
  return new DataView(digest.buffer, digest.byteOffset).getUint32(0);
}

/** A key id as people see it: eight lower-case hexadecimal digits. */
export function formatKeyId(keyId: number): string {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, keyId);
  return hexEncode(bytes);
}

/**
 * The base64 of type and public key, without the name: what a vkey holds after its second plus sign. Two keys
 * that agree in it are one key under two names.
 */
export function publicKeyText({ name, text }: VerifierKey): string {
  return text.slice(text.indexOf('+', name.length + 1) + 1);
}

function keyFromMaterial(name: string, material: Uint8Array): VerifierKey {
  const type = Object.values(keyTypes).find((known) => known === material[0]);
  if (type === undefined) {
    throw new VerificationError(
      'key_type_unknown',
      'This verifier does not know the signature type of the key.',
      {
        name,
        type: material[0],
      },
    );
  }
  const publicKey = material.slice(1);
  if (publicKey.length !== publicKeyBytes[type]) {
    throw malformed(
      `A public key of type ${type} has ${publicKeyBytes[type]} bytes, not ${publicKey.length}.`,
    );
  }
  return createVerifierKey({ name, type, publicKey });
}

function malformed(message: string): VerificationError {
  return new VerificationError('malformed_key', `This is not a verifier key. ${message}`);
}
