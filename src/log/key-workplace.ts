import { existsSync } from 'node:fs';
import type { Signer } from '../note/index.ts';
import { systemClock } from '../platform/index.ts';
import { LogError, SqliteStore } from '../store/index.ts';
import { checkFolder } from './arguments.ts';
import {
  applyKeyChange,
  authoriseKeyChange,
  type KeyChangeWanted,
  type KeysChanged,
  type KeyWorkplace,
  requestKeyChange,
} from './change-keys.ts';
import { inOurWords } from './failure.ts';
import { SERVICE_DEFAULT } from './options.ts';
import { logPaths } from './paths.ts';

/** How the keys of a log in a folder are worked at. */
export interface KeyWorkOptions {
  /** Where the signing key lies; `log.key` in the folder by default. */
  readonly key?: string | undefined;
  /** Where the high-water mark lies; a sibling of the folder by default. */
  readonly mark?: string | undefined;
  /** `source.service` of the entries. */
  readonly service?: string | undefined;
  /** The new key, where it lies in no file: then no file is made, and none exchanged. */
  readonly successor?: Signer | undefined;
  /** The key that signs now, where it lies in no file. */
  readonly old?: Signer | undefined;
}

/**
 * Opens the log in a folder to work at its keys. Others may be writing it: a commit that changes keys waits for the head like any
 * other. Throws `LogError` `log_missing`.
 */
export async function withLogKeys<Result>(
  dir: string,
  options: KeyWorkOptions,
  work: (place: KeyWorkplace) => Promise<Result>,
): Promise<Result> {
  checkFolder(dir);
  const paths = logPaths(dir, options);
  if (!existsSync(paths.database)) throw new LogError('log_missing', `there is no log at ${paths.dir}`);
  const { successor, old, service = SERVICE_DEFAULT } = options;
  const store = SqliteStore.open(paths.database, {
    jitter: Math.random,
    now: () => systemClock.monotonic(),
  });
  try {
    const files = { key: paths.key, vkey: paths.vkey };
    return await work({ store, files, successor, old, mark: paths.mark, service });
  } catch (error) {
    throw inOurWords(error);
  } finally {
    store.close();
  }
}

/**
 * Replaces the signing key of the log in a folder, or revokes one, where the root key is at hand. Processes that have the log open go
 * on with the new key by themselves where they read it from the same file. See `docs/keys.md`.
 *
 * Throws `LogError` `not_permitted` for a log without a root key; `VerificationError` `key_change_invalid` where `root` is another
 * key than the log's root key.
 */
export async function rotateKey(
  dir: string,
  root: Signer,
  options: KeyWorkOptions = {},
  wanted: KeyChangeWanted = { rotate: true },
): Promise<KeysChanged> {
  return withLogKeys(dir, options, async (place) => {
    const requests = await requestKeyChange(place, wanted);
    return applyKeyChange(
      place,
      requests.map((request) => authoriseKeyChange(request, root)),
    );
  });
}
