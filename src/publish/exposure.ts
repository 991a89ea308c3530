import { existsSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { LogError } from '../store/index.ts';

/** What must not be hosted together with what is published. */
export interface Kept {
  /** The folder of the log, with its keys; of a log that lives in none, what is not there. */
  readonly log: string;
  /** The keys of the subjects, where sealed values are published. */
  readonly subjectKeys?: string | undefined;
}

/**
 * Throws `LogError` `keys_exposed` where the folder to publish to is, holds or lies in the folder of the log, or holds the keys of the
 * subjects: whoever hosts it as it is meant to be hosted would give the keys away. Links are followed.
 */
export function mustNotExpose(folder: string, { log, subjectKeys }: Kept): void {
  if (log !== '' && existsSync(log) && (isWithin(log, folder) || isWithin(folder, log))) {
    throw exposed(`${folder} and the folder of the log, ${log}, are one, or one lies in the other`);
  }
  if (subjectKeys !== undefined && isWithin(subjectKeys, folder)) {
    throw exposed(`the keys of the subjects, ${subjectKeys}, lie in ${folder}`);
  }
}

function exposed(what: string): LogError {
  return new LogError('keys_exposed', `${what}: whoever hosts what is published would host keys`, {
    hint: 'publish to a folder of its own, beside that of the log, and keep the keys out of it',
  });
}

/** Whether a file or folder is another, or lies below it. */
function isWithin(inner: string, outer: string): boolean {
  const name = nameOf(realOf(outer));
  for (let at = realOf(inner); ; at = dirname(at)) {
    if (nameOf(at) === name) return true;
    if (dirname(at) === at) return false;
  }
}

/** A path without links, also where its end is not there yet. */
function realOf(path: string): string {
  const whole = resolve(path);
  if (existsSync(whole)) return realpathSync.native(whole);
  return dirname(whole) === whole ? whole : join(realOf(dirname(whole)), basename(whole));
}

/** What the file system knows it by, however it is spelled or mounted; its path where it is not there yet. */
function nameOf(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stats === undefined ? path : `${stats.dev}:${stats.ino}`;
}
