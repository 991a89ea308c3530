import { existsSync, linkSync, mkdirSync, rmSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { genesisEvent } from '../event/index.ts';
import { parseVerifierKey } from '../note/index.ts';
import { randomBytes, replaceFile, syncFolder, systemClock } from '../platform/index.ts';
import { LogError, SqliteStore } from '../store/index.ts';
import { Committer } from './commit.ts';
import { inOurWords } from './failure.ts';
import { createSigner } from './keys.ts';
import type { LogPaths } from './paths.ts';
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
}

/** What was made. */
export interface Created {
  readonly vkey: string;
  readonly rootVkey: string;
  /** Where a new root key lies and waits to be moved offline; undefined where it is kept elsewhere. */
  readonly rootKey: string | undefined;
}

/**
 * Makes a log: keys, and a database with its genesis entry. The database gets its name last, in one step,
 * so a creation that dies half way leaves keys at most, and can be run again. Refuses, with `LogError`
 * `log_exists`, where there is a log, or the mark of one.
 */
export async function createFiles(creation: Creation): Promise<Created> {
  try {
    return await makeFiles(creation);
  } catch (error) {
    throw inOurWords(error);
  }
}

async function makeFiles(creation: Creation): Promise<Created> {
  const { paths, origin } = creation;
  refuseExisting(paths);
  mkdirSync(paths.dir, { recursive: true });
  const signer = createSigner(paths.key, origin);
  replaceFile(paths.vkey, `${signer.vkey}\n`);
  const root = rootKeyOf(creation);
  replaceFile(paths.rootVkey, `${root.rootVkey}\n`);

  const temporary = `${paths.database}.${Buffer.from(randomBytes(6)).toString('hex')}.new`;
  const store = SqliteStore.create(temporary, { jitter: Math.random, now: systemClock.monotonic });
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
    const genesis = genesisEvent({
      origin,
      logKeys: [signer.vkey],
      rootKey: root.rootVkey,
      personalIds: creation.personalIds,
    });
    await committer.commit([ownDraft(genesis, creation, systemClock)]);
    store.close();
    place(temporary, paths.database);
    // The first receipt must not outlive the name of the file that it speaks of.
    syncFolder(paths.dir);
    syncFolder(dirname(paths.dir));
  } finally {
    store.close();
    for (const suffix of ['', '-wal', '-shm']) rmSync(temporary + suffix, { force: true });
  }
  return { vkey: signer.vkey, ...root };
}

function refuseExisting(paths: LogPaths): void {
  if (existsSync(paths.database)) {
    throw new LogError('log_exists', `there is a log at ${paths.dir}`, { hint: 'open it instead' });
  }
  if (existsSync(paths.mark)) {
    throw new LogError('log_exists', `${paths.mark} is the mark of a log that is no longer at ${paths.dir}`, {
      hint: 'find out where that log went; move the mark away only if it was removed on purpose',
    });
  }
}

function rootKeyOf({ paths, origin, rootVkey }: Creation): { rootVkey: string; rootKey: string | undefined } {
  if (rootVkey !== undefined) return { rootVkey: parseVerifierKey(rootVkey).text, rootKey: undefined };
  return { rootVkey: createSigner(paths.rootKey, `${origin}/root`).vkey, rootKey: paths.rootKey };
}

/** Gives the finished database its name, unless somebody else was quicker. */
function place(temporary: string, database: string): void {
  try {
    linkSync(temporary, database);
    unlinkSync(temporary);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    throw new LogError('log_exists', 'another process created the log at the same moment', {
      hint: 'open it instead',
      cause,
    });
  }
}
