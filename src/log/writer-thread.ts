import type { MessagePort } from 'node:worker_threads';
import type { Draft } from '../event/index.ts';
import { type PlainError, plainError, reviveError } from '../platform/index.ts';
import { isLogError, LogError, type Scouring } from '../store/index.ts';
import type { CommitReply, Intake } from './commit.ts';
import type { ErasureOrder } from './erasure/index.ts';
import type { RetentionOrder } from './retention/applier.ts';
import type { PruneOrder } from './retention/prune-intake.ts';
import { Remote, serve } from './rpc.ts';
import { workerPool } from './worker-pool.ts';
import {
  type Erased,
  type Identity,
  type Pruned,
  type Retained,
  Writer,
  type WriterOptions,
  type WriterSeams,
} from './writer.ts';

/** A writer, on this thread or on another. */
export interface WriterHandle {
  readonly identity: Identity;
  commit(drafts: readonly Draft[]): Promise<CommitReply>;
  /** Records what an intake has; absent where the writer is on another thread. */
  readonly take?: (intake: Intake) => Promise<CommitReply>;
  /** The note that binds an evidence file of this log, by the hash of its content. */
  sealEvidence(digest: Uint8Array): Promise<string>;
  /** Erases a subject's values; see `Writer.erase`. */
  erase(order: ErasureOrder): Promise<Erased>;
  settleErasures(ids: readonly string[]): Promise<void>;
  /** See `Writer.retain`, and `Writer.scour`, which comes after it. */
  retain(order: RetentionOrder): Promise<Retained>;
  /** See `Writer.prune`. */
  prune(order: PruneOrder): Promise<Pruned>;
  scour(): Promise<Scouring>;
  close(): Promise<void>;
}

type PlainReply = Omit<CommitReply, 'refusals'> & {
  readonly refusals: readonly { readonly position: number; readonly error: PlainError }[];
};

/** Opens a writer on the caller's thread. */
export async function openWriterHere(options: WriterOptions, seams: WriterSeams): Promise<WriterHandle> {
  return handleOf(await Writer.open(options, seams));
}

/** A writer on this thread, as a log knows it. */
export function handleOf(writer: Writer): WriterHandle {
  return {
    identity: writer.identity,
    commit: (drafts) => writer.commit(drafts),
    take: (intake) => writer.commit(intake),
    sealEvidence: async (digest) => writer.sealEvidence(digest),
    erase: (order) => writer.erase(order),
    settleErasures: (ids) => writer.settleErasures(ids),
    retain: (order) => writer.retain(order),
    prune: (order) => writer.prune(order),
    scour: () => writer.scour(),
    close: () => writer.close(),
  };
}

/** Opens a writer on a thread that it shares with writers of other logs. */
export async function openWriterThread(
  options: WriterOptions,
  warn: (message: string) => void,
): Promise<WriterHandle> {
  const remote = new Remote(workerPool.take('writer', options.paths.database), warn);
  try {
    const identity = await remote.call<Identity>('open', options);
    return {
      identity,
      commit: async (drafts) =>
        withErrors(await remote.call<PlainReply>('commit', drafts).catch(unknownIfLost)),
      sealEvidence: (digest) => remote.call('sealEvidence', digest),
      erase: (order) => remote.call<Erased>('erase', order).catch(unknownIfLost),
      settleErasures: (ids) => remote.call('settleErasures', ids),
      retain: (order) => remote.call<Retained>('retain', order).catch(unknownIfLost),
      prune: (order) => remote.call<Pruned>('prune', order).catch(unknownIfLost),
      scour: () => remote.call<Scouring>('scour'),
      close: async () => {
        await remote.call('close').catch((error: unknown) => {
          if (!(error instanceof LogError)) throw error;
        });
        await remote.leave();
      },
    };
  } catch (error) {
    await remote.leave();
    throw error;
  }
}

/** A thread that died took the answer with it: what it was writing may be on the disk, or not. */
function unknownIfLost(error: unknown): never {
  if (!isLogError(error, 'worker_failed')) throw error;
  throw new LogError('outcome_unknown', 'the writing thread ended; whether the commit landed is unknown', {
    cause: error,
    hint: 'open the log again; repeats with the same ids tell what landed',
  });
}

/** The writer's side of the thread. `gather` hands over every message that already waits at the port. */
export function serveWriter(
  port: MessagePort,
  gather: (take: (message: unknown) => void) => Promise<void> | undefined,
): void {
  let opened: Writer | undefined;
  const writer = (): Writer => {
    if (opened === undefined) throw new LogError('closed', 'the log is not open');
    return opened;
  };
  const take: (message: unknown) => void = serve(port, {
    open: async (options: WriterOptions) => {
      opened = await Writer.open(options, {
        gather: () => gather(take),
        warn: (warning) => port.postMessage({ warning }),
      });
      return opened.identity;
    },
    erase: (order: ErasureOrder) => writer().erase(order),
    settleErasures: (ids: readonly string[]) => writer().settleErasures(ids),
    retain: (order: RetentionOrder) => writer().retain(order),
    prune: (order: PruneOrder) => writer().prune(order),
    scour: () => writer().scour(),
    commit: async (drafts: readonly Draft[]) => withoutErrors(await writer().commit(drafts)),
    sealEvidence: (digest: Uint8Array) => writer().sealEvidence(digest),
    close: () => writer().close(),
  });
}

function withoutErrors(reply: CommitReply): PlainReply {
  const refusals = reply.refusals.map(({ position, error }) => ({ position, error: plainError(error) }));
  return { ...reply, refusals };
}

function withErrors(reply: PlainReply): CommitReply {
  const refusals = reply.refusals.map(({ position, error }) => ({
    position,
    error: reviveError(error) as LogError,
  }));
  return { ...reply, refusals };
}
