// T7 with big counts: thousands of damaged copies, of a log large enough to hold full tiles. FAULTS_SEED replays a failure.

import { damageTests } from '../faults/support/damage-tests.ts';

const SEED = Number(process.env['FAULTS_SEED'] ?? Date.now() % 1_000_000);

damageTests(SEED, 300, [
  ['closed', 'log/log.db', 2000],
  ['open', 'log/log.db', 300],
  ['open', 'log/log.db-wal', 600],
  ['closed', 'log/index.db', 600],
  ['open', 'log/index.db', 150],
  ['open', 'log/index.db-wal', 300],
  ['closed', 'log/log.vkey', 0],
  ['closed', 'log/log.key', 0],
  ['closed', 'log/root.vkey', 0],
  ['closed', 'log/root.key', 0],
  ['closed', 'log.mark', 0],
]);
