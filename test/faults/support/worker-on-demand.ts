// A process that records when its parent says so, and answers with the receipt; told to, it also records without pause
// until it is told to stop, and answers with how much it recorded.

import { openLog } from 'indelible';
import { faultEvent } from './fault-events.ts';
import { endWithParent } from './processes.ts';

/** What the parent says. */
export type Demand =
  | { readonly record: string }
  | { readonly run: string; readonly callers: number }
  | { readonly stop: true };

endWithParent();
const orders = JSON.parse(process.argv[2] ?? '') as { dir: string; thread: 'worker' | 'caller' };
const log = await openLog(orders.dir, { thread: orders.thread });
let running = false;
let callers: Promise<void>[] = [];
let recorded = 0;
let waitMs = 0;

async function keepRecording(prefix: string): Promise<void> {
  for (let n = 0; running; n++) {
    const started = performance.now();
    await log.record(faultEvent(`${prefix}-${n}`));
    waitMs = Math.max(waitMs, performance.now() - started);
    recorded += 1;
  }
}

process.on('message', async (demand: Demand) => {
  if ('record' in demand) {
    process.send!({ receipt: await log.record(faultEvent(demand.record)) });
  } else if ('run' in demand) {
    running = true;
    callers = Array.from({ length: demand.callers }, (_, n) => keepRecording(`${demand.run}-${n}`));
  } else {
    running = false;
    await Promise.all(callers);
    await log.close();
    process.send!({ recorded, waitMs });
    process.disconnect();
  }
});
process.send!({ ready: true });
