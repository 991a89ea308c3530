import { constants, lstatSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { VerificationError } from '../bytes/index.ts';

/** How a file is opened in a folder that somebody else prepared: a link could lead anywhere, and a pipe would be waited for. */
export const REGULAR_FILE_FLAGS =
  constants.O_RDONLY + (constants.O_NOFOLLOW ?? 0) + (constants.O_NONBLOCK ?? 0);

/** What opening says of a link that is not followed, and of a socket or a device. */
const strangeCodes: readonly unknown[] = ['ELOOP', 'EMLINK', 'ENXIO', 'ENODEV'];

/** Throws `VerificationError` `not_a_file` unless what was opened at `path`, below the place of a log, is a file. */
export function requireFile(path: string, stats: Stats): void {
  if (!stats.isFile()) throw notAFile(path, kindOf(stats));
}

/**
 * What the failure to open `at`, which is `path` below the place of a log, amounts to: undefined where there is nothing. Else throws
 * `VerificationError` `not_a_file` where something stands there that is none, or the error itself.
 */
export function openingFailed(path: string, at: string, error: unknown): undefined {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
  if (!strangeCodes.includes(code)) throw error;
  const stats = lstatSync(at, { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  if (stats.isFile()) throw error;
  throw notAFile(path, kindOf(stats));
}

/**
 * The folders between the place of a log and its files. A link among them leads as far away as one in the place of a file. Each folder
 * is looked at once, and remembered.
 */
export class FoldersBelow {
  readonly #root: string;
  readonly #known = new Set<string>();

  /** `root` itself may be a link: whoever named it chose it. */
  constructor(root: string) {
    this.#root = root;
  }

  /** Throws `VerificationError` `not_a_file` where a folder on the way to the file at `path`, below the place of the log, is a link. */
  require(path: string): void {
    const end = path.lastIndexOf('/');
    if (end < 0 || this.#known.has(path.slice(0, end))) return;
    for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
      const folder = path.slice(0, at);
      if (this.#known.has(folder)) continue;
      const stats = lstatSync(join(this.#root, folder), { throwIfNoEntry: false });
      // What is not there yet may come as anything.
      if (stats === undefined) return;
      if (stats.isSymbolicLink()) throw notAFile(path, 'behind a symbolic link');
      this.#known.add(folder);
    }
  }
}

function notAFile(path: string, kind: string): VerificationError {
  return new VerificationError('not_a_file', `${path} is ${kind}, and was not followed.`, { path, kind });
}

function kindOf(stats: Stats): string {
  if (stats.isSymbolicLink()) return 'a symbolic link';
  if (stats.isDirectory()) return 'a folder';
  if (stats.isFIFO()) return 'a pipe';
  if (stats.isSocket()) return 'a socket';
  return 'a device';
}
