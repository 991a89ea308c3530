// Damages copies of a log, one after the other, and asks each of them everything that can be asked. A process of its own,
// so that its parent can tell a crash and a hang from an answer.
//
//   node flip-prober.ts '{"now": …, "earlier": …, "scratch": …, "seed": 1, "vkey": …, "held": […], "counts": {"log.db": 100, …}}'

import { createHash } from 'node:crypto';
import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openLog, verifyLog } from 'indelible';
import { faultEvent } from './fault-events.ts';
import { everyByte, type FileHistory, type Mutation, mutationsOf } from './mutations.ts';
import { seeded } from './random.ts';

/** What the prober is told. */
export interface ProbeOrders {
  /** The folder that is copied and damaged, and the same folder at an earlier moment. */
  readonly now: string;
  readonly earlier: string;
  readonly scratch: string;
  readonly seed: number;
  readonly vkey: string;
  readonly held: readonly string[];
  /** Ids of the events that are asked for. */
  readonly ids: readonly string[];
  /** Mutations of each file; 0 stands for one in each byte. */
  readonly counts: Readonly<Record<string, number>>;
}

/** What it says: what it is about to do, or how that ended. */
export type ProbeWord =
  | { readonly trying: string }
  | ({ readonly tried: string } & Verdict)
  | { readonly done: true };

const QUERIES = [
  '',
  'action:fault.recorded',
  'actor:user/u_first-3',
  'target:document/*',
  '"Because of first-7"',
  'outcome:failure',
];

/** An error in words of ours: misuse, evidence or operation. SQLite's own, and those of the language, are not. */
function isOurs(error: unknown): boolean {
  return error instanceof Error && ['LogError', 'VerificationError'].includes(error.name);
}

/** One digest over everything that a reader can get out of a log. */
async function answers(dir: string, orders: ProbeOrders): Promise<string> {
  const sum = createHash('sha256');
  const log = await openLog(dir, { readOnly: true, thread: 'caller', warn: () => {} });
  try {
    const { size, root } = await log.checkpoint();
    sum.update(`${log.origin} ${size} ${root}`);
    for await (const { index, entry, disclosures } of log.entries()) {
      sum.update(JSON.stringify([index, Buffer.from(entry).toString('base64'), disclosures]));
    }
    for (const id of orders.ids) sum.update(JSON.stringify([id, await log.get(id)]));
    for (const query of QUERIES) {
      const { events, complete } = await log.query(query, { limit: 100 }).page();
      sum.update(JSON.stringify([query, complete, events]));
    }
  } finally {
    await log.close();
  }
  return sum.digest('hex');
}

/** What the verifier, with the key pinned and what somebody held, says of the log. */
async function isSound(dir: string, { vkey, held }: ProbeOrders): Promise<boolean> {
  const { ok } = await verifyLog(dir, { vkey, held, index: true, threads: 0 });
  return ok;
}

type Verdict = { readonly outcome: 'found' | 'same' } | { readonly outcome: 'wrong'; readonly why: string };

/** Runs something on the damaged log. Throws where it ends in anything but an answer or an error of ours. */
async function ours<T>(what: string, work: () => Promise<T>): Promise<T | 'refused'> {
  try {
    return await work();
  } catch (error) {
    if (isOurs(error)) return 'refused';
    throw new Error(`${what} threw ${(error as Error).stack}`);
  }
}

async function probe(dir: string, orders: ProbeOrders, expected: string, file: string): Promise<Verdict> {
  try {
    const sound = await ours('verify', () => isSound(dir, orders));
    if (sound === 'refused') return { outcome: 'wrong', why: 'verify refuses where it must report' };
    // Also where the verifier has objected, readers and writers end in an answer or in words of ours.
    const answer = await ours('reading', () => answers(dir, orders));
    if (sound && answer !== expected) {
      const what = answer === 'refused' ? 'reading is refused' : 'the answers differ';
      return { outcome: 'wrong', why: `verify found nothing, and ${what}` };
    }
    const written = await ours('writing', () => recordOne(dir));
    const after = await ours('verify after writing', () => isSound(dir, orders));
    // The search index is derived: who writes may find it broken and make it anew. The log itself heals from nothing.
    if (!sound && after === true && !file.includes('index.db')) {
      return { outcome: 'wrong', why: `writing (${written}) made verify forget what it had found` };
    }
    if (sound && after !== true) return { outcome: 'wrong', why: `writing (${written}) broke a sound log` };
    return { outcome: sound ? 'same' : 'found' };
  } catch (error) {
    return { outcome: 'wrong', why: (error as Error).message };
  }
}

/** Opens the log for writing, and writes. */
async function recordOne(dir: string): Promise<'recorded'> {
  const log = await openLog(dir, { thread: 'caller', warn: () => {} });
  try {
    await log.record(faultEvent('after-the-damage'));
  } finally {
    await log.close();
  }
  return 'recorded';
}

function histories({ now, earlier, counts }: ProbeOrders): FileHistory[] {
  const read = (folder: string, file: string): Buffer | undefined => {
    const path = join(folder, file);
    return existsSync(path) ? readFileSync(path) : undefined;
  };
  return Object.keys(counts).map((file) => {
    const bytes = read(now, file);
    if (bytes === undefined) throw new Error(`there is no ${file} to be damaged`);
    return { file, now: bytes, earlier: read(earlier, file) };
  });
}

async function main(orders: ProbeOrders): Promise<void> {
  const say = (word: ProbeWord): Promise<void> =>
    new Promise((resolve) => process.send!(word, () => resolve()));
  const random = seeded(orders.seed);
  const copy = join(orders.scratch, 'copy');
  const fresh = (): string => {
    rmSync(copy, { recursive: true, force: true });
    cpSync(orders.now, copy, { recursive: true });
    return join(copy, 'log');
  };
  const dir = fresh();
  if (!(await isSound(dir, orders))) throw new Error('the log was not sound before it was damaged');
  const expected = await answers(fresh(), orders);
  const mutations: Mutation[] = histories(orders).flatMap((history) => {
    const count = orders.counts[history.file]!;
    return count === 0 ? everyByte(history, random) : mutationsOf(history, count, random);
  });
  for (const mutation of mutations) {
    await say({ trying: mutation.name });
    fresh();
    mutation.apply(join(copy, mutation.file));
    await say({ ...(await probe(dir, orders, expected, mutation.file)), tried: mutation.name });
  }
  await say({ done: true });
  process.disconnect();
}

await main(JSON.parse(process.argv[2] ?? '') as ProbeOrders);
