import { ed25519 } from '@noble/curves/ed25519.js';
import { bytesToNumberLE } from '@noble/curves/utils.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { concatBytes } from '@noble/hashes/utils.js';
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';

/** An Ed25519 private key, opened for use. */
export interface Ed25519Signer {
  /** The public half: 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The signature of `message` (RFC 8032, deterministic): 64 bytes. */
  readonly sign: (message: Uint8Array) => Uint8Array;
}

/** Opens the Ed25519 key of a seed of 32 bytes. */
export function createEd25519Signer(seed: Uint8Array): Ed25519Signer {
  const secret = seed.slice();
  return { publicKey: ed25519.getPublicKey(secret), sign: (message) => ed25519.sign(message, secret) };
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

/**
 * Whether `signature` is an Ed25519 signature of `message`, judged exactly as Go's crypto/ed25519 judges it:
 * without cofactor, with S below the group's order and R written canonically, and a public key taken in
 * whatever form it was written, of low order or not. Libraries differ on these corners. A log has many
 * verifiers, most of them written in Go, and they must agree: noble's own `verify` multiplies by the cofactor
 * and would accept what the others refuse. The 914 cases of C2SP's CCTV hold this function to Go.
 */
export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  const { Point } = ed25519;
  const s = bytesToNumberLE(signature.subarray(32));
  if (s >= Point.Fn.ORDER) return false;
  let key: InstanceType<typeof Point>;
  try {
    // ZIP 215 decoding takes every encoding of a point, canonical or not, as Go does.
    key = Point.fromBytes(publicKey, true);
  } catch {
    return false;
  }
  const encodedR = signature.subarray(0, 32);
  const k = Point.Fn.create(bytesToNumberLE(sha512(concatBytes(encodedR, publicKey, message))));
  // RFC 8032 §5.1.7 without cofactor: R must be S·B − k·A, byte for byte, which refuses every non-canonical
  // R.
  const r = Point.BASE.multiplyUnsafe(s).subtract(key.multiplyUnsafe(k)).toBytes();
  return r.every((byte, position) => byte === encodedR[position]);
}

/** Whether `signature` is an ML-DSA-44 signature of `message` (FIPS 204, pure, empty context). */
export function verifyMldsa44(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const { lengths } = ml_dsa44;
  if (publicKey.length !== lengths.publicKey || signature.length !== lengths.signature) return false;
  return ml_dsa44.verify(signature, message, publicKey);
}

/** An ML-DSA-44 private key, opened for use. */
export interface Mldsa44Signer {
  /** The public half: 1312 bytes. */
  readonly publicKey: Uint8Array;
  /** A signature of `message` (FIPS 204, pure, empty context): 2420 bytes. Two of one message may differ. */
  readonly sign: (message: Uint8Array) => Uint8Array;
}

/**
 * Opens the ML-DSA-44 key of a seed of 32 bytes (ξ of FIPS 204, algorithm 1). This body signs
 * deterministically, because nothing in a pure room draws random numbers; Node's mixes randomness in.
 */
export function createMldsa44Signer(seed: Uint8Array): Mldsa44Signer {
  const { publicKey, secretKey } = ml_dsa44.keygen(seed.slice());
  return {
    publicKey,
    sign: (message) => ml_dsa44.sign(message, secretKey, { extraEntropy: false }),
  };
}
