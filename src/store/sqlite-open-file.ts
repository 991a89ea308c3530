import { statSync } from 'node:fs';
import { LogError } from '../bytes/index.ts';

/**
 * A file that SQLite has open. Who removes it, or puts another in its place, leaves us writing where nobody will ever look:
 * what is acknowledged then would be lost, so every commit looks whether the file is still the one at its path.
 */
export class OpenFile {
  readonly #path: string;
  #inode: number | undefined;

  constructor(path: string) {
    this.#path = path;
    this.#inode = this.#inodeNow();
  }

  /** The write-ahead log may be made after the connection; from then on it stays while anybody has it open. */
  isInPlace(): boolean {
    const now = this.#inodeNow();
    this.#inode ??= now;
    return now !== undefined && now === this.#inode;
  }

  /** Throws `LogError` `log_replaced`. */
  requireInPlace(): void {
    if (this.isInPlace()) return;
    throw new LogError('log_replaced', `${this.#path} was removed or replaced while the log was open`, {
      hint: 'close the log, find out who did it, verify what lies there now, and open it again',
    });
  }

  #inodeNow(): number | undefined {
    return statSync(this.#path, { throwIfNoEntry: false })?.ino;
  }
}
