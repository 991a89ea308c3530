import { utf8Decode } from '../bytes/index.ts';
import { type Draft, prepareEvent } from '../event/index.ts';
import { type Signer, signNote, type VerifierKey } from '../note/index.ts';
import { type Clock, randomBytes, systemClock, uuidv7 } from '../platform/index.ts';
import {
  type Head,
  isLogError,
  LogError,
  type LogStore,
  type Scouring,
  SqliteStore,
} from '../store/index.ts';
import { evidenceSealText, type KeyTimeline } from '../verify/index.ts';
import { type CommitHooks, type CommitReply, Committer, type Work } from './commit.ts';
import { checkTime, Edge } from './edge.ts';
import {
  ErasureIntake,
  type ErasureOrder,
  type ErasureStep,
  type Finished,
  Pending,
  SCOUR_MS_MAX,
  Scourer,
  type Taken,
  type Unfinished,
} from './erasure/index.ts';
import { inOurWords } from './failure.ts';
import { genesisOf } from './genesis.ts';
import { GroupCommit } from './group.ts';
import { currentSigner, signerOf } from './keys.ts';
import { keysOf } from './log-timeline.ts';
import { MARK_INTERVAL_MS, Mark } from './mark.ts';
import type { LogPaths } from './paths.ts';
import { RetentionIntake, type RetentionOrder, type RetentionTaken } from './retention/applier.ts';
import { PruneIntake, type PruneOrder, type PruneTaken } from './retention/prune-intake.ts';
import { checkHead, notTheKey } from './signed-head.ts';

/** What a writer is opened with; plain data, so that it crosses to a thread. */
export interface WriterOptions {
  readonly paths: LogPaths;
  readonly service: string;
  /** A UUID of this process start. */
  readonly instance: string;
  readonly announce: boolean;
  /** The signing key itself, where the caller unwraps it rather than keeping it in a file. */
  readonly keyText?: string | undefined;
}

/** A writer over a store that is there already. */
export interface StoreWriterOptions {
  readonly service: string;
  readonly instance: string;
  readonly announce: boolean;
  /**
   * The signer of the log of this origin, which one of these keys signs now. Asked when the log is opened, and again when the key
   * was replaced meanwhile. Throws `LogError` `key_missing` and the like.
   */
  readonly signer: (origin: string, keys: readonly VerifierKey[]) => Signer | Promise<Signer>;
  /** Where the mark lies; without one, nobody notices an older copy in the log's place when it is opened. */
  readonly mark: string | undefined;
  /** Where it is remembered that an erasure is not finished; without a place, nobody finishes it after a crash. */
  readonly erasing?: string | undefined;
  /** The search index, a file, which an erasure drops. */
  readonly index?: string | undefined;
  /** Whether commits are waited for elsewhere than on this thread. */
  readonly isRemote?: boolean;
}

/** What tests replace, on the caller's own thread. */
export interface WriterSeams {
  readonly clock?: Clock;
  readonly hooks?: CommitHooks;
  readonly erasing?: (step: ErasureStep) => void | Promise<void>;
  readonly gather?: () => Promise<void> | undefined;
  readonly warn?: (message: string) => void;
}

/** What is known of a log once it has been opened. */
export interface Identity {
  readonly origin: string;
  /** The verifier key of the key that signs now. */
  readonly vkey: string;
  readonly personalIds: 'refuse' | 'allow' | 'pseudonymise';
  readonly size: number;
  /** Erasures that another process began and this opening has scoured after: to be settled by whoever opened it. */
  readonly unfinished?: readonly Unfinished[];
}

/** What an erasure has done, as far as the writer knows. */
export interface Erased extends Finished {
  readonly below: number;
  /** The entry that records it, and what was removed; or the record from before that covers all, so that none was added. */
  readonly done:
    | (Taken & { readonly id: string; readonly index: number })
    | { readonly alreadyErased: number };
}

/** What a part of an application of retention has done. */
export interface Retained extends RetentionTaken {
  /** The entry that records it; absent where nothing was removed. */
  readonly id?: string;
  readonly index?: number;
}

/** What a part of a pruning has done. */
export interface Pruned extends PruneTaken {
  /** The entry that records it; absent where nothing was done. */
  readonly index?: number;
}

/** The one place where a log is written: its store, its key, its queue of commits. */
export class Writer {
  readonly identity: Identity;
  readonly #store: LogStore;
  readonly #committer: Committer;
  readonly #group: GroupCommit;
  readonly #erasing: Erasing;
  #settling: NodeJS.Timeout | undefined;

  private constructor(
    identity: Identity,
    store: LogStore,
    committer: Committer,
    erasing: Erasing,
    gather?: WriterSeams['gather'],
  ) {
    this.identity = identity;
    this.#store = store;
    this.#committer = committer;
    this.#erasing = erasing;
    this.#group = new GroupCommit(committer, gather);
  }

