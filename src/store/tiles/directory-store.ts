import {
  chmod,
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  unlink,
} from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { equalBytes, LogError, misuse, VerificationError } from '../../bytes/index.ts';
import {
  FoldersBelow,
  openingFailed,
  REGULAR_FILE_FLAGS,
  randomBytes,
  requireFile,
  systemClock,
} from '../../platform/index.ts';
import { SQLITE_BUSY, sqliteCode } from '../sqlite-failure.ts';
import { CHECKPOINT_PATH, isStorePath, type PutResult, type TileStore } from './contract.ts';

/** Where files are written before they get their name. Its name begins with a dot, as that of no file of the log does. */
const WRITING = '.writing';

/** What a publisher holds while it puts the checkpoint: an empty file among the drafts, locked through SQLite as a database is. */
const LOCK = 'checkpoint.lock';

/** How long a publisher waits for another one to put its checkpoint, milliseconds. */
const LOCK_MS_MAX = 60_000;

/** How often it looks, milliseconds. */
const LOCK_POLL_MS = 20;

/** Files there that are older than this belong to a process that has died, milliseconds. */
const STALE_MS = 60 * 60 * 1000;

/** A published file: nobody, its owner included, writes to it by mistake. */
const IMMUTABLE_MODE = 0o444;

/** The checkpoint, and what a folder that is made has at least: whoever serves them is seldom whoever writes them. */
const CHECKPOINT_MODE = 0o644;
const FOLDER_MODE = 0o755;

/** Bytes read at once: more than any tile, and most bundles. */
const READ_BYTES = 256 * 1024;

/** How a {@link DirectoryTileStore} is opened. */
export interface DirectoryTileStoreOptions {
  /** Milliseconds of the wall clock. */
  readonly now?: () => number;
}

/**
 * A tile store in a folder. Each file is written under another name, synced, then linked to its own, which fails where there is
 * one; then its folder is synced, once for all files that got their names meanwhile.
 */
export class DirectoryTileStore implements TileStore {
  readonly place: string;
  readonly #root: string;
  readonly #below: FoldersBelow;
  readonly #folders = new Map<string, Promise<void>>();
  readonly #syncs = new Map<string, FolderSync>();

  private constructor(root: string) {
    this.#root = root;
    this.#below = new FoldersBelow(root);
    this.place = pathToFileURL(root).href;
  }

