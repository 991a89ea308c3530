import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { misuse } from '../bytes/index.ts';
import { type Cosigner, cosignerKeyFromSeed, isKeyName, keyTypes, parseCosignerKey } from '../note/index.ts';
import { createExclusive, randomBytes, readPrivate, replaceFile } from '../platform/index.ts';
import { LogError } from '../store/index.ts';
import { WitnessStore } from './witness-store.ts';

/** What lies in the folder of a witness. */
export interface WitnessFiles {
  readonly key: string;
  readonly mldsaKey: string;
  /** The public halves, a line each: what logs put into their policies. */
  readonly vkeys: string;
  readonly database: string;
}

/** The places of a witness in `dir`. */
export function witnessFiles(dir: string): WitnessFiles {
  return {
    key: join(dir, 'witness.key'),
    mldsaKey: join(dir, 'witness.mldsa.key'),
    vkeys: join(dir, 'witness.vkey'),
    database: join(dir, 'witness.db'),
  };
}

/** A witness that is open. */
export interface OpenedWitness {
  readonly cosigners: readonly Cosigner[];
  readonly store: WitnessStore;
}

/**
 * Makes the keys and the database of a witness. Answers its verifier keys: Ed25519 first, then ML-DSA-44 where it was asked for.
 * Throws `LogError` `witness_exists` where there is any part of one: an old key with a new database would sign what it must not.
 */
export function createWitness(
  dir: string,
  { name, mldsa = false }: { name: string; mldsa?: boolean },
): string[] {
  if (!isKeyName(name)) {
    throw misuse(
      'type',
      'option_invalid',
      'a witness needs a name: a URL without its scheme, no spaces or plus signs',
    );
  }
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const files = witnessFiles(dir);
  for (const path of Object.values(files)) {
    if (existsSync(path)) throw new LogError('witness_exists', `there is a witness here already: ${path}`);
  }
  // The database first: a key without one is refused when it is opened, for ever.
  WitnessStore.create(files.database);
  const types = mldsa ? ([keyTypes.cosignatureV1, keyTypes.mldsa44] as const) : [keyTypes.cosignatureV1];
  const vkeys = types.map((type) => {
    const text = cosignerKeyFromSeed(name, type, randomBytes(32));
    const path = type === keyTypes.mldsa44 ? files.mldsaKey : files.key;
    if (!createExclusive(path, `${text}\n`, 0o600)) {
      throw new LogError('witness_exists', `there is a witness here already: ${path}`);
    }
    return parseCosignerKey(text).key.text;
  });
  replaceFile(files.vkeys, vkeys.map((vkey) => `${vkey}\n`).join(''));
  return vkeys;
}

/**
 * Opens the witness in `dir`. Throws `LogError` `key_missing`, `key_insecure`, `key_mismatch`; `witness_missing` where the key is
 * there and the database is gone.
 */
export function openWitness(dir: string): OpenedWitness {
  const files = witnessFiles(dir);
  if (!existsSync(files.key)) {
    throw new LogError('key_missing', `there is no witness in ${dir}`, {
      hint: 'make one: indelible witness init --data DIR --name NAME',
    });
  }
  const paths = [files.key, ...(existsSync(files.mldsaKey) ? [files.mldsaKey] : [])];
  const cosigners = paths.map(readKey);
  return { cosigners, store: WitnessStore.open(files.database) };
}

function readKey(path: string): Cosigner {
  const { text, loose } = readPrivate(path);
  if (loose) {
    throw new LogError('key_insecure', `${path} can be read or written by others than its owner`, {
      hint: `chmod 600 ${path}, and think about who has read it`,
    });
  }
  try {
    return parseCosignerKey(text.trim());
  } catch (cause) {
    throw new LogError('key_mismatch', `the key at ${path} is not that of a witness`, { cause });
  }
}
