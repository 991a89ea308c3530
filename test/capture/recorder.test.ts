// What becomes of events that cannot be recorded now: a store that fails, a full disk, a process that is killed in between.

import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLog, LogError, openLog } from 'indelible';
import { asActor, runInContext } from 'indelible/context';
import { type AuditLog, openRecorder, type RecorderOptions } from 'indelible/recorder';
import { expectRecorded, openMemoryLog, recordedEvents } from 'indelible/testing';
import { mountingRefused, mountSmall } from '../faults/support/rights.ts';
import { temporaryFolder } from '../support/folders.ts';

const actor = { type: 'user', id: 'u_1' };
const event = (id: string) => ({ id, action: 'invoice.voided', actor });

/** A log that can be switched off. */
async function switched(t: TestContext, options: Partial<RecorderOptions> = {}) {
  const memory = await openMemoryLog();
  const state = { failure: undefined as unknown };
  const log: AuditLog = {
    record: async (given) => {
      if (state.failure !== undefined) throw state.failure;
      return memory.record(given);
    },
  };
  const warnings: string[] = [];
  const spool = options.spool ?? temporaryFolder(t);
  const warn = (message: string) => void warnings.push(message);
  const recorder = await openRecorder(log, { warn, ...options, spool });
  t.after(async () => {
    await recorder.close();
    await memory.close();
  });
  return { memory, state, recorder, warnings, spool };
}

const away = () => new LogError('unreachable', 'the store is away', { retryable: true });

async function emptied(recorder: { readonly spooled: number }): Promise<void> {
  for (let waited = 0; recorder.spooled > 0; waited += 10) {
    assert.ok(waited < 8000, 'the spool was not delivered');
    await sleep(10);
  }
}

test('while the log fails events go to the spool, and into the log in their order, under their ids', async (t) => {
  const { memory, state, recorder } = await switched(t);
  const first = await recorder.record(event('e-0'));
  assert.ok('index' in first, 'a log that answers gives receipts');
  state.failure = away();
  for (let n = 1; n <= 5; n += 1) {
    assert.deepEqual(await recorder.record(event(`e-${n}`)), { id: `e-${n}`, isSpooled: true });
  }
  assert.equal(recorder.spooled, 5);
  state.failure = undefined;
  // Behind the spool, although the log would take it: their order stays.
  assert.ok('isSpooled' in (await recorder.record(event('e-6'))));
  await emptied(recorder);
  const ids = (await recordedEvents(memory)).map(({ id }) => id);
  assert.deepEqual(ids, ['e-0', 'e-1', 'e-2', 'e-3', 'e-4', 'e-5', 'e-6']);
  assert.ok('index' in (await recorder.record(event('e-7'))));
});

test('what was around an event when it was handed in is in the entry, however late that is written', async (t) => {
  const { memory, state, recorder } = await switched(t);
  state.failure = away();
  const context = { ip: '192.0.2.7', requestId: 'r-1' };
  const before = Date.now();
  await runInContext({ actor, context, source: { service: 'billing' } }, () =>
    recorder.record({ action: 'invoice.voided' }),
  );
  await sleep(50);
  state.failure = undefined;
  // The loop that delivers was woken within another's request; it is nobody's.
  await asActor({ type: 'user', id: 'u_2' }, () => recorder.record({ action: 'invoice.sent' }));
  await emptied(recorder);
  const late = await expectRecorded(memory, { action: 'invoice.voided', actor: 'user/u_1', context });
  assert.equal(late.source.service, 'billing');
  const occurred = Date.parse(late.occurredAt) - before;
  assert.ok(occurred >= 0 && occurred < 40, 'it happened when it was handed in');
  const { context: other } = await expectRecorded(memory, { action: 'invoice.sent', actor: 'user/u_2' });
  assert.equal(other, undefined);
});

test('block, by call, by action, or for all: the call fails, and nothing is spooled', async (t) => {
  const { state, recorder } = await switched(t, { actions: { 'invoice.voided': 'block' } });
  state.failure = away();
  await assert.rejects(recorder.record(event('e-1')), { code: 'unreachable' });
  await assert.rejects(recorder.record({ action: 'a.b', actor }, { onFailure: 'block' }), {
    code: 'unreachable',
  });
  assert.equal(recorder.spooled, 0);
  assert.ok('isSpooled' in (await recorder.record(event('e-2'), { onFailure: 'spool' })), 'the call wins');
  assert.ok('isSpooled' in (await recorder.record({ action: 'a.b', actor })));
});

