import { existsSync } from 'node:fs';
import {
  type Cosigner,
  cosignerKeyFromSeed,
  keyTypes,
  parseCosignerKey,
  parseSignerKey,
  parseVerifierKey,
  type Signer,
  signerKeyFromSeed,
  type VerifierKey,
} from '../note/index.ts';
import { createExclusive, randomBytes, readPrivate, readTextFile } from '../platform/index.ts';
import { isLogError, LogError } from '../store/index.ts';

/** Most bytes of a key file: its longest are those of ML-DSA-44. */
const KEY_BYTES_MAX = 65_536;

/**
 * Reads a signing key. Throws `LogError` `key_missing`; `key_insecure` where others than the owner may
 * read it; `key_mismatch` where it is not a key, or signs under another name than `origin`.
 */
export function readSigner(path: string, origin?: string): Signer {
  if (!existsSync(path)) {
    throw new LogError('key_missing', `there is no signing key at ${path}`, {
      hint: 'say where it is (key, --key), or open the log read-only',
    });
  }
  return signerOf(readSecret(path), origin, `the key at ${path}`);
}

function readSecret(path: string): string {
  const { text, loose } = readPrivate(path);
  if (!loose) return text;
  throw new LogError('key_insecure', `${path} can be read or written by others than its owner`, {
    hint: `chmod 600 ${path}, and think about who has read it`,
  });
}

/** Reads a log's own ML-DSA-44 key. Throws `LogError` as {@link readSigner} does. */
export function readCosigner(path: string, origin?: string): Cosigner {
  let cosigner: Cosigner;
  try {
    cosigner = parseCosignerKey(readSecret(path).trim());
  } catch (cause) {
    if (isLogError(cause)) throw cause;
    throw new LogError('key_mismatch', `the key at ${path} is not an ML-DSA-44 key`, { cause });
  }
  const { name, type } = cosigner.key;
  if (type === keyTypes.mldsa44 && (origin === undefined || name === origin)) return cosigner;
  throw new LogError('key_mismatch', `the key at ${path} is not the ML-DSA-44 key of ${origin}`);
}

/**
 * Makes the key with which a log signs its published checkpoints a second time, by ML-DSA-44: `log.mldsa.key`, mode 0600. That it
 * lies there is the switch. Answers its verifier key. Throws `LogError` `key_exists`.
 */
export function createMldsaKey(path: string, origin: string): string {
  const key = cosignerKeyFromSeed(origin, keyTypes.mldsa44, randomBytes(32));
  if (createExclusive(path, `${key}\n`, 0o600)) return readCosigner(path, origin).key.text;
  throw new LogError('key_exists', `there is a key at ${path} already`);
}

/** The signer that a key's text makes. Throws `LogError` `key_mismatch` as {@link readSigner} does. */
export function signerOf(text: string, origin?: string, what = 'the key'): Signer {
  let signer: Signer;
  try {
    signer = parseSignerKey(text.trim());
  } catch (cause) {
    throw new LogError('key_mismatch', `${what} is not a signing key`, { cause });
  }
  if (origin !== undefined && signer.name !== origin) {
    throw new LogError('key_mismatch', `${what} signs for ${signer.name}, not for ${origin}`);
  }
  return signer;
}

/** A new key at `path`, mode 0600; undefined where there is a file already. */
export function createSigner(path: string, origin: string): Signer | undefined {
  const isNew = createExclusive(path, `${signerKeyFromSeed(origin, randomBytes(32))}\n`, 0o600);
  return isNew ? readSigner(path, origin) : undefined;
}

/** Reads a verifier key out of a file. Throws `LogError` `key_mismatch` where it holds none. */
export function readVerifierKey(path: string): VerifierKey {
  try {
    return parseVerifierKey(readTextFile(path, KEY_BYTES_MAX).trim());
  } catch (cause) {
    throw new LogError('key_mismatch', `${path} does not hold a verifier key`, { cause });
  }
}
