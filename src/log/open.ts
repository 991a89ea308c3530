import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { misuse } from '../bytes/index.ts';
import { checkCosignedName } from '../note/index.ts';
import { isLogError, LogError, type LogReader, type LogStore } from '../store/index.ts';
import { auditFiles } from './audit.ts';
import { backupLog } from './backup.ts';
import { type Created, createFiles, type Genesis, recordGenesis } from './create.ts';
import { OUT_OF_REACH } from './erasure/index.ts';
import { type Forked, type ForkOptions, forkWith } from './fork.ts';
import { Log } from './log.ts';
import {
  type CreateOptions,
  checkOptions,
  checkValues,
  type Making,
  type OpenOptions,
  SERVICE_DEFAULT,
  warnOf,
} from './options.ts';
import { type LogHome, type LogPaths, logPaths } from './paths.ts';
import { ReaderService } from './reader-service.ts';
import { openReader, readHere } from './reader-thread.ts';
import { StoreReader } from './store-reader.ts';
import { witnessSettings } from './witnessing.ts';
import { type StoreWriterOptions, Writer } from './writer.ts';
import { handleOf, openWriterHere, openWriterThread } from './writer-thread.ts';

/**
 * Creates a log in `dir` and opens it. Refuses, with `LogError` `log_exists`, where there is one.
 * The signing key is made at `options.key`, or taken from there with `reuseKey`; a root key is made in the folder unless `rootVkey`
 * says that one is kept elsewhere: move it offline.
 */
export async function createLog(dir: string, options: CreateOptions): Promise<Log> {
  checkOptions(options, 'create');
  checkValues(options);
  const { origin, rootVkey, personalIds, reuseKey, ...open } = options;
  await makeLog(dir, { origin, rootVkey, personalIds, reuseKey }, open);
  return start(dir, open, false);
}

/** Makes the files of a new log without opening it, and tells where its keys are. */
export async function makeLog(dir: string, creation: Making, open: OpenOptions = {}): Promise<Created> {
  return create(dir, creation, open, false);
}

/**
 * Makes a log in `to` in the place of the one in `dir`, which cannot go on: after a restore that lost entries whose receipts others
 * hold. The new one has a name and keys of its own, and its second entry names the old one; of its entries none is carried over, and its
 * folder stays as it is. What verify finds in the old one is answered beside. Throws `LogError` `log_missing`, `log_exists`, `head_invalid`,
 * `log_damaged`.
 */
export function forkLog(dir: string, to: string, options: ForkOptions): Promise<Forked> {
  const paths = logPaths(dir, { mark: options.mark });
  const audit = (depth: 'tree' | 'full') => auditFiles(paths, { depth });
  return forkWith({ make: makeLog, audit }, { dir, to }, options);
}

async function create(
  dir: string,
  { origin, rootVkey, personalIds = 'refuse', reuseKey, forkedFrom }: Making,
  open: OpenOptions,
  newKeyOnly: boolean,
): Promise<Created> {
  if (typeof origin !== 'string' || origin === '') {
    throw misuse('type', 'option_invalid', 'origin must name the log, as example.com/audit');
  }
  checkCosignedName(origin);
  return createFiles({
    paths: logPaths(dir, placesOf(open)),
    origin,
    rootVkey,
    personalIds,
    service: open.service ?? SERVICE_DEFAULT,
    instance: randomUUID(),
    keyText: await keyTextOf(open),
    reuseKey,
    newKeyOnly,
    forkedFrom,
  });
}

/** What a log in a folder leaves to its files. */
function homeOf(paths: LogPaths): LogHome {
  return {
    dir: paths.dir,
    followers: paths.followers,
    anchors: paths.anchors,
    folder: paths.dir,
    mark: paths.mark,
    outOfReach: OUT_OF_REACH,
    policy: paths.policy,
    mldsaKey: paths.mldsaKey,
    verify: (options) => auditFiles(paths, options),
    backup: (dir) => backupLog(paths, dir),
  };
}

/** Where the caller wants parts of the log to lie. */
function placesOf({ key, mark }: OpenOptions): { key?: string | undefined; mark?: string | undefined } {
  return { key: typeof key === 'string' ? key : undefined, mark };
}

/** The signing key itself, where the caller unwraps it. */
async function keyTextOf({ key }: OpenOptions): Promise<string | undefined> {
  return typeof key === 'function' ? await key() : undefined;
}

/** Opens the log in `dir`. Throws `LogError` `log_missing` where there is none, unless `createIfMissing` says how. */
export async function openLog(dir: string, options: OpenOptions = {}): Promise<Log> {
  checkOptions(options, 'open');
  checkValues(options);
  const paths = logPaths(dir, placesOf(options));
  let announce = true;
  if (!existsSync(paths.database)) {
    if (options.createIfMissing === undefined) {
      throw new LogError('log_missing', `there is no log at ${paths.dir}`, {
        hint: 'create it (createLog, indelible init), or pass createIfMissing',
      });
    }
    announce = !(await createMissing(dir, options));
  }
  return start(dir, options, announce);
}

