import { join } from 'node:path';
import { createLog } from 'indelible';
import { recordFromCallers } from '../callers.ts';
import type { Figures, Task } from '../scenario.ts';

/** One caller awaits each record: a transaction and a sync an event, and a round trip to the writer's thread. */
export async function run({ dir, quick }: Task): Promise<Figures> {
  await using log = await createLog(join(dir, 'log'), { origin: 'bench.example/one' });
  return await recordFromCallers(log, { callers: 1, count: quick ? 200 : 20_000 });
}
