// The native counterpart of `note/signatures-portable.ts`: the same functions, by Node's OpenSSL.
// package.json's `imports` chooses between the two, and the same vectors run on both.

import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { createRequire } from 'node:module';
import { concatBytes, hexDecode } from '../bytes/index.ts';
import type { Ed25519Signer, Mldsa44Signer, PortableSignatures } from '../note/index.ts';

/**
 * The DER that stands before a raw key, for each kind of key: node:crypto takes no raw keys synchronously.
 */
const der = {
  /** PKCS #8 with an Ed25519 seed (RFC 8410). */
  ed25519Seed: hexDecode('302e020100300506032b657004220420'),
  /** SubjectPublicKeyInfo with an Ed25519 key (RFC 8410). */
  ed25519: hexDecode('302a300506032b6570032100'),
  /** PKCS #8 with an ML-DSA-44 seed, the first of its three forms (RFC 9881, section 6). */
  mldsa44Seed: hexDecode('3034020100300b060960864801650304031104228020'),
  /** SubjectPublicKeyInfo with an ML-DSA-44 key (RFC 9881). */
  mldsa44: hexDecode('30820532300b06096086480165030403110382052100'),
};

/**
 * A verifier meets few keys and meets them often; an opened key saves about half of the time of a
 * verification.
 */
const OPENED_KEYS_MAX = 64;

/** Public keys already opened, the least recently used first. Private keys are never kept here. */
const openedKeys = new Map<string, KeyObject>();

let portable: typeof PortableSignatures | undefined;

/** Opens the Ed25519 key of a seed of 32 bytes. */
export function createEd25519Signer(seed: Uint8Array): Ed25519Signer {
  const privateKey = createPrivateKey({
    key: Buffer.from(concatBytes(der.ed25519Seed, seed)),
    format: 'der',
    type: 'pkcs8',
  });
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  const publicKey = plainBytes(spki).slice(der.ed25519.length);
  return { publicKey, sign: (message) => plainBytes(sign(null, message, privateKey)) };
}

/** Opens the ML-DSA-44 key of a seed of 32 bytes; by the portable code where this OpenSSL knows no ML-DSA. */
export function createMldsa44Signer(seed: Uint8Array): Mldsa44Signer {
  let privateKey: KeyObject;
  try {
    const key = Buffer.from(concatBytes(der.mldsa44Seed, seed));
    privateKey = createPrivateKey({ key, format: 'der', type: 'pkcs8' });
  } catch {
    return loadPortable().createMldsa44Signer(seed);
  }
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  const publicKey = plainBytes(spki).slice(der.mldsa44.length);
  return { publicKey, sign: (message) => plainBytes(sign(null, message, privateKey)) };
}

/**
 * The Ed25519 signature of `message` by the key of `seed`. To sign often, open the key once with
 * `createEd25519Signer`.
 */
export function signEd25519(seed: Uint8Array, message: Uint8Array): Uint8Array {
  return createEd25519Signer(seed).sign(message);
}

/** The Ed25519 public key of `seed`. */
export function publicKeyFromSeed(seed: Uint8Array): Uint8Array {
  return createEd25519Signer(seed).publicKey;
}

/** Whether `signature` is an Ed25519 signature of `message`, judged as Go's crypto/ed25519 judges it. */
export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  return (
    verifyNatively(der.ed25519, publicKey, message, signature) ||
    loadPortable().verifyEd25519(publicKey, message, signature)
  );
}

/** Whether `signature` is an ML-DSA-44 signature of `message` (FIPS 204, pure, empty context). */
export function verifyMldsa44(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 1312 || signature.length !== 2420) return false;
  return (
    verifyNatively(der.mldsa44, publicKey, message, signature) ||
    loadPortable().verifyMldsa44(publicKey, message, signature)
  );
}

/**
 * OpenSSL's word, which we take when it is yes. Its no is put to the portable code, which defines what is
 * valid: OpenSSL 3.5 refuses keys and nonces of low order, which Go and OpenSSL 3.0 accept, and an OpenSSL
 * before 3.5 knows no ML-DSA at all. Honest signatures never pay for the second opinion.
 */
function verifyNatively(
  prefix: Uint8Array,
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  try {
    return verify(null, message, openPublicKey(prefix, publicKey), signature);
  } catch {
    return false;
  }
}

function openPublicKey(prefix: Uint8Array, publicKey: Uint8Array): KeyObject {
  const key = Buffer.from(concatBytes(prefix, publicKey));
  const label = key.toString('latin1');
  const known = openedKeys.get(label);
  const opened = known ?? createPublicKey({ key, format: 'der', type: 'spki' });
  // Moved to the end: the map's order of insertion is the order of use.
  openedKeys.delete(label);
  openedKeys.set(label, opened);
  if (openedKeys.size > OPENED_KEYS_MAX) openedKeys.delete(openedKeys.keys().next().value!);
  return opened;
}

/**
 * The same memory, without Buffer's methods: the portable code hands out plain arrays, and callers shall see
 * no difference.
 */
function plainBytes(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}

/** Noble takes 30 ms to load, so it is loaded when a signature has failed and not before. */
function loadPortable(): typeof PortableSignatures {
  portable ??= createRequire(import.meta.url)('../note/signatures-portable.js') as typeof PortableSignatures;
  return portable;
}
