import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A data directory of a server in which a copy of the large log is the log `large`. A copy, because looking at a log leaves
 * entries in it.
 */
export function largeData(dir: string, log: string): string {
  const data = join(dir, 'server');
  mkdirSync(join(data, 'logs'), { recursive: true });
  cpSync(log, join(data, 'logs', 'large'), { recursive: true });
  return data;
}
