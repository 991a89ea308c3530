import type { MessagePort } from 'node:worker_threads';
import { AnchorStore, type PublishedCheckpoint, type WitnessRecord } from '../anchor/index.ts';
import { LogError } from '../store/index.ts';
import { Remote, serve } from './rpc.ts';
import { workerPool } from './worker-pool.ts';

/** `anchors.db` as it is written, on this thread or on another: each write waits for the disk. */
export interface AnchorHandle {
  witness(url: string): Promise<WitnessRecord | undefined>;
  /** The smallest published checkpoint of at least that size; undefined where there is none. */
  publishedFrom(size: number): Promise<PublishedCheckpoint | undefined>;
  /** `logSize`: how many entries the log had once the lines were here. */
  addSignatures(
    published: PublishedCheckpoint,
    lines: readonly string[],
    logSize?: number,
  ): Promise<Uint8Array>;
  putWitness(record: WitnessRecord): Promise<void>;
  thinPublished(): Promise<void>;
  close(): Promise<void>;
}

/** A store that this thread waits for. */
export function anchorsHere(store: AnchorStore): AnchorHandle {
  return {
    witness: async (url) => store.witness(url),
    publishedFrom: async (size) => store.publishedFrom(size)[0],
    addSignatures: async (published, lines, logSize) => store.addSignatures(published, lines, logSize),
    putWitness: async (record) => store.putWitness(record),
    thinPublished: async () => store.thinPublished(),
    close: async () => store.close(),
  };
}

/** Opens the file on a thread that reads, so that neither the application nor a commit waits for it. Throws `LogError` `io_failed`. */
export async function openAnchors(path: string, warn: (message: string) => void): Promise<AnchorHandle> {
  const remote = new Remote(workerPool.take('anchors', path), warn);
  try {
    await remote.call('open', path);
  } catch (error) {
    await remote.leave();
    throw error;
  }
  return {
    witness: (url) => remote.call('witness', url),
    publishedFrom: (size) => remote.call('publishedFrom', size),
    addSignatures: (published, lines, logSize) => remote.call('addSignatures', published, lines, logSize),
    putWitness: (record) => remote.call('putWitness', record),
    thinPublished: () => remote.call('thinPublished'),
    close: async () => {
      await remote.call('close').catch((error: unknown) => {
        if (!(error instanceof LogError)) throw error;
      });
      await remote.leave();
    },
  };
}

/** The side of the thread. */
export function serveAnchors(port: MessagePort): void {
  let opened: AnchorHandle | undefined;
  const store = (): AnchorHandle => {
    if (opened === undefined) throw new LogError('closed', 'the anchors are not open');
    return opened;
  };
  serve(port, {
    open: (path: string) => {
      opened = anchorsHere(AnchorStore.open(path));
    },
    witness: (url: string) => store().witness(url),
    publishedFrom: (size: number) => store().publishedFrom(size),
    addSignatures: (published: PublishedCheckpoint, lines: readonly string[], logSize?: number) =>
      store().addSignatures(published, lines, logSize),
    putWitness: (record: WitnessRecord) => store().putWitness(record),
    thinPublished: () => store().thinPublished(),
    close: () => store().close(),
  });
}
