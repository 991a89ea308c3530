// Waits until another process is in the middle of opening a log, records into it and moves its mark, and only then lets
// the other one have the key.
//
//   node record-then-hand-over.ts '{"dir": …, "pipe": …}'

import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { openLog } from 'indelible';
import { faultEvent } from './fault-events.ts';

const { dir, pipe } = JSON.parse(process.argv[2] ?? '') as { dir: string; pipe: string };
// Opening a pipe for writing waits for its reader.
const file = openSync(pipe, 'w');
const log = await openLog(dir, { thread: 'caller' });
await log.record(faultEvent('theirs'));
await log.close();
writeSync(file, readFileSync(join(dir, 'log.key')));
closeSync(file);
