import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { openLog } from 'indelible';
import type { Witnessed } from './invariants.ts';
import { Child, keptReceipts, pause, programOf, until } from './processes.ts';
import type { Random } from './random.ts';
import type { RecorderOrders } from './recorder.ts';

/** What a kill loop does. */
export interface KillLoop {
  /** Where receipts are kept; the log lies in `log` within it, and is there already. */
  readonly folder: string;
  readonly kills: number;
  /** Processes that record at the same time. */
  readonly recorders: number;
  readonly random: Random;
  /** How they may record; each start takes one of these. */
  readonly manners: readonly Pick<RecorderOrders, 'concurrency' | 'batch' | 'thread' | 'pauseMs'>[];
}

interface Run {
  readonly child: Child;
  readonly receipts: string;
  readonly single: boolean;
}

/** What came of it. */
export interface KillLoopOutcome extends Witnessed {
  /** Processes that were killed before they had one receipt: while they opened the log, or in their first commit. */
  readonly killedEarly: number;
}

/**
 * Several processes record; one after the other is killed, without warning, at a random moment, and started again.
 * Returns everything that was shown to anybody. Throws where a process ended by itself.
 */
export async function killLoop(t: TestContext, loop: KillLoop): Promise<KillLoopOutcome> {
  const { folder, kills, recorders, random } = loop;
  const dir = join(folder, 'log');
  const watcher = await openLog(dir, { readOnly: true });
  const seen: string[] = [];
  const runs: Run[][] = Array.from({ length: recorders }, () => []);
  const start = (slot: number): void => {
    const name = `r${slot}-${runs[slot]!.length}`;
    const receipts = join(folder, `${name}.receipts`);
    const manner = random.of(loop.manners);
    const child = new Child(t, programOf('recorder.ts', { dir, receipts, name, ...manner }));
    runs[slot]!.push({ child, receipts, single: manner.batch === 1 });
  };
  for (let slot = 0; slot < recorders; slot++) start(slot);
  let killedEarly = 0;
  for (let kill = 0; kill < kills; kill++) {
    const slot = random.below(recorders);
    const { child, receipts } = runs[slot]!.at(-1)!;
    // One kill in five may hit the opening of the log; the others a process that records.
    if (random.below(5) > 0) await until('a first receipt', () => hasContent(receipts) || hasEnded(child));
    await pause(random.below(120));
    mustHaveBeenKilled(await child.kill());
    if (keptReceipts(receipts).length === 0) killedEarly += 1;
    seen.push((await watcher.checkpoint()).note);
    start(slot);
  }
  for (const slot of runs) mustHaveBeenKilled(await slot.at(-1)!.child.kill());
  const vkey = watcher.vkey;
  seen.push((await watcher.checkpoint()).note);
  await watcher.close();
  const receipts = runs.flat().flatMap((run) => keptReceipts(run.receipts));
  // Where one call records many events its receipts are kept when the last is there, not in the order of their release.
  const orderly = runs.map((slot) =>
    slot.filter(({ single }) => single).flatMap((run) => keptReceipts(run.receipts)),
  );
  const observers = [seen, ...orderly.map((kept) => kept.map(({ checkpoint }) => checkpoint))];
  return { vkey, receipts, observers, killedEarly };
}

function hasContent(path: string): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

function hasEnded({ process }: Child): boolean {
  return process.exitCode !== null || process.signalCode !== null;
}

function mustHaveBeenKilled({ signal, code, complaint }: Awaited<Child['ended']>): void {
  assert.equal(signal, 'SIGKILL', `a recorder ended by itself, with ${code}: ${complaint}`);
}