test('what the log refuses for its own sake is told at once, also while the spool stands before it', async (t) => {
  const { state, recorder, memory } = await switched(t);
  const wrong = { action: 'Not An Action', actor };
  await assert.rejects(recorder.record(wrong), { code: 'event_field_invalid' });
  await memory.record(event('e-1'));
  await assert.rejects(recorder.record({ ...event('e-1'), reason: 'another' }), { code: 'id_conflict' });
  state.failure = away();
  await recorder.record(event('e-2'));
  await assert.rejects(recorder.record(wrong), { code: 'event_field_invalid' });
  assert.equal(recorder.spooled, 1);
});

test('an event of which the first attempt landed after all is recorded once', async (t) => {
  const memory = await openMemoryLog();
  let failures = 1;
  const log: AuditLog = {
    record: async (given) => {
      const receipt = await memory.record(given);
      await sleep(2);
      if (failures-- > 0) throw new LogError('outcome_unknown', 'the line broke');
      return receipt;
    },
  };
  const warnings: string[] = [];
  await using recorder = await openRecorder(log, {
    spool: temporaryFolder(t),
    warn: (text) => warnings.push(text),
  });
  assert.ok('isSpooled' in (await recorder.record({ action: 'invoice.voided', actor })));
  await emptied(recorder);
  await expectRecorded(memory, { action: 'invoice.voided' }, { times: 1 });
  assert.deepEqual(warnings, []);
});

test('a log that does not answer is not waited for longer than patience lasts', async (t) => {
  const never: AuditLog = { record: () => new Promise(() => {}) };
  await using recorder = await openRecorder(never, {
    spool: temporaryFolder(t),
    patienceMs: 30,
    warn: () => {},
  });
  assert.ok('isSpooled' in (await recorder.record(event('e-1'))));
});

test('what a log will never have is set aside with its reason, and the rest goes on', async (t) => {
  const { memory, state, recorder, warnings } = await switched(t);
  state.failure = away();
  await recorder.record(event('e-1'));
  await recorder.record(event('e-2'));
  await memory.record({ ...event('e-1'), reason: 'somebody was quicker' });
  state.failure = undefined;
  await emptied(recorder);
  await expectRecorded(memory, { id: 'e-2' });
  assert.match(warnings.join('\n'), /e-1 in the spool was refused and set aside/);
});

test('a spool that is full refuses loudly', async (t) => {
  const { state, recorder } = await switched(t, { spoolEventsMax: 2 });
  state.failure = away();
  await recorder.record(event('e-1'));
  await recorder.record(event('e-2'));
  await assert.rejects(recorder.record(event('e-3')), { code: 'spool_full', retryable: true });
  assert.equal(recorder.spooled, 2);
});

test('a spool is of one process; the next one over it delivers what the last one left', async (t) => {
  const spool = temporaryFolder(t);
  const first = await switched(t, { spool });
  first.state.failure = away();
  await first.recorder.record(event('e-1'));
  await assert.rejects(openRecorder(first.memory, { spool }), { code: 'spool_locked' });
  await first.recorder.close();
  await assert.rejects(first.recorder.record(event('e-2')), { code: 'closed' });
  const second = await switched(t, { spool });
  await expectRecorded(second.memory, { id: 'e-1', actor: 'user/u_1' });
});

test('a process that is killed with events in its spool has lost none', async (t) => {
  const folder = temporaryFolder(t);
  const child = fork(new URL('./recorder-child.ts', import.meta.url), [folder], { stdio: 'inherit' });
  t.after(() => child.kill('SIGKILL'));
  const told: string[] = [];
  child.on('message', (id) => told.push(String(id)));
  while (told.length < 50) await sleep(5);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const { memory, recorder } = await switched(t, { spool: join(folder, 'spool') });
  await emptied(recorder);
  const recorded = (await recordedEvents(memory)).map(({ id }) => id);
  assert.deepEqual(
    told.filter((id) => !recorded.includes(id)),
    [],
    'every event of which it was said that it is kept is in the log',
  );
  assert.deepEqual(recorded, recorded.toSorted(), 'in their order');
});

