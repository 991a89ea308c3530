// Two processes with one state: its checkpoint only ever goes forward, along one history.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { forkOf, makeWorld, type World } from './world.ts';

/** A process that shares `state`; resolves a command to what it printed. */
function startSharing(t: TestContext, { server, log, folder }: World): (command: string) => Promise<string> {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'sharing-child.ts'), server.url, log.vkey, join(folder, 'state')],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  t.after(async () => {
    const ended = child.exitCode === null ? once(child, 'close') : undefined;
    child.stdin.end();
    await ended;
  });
  return async (command) => {
    child.stdin.write(`${command}\n`);
    return (await lines.next()).value as string;
  };
}

const keptSize = ({ folder }: World): number =>
  Number(readFileSync(join(folder, 'state/checkpoint'), 'utf8').split('\n')[1]);

test('a process that has seen less does not replace what one that has seen more has kept', async (t) => {
  const world = await makeWorld(t);
  const slow = startSharing(t, world);
  const quick = startSharing(t, world);
  assert.equal(await slow('record a-1'), 'recorded 1');
  // At most one write in a second of the child's clock, which stands still: this one is not written yet.
  assert.equal(await slow('record a-2'), 'recorded 2');
  assert.equal(keptSize(world), 2);
  for (const index of [3, 4, 5]) assert.equal(await quick(`record b-${index}`), `recorded ${index}`);
  assert.equal(await quick('close'), 'closed');
  assert.equal(keptSize(world), 6);
  assert.equal(await slow('close'), 'closed');
  assert.equal(keptSize(world), 6);
});

test('a process that finds another history in what is kept says so, and leaves it as it is', async (t) => {
  const world = await makeWorld(t);
  const first = startSharing(t, world);
  const second = startSharing(t, world);
  assert.equal(await first('record a-1'), 'recorded 1');
  const fork = await forkOf(t, world);
  assert.equal(await first('record a-2'), 'recorded 2');
  world.server.log = fork;
  assert.match(await second('record b-2'), /^recorded/);
  assert.match(await second('record b-3'), /^recorded/);
  assert.equal(await second('close'), 'closed');
  const { size } = await fork.checkpoint();
  assert.equal(keptSize(world), size);
  assert.equal(await first('close'), 'VerificationError forked');
  assert.equal(keptSize(world), size);
});

test('no update is lost between two processes that write at once', async (t) => {
  const world = await makeWorld(t);
  const [left, right] = [startSharing(t, world), startSharing(t, world)];
  const times = 100;
  assert.deepEqual(await Promise.all([left(`count ${times}`), right(`count ${times}`)]), [
    'counted',
    'counted',
  ]);
  assert.equal(readFileSync(join(world.folder, 'state/checkpoint'), 'utf8'), String(2 * times));
});
