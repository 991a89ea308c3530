// Hands events to a client whose server is away, one after the other, and says which it was told are kept. Ends by being killed.

import { writeSync } from 'node:fs';
import { AuditClient } from 'indelible/client';
import { signIn } from '../support/folders.ts';

const [url, vkey, state] = process.argv.slice(2) as [string, string, string];
const log = new AuditClient({
  url,
  key: 'ind_test_0123456789',
  vkey,
  state,
  onFailure: 'spool',
  retryMs: 0,
  heartbeatMs: 0,
  warn: () => {},
});
for (let n = 0; ; n += 1) {
  await log.record(signIn(`e-${n}`));
  writeSync(1, `${n}\n`);
}
