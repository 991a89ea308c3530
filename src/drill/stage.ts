import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { copyFile, cp, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** Digest of each file in a folder and of the mark beside it, by name. */
export type Fingerprint = ReadonlyMap<string, string>;

/** Files that SQLite itself may make, grow and remove while somebody only reads. */
const volatile = /-(?:wal|shm)$/;

/** SHA-256 of every file of a log. Two fingerprints that are equal mean that nothing was touched. */
export async function fingerprint(dir: string, mark: string): Promise<Fingerprint> {
  const found = new Map<string, string>();
  const files = (await readdir(dir)).filter((name) => !volatile.test(name)).map((name) => join(dir, name));
  for (const file of [...files, mark]) {
    const known = await stat(file).catch(() => undefined);
    if (known?.isFile() !== true) continue;
    const hash = createHash('sha256');
    await pipeline(createReadStream(file), hash);
    found.set(file, hash.digest('hex'));
  }
  return found;
}

/** Names of the files that differ between two fingerprints. */
export function differences(before: Fingerprint, after: Fingerprint): string[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].filter((name) => before.get(name) !== after.get(name));
}

/** A scratch folder with copies to attack. Removed with everything in it when disposed. */
export class Stage {
  readonly root: string;
  #made = 0;

  private constructor(root: string) {
    this.root = root;
  }

  /** Makes an empty stage in the system's folder for temporary files (TMPDIR says which). */
  static async open(): Promise<Stage> {
    return new Stage(await mkdtemp(join(tmpdir(), 'indelible-drill-')));
  }

  /** A path on the stage that nothing has used yet. */
  path(): string {
    this.#made += 1;
    return join(this.root, `copy-${this.#made}`);
  }

  /** Copies a folder and the mark beside it; where the file system can, blocks are shared until they are changed. */
  async copy(from: string, { mark = false } = {}): Promise<string> {
    const to = this.path();
    await mkdir(to);
    await cp(from, to, { recursive: true, mode: constants.COPYFILE_FICLONE });
    if (mark) await copyFile(`${from}.mark`, `${to}.mark`, constants.COPYFILE_FICLONE);
    return to;
  }

  /** Removes one copy. */
  async drop(dir: string): Promise<void> {
    await rm(dir, { recursive: true, force: true });
    await rm(`${dir}.mark`, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }
}
