import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { openLog } from 'indelible';
import type { Figures, Task } from '../scenario.ts';

/**
 * Copies the log without its search index, opens the copy and waits until the new index covers every entry, full text
 * included. The last tenth is timed by itself, because an index that slows down with its size would hide in the mean.
 */
export async function run({ dir, log: from, size }: Task): Promise<Figures> {
  const copy = join(dir, 'log');
  mkdirSync(copy);
  for (const name of readdirSync(from))
    if (!name.startsWith('index.')) copyFileSync(join(from, name), join(copy, name));
  copyFileSync(`${from}.mark`, `${copy}.mark`);
  const begin = performance.now();
  await using log = await openLog(copy);
  const cpu = process.cpuUsage();
  let tenthBegin = begin;
  for (let complete = 0; complete < size; ) {
    ({ complete } = await log.query('', { limit: 1, waitMs: 100 }).page());
    if (complete < size * 0.9) tenthBegin = performance.now();
  }
  const end = performance.now();
  const { user, system } = process.cpuUsage(cpu);
  return {
    process_cpu_us: (user + system) / size,
    rate: (size * 1000) / (end - begin),
    last_tenth_rate: (size * 100) / (end - tenthBegin),
  };
}
