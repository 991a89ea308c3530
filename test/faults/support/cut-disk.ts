import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mountingRefused, run, toolMissing } from './rights.ts';

/** Why the power cannot be cut on this machine, or false. */
export const cuttingRefused: string | false =
  mountingRefused ||
  toolMissing('mkfs.btrfs', 'btrfs-progs') ||
  toolMissing('mkfs.ext4', 'e2fsprogs') ||
  toolMissing('losetup', 'mount');

/** Sizes of the image files; they are sparse. */
const OUTER_BYTES = '3G';
const INNER_BYTES = '512M';

/**
 * A disk whose power can be cut: an ext4 file system in an image file, on a btrfs that does not checksum data. A reflink
 * copy of the image is what a disk would hold at that moment: all that reached the block device, and nothing of what the
 * kernel still kept in memory. Needs root; `release` gives everything back.
 */
export class CutDisk {
  /** Where programs write. */
  readonly path: string;
  readonly #folder: string;
  readonly #undo: (() => void)[] = [];
  #cuts = 0;

  constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), 'indelible-cut-'));
    this.#undo.push(() => rmSync(this.#folder, { recursive: true, force: true }));
    try {
      const outer = join(this.#folder, 'outer.img');
      run('truncate', '-s', OUTER_BYTES, outer);
      const outerDevice = this.#attach(outer);
      run('mkfs.btrfs', '-q', '-f', outerDevice);
      const base = this.#mount(outerDevice, 'base', ['-o', 'nodatasum']);
      const image = join(base, 'disk.img');
      run('truncate', '-s', INNER_BYTES, image);
      const device = this.#attach(image);
      run('mkfs.ext4', '-q', device);
      this.path = this.#mount(device, 'disk');
    } catch (error) {
      this.release();
      throw error;
    }
  }

  /**
   * Cuts the power now, mounts what the disk holds, as a machine does that starts again, and lets `look` see it. Whoever
   * writes to the disk goes on writing: it is the copy that lost its power.
   */
  async cut<T>(look: (path: string) => Promise<T> | T): Promise<T> {
    const image = join(this.#folder, 'base', `cut-${this.#cuts++}.img`);
    run('cp', '--reflink=always', join(this.#folder, 'base', 'disk.img'), image);
    const undone = this.#undo.length;
    try {
      const path = this.#mount(this.#attach(image), 'cut');
      return await look(path);
    } finally {
      for (const undo of this.#undo.splice(undone).reverse()) undo();
      rmSync(image);
    }
  }

  /** Unmounts and detaches everything; harmless when called twice. */
  release(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }

  #attach(image: string): string {
    const device = run('losetup', '--find', '--show', image);
    this.#undo.push(() => run('losetup', '--detach', device));
    return device;
  }

  #mount(device: string, name: string, options: readonly string[] = []): string {
    const path = join(this.#folder, name);
    mkdirSync(path, { recursive: true });
    run('mount', ...options, device, path);
    this.#undo.push(() => run('umount', path));
    return path;
  }
}
