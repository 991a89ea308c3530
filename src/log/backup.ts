import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { backup } from 'node:sqlite';
import { syncFolder } from '../platform/index.ts';
import { LogError, openReadable } from '../store/index.ts';
import { type LogPaths, logPaths } from './paths.ts';
import { Reader, type SignedCheckpoint } from './reader.ts';

/** What a backup holds. */
export interface Backup {
  readonly dir: string;
  /** The checkpoint of the copy: keep it elsewhere, it tells later whether a copy is the newest one. */
  readonly checkpoint: SignedCheckpoint;
}

/** Pages that are copied in one step: all of them, so that a writer cannot make the copy start again. */
const PAGES_A_STEP = 2 ** 30;

/**
 * Copies a log while it is being written: `log.db` as of one moment, what outside parties signed and which of them are asked, and the
 * verifier keys. No private key and no search index: the first must not travel, the second is derived again. Writers are not held up.
 * Throws `LogError` `log_exists` where `dir` holds anything.
 */
export async function backupLog(from: LogPaths, dir: string): Promise<Backup> {
  const to = logPaths(dir);
  if (existsSync(to.dir) && readdirSync(to.dir).length > 0) {
    throw new LogError('log_exists', `${to.dir} is not empty`, {
      hint: 'a backup goes into a folder of its own',
    });
  }
  mkdirSync(to.dir, { recursive: true, mode: 0o700 });
  const temporary = join(to.dir, 'log.db.part');
  try {
    // What outside parties signed comes first: it never leads the log that it is about.
    if (existsSync(from.anchors)) await copyDatabase(from.anchors, to.anchors);
    await copyDatabase(from.database, temporary);
    for (const name of ['vkey', 'rootVkey', 'policy', 'timestamps'] as const) {
      if (existsSync(from[name])) copyFileSync(from[name], to[name]);
    }
    renameSync(temporary, to.database);
    syncFolder(to.dir);
  } catch (error) {
    for (const path of [temporary, to.anchors]) rmSync(path, { force: true });
    throw error;
  }
  return { dir: to.dir, checkpoint: readBack(to) };
}

/** Copies a database as of one moment. */
async function copyDatabase(from: string, to: string): Promise<void> {
  // Sealed values lie in the copy as they do in the log: it is its owner's alone before its first byte is written.
  closeSync(openSync(to, 'wx', 0o600));
  const db = openReadable(from);
  try {
    await backup(db, to, { rate: PAGES_A_STEP });
  } finally {
    db.close();
  }
}

/** What is in the copy is read from the copy, not remembered from the source. */
function readBack(paths: LogPaths): SignedCheckpoint {
  const reader = Reader.open(paths.database);
  try {
    return reader.checkpoint();
  } finally {
    reader.close();
  }
}
