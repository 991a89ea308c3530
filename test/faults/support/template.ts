import { randomUUID } from 'node:crypto';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { createFiles } from '#dist/log/create.js';
import { logPaths } from '#dist/log/paths.js';
import type { KeptReceipt } from './invariants.ts';
import { drafts, idsOf, openWriter, receiptsOf } from './writing.ts';

/** The origin of every log of the fault tests. */
export const origin = 'example.com/faults';

/** A log that was made once, to be copied for each case. */
export interface Template {
  readonly folder: string;
  readonly vkey: string;
  readonly receipts: readonly KeptReceipt[];
  /** Entries it holds. */
  readonly size: number;
}

/** Makes a log of its own first entries and `events` events, and closes it. */
export async function makeTemplate(folder: string, events: number): Promise<Template> {
  const dir = join(folder, 'log');
  await createFiles({
    paths: logPaths(dir),
    origin,
    service: 'faults',
    instance: randomUUID(),
    personalIds: 'refuse',
  });
  const writer = await openWriter(dir);
  const ids = idsOf('before', events);
  const receipts = receiptsOf(ids, await writer.commit(drafts(ids)));
  await writer.close();
  return { folder, vkey: writer.identity.vkey, receipts, size: receipts.at(-1)!.index + 1 };
}

/** Copies the log and what lies beside it, and returns where the copy of the log lies. */
export function copyTemplate({ folder }: Template, to: string): string {
  cpSync(folder, to, { recursive: true });
  return join(to, 'log');
}
