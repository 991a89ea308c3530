import {
  accessSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { misuse } from '../bytes/index.ts';
import { type ForkedFrom, forkedFromEvent, genesisEvent } from '../event/index.ts';
import { checkCosignedName, parseVerifierKey, type Signer } from '../note/index.ts';
import { randomBytes, replaceFile, syncFolder, systemClock } from '../platform/index.ts';
import { LogError, type LogStore, SqliteStore } from '../store/index.ts';
import { Committer } from './commit.ts';
import { inOurWords } from './failure.ts';
import { createSigner, readSigner, signerOf } from './keys.ts';
import { type LogPaths, logPaths } from './paths.ts';
import { ownDraft } from './writer.ts';

/** The file whose name is taken first where files are placed one by one: whoever has it places the others. */
const CLAIM = 'log.vkey';

/** How long another process may take to place its files, milliseconds: it takes a few. Beyond, it has died. */
const PLACING_MS_MAX = 1_000;

/** How old a draft must be to be nobody's any more, milliseconds. */
const DRAFT_MS_MAX = 60_000;

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
  /** Takes a key file that is there already. Its owner vouches that it has signed nothing: one key, one history. */
  readonly reuseKey?: boolean | undefined;
  /** Refuses a key that the caller unwraps: where nobody asked for this creation, it may be a second one. */
  readonly newKeyOnly?: boolean;
  /** The log that it takes the place of. */
  readonly forkedFrom?: ForkedFrom | undefined;
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
 * be and gets its name in one step, so nothing is ever half there. An empty folder that is there already is kept: the log is
 * made within it, its database placed last, and what a creation that was cut off leaves there is refused by name.
 *
 * Refuses, with `LogError` `log_exists`, a folder that holds anything, and a place that has a mark; with `key_exists`, a key
 * file that is there. What a lost log left behind is not built upon: a second birth under the same key would be a second history.
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
  await refuseExisting(creation);
  const isPrepared = existsSync(paths.dir);
  const name = `.${Buffer.from(randomBytes(6)).toString('hex')}.new`;
  const temporary = logPaths(isPrepared ? join(paths.dir, name) : paths.dir + name);
  mkdirSync(temporary.dir, { recursive: true, mode: 0o700 });
  let madeKey: string | undefined;
  try {
    refuseUnwritableMark(paths.mark);
    const isInside = dirname(paths.key) === paths.dir;
    const keyPath = isInside ? join(temporary.dir, 'log.key') : paths.key;
    const signer = await signerFor(creation, keyPath);
    if (!isInside && creation.keyText === undefined && creation.reuseKey !== true) madeKey = keyPath;
    replaceFile(temporary.vkey, `${signer.vkey}\n`);
    const rootKey = rootVkey ?? newRootKey(temporary.rootKey, origin);
    replaceFile(temporary.rootVkey, `${rootKey}\n`);
    await writeGenesis(temporary.database, { creation, signer, rootKey });
    if (isPrepared) await placeInside(temporary.dir, paths.dir);
    else place(temporary.dir, paths.dir);
    madeKey = undefined;
    return {
      vkey: signer.vkey,
      rootVkey: rootKey,
      rootKey: rootVkey === undefined ? paths.rootKey : undefined,
    };
  } finally {
    rmSync(temporary.dir, { recursive: true, force: true });
    // What it has signed was never in its place.
    if (madeKey !== undefined) rmSync(madeKey, { force: true });
  }
}

/** The signer of a new log. A key file is made for it, unless its owner says that the one that is there may be used. */
async function signerFor({ keyText, reuseKey, origin, paths }: Creation, keyPath: string): Promise<Signer> {
  if (keyText !== undefined) return signerOf(keyText, origin);
  if (reuseKey === true) return readSigner(keyPath, origin);
  const signer = createSigner(keyPath, origin);
  if (signer !== undefined) return signer;
  // Of several processes that create one log, the one that made the key goes on.
  if (await appears(paths.database)) throw quicker(undefined);
  throw new LogError(
    'key_exists',
    `there is a signing key at ${keyPath} already, and no log at ${paths.dir}`,
    {
      hint: 'two logs under one key are two histories: name another place; only a key that has signed nothing may be taken (reuseKey, --reuse-key)',
    },
  );
}

