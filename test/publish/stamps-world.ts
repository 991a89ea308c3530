// A log with time-stamps, by an authority of openssl's or put together here, that is published.

import { join } from 'node:path';
import { type Log, openLog } from 'indelible';
import { AnchorStore, type StampedCheckpoint } from 'indelible/anchor';
import { type Chain, forgeToken, type Listening } from '../support/tsa.ts';

/** Has an authority stamp what the log has now, once and by hand: who only reads stamps nothing by itself. */
export async function stampNow(log: Log, tsa: Listening, name = 'tsa'): Promise<void> {
  const authorities = [{ name, url: tsa.url, certificates: tsa.root.pem }];
  await using reader = await openLog(log.dir, {
    readOnly: true,
    thread: 'caller',
    timestamps: { authorities },
  });
  for (const result of await reader.timestampNow()) if (!result.ok) throw result.error;
}

/** Keeps a token over the newest checkpoint, or the one that is given, made at a time of our choice. */
export async function stampAt(
  log: Log,
  chain: Chain,
  at: number,
  more: Partial<StampedCheckpoint> = {},
): Promise<void> {
  const newest = await log.checkpoint();
  const { size = newest.size } = more;
  const note = more.note === undefined ? newest.note : Buffer.from(more.note).toString();
  const text = Buffer.from(`${note.split('\n\n')[0]}\n`);
  const token = forgeToken({ text, signer: chain.tsa, genTime: new Date(at) });
  keep(log, { size, note: Buffer.from(note), token, at, authority: 'tsa', ...more });
}

export function keep(log: Log, stamp: StampedCheckpoint): void {
  const anchors = AnchorStore.open(join(log.dir, 'anchors.db'));
  anchors.putTimestamp(stamp);
  anchors.close();
}

export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`this never came true: ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}
