import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  currentSigner,
  type KeyFiles,
  type KeyWorkplace,
  readSigner,
  SERVICE_DEFAULT,
  type StoreWriterOptions,
  signerOf,
} from '../log/index.ts';
import type { Signer } from '../note/index.ts';
import { databaseOf, type PostgresClient } from './client.ts';
import type { PostgresOptions } from './open.ts';
import { PostgresStore } from './store.ts';

/** The signer of this instance; undefined where it has no key. */
export async function signerFor(options: PostgresOptions): Promise<Signer | undefined> {
  if (typeof options.key === 'function') return signerOf(await options.key(), options.origin);
  const path = keyPath(options);
  if (path === undefined || (options.key === undefined && !existsSync(path))) return undefined;
  return readSigner(path, options.origin);
}

/** The signer that was read at first; where the log has another key by then, or later, whoever has it is asked again. */
export function signerNow(options: PostgresOptions, first: Signer): StoreWriterOptions['signer'] {
  return async (origin, current) => {
    if (current.some(({ text }) => text === first.vkey)) return first;
    if (typeof options.key === 'function') return signerOf(await options.key(), origin);
    return currentSigner(filesOf(options), origin, current);
  };
}

function filesOf(options: PostgresOptions): KeyFiles {
  const { dir } = options;
  return { key: keyPath(options)!, vkey: dir === undefined ? undefined : join(dir, 'log.vkey') };
}

/** Where the keys of a log in PostgreSQL are worked at. */
export interface PostgresKeyOptions extends Pick<PostgresOptions, 'origin' | 'dir' | 'mark' | 'service'> {
  /** The file of the signing key; `log.key` in `dir` by default. */
  readonly key?: string;
  /** The new key, where it lies in no file: then no file is made, and none exchanged. */
  readonly successor?: Signer;
  /** The key that signs now, where it lies in no file. */
  readonly old?: Signer;
}

/**
 * Works at the keys of a log in PostgreSQL, as `withLogKeys` does for one in a folder: hand what `work` is given to
 * `requestKeyChange` and `applyKeyChange`. Instances with a key file of their own sign again once they have the new key.
 */
export async function withPostgresLogKeys<Result>(
  client: PostgresClient,
  options: PostgresKeyOptions,
  work: (place: KeyWorkplace) => Promise<Result>,
): Promise<Result> {
  const { origin, service = SERVICE_DEFAULT, successor, old } = options;
  const store = await PostgresStore.open(databaseOf(client), origin);
  const files = keyPath(options) === undefined ? undefined : filesOf(options);
  try {
    return await work({ store, files, successor, old, mark: markFor(options), service });
  } finally {
    await store.close();
  }
}

/** Where the key of this instance lies, if in a file. */
export function keyPath({ key, dir }: PostgresOptions): string | undefined {
  if (typeof key === 'string') return key;
  return dir === undefined ? undefined : join(dir, 'log.key');
}

/** The mark lies outside the database, which is what it is for: in the folder of the instance, or beside its key. */
export function markFor({ mark, dir, key }: PostgresOptions): string | undefined {
  if (mark !== undefined) return resolve(mark);
  if (dir !== undefined) return join(resolve(dir), 'log.mark');
  return typeof key === 'string' ? `${resolve(key)}.mark` : undefined;
}
