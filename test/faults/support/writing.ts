import { randomUUID } from 'node:crypto';
import { prepareEvent } from 'indelible/event';
import type { CommitReply } from '#dist/log/commit.js';
import { logPaths } from '#dist/log/paths.js';
import { Writer, type WriterSeams } from '#dist/log/writer.js';
import { faultEvent } from './fault-events.ts';
import type { KeptReceipt } from './invariants.ts';

/** Opens the writer of a log on this thread, with what a test puts in the place of clocks and steps. */
export function openWriter(dir: string, seams: WriterSeams = {}): Promise<Writer> {
  return Writer.open(
    { paths: logPaths(dir), service: 'faults', instance: randomUUID(), announce: true },
    seams,
  );
}

/** An event as a writer takes it; without an id of its own where `given` is false. */
export function draftOf(name: string, options: { given?: boolean; reason?: string } = {}): string {
  const { id, ...rest } = faultEvent(name);
  const now = Date.now();
  const event = options.given === false ? rest : { id, ...rest };
  return prepareEvent(options.reason === undefined ? event : { ...event, reason: options.reason }, {
    id: randomUUID(),
    occurredAt: new Date(now).toISOString(),
    now,
    source: { service: 'faults', instance: randomUUID(), seq: 0 },
    personalIds: 'refuse',
  });
}

/** The drafts of these ids. */
export function drafts(ids: readonly string[]): string[] {
  return ids.map((id) => draftOf(id));
}

/** The receipts that callers would have got, for drafts that were made from these ids, in their order. */
export function receiptsOf(ids: readonly string[], reply: CommitReply): KeptReceipt[] {
  return ids.flatMap((id, position) => {
    const index = reply.indexes[position];
    const leafHash = reply.leafHashes[position];
    if (index === undefined || leafHash === undefined || index < 0) return [];
    return [{ id, index, leafHash, checkpoint: reply.checkpoint }];
  });
}

/** Ids that nobody else uses: `a-0`, `a-1`, … */
export function idsOf(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${prefix}-${n}`);
}
