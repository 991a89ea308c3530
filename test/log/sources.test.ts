import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLog, type Log, openLog, type SourceWatch, watchSources } from 'indelible';
import { type RecordedEvent, sourceEvent } from 'indelible/event';
import { signIn, temporaryFolder } from '../support/folders.ts';

const instance = '019ab000-0000-7000-8000-000000000001';

async function makeLog(t: TestContext, heartbeatMs: number): Promise<Log> {
  const last: (() => void)[] = [];
  const folder = temporaryFolder({ after: (remove) => void last.push(remove as () => void) });
  const log = await createLog(join(folder, 'log'), {
    origin: 'example.com/audit',
    thread: 'caller',
    heartbeatMs,
  });
  t.after(async () => {
    await log.close();
    for (const end of last) end();
  });
  return log;
}

async function found(log: Log, query: string): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for await (const event of log.query(query)) events.unshift(event);
  return events;
}

async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!(await holds())) {
    assert.ok(performance.now() < end, what);
    await sleep(20);
  }
}

test('a process that lives frames what it sends, and says which numbers no entry will bear', async (t) => {
  const log = await makeLog(t, 150);
  await log.record(signIn('e-0'));
  await log.record(signIn('e-0'));
  await assert.rejects(log.record(signIn('e-0', 'u_2')), { code: 'id_conflict' });
  await log.record(signIn('e-3'));
  await until('no heartbeat came', async () => (await found(log, 'action:source.heartbeat')).length > 0);
  const dir = log.dir;
  await log.close();
  const again = await openLog(dir, { readOnly: true, thread: 'caller' });
  t.after(() => again.close());
  const frames = await found(again, 'action:source.*');
  assert.deepEqual(
    [frames[0]?.action, frames.at(-1)?.action],
    ['source.started', 'source.stopped'],
    frames.map(({ action }) => action).join(),
  );
  assert.deepEqual(frames[0]?.metadata, { seq: 3, unrecorded: [[1, 2]], everyMs: 150 });
  assert.deepEqual(frames[1]?.metadata, { seq: 3, unrecorded: [], everyMs: 150 });
  assert.ok(frames.every(({ source, actor }) => source.seq === null && actor.id === source.instance));
});

