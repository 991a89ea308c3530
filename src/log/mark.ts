import { existsSync } from 'node:fs';
import { utf8Encode } from '../bytes/index.ts';
import { NOTE_BYTES_MAX } from '../note/index.ts';
import { readTextFile, replaceFile } from '../platform/index.ts';
import { type Head, LogError, type LogReader } from '../store/index.ts';
import { type KeyTimeline, openBelieved } from '../verify/index.ts';
import { checkContinues } from './edge.ts';
import { nobodyElse } from './signed-head.ts';

/** At most one write of the mark in so long, milliseconds: it may lag behind the log. */
export const MARK_INTERVAL_MS = 1000;

/**
 * The high-water mark: the last checkpoint that is known to have been committed, kept outside the
 * log's folder. A copy of the folder that is put back later is smaller than its mark, and is refused.
 *
 * It may lag and never leads; it never goes back, because it is written under the head lock only.
 */
export class Mark {
  readonly path: string;
  readonly #warn: (message: string) => void;
  #written = 0;
  #writtenAt = Number.NEGATIVE_INFINITY;

  constructor(path: string, warn: (message: string) => void) {
    this.path = path;
    this.#warn = warn;
  }

  /** Whether `head` is news to the mark and it is time to say so. */
  due(head: Head, monotonicMs: number): boolean {
    return head.size > this.#written && monotonicMs - this.#writtenAt >= MARK_INTERVAL_MS;
  }

  /** Whether the mark on disk is older than `head`. */
  lags(head: Head): boolean {
    return head.size > this.#written;
  }

  /** As {@link write}; a mark that cannot be moved is said, and stops nobody: it lags. */
  move(head: Head, monotonicMs: number): void {
    try {
      this.write(head, monotonicMs);
    } catch (error) {
      this.#writtenAt = monotonicMs;
      this.#warn(`the mark ${this.path} could not be moved: ${(error as Error).message}`);
    }
  }

  /** Moves the mark to a committed head. The caller holds the head lock. */
  write(head: Head, monotonicMs: number): void {
    replaceFile(this.path, Buffer.from(head.checkpoint).toString('utf8'));
    this.#written = head.size;
    this.#writtenAt = monotonicMs;
  }

  /**
   * Compares the log with the mark, where there is one. Throws `LogError` `rolled_back` where the log is
   * smaller or is not a continuation, `mark_invalid` where the mark is not a checkpoint of this log.
   * False where there is no mark, and nothing was compared.
   */
  async check(reader: LogReader, timeline: KeyTimeline): Promise<boolean> {
    if (!existsSync(this.path)) return false;
    const marked = this.#read(timeline);
    // The head is read after the mark, which never leads it: others may be moving both at this moment.
    const head = await reader.head();
    if (head === undefined || marked.size > head.size) {
      throw new LogError(
        'rolled_back',
        `the log has ${head?.size ?? 0} entries; its mark has seen ${marked.size}`,
        {
          hint: `an older copy was put in its place; verify against receipts before you move ${this.path} away`,
        },
      );
    }
    await checkContinues(reader, marked, head);
    this.#written = marked.size;
    return true;
  }

  #read(timeline: KeyTimeline): { readonly size: number; readonly root: Uint8Array } {
    try {
      const note = utf8Encode(readTextFile(this.path, NOTE_BYTES_MAX));
      return openBelieved(note, { policy: nobodyElse, timeline }, { revoked: true }).checkpoint;
    } catch (cause) {
      throw new LogError('mark_invalid', `${this.path} is not a checkpoint signed by this log`, {
        cause,
        hint: 'it belongs to another log, or was changed; find out which before you move it away',
      });
    }
  }
}
