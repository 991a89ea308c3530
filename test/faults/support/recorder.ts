// A process that records through the public API until it is killed. Every receipt goes to a file outside the log's
// folder, one line of JSON, before anything else happens: what stands there was acknowledged.
//
//   node recorder.ts '{"dir": …, "receipts": …, "name": …, "concurrency": 8, "batch": 1, "thread": "worker"}'

import { closeSync, openSync, writeSync } from 'node:fs';
import { openLog, type Receipt } from 'indelible';
import { faultEvent } from './fault-events.ts';
import { endWithParent, pause } from './processes.ts';

/** What a recorder is told. */
export interface RecorderOrders {
  readonly dir: string;
  /** Where its receipts go. */
  readonly receipts: string;
  /** What its ids start with; no two recorders share it. */
  readonly name: string;
  /** Calls that overlap. */
  readonly concurrency: number;
  /** Events a call: 1 for `record`, more for `recordMany`. */
  readonly batch: number;
  readonly thread: 'worker' | 'caller';
  /** Milliseconds between two calls of one caller; none by default. */
  readonly pauseMs?: number;
  /** Stop after so many events; without it, only a signal ends it. */
  readonly eventsMax?: number;
  /** Creates the log where there is none. */
  readonly origin?: string;
}

async function main(orders: RecorderOrders): Promise<void> {
  const {
    dir,
    name,
    concurrency,
    batch,
    thread,
    origin,
    pauseMs = 0,
    eventsMax = Number.MAX_SAFE_INTEGER,
  } = orders;
  const log = await openLog(dir, {
    thread,
    service: name,
    warn: (message) => process.stderr.write(`warning: ${message}\n`),
    ...(origin === undefined ? {} : { createIfMissing: { origin } }),
  });
  const file = openSync(orders.receipts, 'a');
  const keep = (receipt: Receipt): void => {
    writeSync(file, `${JSON.stringify(receipt)}\n`);
  };
  let sent = 0;
  const caller = async (): Promise<void> => {
    while (sent < eventsMax) {
      if (pauseMs > 0) await pause(pauseMs);
      const count = Math.min(batch, eventsMax - sent);
      const events = Array.from({ length: count }, (_, n) => faultEvent(`${name}-${sent + n}`));
      sent += count;
      if (events.length === 1) {
        keep(await log.record(events[0]!));
        continue;
      }
      for (const result of await log.recordMany(events)) {
        if (!result.ok) throw result.error;
        keep(result.receipt);
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, caller));
  await log.close();
  closeSync(file);
}

endWithParent();
await main(JSON.parse(process.argv[2] ?? '') as RecorderOrders);
