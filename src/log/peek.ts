import { existsSync } from 'node:fs';
import { LogError } from '../store/index.ts';
import { logPaths } from './paths.ts';
import { Reader } from './reader.ts';

/** A log at a glance. */
export interface Glance {
  readonly origin: string;
  /** The verifier key of the key that signs. */
  readonly vkey: string;
  readonly size: number;
  /** Root over all entries, standard base64. */
  readonly root: string;
  /** The newest signed checkpoint. */
  readonly checkpoint: string;
}

/**
 * Reads who a log is and how far it has come, on the caller's thread, and lets go of it: for lists of many logs, of which
 * none has to be opened. The head must be signed by the key that signs at its size. Throws `LogError` where it is not a log of ours.
 */
export function peekLog(dir: string): Glance {
  const { database } = logPaths(dir);
  if (!existsSync(database)) throw new LogError('log_missing', `there is no log at ${dir}`);
  const reader = Reader.open(database);
  try {
    const { origin, vkey } = reader.keys();
    const { size, root, note } = reader.checkpoint();
    return { origin, vkey, size, root, checkpoint: note };
  } finally {
    reader.close();
  }
}
