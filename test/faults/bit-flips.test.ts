// T7: every file of a small log is damaged in every way that disks know: flipped bits, zeroed, swapped and stale sectors,
// lost ends. Either the verifier, with the key pinned, objects, or every answer is what it was.

import { damageTests } from './support/damage-tests.ts';

damageTests(7, 30, [
  ['closed', 'log/log.db', 140],
  ['open', 'log/log.db', 30],
  ['open', 'log/log.db-wal', 60],
  ['closed', 'log/index.db', 50],
  ['open', 'log/index.db', 14],
  ['open', 'log/index.db-wal', 20],
  ['closed', 'log/log.vkey', 20],
  ['closed', 'log/log.key', 40],
  ['closed', 'log/root.vkey', 10],
  ['closed', 'log/root.key', 10],
  ['closed', 'log.mark', 50],
]);
