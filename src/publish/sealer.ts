import { Worker } from 'node:worker_threads';
import { reviveError } from '../platform/index.ts';
import { LogError, type SubjectKeys } from '../store/index.ts';
import type { SealAnswer, SealerData } from './seal-worker.ts';
import { type SealRequest, sealBundle } from './sealing.ts';

/** Bundles that are sealed on the caller's thread: starting another would take longer. */
const BUNDLES_HERE = 16;

/** Megabytes of short-lived objects on the thread: more of them at once make it no faster. */
const YOUNG_MB_MAX = 32;

/** Makes the files with the disclosures of bundles, asked for one after the other. */
export interface Sealer {
  /** Throws what `sealBundle` throws. */
  seal(request: SealRequest): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Seals on the caller's thread. */
export class SealerHere implements Sealer {
  readonly #keys: SubjectKeys;

  constructor(keys: SubjectKeys) {
    this.#keys = keys;
  }

  async seal(request: SealRequest): Promise<Uint8Array> {
    return sealBundle(request, this.#keys);
  }

  async close(): Promise<void> {}
}

/**
 * Seals the first bundles on the caller's thread, and all that come after on one of its own: the application's event loop is not held
 * up, and what sealing leaves to the garbage collector lies in a heap that may not grow.
 */
export class SealerOfMany implements Sealer {
  readonly #here: SealerHere;
  readonly #path: string;
  #sealed = 0;
  #thread: SealerThread | undefined;

  /** `path` is where `keys` lie: the thread opens them for itself. */
  constructor(keys: SubjectKeys, path: string) {
    this.#here = new SealerHere(keys);
    this.#path = path;
  }

  seal(request: SealRequest): Promise<Uint8Array> {
    if (this.#sealed < BUNDLES_HERE) {
      this.#sealed += 1;
      return this.#here.seal(request);
    }
    this.#thread ??= new SealerThread(this.#path);
    return this.#thread.seal(request);
  }

  async close(): Promise<void> {
    await this.#thread?.close();
    this.#thread = undefined;
  }
}

/** A thread that seals. It keeps the process alive only while an answer is due. */
class SealerThread implements Sealer {
  readonly #worker: Worker;
  readonly #waiting: PromiseWithResolvers<Uint8Array>[] = [];
  #gone: LogError | undefined;

  constructor(subjectKeys: string) {
    this.#worker = new Worker(new URL('./seal-worker.js', import.meta.url), {
      workerData: { subjectKeys } satisfies SealerData,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB_MAX },
    });
    this.#worker.on('message', (answer: SealAnswer) => {
      const { resolve, reject } = this.#waiting.shift()!;
      if (this.#waiting.length === 0) this.#worker.unref();
      if ('bytes' in answer) resolve(answer.bytes);
      else reject(reviveError(answer.error));
    });
    this.#worker.on('error', (cause) => this.#lost(cause));
    this.#worker.on('exit', () => this.#lost(undefined));
    this.#worker.unref();
  }

  seal(request: SealRequest): Promise<Uint8Array> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    const asked = Promise.withResolvers<Uint8Array>();
    this.#waiting.push(asked);
    this.#worker.ref();
    this.#worker.postMessage(request);
    return asked.promise;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #lost(cause: unknown): void {
    this.#gone ??= new LogError('worker_failed', 'the thread that seals ended', { cause });
    for (const { reject } of this.#waiting.splice(0)) reject(this.#gone);
  }
}
