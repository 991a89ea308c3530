// Publishes a log until somebody kills it.

import { openLog } from 'indelible';
import { publishLog } from 'indelible/publish';

const [dir, to] = process.argv.slice(2);
const log = await openLog(dir!, { readOnly: true, thread: 'caller' });
process.send!('ready');
await publishLog(log, { to: to! });
await log.close();
process.disconnect();
