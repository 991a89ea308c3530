import { join } from 'node:path';
import { createLog } from 'indelible';
import { recordFromCallers } from '../callers.ts';
import type { Figures, Task } from '../scenario.ts';

/** 1,024 callers: as much concurrency as one process is likely to have. */
export async function run({ dir, quick }: Task): Promise<Figures> {
  await using log = await createLog(join(dir, 'log'), { origin: 'bench.example/1024' });
  return await recordFromCallers(log, { callers: 1024, count: quick ? 2048 : 300_000 });
}