/** The mark is first written when the log is opened; that it cannot be is said before anything is made. */
function refuseUnwritableMark(mark: string): void {
  try {
    accessSync(dirname(mark), constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new LogError(
      'io_failed',
      `the mark of the log cannot be kept at ${mark}: ${(cause as Error).message}`,
      {
        hint: 'say where it may lie, outside the folder of the log: mark, --mark',
        cause,
      },
    );
  }
}

async function writeGenesis(
  database: string,
  { creation, signer, rootKey }: { creation: Creation; signer: Signer; rootKey: string },
): Promise<void> {
  const store = SqliteStore.create(database, { jitter: Math.random, now: () => systemClock.monotonic() });
  try {
    await recordGenesis(store, { ...creation, signer, rootKey });
  } finally {
    store.close();
  }
}

/** What the first entry of a log says, and who says it. */
export interface Genesis {
  readonly origin: string;
  readonly personalIds: 'refuse' | 'allow' | 'pseudonymise';
  readonly service: string;
  readonly instance: string;
  readonly signer: Signer;
  /** The verifier key of the root key. */
  readonly rootKey: string;
  readonly forkedFrom?: ForkedFrom | undefined;
}

/**
 * Records the first entry of a log in an empty store. That it is empty is looked at under the head lock: of two who begin one log, even
 * with one key, the later is refused with `LogError` `log_exists`.
 */
export async function recordGenesis(store: LogStore, genesis: Genesis): Promise<void> {
  const { origin, personalIds, signer, rootKey, forkedFrom } = genesis;
  checkCosignedName(origin);
  const committer = new Committer({
    store,
    origin,
    signer,
    clock: systemClock,
    random: randomBytes,
    ownDraft: (event) => ownDraft(event, genesis, systemClock),
    announce: false,
  });
  const first = genesisEvent({ origin, logKeys: [signer.vkey], rootKey, personalIds });
  await committer.commit({
    take: ({ taken }) => {
      if (taken !== undefined) throw quicker(undefined);
      const events = forkedFrom === undefined ? [first] : [first, forkedFromEvent(forkedFrom)];
      return events.map((event) => ({ draft: ownDraft(event, genesis, systemClock) }));
    },
    settle: () => {},
  });
}

/** Makes a root key at `path`, which must not hold one, and answers its verifier key. */
export function newRootKey(path: string, origin: string): string {
  const signer = createSigner(path, `${origin}/root`);
  if (signer === undefined) throw new Error(`There is a root key in a draft that is new: ${path}.`);
  return signer.vkey;
}

function checkRootKey(rootVkey: string): void {
  try {
    parseVerifierKey(rootVkey);
  } catch (cause) {
    throw misuse('type', 'option_invalid', `rootVkey is not a verifier key: ${(cause as Error).message}`);
  }
}

async function refuseExisting({ paths, newKeyOnly, keyText }: Creation): Promise<void> {
  if (existsSync(paths.database)) {
    throw new LogError('log_exists', `there is a log at ${paths.dir}`, { hint: 'open it instead' });
  }
  if (existsSync(paths.mark)) {
    throw new LogError('log_exists', `${paths.mark} is the mark of a log that is no longer at ${paths.dir}`, {
      hint: 'find out where that log went; move the mark away only if it was removed on purpose',
    });
  }
  const present = existsSync(paths.dir) ? readdirSync(paths.dir) : [];
  if (present.some((name) => !isDraft(name))) {
    if (present.some(isDraft)) {
      throw (await appears(paths.database)) ? quicker(undefined) : unfinished(paths.dir);
    }
    throw new LogError('log_exists', `${paths.dir} holds files and no log.db`, {
      hint: 'a log needs a folder of its own; if one was here, find out what became of it',
    });
  }
  if (newKeyOnly === true && keyText !== undefined) {
    throw new LogError('log_exists', `the signing key is there already, and the log at ${paths.dir} is not`, {
      hint: 'if this log is new, create it on purpose (createLog, indelible init); if not, find out where it went',
    });
  }
}

/** Gives the finished folder its name, unless somebody else was quicker. */
function place(draft: string, dir: string): void {
  try {
    renameSync(draft, dir);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOTEMPTY' || code === 'EEXIST') throw quicker(cause);
    throw cause;
  }
  // The first receipt must not outlive the name of the file that it speaks of.
  syncFolder(dir);
  syncFolder(dirname(dir));
}

/**
 * Moves the finished files into a folder that was there before, which stays the same folder: it may be somebody's
 * working directory, a mount point, or all that this user may write to. The first name is the claim to the place, and
 * `log.db` comes last: there is a log when it is there.
 */
async function placeInside(draft: string, dir: string): Promise<void> {
  const others = readdirSync(draft).filter((name) => name !== CLAIM && name !== 'log.db');
  const placed: string[] = [];
  try {
    for (const name of [CLAIM, ...others]) {
      linkSync(join(draft, name), join(dir, name));
      placed.push(name);
    }
    syncFolder(dir);
    linkSync(join(draft, 'log.db'), join(dir, 'log.db'));
  } catch (cause) {
    for (const name of placed) rmSync(join(dir, name), { force: true });
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    if (await appears(join(dir, 'log.db'))) throw quicker(cause);
    throw unfinished(dir, cause);
  }
  syncFolder(dir);
  removeStaleDrafts(dir);
}

/** What creations left here that were cut off before they had placed anything: keys that nothing is signed with. */
function removeStaleDrafts(dir: string): void {
  for (const name of readdirSync(dir).filter(isDraft)) {
    const draft = join(dir, name);
    const changed = statSync(draft, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY;
    if (systemClock.wall() - changed > DRAFT_MS_MAX) rmSync(draft, { recursive: true, force: true });
  }
}

/** Whether a name is that of a draft within a folder, ours or another process's. */
function isDraft(name: string): boolean {
  return /^\.[0-9a-f]{12}\.new$/.test(name);
}

/** Waits a moment for a file that another process is about to place. */
async function appears(path: string): Promise<boolean> {
  const end = systemClock.monotonic() + PLACING_MS_MAX;
  while (!existsSync(path)) {
    if (systemClock.monotonic() > end) return false;
    await sleep(5);
  }
  return true;
}

function unfinished(dir: string, cause?: unknown): LogError {
  const left = readdirSync(dir).join(', ');
  return new LogError(
    'log_exists',
    `the creation of a log at ${dir} was cut off: it holds ${left} and no log.db`,
    {
      hint: 'if no log was ever used there, remove these files and create it again; if one was, find out what became of it',
      cause,
    },
  );
}

function quicker(cause: unknown): LogError {
  return new LogError('log_exists', 'another process created the log at the same moment', {
    hint: 'open it instead',
    cause,
  });
}
