// Runs within a network namespace of its own: a server, a log, and a packet filter that parts them, again and again, while it is
// written to. It prints what it found as one line of JSON. Argument: how many rounds.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isLogError, type Receipt } from 'indelible';
import { createPostgresLog, databaseOf, migrate } from 'indelible/postgres';
import { poolOf, startServer } from '../support/postgres.ts';

const rounds = Number(process.argv[2]);
const nft = (...words: string[]): void => void execFileSync('nft', words, { stdio: 'pipe' });

execFileSync('ip', ['link', 'set', 'lo', 'up']);
const server = await startServer();
nft('add', 'table', 'inet', 'parted');
nft('add', 'chain', 'inet', 'parted', 'in', '{ type filter hook input priority 0; }');
/** Drops what is on its way to the server or back, or both; or answers it with a reset. */
const part = (...rules: string[]): void => {
  for (const rule of rules)
    nft('add', 'rule', 'inet', 'parted', 'in', ...rule.replaceAll('PORT', String(server.port)).split(' '));
};
const ways: readonly (readonly string[])[] = [
  ['tcp dport PORT drop'],
  ['tcp sport PORT drop'],
  ['tcp dport PORT drop', 'tcp sport PORT drop'],
  ['tcp dport PORT reject with tcp reset'],
  ['tcp sport PORT reject with tcp reset'],
];

const dir = mkdtempSync(path.join(tmpdir(), 'indelible-parted-'));
const pool = poolOf(await server.database(), 6);
await migrate(databaseOf(pool));
const audit = await createPostgresLog(pool, {
  origin: 'example.com/parted',
  dir,
  heartbeatMs: 0,
  sequence: false,
  warn: () => {},
});
const receipts: Receipt[] = [];
let [isOver, unknown] = [false, 0];
const lanes = Array.from({ length: 6 }, async (_, lane) => {
  for (let n = 0; !isOver; n++) {
    const event = { id: `p-${lane}-${n}`, action: 'job.run', actor: { type: 'service', id: 'test' } };
    for (;;) {
      try {
        receipts.push(await audit.record(event));
        break;
      } catch (error) {
        if (!isLogError(error) || !error.retryable) throw error;
        unknown += 1;
        await sleep(20);
      }
    }
  }
});
for (let round = 0; round < rounds; round++) {
  await sleep(100 + ((round * 37) % 90));
  part(...ways[round % ways.length]!);
  await sleep(150 + ((round * 53) % 300));
  // What was swallowed is not sent again: the line breaks, and whoever waits has heard nothing.
  part(...(round % 2 === 0 ? ways[3]! : ways[4]!));
  await sleep(300);
  nft('flush', 'chain', 'inet', 'parted', 'in');
}
await sleep(300);
isOver = true;
await Promise.all(lanes);
const { findings, size } = await audit.verify({ vkey: audit.vkey, held: receipts });
const indexes = new Set(receipts.map(({ index }) => index)).size;
await audit.close();
await pool.end();
await server.stop();
rmSync(dir, { recursive: true, force: true });
process.stdout.write(
  `${JSON.stringify({ findings: findings.length, size, receipts: receipts.length, indexes, unknown })}\n`,
);
