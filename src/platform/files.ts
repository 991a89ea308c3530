import {
  closeSync,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { LogError } from '../bytes/index.ts';
import { randomBytes } from './random.ts';

/** Writes a file and waits until its bytes have reached the disk. Refuses to replace one (`EEXIST`). */
export function writeDurable(path: string, text: string, mode = 0o644): void {
  const file = openSync(path, 'wx', mode);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/**
 * Makes `path` with `text`, whole or not at all: nobody ever reads half of it. Returns false, and leaves
 * the file alone, where there is one already.
 */
export function createExclusive(path: string, text: string, mode = 0o644): boolean {
  const temporary = temporaryName(path);
  writeDurable(temporary, text, mode);
  try {
    linkSync(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    unlinkSync(temporary);
  }
  syncFolder(dirname(path));
  return true;
}

/** Puts `text` in the place of `path`: a reader sees the old text or the new one, also after a power cut. */
export function replaceFile(path: string, text: string, mode = 0o644): void {
  const temporary = temporaryName(path);
  writeDurable(temporary, text, mode);
  try {
    renameSync(temporary, path);
  } catch (error) {
    unlinkSync(temporary);
    throw error;
  }
  syncFolder(dirname(path));
}

/** A file's text and whether others than its owner may read or write it. */
export function readPrivate(path: string): { readonly text: string; readonly loose: boolean } {
  const file = openSync(path, 'r');
  try {
    const { mode } = fstatSync(file);
    return { text: readFileSync(file, 'utf8'), loose: process.platform !== 'win32' && (mode & 0o077) !== 0 };
  } finally {
    closeSync(file);
  }
}

/** The first bytes of a file, one more than `bytesMax` at most: a file from somebody else may have no end. */
export function readBeginning(path: string, bytesMax: number): Uint8Array {
  const file = openSync(path, 'r');
  try {
    const parts: Uint8Array[] = [];
    let left = bytesMax + 1;
    while (left > 0) {
      const part = new Uint8Array(Math.min(left, READ_BYTES));
      const count = readSync(file, part);
      if (count === 0) break;
      parts.push(part.subarray(0, count));
      left -= count;
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  } finally {
    closeSync(file);
  }
}

/** The text of a file of at most `bytesMax` bytes. Throws `LogError` `io_failed` where it has more. */
export function readTextFile(path: string, bytesMax: number): string {
  const bytes = readBeginning(path, bytesMax);
  if (bytes.length > bytesMax) throw new LogError('io_failed', `${path} has more than ${bytesMax} bytes`);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
}

const READ_BYTES = 1024 * 1024;

function temporaryName(path: string): string {
  return `${path}.${Buffer.from(randomBytes(6)).toString('hex')}.tmp`;
}

/** Makes the names in a folder durable: a new file survives a power cut only when its folder has been synced too. */
export function syncFolder(path: string): void {
  if (process.platform === 'win32') return;
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
