import { join } from 'node:path';
import { createLog } from 'indelible';
import { recordFromCallers } from '../callers.ts';
import type { Figures, Task } from '../scenario.ts';

/** 64 callers: a busy web server, whose requests share transactions. */
export async function run({ dir, quick }: Task): Promise<Figures> {
  await using log = await createLog(join(dir, 'log'), { origin: 'bench.example/64' });
  return await recordFromCallers(log, { callers: 64, count: quick ? 640 : 160_000 });
}