  /** Opens the folder, or makes it. Throws `LogError` `io_failed`. */
  static async open(
    path: string,
    { now = systemClock.wall }: DirectoryTileStoreOptions = {},
  ): Promise<DirectoryTileStore> {
    const store = new DirectoryTileStore(resolve(path));
    await store.#guarded(async () => {
      const writing = join(store.#root, WRITING);
      await store.#folder(store.#root);
      await store.#folder(writing);
      for (const name of await readdir(writing)) {
        if (name === LOCK) continue;
        const left = join(writing, name);
        const { mtimeMs } = await stat(left).catch(() => ({ mtimeMs: now() }));
        if (now() - mtimeMs > STALE_MS) await rm(left, { force: true });
      }
    });
    return store;
  }

  /** A folder that is only read: nothing is made in it. */
  static reading(path: string): DirectoryTileStore {
    return new DirectoryTileStore(resolve(path));
  }

  read(path: string, bytesMax: number): Promise<Uint8Array | undefined> {
    return this.#guarded(() => this.#first(path, bytesMax));
  }

  putImmutable(path: string, bytes: Uint8Array): Promise<PutResult> {
    return this.#guarded(async () => {
      const at = this.#at(path);
      const present = await this.#compare(path, bytes);
      if (!present) {
        await this.#folder(dirname(at));
        const draft = await this.#write(bytes, IMMUTABLE_MODE);
        try {
          await link(draft, at);
        } catch (error) {
          if (codeOf(error) !== 'EEXIST' || !(await this.#compare(path, bytes))) throw error;
        } finally {
          await unlink(draft);
        }
      }
      // One that was there may have been named by somebody whose folder was never synced.
      await this.#synced(dirname(at));
      return present ? 'present' : 'written';
    });
  }

  putCheckpoint(note: Uint8Array, expected: Uint8Array | undefined): Promise<void> {
    return this.#guarded(async () => {
      const at = join(this.#root, CHECKPOINT_PATH);
      const draft = await this.#write(note, CHECKPOINT_MODE);
      try {
        await this.#alone(async () => {
          const found = await this.#found(CHECKPOINT_PATH, note.length + (expected?.length ?? 0));
          const isExpected =
            found === undefined || expected === undefined ? found === expected : equalBytes(found, expected);
          if (!isExpected) throw moved(this.place);
          await rename(draft, at);
        });
      } catch (error) {
        await rm(draft, { force: true });
        throw error;
      }
      await this.#synced(this.#root);
    });
  }

  async close(): Promise<void> {}

  #at(path: string): string {
    if (!isStorePath(path)) {
      throw misuse(
        'range',
        'argument_invalid',
        `no file of a log has this path: ${JSON.stringify(path.slice(0, 100))}`,
      );
    }
    return join(this.#root, path);
  }

  /**
   * Runs what no other publisher of this machine may do at the same time. The lock is the system's own: it goes with the process that
   * holds it, however that ends, and nothing is stale. Throws `LogError` `io_failed`, `retryable`, where another one holds it too long.
   */
  async #alone(run: () => Promise<void>): Promise<void> {
    const db = new DatabaseSync(join(this.#root, WRITING, LOCK), { timeout: 0 });
    try {
      for (let waited = 0; !isLocked(db); waited += LOCK_POLL_MS) {
        if (waited >= LOCK_MS_MAX) {
          throw new LogError('io_failed', `${this.place}: another publisher is putting its checkpoint`, {
            retryable: true,
          });
        }
        await sleep(LOCK_POLL_MS);
      }
      await run();
    } finally {
      db.close();
    }
  }

  /** Whether the file is there with these bytes. Throws `LogError` `archive_conflict` where it has others. */
  async #compare(path: string, bytes: Uint8Array): Promise<boolean> {
    const found = await this.#found(path, bytes.length);
    if (found === undefined) return false;
    if (equalBytes(found, bytes)) return true;
    throw differs(this.place, path);
  }

  /** What is there before something is put. Throws `LogError` `archive_conflict` where it is no file. */
  async #found(path: string, bytesMax: number): Promise<Uint8Array | undefined> {
    try {
      return await this.#first(path, bytesMax);
    } catch (cause) {
      if (!(cause instanceof VerificationError)) throw cause;
      throw new LogError('archive_conflict', `${this.place} holds what is no file: ${cause.message}`, {
        cause,
        hint: 'somebody else writes there: find out who; nothing was overwritten',
      });
    }
  }

  async #first(path: string, bytesMax: number): Promise<Uint8Array | undefined> {
    const at = this.#at(path);
    this.#below.require(path);
    return readFirst(path, at, bytesMax);
  }

  async #write(bytes: Uint8Array, mode: number): Promise<string> {
    const draft = join(this.#root, WRITING, Buffer.from(randomBytes(12)).toString('hex'));
    const file = await open(draft, 'wx', mode);
    try {
      await writeAll(file, bytes);
      // Whatever the mask of whoever publishes: what is published is for others to read.
      await file.chmod(mode);
      await file.sync();
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    } finally {
      await file.close();
    }
    return draft;
  }

  /** Makes a folder and every one above it, each of them durable, once. */
  #folder(path: string): Promise<void> {
    let made = this.#folders.get(path);
    if (made === undefined) {
      made = this.#make(path);
      this.#folders.set(path, made);
      made.catch(() => this.#folders.delete(path));
    }
    return made;
  }

  async #make(path: string): Promise<void> {
    const above = dirname(path);
    try {
      await makeFolder(path);
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return;
      if (codeOf(error) !== 'ENOENT') throw error;
      await this.#folder(above);
      await makeFolder(path).catch((again: unknown) => {
        if (codeOf(again) !== 'EEXIST') throw again;
      });
    }
    await this.#synced(above);
  }

  /** Resolves when a sync of the folder that began after this call is done; callers share it. */
  #synced(folder: string): Promise<void> {
    let sync = this.#syncs.get(folder);
    if (sync === undefined) {
      sync = new FolderSync(folder);
      this.#syncs.set(folder, sync);
    }
    return sync.next();
  }

  async #guarded<Result>(run: () => Promise<Result>): Promise<Result> {
    try {
      return await run();
    } catch (error) {
      throw inOurWords(error, this.place);
    }
  }
}

