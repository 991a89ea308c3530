// A log whose entries were recorded long ago: by a process, threads and all, whose clock is that many days behind.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** What is recorded, and when. */
export interface PastLog {
  readonly dir: string;
  readonly daysAgo: number;
  /** Events by their action; the n-th is `eventAbout(n)`. */
  readonly actions: readonly string[];
  /** The connection of a PostgreSQL server, where the log is in one; `dir` is its folder then. */
  readonly postgres?: string;
}

/** Makes the log, or goes on with it where it is there. Returns when the process has ended. */
export function recordInThePast(log: PastLog): void {
  const clock = `const now = Date.now; Date.now = () => now() - ${log.daysAgo} * 86400000;`;
  const child = spawnSync(
    process.execPath,
    [
      '--import',
      `data:text/javascript,${encodeURIComponent(clock)}`,
      join(import.meta.dirname, 'past-child.ts'),
      JSON.stringify(log),
    ],
    { encoding: 'utf8' },
  );
  assert.equal(child.status, 0, child.stderr);
}
