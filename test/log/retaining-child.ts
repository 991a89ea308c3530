// Applies the policy of retention, or prunes by it, and ends itself by SIGKILL at one step; meant to be started by
// retention-crash.test.ts:
//
//   node retaining-child.ts '{"dir": …, "step": "withdrawn", "what": "apply"}'

import { randomUUID } from 'node:crypto';
import { FollowerRunner } from '#dist/log/followers/index.js';
import { logPaths } from '#dist/log/paths.js';
import { ReaderService } from '#dist/log/reader-service.js';
import { readHere } from '#dist/log/reader-thread.js';
import { Retention } from '#dist/log/retention/index.js';
import { Writer } from '#dist/log/writer.js';
import { handleOf } from '#dist/log/writer-thread.js';

const orders = JSON.parse(process.argv[2]!) as { dir: string; step: string; what: 'apply' | 'prune' };
const { dir, step, what } = orders;
const paths = logPaths(dir);

function die(at: string): void {
  if (at === step) process.kill(process.pid, 'SIGKILL');
}

const writer = await Writer.open(
  { paths, service: 'test', instance: randomUUID(), announce: false },
  { erasing: die, hooks: { at: die } },
);
const reader = readHere(await ReaderService.open(paths, () => {}));
const retention = new Retention({
  ...{ reader, writer: handleOf(writer), outOfReach: [] },
  followers: new FollowerRunner(reader, paths.followers),
  record: () => Promise.reject(new Error('nothing is set here')),
  requireOpen: () => {},
  anchors: '',
});
await retention[what]();
