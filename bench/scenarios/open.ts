import { openLog } from 'indelible';
import type { Figures, Task } from '../scenario.ts';

/**
 * Opens the large log in a fresh process: how long until it can be written, and the most memory the process ever had, all of
 * Node and of this harness included (`before_mb` is what they had taken until then). The files are in the system's page
 * cache; a cold disk adds its own seeks.
 */
export async function run({ log: dir }: Task): Promise<Figures> {
  const before_mb = process.memoryUsage.rss() / 2 ** 20;
  const begin = performance.now();
  const log = await openLog(dir);
  const open_ms = performance.now() - begin;
  const rss_mb = process.resourceUsage().maxRSS / 1024;
  await log.close();
  return { open_ms, rss_mb, before_mb };
}
