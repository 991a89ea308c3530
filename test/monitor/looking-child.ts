// Looks at a log again and again, until it is killed.

import { Monitor } from 'indelible/monitor';

const [place = '', vkey = '', state = ''] = process.argv.slice(2);
const monitor = new Monitor({ place, trust: { vkey }, state, wholeEveryMs: 1 });
for (;;) {
  const { holds, tell } = await monitor.look();
  if (holds > 0) throw new Error(JSON.stringify(tell));
  monitor.told();
}
