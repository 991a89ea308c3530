import { setTimeout as sleep } from 'node:timers/promises';
import { holdsAfter } from '../../event/index.ts';
import { systemClock } from '../../platform/index.ts';
import { LogError, type StoredEntry } from '../../store/index.ts';
import type { FollowerRunner } from '../followers/index.ts';
import type { SubjectKeys } from '../options.ts';
import type { ReaderHandle } from '../reader-thread.ts';
import type { WriterHandle } from '../writer-thread.ts';
import { checkErase, type EraseOptions, type ErasureResult, FOLLOWERS_WAIT_MS_DEFAULT } from './erase.ts';
import { refuseHeld } from './eraser.ts';
import type { Scan } from './scan.ts';

/** How often followers are looked at that have not passed the entry, milliseconds. */
const LOOK_MS = 50;

/** What of a log an erasure needs. */
export interface ErasuresParts {
  readonly reader: ReaderHandle;
  readonly writer: WriterHandle | undefined;
  readonly followers: FollowerRunner;
  /** Keys of an archive. */
  readonly keys: SubjectKeys;
  readonly outOfReach: readonly string[];
}

/** Erases, from the caller's thread: looks through the log, lets the writer do it, sees to what lies beside the log. */
export class Erasures {
  readonly #parts: ErasuresParts;

  constructor(parts: ErasuresParts) {
    this.#parts = parts;
  }

  /** See `Log.erase`. */
  async erase(options: EraseOptions): Promise<ErasureResult> {
    checkErase(options);
    const { reader, writer, followers, outOfReach } = this.#parts;
    const { subject, basis, requestId, approvedBy, actor, dryRun = false } = options;
    if (writer === undefined && !dryRun)
      throw new LogError('read_only', 'the log was opened for reading only');
    const { size } = await reader.checkpoint();
    const scan = await reader.scan({ from: 0, to: size, subject });
    if (dryRun) return this.#tried(subject, size, scan);
    const order = {
      ...{ subject, basis, requestId, approvedBy: [...approvedBy], size, scan },
      ...(options.filesWaitMs !== undefined && { filesWaitMs: options.filesWaitMs }),
      ...(actor === undefined ? {} : { actor }),
    };
    const { scouring, unfinished, below, done } = await writer!.erase(order);
    reader.wake();
    followers.wake();
    await this.#destroy('index' in done ? unfinished : [{ subject, below }, ...unfinished]);
    // What could not be scoured is scoured with the next erasure, or when the log is opened next.
    if (scouring.isClean) await writer!.settleErasures(unfinished.map(({ id }) => id));
    const waitMs = options.followersWaitMs ?? FOLLOWERS_WAIT_MS_DEFAULT;
    const index = 'index' in done ? done.index : done.alreadyErased;
    return {
      ...{ subject, below, values: 0, entries: 0, ...done },
      isClean: scouring.isClean,
      ...(scouring.why === undefined ? {} : { residue: scouring.why }),
      lagging: await untilFollowed(followers, index + 1, waitMs),
      outOfReach,
    };
  }

  /** Ends what another process began: destroys keys, and says that it is done. */
  async finish(): Promise<void> {
    const { writer } = this.#parts;
    const unfinished = writer?.identity.unfinished ?? [];
    if (writer === undefined || unfinished.length === 0) return;
    await this.#destroy(unfinished);
    await writer.settleErasures(unfinished.map(({ id }) => id));
  }

  async #destroy(erased: readonly { readonly subject: string; readonly below: number }[]): Promise<void> {
    for (const { subject, below } of erased)
      if (subject !== '') await this.#parts.keys.destroy([subject], below);
  }

  /** What an erasure would take. Throws `LogError` `held`, as it would. */
  async #tried(subject: string, size: number, { found, holds, erased }: Scan): Promise<ErasureResult> {
    const { reader, outOfReach } = this.#parts;
    const inForce = holdsAfter(holds);
    if (inForce.length > 0) {
      for (const { index, digests } of found) {
        const [stored] = await reader.entries(index, index + 1);
        if (stored !== undefined) refuseHeld(stored satisfies StoredEntry, digests, inForce);
      }
    }
    const values = found.reduce((sum, { digests }) => sum + digests.length, 0);
    const isDone = erased !== undefined && values === 0;
    return {
      ...{ subject, below: isDone ? erased.below : size, values, entries: found.length },
      ...(isDone && { alreadyErased: erased.index }),
      ...{ isClean: true, lagging: [], outOfReach },
    };
  }
}

/** Waits until every follower of a log has passed an entry, so that it stands at `size`. Answers those that have not. */
export async function untilFollowed(
  followers: FollowerRunner,
  size: number,
  waitMs: number,
): Promise<{ name: string; size: number }[]> {
  const end = systemClock.monotonic() + waitMs;
  for (;;) {
    const behind = followers.behind(size);
    if (behind.length === 0 || systemClock.monotonic() >= end) return behind;
    await sleep(LOOK_MS);
  }
}
