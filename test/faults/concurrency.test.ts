// T9: several processes write one log: order, fairness, one history.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createLog, openLog, type Receipt } from 'indelible';
import { temporaryFolder } from '../support/folders.ts';
import { breaches } from './support/invariants.ts';
import { Child, pause, programOf } from './support/processes.ts';
import { seeded } from './support/random.ts';
import { origin } from './support/template.ts';
import type { Demand } from './support/worker-on-demand.ts';

/** Of all that four busy processes record, the slowest must have at least this share: a quarter would be equal. */
const SHARE_MIN = 0.1;

/** How long they are watched, milliseconds. */
const WATCH_MS = 3000;

class Recorder {
  readonly #child: Child;

  private constructor(child: Child) {
    this.#child = child;
  }

  static async start(t: TestContext, dir: string, thread: 'worker' | 'caller'): Promise<Recorder> {
    const child = new Child(t, programOf('worker-on-demand.ts', { dir, thread }), { ipc: true });
    const recorder = new Recorder(child);
    await recorder.#answer<object>();
    return recorder;
  }

  async record(id: string): Promise<Receipt> {
    const answer = this.#answer<{ receipt: Receipt }>();
    this.#say({ record: id });
    return (await answer).receipt;
  }

  run(prefix: string, callers: number): void {
    this.#say({ run: prefix, callers });
  }

  stop(): Promise<{ recorded: number; waitMs: number }> {
    const answer = this.#answer<{ recorded: number; waitMs: number }>();
    this.#say({ stop: true });
    return answer;
  }

  #say(demand: Demand): void {
    this.#child.process.send(demand);
  }

  #answer<T>(): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#child.process.once('message', (message) => resolve(message as T));
      void this.#child.ended.then(({ code, signal, complaint }) => {
        if (code !== 0) reject(new Error(`the process ended with ${code ?? signal}: ${complaint}`));
      });
    });
  }
}

test('what was acknowledged before another event was sent stands before it, across processes and threads', async (t) => {
  const dir = join(temporaryFolder(t), 'log');
  await using log = await createLog(dir, { origin });
  const [left, right, busy] = await Promise.all([
    Recorder.start(t, dir, 'worker'),
    Recorder.start(t, dir, 'caller'),
    Recorder.start(t, dir, 'worker'),
  ]);
  // A third one keeps the lock busy, so that the two must really wait for their turn.
  busy.run('busy', 2);
  const random = seeded(9);
  const receipts: Receipt[] = [];
  for (let n = 0; n < 120; n++) receipts.push(await random.of([left, right]).record(`turn-${n}`));
  await Promise.all([left.stop(), right.stop(), busy.stop()]);
  for (const [position, { index, id }] of receipts.entries()) {
    const before = receipts[position - 1];
    assert.ok(
      before === undefined || before.index < index,
      `${before?.id} at ${before?.index}, then ${id} at ${index}`,
    );
  }
  const observers = [receipts.map(({ checkpoint }) => checkpoint)];
  assert.deepEqual(breaches(join(dir, 'log.db'), { vkey: log.vkey, receipts, observers }), []);
});

test('four busy processes each get their share, and nobody waits for seconds', async (t) => {
  const dir = join(temporaryFolder(t), 'log');
  await (await createLog(dir, { origin })).close();
  const recorders = await Promise.all(Array.from({ length: 4 }, () => Recorder.start(t, dir, 'worker')));
  for (const [n, recorder] of recorders.entries()) recorder.run(`p${n}`, 1);
  await pause(WATCH_MS);
  const results = await Promise.all(recorders.map((recorder) => recorder.stop()));
  const total = results.reduce((sum, { recorded }) => sum + recorded, 0);
  const shares = results.map(({ recorded }) => recorded / total);
  const waits = results.map(({ waitMs }) => waitMs);
  t.diagnostic(
    `${total} events; shares ${shares.map((share) => share.toFixed(2)).join(' ')}; longest wait ${Math.max(...waits).toFixed(0)} ms`,
  );
  assert.ok(Math.min(...shares) >= SHARE_MIN, `the shares are ${shares.join(', ')}`);
  assert.ok(Math.max(...waits) < WATCH_MS / 2, `somebody waited ${Math.max(...waits)} ms`);
  await using log = await openLog(dir);
  assert.deepEqual(breaches(join(dir, 'log.db'), { vkey: log.vkey, receipts: [] }), []);
});
