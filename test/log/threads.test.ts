// Many open logs share few threads, and none suffers when another is closed.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { createLog, type Log, openLog } from 'indelible';

const LOGS = 12;
const THREADS_MAX = Math.max(2, availableParallelism());
const event = { action: 'user.signed_in', actor: { type: 'user', id: 'u_1' } };

/** The threads of logs that are alive, as long as the test lasts. */
function countThreads(context: TestContext): { readonly alive: number } {
  const alive = new Set<Worker>();
  const onWorker = (worker: Worker): void => {
    alive.add(worker);
    worker.once('exit', () => alive.delete(worker));
  };
  process.on('worker', onWorker);
  context.after(() => process.off('worker', onWorker));
  return {
    get alive() {
      return alive.size;
    },
  };
}

function folder(context: TestContext): string {
  const dir = mkdtempSync(path.join(tmpdir(), 'indelible-threads-'));
  context.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

async function createLogs(dir: string, count: number): Promise<Log[]> {
  const logs: Log[] = [];
  for (let at = 0; at < count; at += 1) {
    logs.push(await createLog(path.join(dir, `${at}`), { origin: `example.com/${at}`, heartbeatMs: 0 }));
  }
  return logs;
}

function tasksOfProcess(): number {
  return existsSync('/proc/self/task') ? readdirSync('/proc/self/task').length : 0;
}

test('many open logs take no more threads than the machine has cores', async (context) => {
  const threads = countThreads(context);
  const dir = folder(context);
  const first = await createLogs(path.join(dir, 'first'), 1);
  const tasks = tasksOfProcess();
  const logs = [...first, ...(await createLogs(dir, LOGS - 1))];
  assert.ok(threads.alive >= 2, 'threads of logs are counted');
  assert.ok(threads.alive <= THREADS_MAX, `${threads.alive} threads for ${LOGS} logs`);
  assert.ok(tasksOfProcess() - tasks < LOGS, `the system counts ${tasksOfProcess() - tasks} more threads`);

  const receipts = await Promise.all(logs.map((log) => log.record(event)));
  const found = await Promise.all(logs.map((log, at) => log.get(receipts[at]!.id)));
  assert.deepEqual(
    found.map((one) => one?.action),
    logs.map(() => event.action),
  );
  await Promise.all(logs.map((log) => log.close()));
  assert.equal(threads.alive, 0, 'the last log out ends the threads');
});

test('closing one log leaves those alone that share its threads', async (context) => {
  const dir = folder(context);
  const logs = await createLogs(dir, 2 * THREADS_MAX);
  const [closed, ...open] = logs as [Log, ...Log[]];
  const underWay = open.map((log) => Promise.all(Array.from({ length: 50 }, () => log.record(event))));
  await closed.close();
  await assert.rejects(closed.record(event), { code: 'closed' });
  for (const receipts of await Promise.all(underWay)) assert.equal(receipts.length, 50);
  for (const log of open) {
    const { id } = await log.record(event);
    assert.equal((await log.query('').page()).events[0]?.id, id);
    assert.ok((await log.verify({ threads: 1 })).ok);
    await log.close();
  }
});

test('a busy log does not keep the others of its thread waiting', async (context) => {
  const [busy, ...others] = (await createLogs(folder(context), 1 + THREADS_MAX)) as [Log, ...Log[]];
  let isOver = false;
  const keepBusy = async (): Promise<void> => {
    while (!isOver) await busy.record(event);
  };
  const callers = Promise.all(Array.from({ length: 32 }, keepBusy));
  await Promise.all(others.map((log) => log.record(event)));
  isOver = true;
  await callers;
  await Promise.all([busy, ...others].map((log) => log.close()));
});

test('one log opened twice, on threads that can wait for each other', async (context) => {
  const dir = path.join(folder(context), 'log');
  const one = await createLog(dir, { origin: 'example.com/twice', heartbeatMs: 0 });
  const two = await openLog(dir, { heartbeatMs: 0 });
  await Promise.all(Array.from({ length: 40 }, (_, at) => (at % 2 === 0 ? one : two).record(event)));
  await two.close();
  await one.record(event);
  assert.ok((await one.verify({ threads: 1 })).ok);
  await one.close();
});