  /**
   * Opens the log for writing. Everything that the next signature will rest on is derived from the disk
   * and compared first: the schema, the genesis entry, the head's signature and time, the root that follows
   * from the stored right edge, the mark. Throws `LogError`.
   */
  static async open(options: WriterOptions, seams: WriterSeams = {}): Promise<Writer> {
    const clock = seams.clock ?? systemClock;
    const store = SqliteStore.open(options.paths.database, {
      jitter: Math.random,
      now: () => clock.monotonic(),
    });
    const { paths, keyText } = options;
    const signer = (origin: string, keys: readonly VerifierKey[]): Signer =>
      keyText === undefined ? currentSigner(paths, origin, keys) : signerOf(keyText, origin);
    const { mark, erasing, index } = paths;
    return Writer.over(store, { ...options, signer, mark, erasing, index }, seams);
  }

  /** As {@link open}, over a store of any kind, which it closes when it fails, and when it is closed. */
  static async over(store: LogStore, options: StoreWriterOptions, seams: WriterSeams = {}): Promise<Writer> {
    const clock = seams.clock ?? systemClock;
    try {
      const head = await mustHaveHead(store);
      const { origin, personalIds } = genesisOf((await store.readEntries(0, 1))[0]);
      const keys = await keysOf(store);
      const { timeline } = keys;
      const signer = await options.signer(origin, timeline.current);
      if (!timeline.current.some(({ text }) => text === signer.vkey))
        throw notTheKey(signer.vkey, keys, 'key_mismatch');
      checkHead(head, timeline);
      const edge = await Edge.load(store, head);
      await checkTime(store, head);
      const mark = await markOf({ store, head, timeline, clock }, options.mark, seams.warn);
      const committer = new Committer(
        {
          store,
          origin,
          signer,
          keys,
          renew: (current) => renewed(options, origin, current),
          clock,
          random: randomBytes,
          ownDraft: (event) => ownDraft(event, options, clock),
          mark,
          hooks: seams.hooks,
          announce: options.announce,
          sealsAhead: options.isRemote,
        },
        { head, edge },
      );
      const erasing = erasingOf(store, options, clock, seams);
      const { unfinished, scouring } = await erasing.scourer.finish();
      if (scouring.why !== undefined) seams.warn?.(`an erasure is not finished: ${scouring.why}`);
      const identity = {
        origin,
        vkey: signer.vkey,
        personalIds,
        size: head.size,
        unfinished: scouring.isClean ? unfinished : [],
      };
      return new Writer(identity, store, committer, erasing, seams.gather);
    } catch (error) {
      await store.close();
      throw inOurWords(error);
    }
  }

  /** Records drafts, or what an intake has; see `GroupCommit.submit`. */
  async commit(work: Work): Promise<CommitReply> {
    const reply = await this.#group.submit(work);
    // The mark follows soon after the last commit of a burst; during one, the next commit moves it.
    this.#settling ??= setTimeout(() => this.#settle(), MARK_INTERVAL_MS).unref();
    return reply;
  }

  /** The note that binds an evidence file to this log. What it signs begins with a header of its own, and can be no checkpoint. */
  sealEvidence(digest: Uint8Array): string {
    return utf8Decode(signNote(evidenceSealText(this.identity.origin, digest), [this.#committer.signer]));
  }

  /**
   * Erases a subject's values: their removal and its record are one transaction, and then no file keeps a byte, nor of any erasure
   * from before that is not finished. Where a record covers everything already, nothing is recorded. The caller settles what is
   * unfinished when nothing is left anywhere else. Throws `LogError` `held`, and what `commit` throws: then nothing was erased, except after
   * `outcome_unknown`.
   */
  async erase(order: ErasureOrder): Promise<Erased> {
    const { pending, scourer, ownDraft, at, newId } = this.#erasing;
    const id = newId();
    const intake = new ErasureIntake(order, { pending, id, ownDraft, at });
    const { indexes } = await this.commit(intake);
    await at('recorded');
    const { before } = intake;
    let finished: Finished | undefined;
    await this.#group.idle(async () => {
      if (before === undefined) scourer.begun(id);
      const forgotten = before && (await scourer.forget(order.subject));
      finished = await scourer.finish(order.filesWaitMs ?? SCOUR_MS_MAX);
      if (finished.scouring.isClean && forgotten !== undefined)
        finished = { ...finished, scouring: forgotten };
    });
    if (before !== undefined)
      return { ...finished!, below: before.below, done: { alreadyErased: before.index } };
    const { below, ...taken } = intake.taken!;
    return { ...finished!, below, done: { ...taken, id, index: indexes[0]! } };
  }

  /**
   * Removes values that have passed their period: their removal and its record are one transaction. The caller has the files scoured,
   * and settles it as an erasure. Throws what `commit` throws: then nothing was removed, except after `outcome_unknown`.
   */
  async retain(order: RetentionOrder): Promise<Retained> {
    const { pending, ownDraft, at, newId, wall } = this.#erasing;
    const id = newId();
    const intake = new RetentionIntake(order, { pending, id, ownDraft, at, wall });
    const { indexes } = await this.commit(intake);
    await at('recorded');
    const [index] = indexes;
    return index === undefined ? intake.taken : { ...intake.taken, id, index };
  }

  /** Prunes the log: the removal and its record are one transaction. The caller has the files scoured, and settles it, as {@link retain}. */
  async prune(order: PruneOrder): Promise<Pruned> {
    const { pending, ownDraft, at, wall } = this.#erasing;
    const intake = new PruneIntake(order, { pending, ownDraft, at, wall });
    const { indexes } = await this.commit(intake);
    await at('recorded');
    const [index] = indexes;
    return index === undefined ? intake.taken : { ...intake.taken, index };
  }

  /** Leaves no byte in the files of what is not in the log any more. */
  async scour(): Promise<Scouring> {
    let scouring: Scouring | undefined;
    await this.#group.idle(async () => {
      scouring = await this.#erasing.scourer.scour([]);
    });
    return scouring!;
  }

  /** Says that nothing is left of these erasures, here or elsewhere. */
  settleErasures(ids: readonly string[]): Promise<void> {
    return this.#group.idle(() => this.#erasing.scourer.settle(ids));
  }

  /** Answers everything that was submitted, moves the mark, releases the files. Idempotent. */
  async close(): Promise<void> {
    clearTimeout(this.#settling);
    await this.#group.close();
    await this.#committer.settle().catch(() => {});
    await this.#store.close();
  }

  #settle(): void {
    this.#settling = undefined;
    // The lock is taken for a moment between commits; a failure here leaves a mark that lags.
    this.#group.idle(() => this.#committer.settle()).catch(() => {});
  }
}

