// Opens a log with a trap in it, records one batch, arms the trap and records another. As a program it is meant to be
// killed by the trap:
//
//   node failing-writer.ts '{"dir": …, "receipts": …, "point": "step:signed"}'

import { randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { type LogStore, SqliteStore } from 'indelible/store';
import { type CommitReply, Committer } from '#dist/log/commit.js';
import { Edge } from '#dist/log/edge.js';
import { genesisOf } from '#dist/log/genesis.js';
import { readSigner } from '#dist/log/keys.js';
import { logPaths } from '#dist/log/paths.js';
import { ownDraft } from '#dist/log/writer.js';
import { type Clock, randomBytes, systemClock } from '#dist/platform/index.js';
import { type FaultPoint, Trap, TrappedStore } from './trap.ts';
import { draftOf, drafts, idsOf, openWriter, receiptsOf } from './writing.ts';

/** What the table of faults records with; a writer, or the committer alone over a store of the test's own. */
export interface Recording {
  commit(drafts: readonly string[]): Promise<CommitReply>;
  close(): Promise<void>;
}

/** Ids of the batch that goes well, before the trap is armed. */
export const calmIds = idsOf('calm', 3);

/** Ids of the batch that the trap meets. It is large enough to fill a tile of 256. */
export const troubledIds = idsOf('troubled', 12);

/** That batch: new events, repeats (one of them behind a full tile), a conflict, and an event whose id the log gives. */
export function troubledBatch(): string[] {
  return [
    ...drafts(troubledIds),
    draftOf('before-1'),
    draftOf('calm-0'),
    draftOf('calm-1', { reason: 'another story' }),
    draftOf('anonymous', { given: false }),
  ];
}

/** Opens the log with the trap in place: at a step of the commit path, or around a call of the store. */
export function openTrapped(dir: string, point: FaultPoint, trap: Trap): Promise<Recording> {
  return point.startsWith('step:')
    ? openWriter(dir, { hooks: trap.hooks })
    : openCommitter(dir, (store) => new TrappedStore(store, trap));
}

/** The committer of a log over a store that a test wraps; opened as the writer does it, without queue and mark. */
export async function openCommitter(
  dir: string,
  wrap: (store: LogStore) => LogStore,
  clock: Clock = systemClock,
): Promise<Recording> {
  const paths = logPaths(dir);
  const store = SqliteStore.open(paths.database, { jitter: Math.random, now: systemClock.monotonic });
  const { origin } = genesisOf(store.readEntries(0, 1)[0]);
  const head = store.head()!;
  const committer = new Committer(
    {
      store: wrap(store),
      origin,
      signer: readSigner(paths.key, origin),
      clock,
      random: randomBytes,
      ownDraft: (event) => ownDraft(event, { service: 'faults', instance: randomUUID() }, clock),
      announce: true,
    },
    { head, edge: await Edge.load(store, head) },
  );
  return {
    commit: (batch) => committer.commit(batch),
    close: async () => store.close(),
  };
}

async function main(orders: { dir: string; receipts: string; point: FaultPoint }): Promise<void> {
  const { dir, receipts, point } = orders;
  const trap = new Trap(point, 'kill');
  const recording = await openTrapped(dir, point, trap);
  const reply = await recording.commit(drafts(calmIds));
  for (const receipt of receiptsOf(calmIds, reply)) appendFileSync(receipts, `${JSON.stringify(receipt)}\n`);
  trap.arm();
  await recording.commit(troubledBatch());
  throw new Error(`${point} was not reached`);
}

if (import.meta.main) await main(JSON.parse(process.argv[2] ?? ''));
