import { availableParallelism } from 'node:os';
import { MessageChannel, type MessagePort, type ResourceLimits, Worker } from 'node:worker_threads';
import type { SeatRequest, ThreadRole } from './worker.ts';

/** A place on a thread: the port that leads to it, and what is to be known of the thread. */
export interface Seat {
  readonly port: MessagePort;
  /** Calls `tell` if the thread ends by itself, with why if that is known. */
  onLost(tell: (cause: unknown) => void): void;
  /** Gives the place back; the last one out ends the thread. */
  leave(): Promise<void>;
}

/** A thread with a place for each half of a log that it serves. */
export class Thread {
  readonly #worker: Worker;
  readonly #seats = new Map<MessagePort, { readonly subject: string; lost: (cause: unknown) => void }>();
  #isEnding = false;

  constructor(resourceLimits: ResourceLimits = {}) {
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), { resourceLimits });
    // What keeps the process alive is an answer that is due at a port, not the thread.
    this.#worker.unref();
    this.#worker.on('error', (error) => this.#ended(error));
    this.#worker.on('exit', () => this.#ended(undefined));
  }

  /** How many halves it serves. */
  get load(): number {
    return this.#seats.size;
  }

  /** Whether it takes another half, and serves nothing of `subject` yet. */
  isFreeFor(subject: string): boolean {
    return !this.#isEnding && ![...this.#seats.values()].some((seat) => seat.subject === subject);
  }

  /** Takes a place for one half of a log. */
  seat(role: ThreadRole, subject: string): Seat {
    const { port1: port, port2 } = new MessageChannel();
    const seat = { subject, lost: (_cause: unknown): void => {} };
    this.#seats.set(port, seat);
    this.#worker.postMessage({ role, port: port2 } satisfies SeatRequest, [port2]);
    return {
      port,
      onLost: (tell) => {
        seat.lost = tell;
      },
      leave: async () => {
        if (!this.#seats.delete(port)) return;
        port.close();
        if (this.#seats.size === 0) await this.#end();
      },
    };
  }

  async #end(): Promise<void> {
    this.#isEnding = true;
    await this.#worker.terminate();
  }

  #ended(cause: unknown): void {
    this.#isEnding = true;
    for (const { lost } of this.#seats.values()) lost(cause);
  }
}

/** Threads of one role at most: writers and readers together make no more threads than there are cores, two at least. */
const THREADS_MAX = Math.max(1, Math.floor(availableParallelism() / 2));

/**
 * The threads that the logs of this process share, however many are open. Writing and reading never meet on one thread, so
 * that no question delays a commit. Two openings of the same log do not meet either: each has to be able to wait for the
 * other; for that alone there may be threads beyond the limit.
 */
class WorkerPool {
  readonly #threads: Readonly<Record<'writer' | 'reader', Thread[]>> = { writer: [], reader: [] };

  /**
   * A place for one half of the log whose database lies at `subject`, on the thread with the least to do. Anchors are written where
   * others read: no commit waits for them.
   */
  take(role: 'writer' | 'reader' | 'anchors', subject: string): Seat {
    const threads = this.#threads[role === 'writer' ? 'writer' : 'reader'];
    const free = threads.filter((thread) => thread.isFreeFor(subject)).sort((a, b) => a.load - b.load)[0];
    const isEnough = free !== undefined && (free.load === 0 || threads.length >= THREADS_MAX);
    const thread = isEnough ? free : this.#start(threads);
    const seat = thread.seat(role, subject);
    const leave = async (): Promise<void> => {
      if (thread.load <= 1) forget(threads, thread);
      await seat.leave();
    };
    return {
      port: seat.port,
      onLost: (tell) =>
        seat.onLost((cause) => {
          forget(threads, thread);
          tell(cause);
        }),
      leave,
    };
  }

  #start(threads: Thread[]): Thread {
    const thread = new Thread();
    threads.push(thread);
    return thread;
  }
}

/** The threads of this process. */
export const workerPool = new WorkerPool();

function forget(threads: Thread[], thread: Thread): void {
  const at = threads.indexOf(thread);
  if (at >= 0) threads.splice(at, 1);
}
