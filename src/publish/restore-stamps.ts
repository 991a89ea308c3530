import { join } from 'node:path';
import { AnchorStore } from '../anchor/index.ts';
import { base64Encode } from '../bytes/index.ts';
import { type Log, openLog } from '../log/index.ts';
import { isLogError } from '../store/index.ts';
import { sourceOf } from './publish-log.ts';
import { stampOfLog } from './publish-stamps.ts';
import type { ReadFile } from './published-files.ts';
import { everyStamp } from './published-stamps.ts';

/** Time-stamps that are restored at most, the newest: one an hour for eleven years. */
const RESTORED_MAX = 100_000;

/** What was restored of time-stamps. */
export interface RestoredStamps {
  /** Those that were published and are of this log. */
  readonly timestamps: number;
  /** Why there may be more: they could not be read, or kept. */
  readonly timestampsUnread?: string;
}

/**
 * Puts published time-stamps into `anchors.db` of a restored log: those over a checkpoint that its key has signed, with the root that
 * its own tree has at that size. Whom to believe is for whoever verifies. No failure is thrown: the log is whole without them.
 */
export async function restoreStamps(dir: string, read: ReadFile): Promise<RestoredStamps> {
  let restored = 0;
  let anchors: AnchorStore | undefined;
  let log: Log | undefined;
  try {
    for await (const stamp of everyStamp(read, RESTORED_MAX)) {
      log ??= await openLog(dir, { readOnly: true });
      const source = sourceOf(log);
      const found = await stampOfLog(stamp, source);
      if (found === undefined) continue;
      const { size, root } = found.checkpoint;
      if (!(await isOf(source, { size, root: base64Encode(root) }))) continue;
      anchors ??= AnchorStore.open(join(dir, 'anchors.db'));
      anchors.putTimestamp({ ...stamp, size, at: found.timeMs });
      restored += 1;
    }
    return { timestamps: restored };
  } catch (error) {
    return { timestamps: restored, timestampsUnread: (error as Error).message };
  } finally {
    anchors?.close();
    await log?.close();
  }
}

/** Whether the log was in this state. */
async function isOf(
  source: Pick<ReturnType<typeof sourceOf>, 'checkContinues'>,
  state: { readonly size: number; readonly root: string },
): Promise<boolean> {
  try {
    await source.checkContinues(state);
    return true;
  } catch (error) {
    if (isLogError(error, 'rolled_back')) return false;
    throw error;
  }
}
