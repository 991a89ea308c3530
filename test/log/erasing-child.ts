// Erases a subject, and ends itself by SIGKILL at one step; meant to be started by erasure-crash.test.ts:
//
//   node erasing-child.ts '{"dir": …, "subject": "user/u_1", "step": "withdrawn"}'

import { randomUUID } from 'node:crypto';
import { logPaths } from '#dist/log/paths.js';
import { ReaderService } from '#dist/log/reader-service.js';
import { Writer } from '#dist/log/writer.js';

const { dir, subject, step } = JSON.parse(process.argv[2]!) as Record<'dir' | 'subject' | 'step', string>;
const paths = logPaths(dir);

function die(at: string): void {
  if (at === step) process.kill(process.pid, 'SIGKILL');
}

const writer = await Writer.open(
  { paths, service: 'test', instance: randomUUID(), announce: false },
  { erasing: die, hooks: { at: die } },
);
const reader = await ReaderService.open(paths, () => {});
const { size } = await reader.checkpoint();
const scan = await reader.scan({ from: 0, to: size, subject });
await reader.close();
const words = { basis: 'gdpr-17', requestId: 'R-1', approvedBy: ['a', 'b'] };
const { unfinished } = await writer.erase({ subject, ...words, size, scan });
await writer.settleErasures(unfinished.map(({ id }) => id));
die('settled');
