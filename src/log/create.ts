import {
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { misuse } from '../bytes/index.ts';
import { genesisEvent } from '../event/index.ts';
import { parseVerifierKey, type Signer } from '../note/index.ts';
import { randomBytes, replaceFile, syncFolder, systemClock } from '../platform/index.ts';
import { LogError, SqliteStore } from '../store/index.ts';
import { Committer } from './commit.ts';
import { inOurWords } from './failure.ts';
import { createSigner, signerOf } from './keys.ts';
import { type LogPaths, logPaths } from './paths.ts';
import { ownDraft } from './writer.ts';

/** What a log is created with. */
export interface Creation {
  readonly paths: LogPaths;
  readonly origin: string;
  readonly service: string;
  readonly instance: string;
  readonly personalIds: 'refuse' | 'allow' | 'pseudonymise';
  /** The verifier key of a root key that is kept elsewhere; without one, a root key is made in the folder. */
  readonly rootVkey?: string | undefined;
  /** The signing key itself, where the caller unwraps it rather than keeping it in a file. */
  readonly keyText?: string | undefined;
  /** Refuses a signing key that is there already: where nobody asked for this creation, it may be a second one. */
  readonly newKeyOnly?: boolean;
}

/** What was made. */
export interface Created {
  readonly vkey: string;
  readonly rootVkey: string;
  /** Where a new root key lies and waits to be moved offline; undefined where it is kept elsewhere. */
  readonly rootKey: string | undefined;
}

/**
 * Makes a log: keys, and a database with its genesis entry. All of it is made beside the place where it will
 * be and gets its name in one step, so nothing is ever half there.
 *
 * Refuses, with `LogError` `log_exists`, a folder that holds anything, and a place that has a mark. What a lost
 * log left behind is not built upon: a second birth under the same key would be a second history.
 */
export async function createFiles(creation: Creation): Promise<Created> {
  try {
    return await makeFiles(creation);
  } catch (error) {
    throw inOurWords(error);
  }
}

async function makeFiles(creation: Creation): Promise<Created> {
  const { paths, origin, rootVkey } = creation;
  if (rootVkey !== undefined) checkRootKey(rootVkey);
  refuseExisting(creation);
  const temporary = logPaths(`${paths.dir}.${Buffer.from(randomBytes(6)).toString('hex')}.new`);
  mkdirSync(temporary.dir, { recursive: true, mode: 0o700 });
  try {
    const isInside = dirname(paths.key) === paths.dir;
    const keyPath = isInside ? join(temporary.dir, 'log.key') : paths.key;
    const signer =
      creation.keyText === undefined ? createSigner(keyPath, origin) : signerOf(creation.keyText, origin);
    replaceFile(temporary.vkey, `${signer.vkey}\n`);
    const rootKey = rootVkey ?? createSigner(temporary.rootKey, `${origin}/root`).vkey;
    replaceFile(temporary.rootVkey, `${rootKey}\n`);
    await writeGenesis(temporary.database, { creation, signer, rootKey });
    place(temporary.dir, paths.dir);
    return {
      vkey: signer.vkey,
      rootVkey: rootKey,
      rootKey: rootVkey === undefined ? paths.rootKey : undefined,
    };
  } finally {
    rmSync(temporary.dir, { recursive: true, force: true });
  }
}

async function writeGenesis(
  database: string,
  { creation, signer, rootKey }: { creation: Creation; signer: Signer; rootKey: string },
): Promise<void> {
  const { origin, personalIds } = creation;
  const store = SqliteStore.create(database, { jitter: Math.random, now: () => systemClock.monotonic() });
  try {
    const committer = new Committer({
      store,
      origin,
      signer,
      clock: systemClock,
      random: randomBytes,
      ownDraft: (event) => ownDraft(event, creation, systemClock),
      announce: false,
    });
    const genesis = genesisEvent({ origin, logKeys: [signer.vkey], rootKey, personalIds });
    await committer.commit([ownDraft(genesis, creation, systemClock)]);
  } finally {
    store.close();
  }
}

function checkRootKey(rootVkey: string): void {
  try {
    parseVerifierKey(rootVkey);
  } catch (cause) {
    throw misuse('type', 'option_invalid', `rootVkey is not a verifier key: ${(cause as Error).message}`);
  }
}

function refuseExisting({ paths, newKeyOnly, keyText }: Creation): void {
  if (existsSync(paths.database)) {
    throw new LogError('log_exists', `there is a log at ${paths.dir}`, { hint: 'open it instead' });
  }
  if (existsSync(paths.mark)) {
    throw new LogError('log_exists', `${paths.mark} is the mark of a log that is no longer at ${paths.dir}`, {
      hint: 'find out where that log went; move the mark away only if it was removed on purpose',
    });
  }
  if (existsSync(paths.dir) && readdirSync(paths.dir).length > 0) {
    throw new LogError('log_exists', `${paths.dir} holds files and no log.db`, {
      hint: 'a log needs a folder of its own; if one was here, find out what became of it',
    });
  }
  if (newKeyOnly === true && (keyText !== undefined || existsSync(paths.key))) {
    throw new LogError('log_exists', `the signing key is there already, and the log at ${paths.dir} is not`, {
      hint: 'if this log is new, create it on purpose (createLog, indelible init); if not, find out where it went',
    });
  }
}

/** Gives the finished folder its name, unless somebody else was quicker. */
function place(temporary: string, dir: string): void {
  try {
    renameSync(temporary, dir);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOTEMPTY' || code === 'EEXIST') throw quicker(cause);
    if (code !== 'EBUSY' && code !== 'EXDEV' && code !== 'EPERM' && code !== 'EACCES') throw cause;
    placeInside(temporary, dir);
  }
  // The first receipt must not outlive the name of the file that it speaks of.
  syncFolder(dir);
  syncFolder(dirname(dir));
}

/** A mount point cannot be replaced: its files are moved in one by one, the database last. */
function placeInside(temporary: string, dir: string): void {
  const names = readdirSync(temporary).filter((name) => name !== 'log.db');
  for (const name of [...names, 'log.db']) {
    try {
      linkSync(join(temporary, name), join(dir, name));
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      if (code === 'EEXIST') throw quicker(cause);
      if (code !== 'EXDEV') throw cause;
      copyFileSync(join(temporary, name), join(dir, name), constants.COPYFILE_EXCL);
    }
  }
}

function quicker(cause: unknown): LogError {
  return new LogError('log_exists', 'another process created the log at the same moment', {
    hint: 'open it instead',
    cause,
  });
}