test('a full disk: the spool on another one keeps what the log cannot take', {
  skip: mountingRefused,
}, async (t) => {
  const disk = mountSmall(t, 4096);
  const log = await createLog(join(disk, 'log'), {
    origin: 'example.com/full',
    thread: 'caller',
    warn: () => {},
  });
  const giveBack = fillUp(disk);
  await using recorder = await openRecorder(log, { spool: temporaryFolder(t), warn: () => {} });
  const ids = Array.from({ length: 60 }, (_, n) => `e-${String(n).padStart(3, '0')}`);
  const answers = [];
  for (const id of ids)
    answers.push(await recorder.record({ ...event(id), metadata: { padding: 'x'.repeat(2000) } }));
  assert.ok(answers.some((answer) => 'isSpooled' in answer));
  await assert.rejects(
    recorder.record({ ...event('blocked'), metadata: 'x'.repeat(2000) }, { onFailure: 'block' }),
    {
      code: 'disk_full',
    },
  );
  giveBack();
  await emptied(recorder);
  assert.deepEqual(
    (await recordedEvents(log)).map(({ id }) => id),
    ids,
  );
  const report = await log.verify({ vkey: log.vkey });
  assert.deepEqual(report.findings, []);
  await log.close();
});

test('a full disk under log and spool: the call fails, and says so of both', {
  skip: mountingRefused,
}, async (t) => {
  const disk = mountSmall(t, 4096);
  const log = await createLog(join(disk, 'log'), {
    origin: 'example.com/full',
    thread: 'caller',
    warn: () => {},
  });
  await using recorder = await openRecorder(log, { spool: join(disk, 'spool'), warn: () => {} });
  const giveBack = fillUp(disk);
  const failures: unknown[] = [];
  const kept: string[] = [];
  for (let n = 0; n < 200 && failures.length < 3; n += 1) {
    const id = `e-${String(n).padStart(3, '0')}`;
    await recorder.record({ ...event(id), metadata: 'x'.repeat(4000) }).then(
      () => kept.push(id),
      (error) => failures.push(error),
    );
  }
  assert.equal(failures.length, 3);
  for (const failure of failures) assert.equal((failure as LogError).code, 'disk_full');
  giveBack();
  await emptied(recorder);
  const recorded = (await recordedEvents(log)).map(({ id }) => id);
  assert.deepEqual(recorded, kept, 'what was answered is there, what failed is not');
  await log.close();
});

test('a log that lost its writer: the next life over log and spool has everything once', async (t) => {
  const folder = temporaryFolder(t);
  const dir = join(folder, 'log');
  const log = await createLog(dir, { origin: 'example.com/lost', thread: 'caller', warn: () => {} });
  const spool = join(folder, 'spool');
  const recorder = await openRecorder(log, { spool, warn: () => {} });
  await recorder.record(event('e-1'));
  await log.close();
  assert.ok('isSpooled' in (await recorder.record(event('e-2'))), 'closed is a failure that may pass');
  await recorder.close();
  const again = await openLog(dir, { thread: 'caller', warn: () => {} });
  await using next = await openRecorder(again, { spool, warn: () => {} });
  await emptied(next);
  assert.deepEqual(
    (await recordedEvents(again)).map(({ id }) => id),
    ['e-1', 'e-2'],
  );
  await next.close();
  await again.close();
});

test('options that nobody reads are refused by name', async (t) => {
  const memory = await openMemoryLog();
  const spool = temporaryFolder(t);
  await assert.rejects(openRecorder(memory, { spool, retries: 3 } as never), { code: 'option_unknown' });
  await assert.rejects(openRecorder(memory, { spool, onFailure: 'drop' as never }), {
    code: 'option_invalid',
  });
  await assert.rejects(openRecorder(memory, { spool, actions: { 'a.b': 'drop' as never } }), {
    code: 'option_invalid',
  });
  await assert.rejects(openRecorder({} as never, { spool }), { code: 'argument_invalid' });
});

/** Takes all the space that is left, and returns how to give it back. */
function fillUp(folder: string): () => void {
  const path = join(folder, 'ballast');
  const file = openSync(path, 'w');
  for (let bytes = 65_536; bytes >= 1; bytes /= 2) {
    const block = Buffer.alloc(bytes, 1);
    try {
      for (;;) if (writeSync(file, block) < bytes) break;
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
    }
  }
  closeSync(file);
  return () => rmSync(path);
}

test('a recorder that is closed while it delivers does not wait for its next attempt', async (t) => {
  const slow: AuditLog = { record: () => sleep(20).then(() => Promise.reject(away())) };
  const recorder = await openRecorder(slow, { spool: temporaryFolder(t), warn: () => {} });
  await recorder.record(event('e-1'));
  await sleep(10);
  const began = performance.now();
  await recorder.close();
  assert.ok(performance.now() - began < 90, 'the pause after a failure is 100 ms at least');
});