/** True when it created the log; false when another process did at the same moment. */
async function createMissing(dir: string, options: OpenOptions): Promise<boolean> {
  const creation = options.createIfMissing!;
  checkOptions(creation, 'creation');
  try {
    const { vkey } = await create(dir, creation, options, true);
    warnOf(options)(`created a new log at ${dir}: origin ${creation.origin}, verifier key ${vkey}`);
    return true;
  } catch (error) {
    if (error instanceof LogError && error.code === 'log_exists' && existsSync(logPaths(dir).database))
      return false;
    throw error;
  }
}

async function start(dir: string, options: OpenOptions, announce: boolean): Promise<Log> {
  const paths = logPaths(dir, placesOf(options));
  const instance = randomUUID();
  const warn = warnOf(options);
  const here = options.thread === 'caller';
  const settings = witnessSettings(paths, options, { warn });
  const keyText = options.readOnly === true ? undefined : await keyTextOf(options);
  const writing = { paths, service: options.service ?? SERVICE_DEFAULT, instance, announce, keyText };
  // Both halves start at once: a thread takes most of the time that opening takes.
  const opening = [
    options.readOnly === true
      ? undefined
      : here
        ? openWriterHere(writing, { warn })
        : openWriterThread(writing, warn),
    openReader(paths, { here, warn }),
  ] as const;
  const [writer, reader] = await Promise.allSettled(opening);
  if (writer.status === 'fulfilled' && reader.status === 'fulfilled') {
    const home = homeOf(paths);
    const halves = { writer: writer.value, reader: reader.value };
    return finished(new Log({ home, options, instance, settings, warn, ...halves }));
  }
  const opened = [writer, reader].map((half) =>
    half.status === 'fulfilled' ? half.value?.close() : undefined,
  );
  await Promise.allSettled(opened);
  throw writer.status === 'rejected' ? writer.reason : (reader as PromiseRejectedResult).reason;
}

/** Ends erasures that another process began: beyond the files, which the writer has scoured. */
async function finished(log: Log): Promise<Log> {
  try {
    await log.finishErasures();
    return log;
  } catch (error) {
    await log.close();
    throw error;
  }
}

/** A log whose store is no folder: what a log leaves to it, and how it is written and read. */
export interface StoreHome extends LogHome {
  readonly origin: string;
  /** Reads committed state, beside any writer. */
  readonly reading: LogReader;
  /** The search index, a file; '' for one that lasts as long as the process. */
  readonly index: string;
  /** How it is written; absent where it is only read. */
  readonly writing?: Pick<StoreWriterOptions, 'signer' | 'mark' | 'erasing'> & { readonly store: LogStore };
}

/**
 * Opens a log over a store of another room, on this thread. The log closes the store that it writes with, never the one that
 * it reads with.
 * @internal
 */
export async function openLogOver(home: StoreHome, options: OpenOptions, announce = true): Promise<Log> {
  checkValues(options);
  const { reading, index, writing } = home;
  const warn = warnOf(options);
  const settings = witnessSettings(
    home,
    { ...options, readOnly: writing === undefined },
    { ...(writing !== undefined && { origin: home.origin }), warn },
  );
  const instance = randomUUID();
  const service = options.service ?? SERVICE_DEFAULT;
  const writer =
    writing &&
    (await Writer.over(
      writing.store,
      { ...writing, index, service, instance, announce, isRemote: true },
      { warn },
    ));
  try {
    const reader = await ReaderService.over(await StoreReader.open(reading), { index, warn });
    const halves = { writer: writer && handleOf(writer), reader: readHere(reader) };
    return finished(new Log({ home, options, instance, settings, warn, ...halves }));
  } catch (error) {
    await writer?.close();
    throw error;
  }
}

/**
 * Begins a log in an empty store of another room: its genesis entry. Throws `LogError` `log_exists` where it is not empty.
 * @internal
 */
export async function createLogOver(store: LogStore, genesis: Omit<Genesis, 'instance'>): Promise<void> {
  if ((await store.head()) !== undefined) {
    throw new LogError('log_exists', `there is a log of this origin: ${genesis.origin}`, {
      hint: 'open it instead',
    });
  }
  try {
    await recordGenesis(store, { ...genesis, instance: randomUUID() });
  } catch (error) {
    // Somebody with another key began it at the same moment.
    if (!isLogError(error, 'key_mismatch')) throw error;
    throw new LogError('log_exists', `another instance began the log ${genesis.origin} at the same moment`, {
      cause: error,
      hint: 'open it instead, with its key',
    });
  }
}
