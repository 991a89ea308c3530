// T16: the clock is set while the log records. Order is the index; time never goes back; the jump is an entry.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Clock } from '#dist/platform/index.js';
import { temporaryFolder } from '../support/folders.ts';
import { readLog } from './support/independent-verifier.ts';
import { breaches, type KeptReceipt } from './support/invariants.ts';
import { makeTemplate } from './support/template.ts';
import { drafts, openWriter, receiptsOf } from './support/writing.ts';

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;

/** Two clocks that go on when they are told to, and a wall that can be set. */
class SetClock implements Clock {
  #wall = Date.now();
  #monotonic = 1000;

  wall(): number {
    return Math.round(this.#wall);
  }
  monotonic(): number {
    return this.#monotonic;
  }
  pass(ms: number): void {
    this.#wall += ms;
    this.#monotonic += ms;
  }
  /** The machine slept: the monotonic clock of some systems stands still meanwhile. */
  set(ms: number): void {
    this.#wall += ms;
  }
}

/** Records an event, lets the clock do something, records another; and reads what is there. */
async function around(folder: string, change: (clock: SetClock) => void, rounds = 1) {
  const { vkey, receipts: before } = await makeTemplate(folder, 3);
  const dir = join(folder, 'log');
  const clock = new SetClock();
  clock.pass(10_000);
  const writer = await openWriter(dir, { clock });
  const receipts: KeptReceipt[] = [...before];
  const record = async (id: string): Promise<void> => {
    receipts.push(...receiptsOf([id], await writer.commit(drafts([id]))));
  };
  await record('first');
  for (let round = 0; round < rounds; round++) {
    change(clock);
    await record(`second-${round}`);
    clock.pass(5);
    await record(`third-${round}`);
  }
  await writer.close();
  const { entries } = readLog(join(dir, 'log.db'));
  assert.deepEqual(breaches(join(dir, 'log.db'), { vkey, receipts }), []);
  const found = entries.slice(before.at(-1)!.index + 1).map(({ json }) => ({
    action: String(json!['action']),
    recordedAt: Date.parse(String(json!['recordedAt'])),
    metadata: json!['metadata'] as { stepMs?: number } | undefined,
  }));
  return { found, jumps: found.filter(({ action }) => action === 'log.clock_jumped') };
}

describe('a clock that is set while the log records', () => {
  for (const [what, stepMs] of [
    ['an hour ahead', HOUR_MS],
    ['an hour back', -HOUR_MS],
    ['ten years back', -10 * YEAR_MS],
    ['a second and a half back', -1500],
    ['into the year 2038', Date.UTC(2038, 0, 19, 3, 14, 8) - Date.now()],
    ['into the year 9999', Date.UTC(9999, 11, 31, 23, 0, 0) - Date.now()],
  ] as const) {
    test(`${what}: an entry says so, in front of the next event, and time stands rather than go back`, async (t) => {
      const { found, jumps } = await around(temporaryFolder(t), (clock) => clock.set(stepMs));
      assert.equal(jumps.length, 1);
      assert.equal(jumps[0]?.metadata?.stepMs, stepMs);
      assert.deepEqual(
        found.map(({ action }) => action),
        ['log.opened', 'fault.recorded', 'log.clock_jumped', 'fault.recorded', 'fault.recorded'],
      );
      const [, first, jump, second] = found;
      if (stepMs < 0)
        assert.deepEqual([jump?.recordedAt, second?.recordedAt], [first?.recordedAt, first?.recordedAt]);
      else assert.equal(second?.recordedAt, first!.recordedAt + stepMs);
    });
  }

  test('a second that is repeated is no jump, and its times stand', async (t) => {
    const { found, jumps } = await around(temporaryFolder(t), (clock) => {
      clock.pass(1000);
      clock.set(-1000);
    });
    assert.equal(jumps.length, 0);
    const times = found.map(({ recordedAt }) => recordedAt);
    assert.deepEqual(
      times,
      times.toSorted((left, right) => left - right),
    );
  });

  test('a day that passes between two events is no jump', async (t) => {
    const { jumps } = await around(temporaryFolder(t), (clock) => clock.pass(24 * HOUR_MS));
    assert.equal(jumps.length, 0);
  });

  test('a clock that is set again and again leaves an entry each time, and stops nobody', async (t) => {
    let turn = 0;
    const { jumps } = await around(
      temporaryFolder(t),
      (clock) => clock.set(++turn % 2 ? HOUR_MS : -HOUR_MS),
      6,
    );
    assert.deepEqual(
      jumps.map(({ metadata }) => metadata?.stepMs),
      [HOUR_MS, -HOUR_MS, HOUR_MS, -HOUR_MS, HOUR_MS, -HOUR_MS],
    );
  });

  test('a clock that went back while the log was closed is noticed when it is opened', async (t) => {
    const folder = temporaryFolder(t);
    const { vkey, receipts } = await makeTemplate(folder, 3);
    const clock = new SetClock();
    clock.set(-10 * YEAR_MS);
    const dir = join(folder, 'log');
    const writer = await openWriter(dir, { clock });
    const kept = receiptsOf(['late'], await writer.commit(drafts(['late'])));
    await writer.close();
    const { entries } = readLog(join(dir, 'log.db'));
    const jump = entries.find(({ json }) => json?.['action'] === 'log.clock_jumped');
    assert.ok(jump !== undefined, 'no entry says that the clock went back');
    assert.ok((jump.json!['metadata'] as { stepMs: number }).stepMs < -9 * YEAR_MS);
    assert.deepEqual(breaches(join(dir, 'log.db'), { vkey, receipts: [...receipts, ...kept] }), []);
  });
});
