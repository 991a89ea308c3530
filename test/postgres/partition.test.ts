// The network between an application and its PostgreSQL, parted by a packet filter in a network namespace of its own, where that is
// permitted: dropped, one way and both, and reset.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { whyNoPostgres } from '../support/postgres.ts';

const large = process.env.INDELIBLE_LARGE_FAULTS === '1';

function whyNot(): string | false {
  if (process.env.INDELIBLE_TEST_PG !== undefined) return 'its server runs in a namespace of its own';
  const why = whyNoPostgres();
  if (why !== undefined) return why;
  const tried = spawnSync('unshare', ['-n', 'nft', 'list', 'tables'], { stdio: 'ignore' });
  return tried.status === 0 && process.getuid?.() === 0
    ? false
    : 'no network namespace with nftables is permitted here';
}

test('T11: a packet filter parts the application from its server: every event is there once, and told so', {
  skip: whyNot(),
}, async () => {
  const rounds = large ? 60 : 2;
  const { stdout } = await promisify(execFile)('unshare', [
    '-n',
    process.execPath,
    path.join(import.meta.dirname, 'pg-partition.ts'),
    String(rounds),
  ]);
  const told = JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, number>;
  assert.equal(told['findings'], 0);
  assert.equal(told['indexes'], told['receipts']);
  assert.equal(told['size'], told['receipts']! + 1, 'nothing is there that nobody was told of');
  assert.ok(told['receipts']! > rounds, JSON.stringify(told));
});
