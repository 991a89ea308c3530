import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { randomBytes } from '../../platform/index.ts';
import { LogError, SUBJECT_KEYS_FILE, SubjectKeys as SubjectKeyFile } from '../../store/index.ts';
import type { SubjectKeys } from '../options.ts';

/**
 * The keys that an erasure destroys, so that it reaches what was published: those that the caller names, else those in the folder of
 * the log, where it was published with its sealed values. The file is opened for each erasure only: it may come later than the log.
 */
export function archiveKeysOf(dir: string, given: string | SubjectKeys | undefined): SubjectKeys {
  if (typeof given === 'object') return given;
  const path = given === undefined ? join(dir, SUBJECT_KEYS_FILE) : resolve(given);
  return {
    destroy(subjects, below) {
      if (!existsSync(path)) {
        if (given === undefined) return;
        throw new LogError('key_missing', `there are no keys of subjects at ${path}`);
      }
      const keys = SubjectKeyFile.open(path, randomBytes);
      try {
        keys.destroy(subjects, below);
      } finally {
        keys.close();
      }
    },
  };
}
