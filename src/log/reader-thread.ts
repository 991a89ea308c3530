import { type MessagePort, Worker } from 'node:worker_threads';
import type { RecordedEvent } from '../event/index.ts';
import { LogError, type StoredEntry } from '../store/index.ts';
import type { LogPaths } from './paths.ts';
import type { Page, PageRequest } from './query.ts';
import type { Proof, SignedCheckpoint } from './reader.ts';
import { ReaderService } from './reader-service.ts';
import { Remote, serve } from './rpc.ts';
import type { Identity } from './writer.ts';

/** The reading half of a log, on this thread or on another. */
export interface ReaderHandle {
  readonly identity: Identity;
  checkpoint(): Promise<SignedCheckpoint>;
  get(id: string): Promise<RecordedEvent | undefined>;
  entries(from: number, to: number): Promise<StoredEntry[]>;
  prove(index: number): Promise<Proof>;
  proveId(id: string): Promise<Proof>;
  page(request: PageRequest): Promise<Page>;
  /** Throws `LogError` `rolled_back` where the log does not continue this state. */
  checkContinues(state: { readonly size: number; readonly root: string }): Promise<void>;
  /** How far the search index has come. */
  indexed(): Promise<{ readonly size: number; readonly complete: number }>;
  /** Says that there is something new to index; cheap, and may be called for every event. */
  wake(): void;
  close(): Promise<void>;
}

/** At most one wake-up message in so long, milliseconds. */
const WAKE_MS = 50;

interface Opening {
  readonly here: boolean;
  readonly warn: (message: string) => void;
}

/** Opens the reading half. */
export async function openReader(paths: LogPaths, { here, warn }: Opening): Promise<ReaderHandle> {
  return here ? hereHandle(await ReaderService.open(paths, warn)) : openThread(paths, warn);
}

function hereHandle(service: ReaderService): ReaderHandle {
  return {
    identity: service.identity,
    checkpoint: async () => service.checkpoint(),
    get: async (id) => service.get(id),
    entries: async (from, to) => service.entries(from, to),
    prove: async (at) => service.prove(at),
    proveId: async (id) => service.proveId(id),
    page: (request) => service.page(request),
    checkContinues: (state) => service.checkContinues(state),
    indexed: async () => service.indexed(),
    wake: () => {},
    close: () => service.close(),
  };
}

async function openThread(paths: LogPaths, warn: (message: string) => void): Promise<ReaderHandle> {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: { role: 'reader' } });
  const remote = new Remote(worker, warn);
  let identity: Identity;
  try {
    identity = await remote.call<Identity>('open', paths);
  } catch (error) {
    await remote.terminate();
    throw error;
  }
  let waking: NodeJS.Timeout | undefined;
  return {
    identity,
    checkpoint: () => remote.call('checkpoint'),
    get: (id) => remote.call('get', id),
    entries: (from, to) => remote.call('entries', from, to),
    prove: (at) => remote.call('prove', at),
    proveId: (id) => remote.call('proveId', id),
    page: (request) => remote.call('page', request),
    checkContinues: (state) => remote.call('checkContinues', state),
    indexed: () => remote.call('indexed'),
    wake: () => {
      waking ??= setTimeout(() => {
        waking = undefined;
        remote.tell('wake');
      }, WAKE_MS).unref();
    },
    close: async () => {
      clearTimeout(waking);
      await remote.call('close').catch((error: unknown) => {
        if (!(error instanceof LogError)) throw error;
      });
      await remote.terminate();
    },
  };
}

/** The reader's side of the thread. */
export function serveReader(port: MessagePort): void {
  let opened: ReaderService | undefined;
  const service = (): ReaderService => {
    if (opened === undefined) throw new LogError('closed', 'the log is not open');
    return opened;
  };
  serve(port, {
    open: async (paths: LogPaths) => {
      opened = await ReaderService.open(paths, (warning) => port.postMessage({ warning }));
      return opened.identity;
    },
    checkpoint: () => service().checkpoint(),
    get: (id: string) => service().get(id),
    entries: (from: number, to: number) => service().entries(from, to),
    prove: (index: number) => service().prove(index),
    proveId: (id: string) => service().proveId(id),
    page: (request: PageRequest) => service().page(request),
    checkContinues: (state: { readonly size: number; readonly root: string }) =>
      service().checkContinues(state),
    indexed: () => service().indexed(),
    wake: () => service().wake(),
    close: () => service().close(),
  });
}
