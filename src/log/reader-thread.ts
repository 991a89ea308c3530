import type { MessagePort } from 'node:worker_threads';
import type { Page, RecordedEvent } from '../event/index.ts';
import type { Hash, Tile } from '../merkle/index.ts';
import { LogError, type StoredEntry } from '../store/index.ts';
import type { Scan } from './erasure/scan.ts';
import type { KeyHistory } from './log-timeline.ts';
import type { LogPaths } from './paths.ts';
import type { PageRequest, Rows, Stats, StatsRequest } from './query.ts';
import type { Proof, SignedCheckpoint } from './reader.ts';
import { ReaderService, type ScanRequest } from './reader-service.ts';
import type { Due, DueRequest } from './retention/due.ts';
import type { Prunable, PrunableRequest } from './retention/prunable.ts';
import { Remote, serve } from './rpc.ts';
import type { Growth } from './under.ts';
import { workerPool } from './worker-pool.ts';
import type { Identity } from './writer.ts';

/** The reading half of a log, on this thread or on another. */
export interface ReaderHandle {
  readonly identity: Identity;
  /** Whether its thread has ended, so that it answers nothing more. */
  isLost(): boolean;
  checkpoint(): Promise<SignedCheckpoint>;
  /** Who signs the log, and which entries say so. */
  keys(): Promise<KeyHistory>;
  get(id: string): Promise<RecordedEvent | undefined>;
  entries(from: number, to: number): Promise<StoredEntry[]>;
  /** Under the checkpoint `under` where it covers the entry, else under the newest. */
  prove(index: number, under?: string): Promise<Proof>;
  proveId(id: string, under?: string): Promise<Proof>;
  /** The consistency proof between two sizes. */
  proveGrowth(growth: Growth): Promise<Hash[]>;
  page(request: PageRequest): Promise<Page>;
  /** A page with the leaf of each event, and its entry if asked for. */
  rows(request: PageRequest, withEntries: boolean): Promise<Rows>;
  /** Counts over what fits a filter. */
  stats(request: StatsRequest): Promise<Stats>;
  /** The entry recorded under `id`, as it is stored. */
  find(id: string): Promise<StoredEntry | undefined>;
  /** Proofs of several entries under one checkpoint. */
  proveMany(indexes: readonly number[]): Promise<Proof[]>;
  /** A tile of hashes, and a bundle of entries, as they are published; undefined where the tree has not come so far. */
  tile(tile: Tile): Promise<Uint8Array | undefined>;
  bundle(index: number, width: number): Promise<Uint8Array | undefined>;
  /** Throws `LogError` `rolled_back` where the log does not continue this state. */
  checkContinues(state: { readonly size: number; readonly root: string }): Promise<void>;
  /** Looks through entries for a subject's values, and for what is said of holds: every entry, not the index. */
  scan(request: ScanRequest): Promise<Scan>;
  /** Looks through entries for values that have passed their period. */
  due(request: DueRequest): Promise<Due>;
  /** Looks through entries for what a pruning leaves, and for what keeps it from going further. */
  prunable(request: PrunableRequest): Promise<Prunable>;
  /** The minimum index to which the log was pruned; 0 where it was not. */
  minimum(): Promise<number>;
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
  return here ? readHere(await ReaderService.open(paths, warn)) : openThread(paths, warn);
}

/** A reader on this thread, as a log knows it. */
export function readHere(service: ReaderService): ReaderHandle {
  return {
    identity: service.identity,
    isLost: () => false,
    checkpoint: async () => service.checkpoint(),
    keys: async () => service.keys(),
    get: async (id) => service.get(id),
    entries: async (from, to) => service.entries(from, to),
    prove: async (at, under) => service.prove(at, under),
    proveId: async (id, under) => service.proveId(id, under),
    proveGrowth: (growth) => service.proveGrowth(growth),
    page: (request) => service.page(request),
    rows: (request, withEntries) => service.rows(request, withEntries),
    stats: (request) => service.stats(request),
    find: async (id) => service.find(id),
    proveMany: (indexes) => service.proveMany(indexes),
    tile: (tile) => service.tile(tile),
    bundle: async (at, width) => service.bundle(at, width),
    checkContinues: (state) => service.checkContinues(state),
    scan: (request) => service.scan(request),
    due: (request) => service.due(request),
    prunable: (request) => service.prunable(request),
    minimum: async () => service.minimum(),
    indexed: async () => service.indexed(),
    wake: () => {},
    close: () => service.close(),
  };
}

async function openThread(paths: LogPaths, warn: (message: string) => void): Promise<ReaderHandle> {
  const remote = new Remote(workerPool.take('reader', paths.database), warn);
  let identity: Identity;
  try {
    identity = await remote.call<Identity>('open', paths);
  } catch (error) {
    await remote.leave();
    throw error;
  }
  let waking: NodeJS.Timeout | undefined;
  return {
    identity,
    isLost: () => remote.isGone,
    checkpoint: () => remote.call('checkpoint'),
    keys: () => remote.call('keys'),
    get: (id) => remote.call('get', id),
    entries: (from, to) => remote.call('entries', from, to),
    prove: (at, under) => remote.call('prove', at, under),
    proveId: (id, under) => remote.call('proveId', id, under),
    proveGrowth: (growth) => remote.call('proveGrowth', growth),
    page: (request) => remote.call('page', request),
    rows: (request, withEntries) => remote.call('rows', request, withEntries),
    stats: (request) => remote.call('stats', request),
    find: (id) => remote.call('find', id),
    proveMany: (indexes) => remote.call('proveMany', indexes),
    tile: (tile) => remote.call('tile', tile),
    bundle: (at, width) => remote.call('bundle', at, width),
    checkContinues: (state) => remote.call('checkContinues', state),
    scan: (request) => remote.call('scan', request),
    due: (request) => remote.call('due', request),
    prunable: (request) => remote.call('prunable', request),
    minimum: () => remote.call('minimum'),
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
      await remote.leave();
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
    keys: () => service().keys(),
    get: (id: string) => service().get(id),
    entries: (from: number, to: number) => service().entries(from, to),
    prove: (index: number, under?: string) => service().prove(index, under),
    proveId: (id: string, under?: string) => service().proveId(id, under),
    proveGrowth: (growth: Growth) => service().proveGrowth(growth),
    page: (request: PageRequest) => service().page(request),
    rows: (request: PageRequest, withEntries: boolean) => service().rows(request, withEntries),
    stats: (request: StatsRequest) => service().stats(request),
    find: (id: string) => service().find(id),
    proveMany: (indexes: readonly number[]) => service().proveMany(indexes),
    tile: (tile: Tile) => service().tile(tile),
    bundle: (index: number, width: number) => service().bundle(index, width),
    checkContinues: (state: { readonly size: number; readonly root: string }) =>
      service().checkContinues(state),
    scan: (request: ScanRequest) => service().scan(request),
    due: (request: DueRequest) => service().due(request),
    prunable: (request: PrunableRequest) => service().prunable(request),
    minimum: () => service().minimum(),
    indexed: () => service().indexed(),
    wake: () => service().wake(),
    close: () => service().close(),
  });
}
