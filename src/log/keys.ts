import { existsSync, readdirSync, renameSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { hexEncode, sha256, utf8Encode } from '../bytes/index.ts';
import {
  type Cosigner,
  checkCosignedName,
  cosignerKeyFromSeed,
  keyTypes,
  parseCosignerKey,
  parseSignerKey,
  parseVerifierKey,
  type Signer,
  signerKeyFromSeed,
  type VerifierKey,
} from '../note/index.ts';
import {
  createExclusive,
  randomBytes,
  readPrivate,
  readTextFile,
  replaceFile,
  syncFolder,
} from '../platform/index.ts';
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
  checkCosignedName(origin);
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

/** The text of a new signing key: the whole secret, which only the caller has. */
export function newSignerKey(name: string): string {
  return signerKeyFromSeed(name, randomBytes(32));
}

/** A new key at `path`, mode 0600; undefined where there is a file already. */
export function createSigner(path: string, origin: string): Signer | undefined {
  const isNew = createExclusive(path, `${newSignerKey(origin)}\n`, 0o600);
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

/** Where a signing key lies, and what names it to everybody. */
export interface KeyFiles {
  readonly key: string;
  /** The file with its verifier key; absent where there is none. */
  readonly vkey?: string | undefined;
}

/**
 * Makes the key that is to take the place of the one at `path`, beside it, mode 0600. The file is named after the key, so that
 * nobody mistakes it for another that waits.
 */
export function createSuccessor(path: string, origin: string): Signer {
  const text = newSignerKey(origin);
  const signer = parseSignerKey(text);
  createExclusive(successorPath(path, signer.vkey), `${text}\n`, 0o600);
  return signer;
}

/** The keys that wait beside the one at `path`. */
export function successors(path: string, origin: string): Signer[] {
  const folder = dirname(path);
  if (!existsSync(folder)) return [];
  const beginning = `${basename(path)}.`;
  const names = readdirSync(folder).filter(
    (name) => name.startsWith(beginning) && /^[0-9a-f]{16}\.next$/.test(name.slice(beginning.length)),
  );
  return names.map((name) => readSigner(join(folder, name), origin));
}

/** Where the key of this name waits beside the one at `path`. */
export function successorPath(path: string, vkey: string): string {
  return `${path}.${hexEncode(sha256(utf8Encode(vkey)).subarray(0, 8))}.next`;
}

/**
 * The signer that signs now, out of a key file. A successor that waits beside it and has been named by the log takes its
 * place here: whoever replaced the key may have died before the files were exchanged. Throws `LogError` as {@link readSigner}.
 */
export function currentSigner(
  { key, vkey }: KeyFiles,
  origin: string,
  current: readonly VerifierKey[],
): Signer {
  const isCurrent = (signer: Signer): boolean => current.some(({ text }) => text === signer.vkey);
  for (const { text } of current) {
    const waiting = successorPath(key, text);
    if (!existsSync(waiting)) continue;
    const signer = readSigner(waiting, origin);
    if (!isCurrent(signer)) continue;
    place(waiting, key);
    if (vkey !== undefined) replaceFile(vkey, `${signer.vkey}\n`);
    return signer;
  }
  const signer = readSigner(key, origin);
  // The name of the key is the last that is exchanged: a crash may have left the old one.
  if (vkey !== undefined && isCurrent(signer) && existsSync(vkey) && textOf(vkey) !== signer.vkey)
    replaceFile(vkey, `${signer.vkey}\n`);
  return signer;
}

/** Whether the key has its place, and the file of its name is still that of the key before it. */
export function isNamedOtherwise(
  { key, vkey }: KeyFiles,
  origin: string,
  current: readonly VerifierKey[],
): boolean {
  if (vkey === undefined || !existsSync(key) || !existsSync(vkey)) return false;
  const signer = readSigner(key, origin);
  return current.some(({ text }) => text === signer.vkey) && textOf(vkey) !== signer.vkey;
}

/** Gives the key its place; where the folder cannot be written, it stays where it waits, and is found there again. */
function place(waiting: string, key: string): void {
  try {
    renameSync(waiting, key);
    syncFolder(dirname(key));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Another process was quicker, or may write where this one may not.
    if (code !== 'ENOENT' && code !== 'EACCES' && code !== 'EPERM' && code !== 'EROFS') throw error;
  }
}

function textOf(path: string): string {
  return readTextFile(path, KEY_BYTES_MAX).trim();
}
