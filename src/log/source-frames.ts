import { SeqCounter, type sourceActions, sourceEvent } from '../event/index.ts';
import type { Waiter } from './queue.ts';

/** How often a process that writes says that it is there, milliseconds. */
export const HEARTBEAT_MS_DEFAULT = 20_000;

/** What frames are made with. */
export interface SourceFramesOptions {
  readonly instance: string;
  /** 0: no frames. */
  readonly everyMs: number;
  readonly send: (event: ReturnType<typeof sourceEvent>) => Promise<unknown>;
}

/**
 * Counts the events of this process, and frames them: `source.started`, `source.heartbeat`, `source.stopped`, from which a
 * reader tells that nothing is missing (`source-watch.ts`). A process that is done before the first heartbeat is due leaves
 * none of them: `log.opened` has named it, and its numbers begin at 0.
 */
export class SourceFrames {
  readonly #options: SourceFramesOptions;
  readonly #counter = new SeqCounter();
  #timer: NodeJS.Timeout | undefined;
  #isStarted = false;
  /** The largest index that an event of this process was given. */
  #indexLast = -1;

  constructor(options: SourceFramesOptions) {
    this.#options = options;
  }

  /** The number of the next event. */
  get next(): number {
    return this.#counter.next;
  }

  /** Gives the next number to an event that was taken in. */
  take(): void {
    this.#counter.take();
    if (this.#timer !== undefined || this.#options.everyMs === 0) return;
    // It must not keep alive a process that has nothing else to do.
    this.#timer = setInterval(() => void this.#beat(), this.#options.everyMs).unref();
  }

  /** Hears, on the way to its caller, what became of the event with this number. */
  heard(seq: number, waiter: Waiter): Waiter {
    return {
      recorded: (index, leafHash, checkpoint) => {
        // New entries get ever larger indexes, in the order of the queue: anything else was there before.
        if (index > this.#indexLast) this.#indexLast = index;
        else this.#counter.void(seq);
        waiter.recorded(index, leafHash, checkpoint);
      },
      refused: (error) => {
        this.#counter.void(seq);
        waiter.refused(error);
      },
    };
  }

  /** The last frame, of a process that has said that it is there. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#isStarted) await this.#say('stopped');
  }

  async #beat(): Promise<void> {
    const kind = this.#isStarted ? 'heartbeat' : 'started';
    this.#isStarted = true;
    await this.#say(kind);
  }

  async #say(kind: keyof typeof sourceActions): Promise<void> {
    const { instance, everyMs, send } = this.#options;
    const unrecorded = this.#counter.takeUnrecorded();
    try {
      await send(sourceEvent(kind, { instance, seq: this.#counter.last, unrecorded, everyMs }));
    } catch {
      // A log that does not take this does not take events either, whose callers hear of it.
      this.#counter.putBack(unrecorded);
    }
  }
}