test('a process that is done soon leaves no frames, and none keeps it alive', async (t) => {
  const log = await makeLog(t, 20_000);
  await log.record(signIn());
  const { dir } = log;
  await log.close();
  const code = `
    import { openLog } from 'indelible';
    const log = await openLog(process.argv[1], { thread: 'caller', heartbeatMs: 100000 });
    await log.record({ action: 'user.signed_in', actor: { type: 'user', id: 'u_1' } });
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code, dir], { stdio: 'inherit' });
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  const [status] = await new Promise<unknown[]>((resolve) => child.once('exit', (...how) => resolve(how)));
  clearTimeout(timer);
  assert.equal(status, 0);
  const again = await openLog(dir, { readOnly: true, thread: 'caller' });
  t.after(() => again.close());
  assert.deepEqual(await found(again, 'action:source.*'), []);
});

interface Watched {
  readonly log: Log;
  readonly watch: SourceWatch;
  clock: number;
  send(seq: number | null, event?: object): Promise<unknown>;
  /** Lets time pass, and judges. */
  pass(ms: number): Promise<void>;
}

async function watched(t: TestContext): Promise<Watched> {
  const log = await makeLog(t, 0);
  const world = {
    log,
    clock: Date.now(),
    send: (seq: number | null, event: object = signIn()) =>
      log.recordFor(event, { service: 'shop', credential: 'k1', counted: { instance, seq } as never }),
    async pass(ms: number) {
      const { size } = await log.checkpoint();
      await until('the watch does not follow', () => log.followers.list().every((one) => one.size >= size));
      world.clock += ms;
      await world.watch.check();
    },
  } as { -readonly [K in keyof Watched]: Watched[K] };
  world.watch = watchSources(log, { checkMs: 3_600_000, now: () => world.clock });
  return world;
}

test('a number that never arrives is a gap within a minute, and an entry, once', async (t) => {
  const { log, watch, send, pass } = await watched(t);
  for (const seq of [0, 1, 4]) await send(seq);
  await pass(0);
  assert.deepEqual(watch.gaps(), []);
  await pass(46_000);
  const [gap] = watch.gaps();
  assert.deepEqual(
    { ...gap, since: '' },
    { service: 'shop', instance, kind: 'seq', missingFrom: 2, missingTo: 3, since: '' },
  );
  await pass(60_000);
  const entries = await found(log, 'action:log.source_gap');
  assert.equal(entries.length, 1);
  assert.deepEqual(entries[0]?.metadata, { ...gap });
  assert.equal(entries[0]?.severity, 'high');
});

test('what arrives late, or is said never to come, is no gap', async (t) => {
  const { log, watch, send, pass } = await watched(t);
  for (const seq of [0, 3, 6]) await send(seq);
  await pass(10_000);
  for (const seq of [2, 1]) await send(seq);
  const frame = {
    instance,
    seq: 8,
    unrecorded: [
      [4, 5],
      [7, 8],
    ] as [number, number][],
    everyMs: 20_000,
  };
  await send(null, sourceEvent('started', frame));
  await send(null, sourceEvent('stopped', { ...frame, unrecorded: [] }));
  await pass(600_000);
  assert.deepEqual(watch.gaps(), []);
  assert.deepEqual(await found(log, 'action:log.source_gap'), []);
});

test('numbers that a heartbeat names and nobody has seen are a gap: the end of the queue was lost', async (t) => {
  const { watch, send, pass } = await watched(t);
  await send(0);
  await send(null, sourceEvent('heartbeat', { instance, seq: 5, unrecorded: [], everyMs: 20_000 }));
  await pass(44_000);
  await send(null, sourceEvent('heartbeat', { instance, seq: 5, unrecorded: [], everyMs: 20_000 }));
  await pass(2_000);
  assert.deepEqual(
    watch.gaps().flatMap(({ kind, ...gap }) => (kind === 'seq' ? [[gap.missingFrom, gap.missingTo]] : [])),
    [[1, 5]],
  );
});

test('attack-38: a source that falls silent without a word is a gap within a minute; one that stopped is not', async (t) => {
  const { log, watch, send, pass } = await watched(t);
  const frame = { instance, seq: 0, unrecorded: [], everyMs: 20_000 };
  await send(0);
  await send(null, sourceEvent('started', frame));
  await pass(44_000);
  assert.deepEqual(watch.gaps(), []);
  await pass(2_000);
  assert.equal(watch.gaps()[0]?.kind, 'heartbeat');
  assert.equal((await found(log, 'action:log.source_gap')).length, 1);
  await send(null, sourceEvent('stopped', frame));
  await pass(0);
  assert.deepEqual(watch.gaps(), []);
});

test('what is known of the sources outlives the process, with or without its file', async (t) => {
  for (const isFileKept of [true, false]) {
    const { log, send, pass } = await watched(t);
    for (const seq of [0, 2]) await send(seq);
    await pass(46_000);
    await log.close();
    if (!isFileKept) rmSync(join(log.dir, 'sources.json'));
    const again = await openLog(log.dir, { thread: 'caller', heartbeatMs: 0 });
    const clock = { ms: Date.now() };
    const watch = watchSources(again, { checkMs: 3_600_000, now: () => clock.ms });
    await again.recordFor(signIn(), { service: 'shop', credential: 'k1', counted: { instance, seq: 3 } });
    const { size } = await again.checkpoint();
    await until('the watch does not follow', () => again.followers.list().every((one) => one.size >= size));
    clock.ms += 46_000;
    assert.deepEqual(
      watch.gaps().map(({ missingFrom, missingTo }) => [missingFrom, missingTo]),
      [[1, 1]],
    );
    await again.close();
  }
});

test('names that a caller puts into an entry in the open do not speak for its source', async (t) => {
  const { log, watch, send, pass } = await watched(t);
  const forged = { credential: 'k1', instance, seq: 900, service: 'shop' };
  await send(0, {
    ...signIn(),
    targets: [{ type: 'a', id: 'b', source: forged }],
    clear: ['/targets/0/source'],
  });
  await send(1, { ...signIn(), metadata: { source: forged, recordedAt: 'x' }, clear: ['/metadata'] });
  await send(2, {
    ...signIn(),
    reason: `"source":{"instance":"${instance}","seq":900,"service":"shop"}`,
    clear: ['/reason'],
  });
  await log.recordFor(signIn(), { service: 'shop', credential: 'k2', counted: { instance, seq: 900 } });
  await pass(60_000);
  assert.deepEqual(
    watch.gaps().map(({ missingFrom, missingTo }) => [missingFrom, missingTo]),
    [[0, 899]],
    'the other credential has a source of its own, of which all before is missing',
  );
});

test('a sender of holes does not fill the log with them', async (t) => {
  const { log, watch, send, pass } = await watched(t);
  await Promise.all(Array.from({ length: 60 }, (_, n) => send(2 * n + 1)));
  await pass(60_000);
  assert.equal(watch.gaps().length, 60);
  assert.equal((await found(log, 'action:log.source_gap')).length, 20);
});
