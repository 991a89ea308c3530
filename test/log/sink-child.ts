// A sink: a follower that copies every event out of the log into files of its own, and takes notice of erasures; meant to be started
// by erasure-sinks.test.ts:
//
//   node sink-child.ts '{"dir": …, "out": …}'
//
// It says how far it has come. Killed, it has copied what it had not said yet.

import { openLog } from 'indelible';
import { copyingSink } from './sink.ts';

const { dir, out } = JSON.parse(process.argv[2]!) as Record<'dir' | 'out', string>;
const log = await openLog(dir, { heartbeatMs: 0 });
log.followers.add(copyingSink(out, (to) => process.send!(to)));
process.on('message', () => {
  void log.close().then(() => process.disconnect());
});