/** Syncs one folder for many: whoever comes while a sync is under way waits for the one after it. */
class FolderSync {
  readonly #folder: string;
  #running: Promise<void> | undefined;
  #waiting: Promise<void> | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  next(): Promise<void> {
    this.#waiting ??= this.#after(this.#running);
    return this.#waiting;
  }

  async #after(running: Promise<void> | undefined): Promise<void> {
    // A failure of that sync is told to those who wait for that one.
    await running?.catch(() => {});
    this.#running = this.#waiting;
    this.#waiting = undefined;
    await this.#sync();
  }

  async #sync(): Promise<void> {
    if (process.platform === 'win32') return;
    const folder = await open(this.#folder, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
}

/** Makes a folder that others can read, whatever the mask; drafts are for nobody else. */
async function makeFolder(path: string): Promise<void> {
  await mkdir(path);
  if (basename(path) === WRITING) return;
  const { mode } = await stat(path);
  await chmod(path, (mode % 0o10000) | FOLDER_MODE);
}

/** Takes the lock, if nobody has it. Throws what SQLite throws. */
function isLocked(db: DatabaseSync): boolean {
  try {
    db.exec('BEGIN EXCLUSIVE');
    return true;
  } catch (error) {
    if (sqliteCode(error) === SQLITE_BUSY) return false;
    throw error;
  }
}

/** The error for a file that is there with other bytes. */
export function differs(place: string, path: string): LogError {
  return new LogError('archive_conflict', `${path} at ${place} is there already, with other bytes`, {
    hint: 'something else was published there: stop, and find out what; nothing was overwritten',
  });
}

/** The error for a checkpoint that somebody else has moved. */
export function moved(place: string): LogError {
  return new LogError(
    'archive_conflict',
    `the checkpoint at ${place} was changed by somebody else meanwhile`,
    {
      hint: 'whoever publishes the same log there goes on by itself: find out who the other one is',
    },
  );
}

async function readFirst(path: string, at: string, bytesMax: number): Promise<Uint8Array | undefined> {
  let file: FileHandle;
  try {
    file = await open(at, REGULAR_FILE_FLAGS);
  } catch (error) {
    return openingFailed(path, at, error);
  }
  try {
    requireFile(path, await file.stat());
    const parts: Uint8Array[] = [];
    for (let left = bytesMax + 1; left > 0; ) {
      const part = new Uint8Array(Math.min(left, READ_BYTES));
      const { bytesRead } = await file.read(part, 0, part.length, null);
      if (bytesRead === 0) break;
      parts.push(part.subarray(0, bytesRead));
      left -= bytesRead;
    }
    return parts.length === 1 ? parts[0]! : new Uint8Array(Buffer.concat(parts));
  } finally {
    await file.close();
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at);
    at += bytesWritten;
  }
}

function codeOf(error: unknown): unknown {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

function inOurWords(error: unknown, place: string): unknown {
  if (!(error instanceof LogError) && sqliteCode(error) !== undefined) {
    return new LogError('io_failed', `${place}: ${LOCK}: ${(error as Error).message}`, { cause: error });
  }
  const { code, syscall, message } = (error ?? {}) as NodeJS.ErrnoException;
  if (error instanceof LogError || typeof code !== 'string' || typeof syscall !== 'string') return error;
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  return new LogError(full ? 'disk_full' : 'io_failed', `${place}: ${message}`, {
    retryable: full,
    cause: error,
  });
}
