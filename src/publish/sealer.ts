import { LogError, type SubjectKeys } from '../store/index.ts';
import { AskedThread } from './asked-thread.ts';
import type { SealerData } from './seal-worker.ts';
import { type SealRequest, sealBundle } from './sealing.ts';

/** Bundles that are sealed on the caller's thread: starting another would take longer. */
const BUNDLES_HERE = 16;

/** Megabytes of short-lived objects on the thread; half of it costs a third more processor time. */
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
  #thread: AskedThread<SealRequest, Uint8Array> | undefined;
  #isClosed = false;

  /** `path` is where `keys` lie: the thread opens them for itself. */
  constructor(keys: SubjectKeys, path: string) {
    this.#here = new SealerHere(keys);
    this.#path = path;
  }

  async seal(request: SealRequest): Promise<Uint8Array> {
    if (this.#isClosed) throw new LogError('worker_failed', 'what seals was closed before its turn came');
    if (this.#sealed < BUNDLES_HERE) {
      this.#sealed += 1;
      return this.#here.seal(request);
    }
    this.#thread ??= new AskedThread(new URL('./seal-worker.js', import.meta.url), {
      data: { subjectKeys: this.#path } satisfies SealerData,
      what: 'seals',
      youngMbMax: YOUNG_MB_MAX,
    });
    return this.#thread.ask(request);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#thread?.close();
    this.#thread = undefined;
  }
}