/** What a writer erases with. */
interface Erasing {
  readonly pending: Pending;
  readonly scourer: Scourer;
  readonly ownDraft: (event: object) => Draft;
  readonly newId: () => string;
  readonly wall: () => number;
  readonly at: (step: ErasureStep) => void | Promise<void>;
}

function erasingOf(
  store: LogStore,
  options: StoreWriterOptions,
  clock: Clock,
  { erasing: at = () => {} }: WriterSeams,
): Erasing {
  const pending = new Pending(options.erasing);
  return {
    pending,
    scourer: new Scourer({ store, pending, index: options.index, at }),
    ownDraft: (event) => ownDraft(event, options, clock),
    newId: () => uuidv7(clock.wall()),
    wall: () => clock.wall(),
    at,
  };
}

/** The draft of one of the log's own entries: it takes no sequence number of the application's. */
export function ownDraft(
  event: object,
  options: Pick<WriterOptions, 'service' | 'instance'>,
  clock: Clock,
): Draft {
  const now = clock.wall();
  return prepareEvent(event, {
    id: uuidv7(now),
    occurredAt: new Date(now).toISOString(),
    now,
    source: { service: options.service, instance: options.instance, seq: null },
    personalIds: 'allow',
    own: true,
  });
}

async function mustHaveHead(store: LogStore): Promise<Head> {
  const head = await store.head();
  if (head === undefined)
    throw new LogError('log_damaged', 'the log has no head: its creation did not finish');
  return head;
}

/** The key that signs now, where it can be had by now; undefined where it cannot. */
async function renewed(
  options: StoreWriterOptions,
  origin: string,
  current: readonly VerifierKey[],
): Promise<Signer | undefined> {
  try {
    return await options.signer(origin, current);
  } catch (error) {
    if (isLogError(error)) return undefined;
    throw error;
  }
}

/** The mark at `path`, compared with the log and moved; undefined where none is kept. */
async function markOf(
  log: { store: LogStore; head: Head; timeline: KeyTimeline; clock: Clock },
  path: string | undefined,
  warn: (message: string) => void = () => {},
): Promise<Mark | undefined> {
  if (path === undefined) return undefined;
  const { store, head, timeline, clock } = log;
  const mark = new Mark(path, warn);
  const marked = await mark.check(store, timeline);
  if (!marked && head.size > 1) {
    warn(`there is no mark at ${path}: that this is not an older copy cannot be told from here`);
  }
  await placeMark({ mark, store, clock }, (taken) => checkHead(taken, timeline));
  return mark;
}

/** The mark is moved once at open, so that a place where it cannot be kept is known before it is needed. */
export async function placeMark(
  { mark, store, clock }: { mark: Mark; store: LogStore; clock: Clock },
  check: (head: Head) => void,
): Promise<void> {
  const transaction = await store.begin();
  try {
    const head = transaction.taken;
    if (head === undefined || !mark.lags(head)) return;
    check(head);
    mark.write(head, clock.monotonic());
  } catch (cause) {
    if (isLogError(cause)) throw cause;
    throw new LogError('io_failed', `the mark cannot be kept at ${mark.path}: ${(cause as Error).message}`, {
      cause,
      hint: 'say where it may lie (mark, --mark), outside the folder of the log',
    });
  } finally {
    await transaction.rollback();
  }
}
