import { cpSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createLog, type Log, openLog } from 'indelible';
import { faultEvent } from './fault-events.ts';
import type { ProbeOrders, ProbeWord } from './flip-prober.ts';
import { Child, programOf } from './processes.ts';
import { origin } from './template.ts';
import { idsOf } from './writing.ts';

/** Patience with one damaged copy, milliseconds: beyond, something hangs. */
const HANG_MS = 30_000;

/** What came of many damaged copies. */
export interface Probed {
  readonly found: number;
  readonly same: number;
  /** Damage that was neither found nor harmless, or ended in anything but our own words. */
  readonly wrong: readonly string[];
}

/** Copies of one log in `open` (as it lay while it was written), `closed`, and `earlier`. */
export interface Photographs {
  readonly vkey: string;
  readonly held: readonly string[];
  readonly ids: readonly string[];
}

/**
 * A log as its files lie on the disk while it is written: the older half in the database files, the newer half in their
 * write-ahead logs; after it was closed; and as they lay earlier.
 */
export async function photographLog(folder: string, events: number): Promise<Photographs> {
  const live = join(folder, 'live');
  const dir = join(live, 'log');
  const created = await createLog(dir, { origin, thread: 'caller' });
  await record(created, 'first', events);
  photograph(live, join(folder, 'earlier'));
  await created.close();
  const log = await openLog(dir, { thread: 'caller' });
  const held = [await record(log, 'second', events)];
  photograph(live, join(folder, 'open'));
  await log.close();
  photograph(live, join(folder, 'closed'));
  return { vkey: log.vkey, held, ids: [...idsOf('first', events), ...idsOf('second', events)] };
}

/** Records, waits until the search index has it all, and returns the last checkpoint. */
async function record(log: Log, prefix: string, events: number): Promise<string> {
  const results = await log.recordMany(idsOf(prefix, events).map(faultEvent));
  const last = results.at(-1);
  if (!last?.ok) throw last?.error;
  await indexed(log);
  return last.receipt.checkpoint;
}

/** Waits until the search index covers the log. */
async function indexed(log: Log): Promise<void> {
  const { complete, size } = await log.query('').page();
  if (complete < size) throw new Error(`the index covers ${complete} of ${size} entries`);
}

/** Copies the files of an open log. Nobody writes meanwhile; shared memory is left out, as after a restart. */
function photograph(from: string, to: string): void {
  mkdirSync(join(to, 'log'), { recursive: true });
  for (const name of readdirSync(join(from, 'log'))) {
    if (!name.endsWith('-shm')) cpSync(join(from, 'log', name), join(to, 'log', name));
  }
  cpSync(join(from, 'log.mark'), join(to, 'log.mark'));
}

/** Damages copies in a process of its own, and watches it. */
export async function probeDamage(t: TestContext, orders: ProbeOrders): Promise<Probed> {
  const counts = { found: 0, same: 0 };
  const wrong: string[] = [];
  let trying = 'nothing yet';
  let done = false;
  const child = new Child(t, programOf('flip-prober.ts', orders), { ipc: true });
  let watch: NodeJS.Timeout | undefined;
  const rewind = (): void => {
    clearTimeout(watch);
    watch = setTimeout(() => {
      wrong.push(`${trying}: it hangs`);
      void child.kill();
    }, HANG_MS);
  };
  rewind();
  child.process.on('message', (word: ProbeWord) => {
    rewind();
    if ('trying' in word) trying = word.trying;
    else if ('done' in word) done = true;
    else if (word.outcome === 'wrong') wrong.push(`${word.tried}: ${word.why}`);
    else counts[word.outcome] += 1;
  });
  const { code, signal, complaint } = await child.ended;
  clearTimeout(watch);
  if (!done) wrong.push(`${trying}: the process ended with ${code ?? signal}: ${complaint}`);
  return { ...counts, wrong };
}
