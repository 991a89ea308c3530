import { existsSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { LogReport, VerifyOptions } from './audit.ts';
import type { Backup } from './backup.ts';

/** The name of the file that says how a log is time-stamped. */
export const TIMESTAMPS_FILE = 'timestamps.json';

/** Where the parts of a log lie. */
export interface LogPaths {
  /** The folder, absolute. */
  readonly dir: string;
  /** The truth: entries, disclosures, tiles, head. */
  readonly database: string;
  /** The search index, derived from it and droppable. */
  readonly index: string;
  /** Cursors of followers. */
  readonly followers: string;
  /** What outside parties have signed about the log. */
  readonly anchors: string;
  /** How the log is time-stamped, where its options do not say. */
  readonly timestamps: string;
  /** Erasures that are not finished; there while one is under way. */
  readonly erasing: string;
  /** The policy that names its witnesses (c2sp.org/tlog-policy), where there is one. */
  readonly policy: string;
  /** The key with which it signs published checkpoints a second time, where there is one; mode 0600. */
  readonly mldsaKey: string;
  /** The signing key, mode 0600. */
  readonly key: string;
  /** Its verifier key, for everybody. */
  readonly vkey: string;
  /** The root key, to be moved offline. */
  readonly rootKey: string;
  readonly rootVkey: string;
  /** The high-water mark, beside the folder. */
  readonly mark: string;
}

/** What a log leaves to the place where it lives. */
export interface LogHome {
  /** The folder, absolute; where the log lives in none, a name for it. */
  readonly dir: string;
  /** The file with the cursors of followers. */
  readonly followers: string;
  /** The file with what outside parties have signed. */
  readonly anchors: string;
  /** The folder itself, for what its owner put into it: settings, a policy. Absent where there is none. */
  readonly folder?: string | undefined;
  /** The high-water mark; absent where none is kept. */
  readonly mark?: string | undefined;
  /** What no erasure reaches, in words. */
  readonly outOfReach: readonly string[];
  /** The file of the policy that names its witnesses; '' where there can be none. */
  readonly policy: string;
  /** The file of its ML-DSA-44 key; '' where there can be none. */
  readonly mldsaKey: string;
  verify(options: VerifyOptions): Promise<LogReport>;
  backup(dir: string): Promise<Backup>;
}

/** The places of a log in `dir`; `key` and `mark` may be told to lie elsewhere. */
export function logPaths(
  dir: string,
  places: { key?: string | undefined; mark?: string | undefined } = {},
): LogPaths {
  // Under another name the same log would have another mark.
  const at = existsSync(dir) ? realpathSync(dir) : resolve(dir);
  return {
    dir: at,
    database: join(at, 'log.db'),
    index: join(at, 'index.db'),
    followers: join(at, 'followers.db'),
    anchors: join(at, 'anchors.db'),
    timestamps: join(at, TIMESTAMPS_FILE),
    erasing: join(at, 'erasing.json'),
    policy: join(at, 'policy'),
    mldsaKey: join(at, 'log.mldsa.key'),
    key: places.key === undefined ? join(at, 'log.key') : resolve(places.key),
    vkey: join(at, 'log.vkey'),
    rootKey: join(at, 'root.key'),
    rootVkey: join(at, 'root.vkey'),
    mark: places.mark === undefined ? `${at}.mark` : resolve(places.mark),
  };
}
