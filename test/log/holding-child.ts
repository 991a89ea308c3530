// A process that has a log open while another erases; meant to be started by erasure-held-open.test.ts:
//
//   node holding-child.ts '{"dir": …, "role": "reader" | "writer" | "recorder" | "transaction"}'
//
// It says "ready" when it is at it, and ends in order when it is told to.

import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openLog } from 'indelible';
import { openRecorder } from 'indelible/recorder';
import { eventAbout, markOf } from './erasure-world.ts';

const { dir, role } = JSON.parse(process.argv[2]!) as Record<'dir' | 'role', string>;

let isOver = false;
process.on('message', () => {
  isOver = true;
});

async function untilOver(turn: (n: number) => Promise<unknown> | unknown): Promise<void> {
  for (let n = 0; !isOver; n++) {
    await turn(n);
    if (n === 0) process.send!('ready');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

if (role === 'transaction') {
  const db = new DatabaseSync(join(dir, 'log.db'), { readOnly: true });
  db.exec('BEGIN');
  db.prepare('SELECT count(*) FROM disclosures').get();
  await untilOver(() => {});
  db.exec('COMMIT');
  db.close();
} else {
  const log = await openLog(dir, role === 'reader' ? { readOnly: true } : { heartbeatMs: 0 });
  if (role === 'reader') {
    await untilOver(async () => {
      await log.get('e-3');
      await log.query(markOf(3), { waitMs: 10_000 } as never).page();
    });
  } else if (role === 'writer') {
    await untilOver((n) => log.record({ ...eventAbout(n, 2), id: `w-${n}` } as never));
  } else {
    const recorder = await openRecorder(log, { spool: join(dir, '..', 'spool') });
    await untilOver((n) => recorder.record({ ...eventAbout(n, 2), id: `r-${n}` } as never));
    await recorder.close();
  }
  await log.close();
}
process.disconnect();
