import { setTimeout as sleep } from 'node:timers/promises';
import { base64Encode, equalBytes, sha256, utf8Decode, utf8Encode } from '../bytes/index.ts';
import {
  clockJumpedEvent,
  type Draft,
  entryText,
  logOpenedEvent,
  type SealedDraft,
  sealDraft,
} from '../event/index.ts';
import type { Hash } from '../merkle/index.ts';
import { formatCheckpoint, type Signer, signNote } from '../note/index.ts';
import type { Clock } from '../platform/index.ts';
import {
  type Awaitable,
  type Head,
  type HeadTransaction,
  isLogError,
  LogError,
  type LogStore,
  type NewEntry,
} from '../store/index.ts';
import { checkTime, Edge } from './edge.ts';
import { LogSigner, type Signing } from './log-signer.ts';
import type { Mark } from './mark.ts';
import { type Answer, Known, repeated } from './repeats.ts';

/** A clock that parts from the monotonic one by more than this leaves a `log.clock_jumped` entry, milliseconds. */
export const CLOCK_STEP_MS_MAX = 1000;

/** The steps of the commit path at which a test may fail, or die. */
export type CommitStep = 'sealed' | 'taken' | 'answered' | 'signed' | 'appended' | 'committed' | 'released';

/** What tests hook into the commit path; shipped code passes none. */
export interface CommitHooks {
  at(step: CommitStep): void | Promise<void>;
}

/** What a {@link Committer} works with. */
export interface CommitterOptions extends Signing {
  readonly store: LogStore;
  readonly origin: string;
  readonly clock: Clock;
  readonly random: (bytes: number) => Uint8Array;
  /** Makes the draft of one of the log's own entries. */
  readonly ownDraft: (event: object) => Draft;
  readonly mark?: Mark | undefined;
  readonly hooks?: CommitHooks | undefined;
  /** Whether events are sealed as they arrive, while a server is waited for; where the disk is waited for here, that gains nothing. */
  readonly sealsAhead?: boolean | undefined;
  /** Whether the first commit leaves a `log.opened` entry: true for every writer but the log's creator. */
  readonly announce: boolean;
}

/** The answers to one batch, in the order of its drafts; arrays, so that they cross threads cheaply. */
export interface CommitReply {
  /** The index of each event, or -1 where it was refused. */
  readonly indexes: readonly number[];
  /** The leaf hash of each event, standard base64, or '' where it was refused. */
  readonly leafHashes: readonly string[];
  /** Why an event was refused, by its position. */
  readonly refusals: readonly { readonly position: number; readonly error: LogError }[];
  /** The signed checkpoint that covers all of them. */
  readonly checkpoint: string;
}

/**
 * Drafts that are only known once the head is held: what waits in an outbox. Whoever hands one in may act within the same
 * transaction, so that what it takes is recorded and gone in one step.
 */
export interface Intake {
  /** What is to be recorded, read under the head lock; with its sealed form where whoever handed it in has drawn nonce and salts. */
  take(transaction: HeadTransaction): Awaitable<readonly TakenIn[]>;
  /** Told what becomes of each, in the order of `take`, behind the append and before the commit: what it does is kept even where nothing is appended. */
  settle(transaction: HeadTransaction, answers: readonly Answer[]): Awaitable<void>;
}

/** One event that an intake hands in. */
export type TakenIn = { readonly draft: Draft; readonly sealed?: SealedDraft };

/** What one commit is made of. */
export type Work = readonly Draft[] | Intake;

/** Pauses before a commit that is known not to have landed is tried again, milliseconds. */
const AGAIN_MS = [0, 50, 200, 1000] as const;

/** An event that is in the transaction, not yet on the disk. */
interface Accepted extends NewEntry {
  readonly leaf: Hash;
}

/** The state after the last commit of this writer. */
interface State {
  readonly head: Head;
  readonly edge: Edge;
}

/**
 * Takes events into the log. This file is the story of one commit, told once; recovery is `open`, which
 * derives the same state from the disk, and everything here starts from that state.
 *
 * Calls of `commit` must not overlap. After an unknown outcome the committer is dead for good.
 */
export class Committer {
  readonly #options: CommitterOptions;
  #state: State | undefined;
  #dead: LogError | undefined;
  #announced: boolean;
  #clockOffset: number | undefined;
  readonly #signer: LogSigner;

  /** The signer that was in order at the last commit. */
  get signer(): Signer {
    return this.#signer.now;
  }

  constructor(options: CommitterOptions, state?: State) {
    this.#options = options;
    this.#signer = new LogSigner(options);
    this.#state = state;
    this.#announced = !options.announce;
  }

  /**
   * Records a batch of drafts, or what an intake has, in one transaction. Throws `LogError` when none of it was recorded. Where
   * the store knows that nothing landed (a lost race, a lost connection), it begins again by itself, a few times.
   */
  async commit(work: Work, ahead?: readonly SealedDraft[]): Promise<CommitReply> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#commit(work, ahead);
      } catch (error) {
        const pauseMs = AGAIN_MS[attempt];
        if (pauseMs === undefined || !isWorthAnother(error)) throw error;
        await sleep(pauseMs);
      }
    }
  }

  async #commit(work: Work, ahead: readonly SealedDraft[] | undefined): Promise<CommitReply> {
    if (this.#dead !== undefined) throw this.#dead;

    // 1. Seal: salts and the nonce are drawn, every sealed value is hashed. If we die here, or at any
    //    step before 4, the log has never heard of these events and nobody was told that it had.
    const { random, clock, mark } = this.#options;
    const intake = 'take' in work ? work : undefined;
    const given = 'take' in work ? undefined : { drafts: work, sealed: ahead ?? this.#seal(work) };
    await this.#at('sealed');

    // 2. Take the head. From here to the end of 4 nobody else can write.
    const transaction = await this.#options.store.begin(this.#state?.head.size);
    try {
      const state = await this.#catchUp(transaction);
      if (state !== undefined && mark?.due(state.head, clock.monotonic())) this.#moveMark(state);
      await this.#at('taken');
      //  An erasure takes its values away here, in this transaction (`erasure/eraser.ts`): they are gone when the entry that
      //  says so is there, at 4, and not before. If we die until then, they are all still there.
      const { drafts, sealed } = given ?? (await this.#takeIn(intake!, transaction));

      //  Repeats are answered with what is already there; new events get an index and their time.
      const own = this.#ownDrafts(state).map((draft) => sealDraft(draft, random));
      const recordedAt = Math.max(clock.wall(), state?.head.recordedAt ?? 0);
      const batch = new Batch(state?.head.size ?? 0, new Date(recordedAt).toISOString());
      for (const draft of own) batch.accept(draft);
      const known = new Known(transaction, state?.edge);
      const answers = await this.#answer(known, batch, drafts, sealed);
      await this.#at('answered');
      if (batch.isRepeatsOnly(own.length) && state !== undefined) {
        await intake?.settle(transaction, answers);
        await this.#leave(transaction, intake !== undefined);
        return reply(answers, this.#sign(state.edge, state.head.recordedAt));
      }

      // 3. Extend the tree by the bytes that are about to be stored, and sign its root. If we die here
      //    the signature dies with us: it has left no copy.
      const edge = state?.edge.clone() ?? Edge.empty();
      for (const { leaf } of batch.accepted) edge.append(leaf);
      const head = this.#sign(edge, recordedAt);
      await this.#at('signed');

      // 4. Store entries, disclosures, tiles and head, and wait for the disk. If we die before COMMIT
      //    returns, all of it is there or none of it is: a repeat with the same ids finds out.
      await transaction.append({ entries: batch.accepted, tiles: edge.takeTiles(), head });
      await intake?.settle(transaction, answers);
      await this.#at('appended');
      await this.#land(transaction);

      // 5. Release. What we answer from here on is on the disk; if we die now, the callers never learn
      //    it, and a repeat answers the same index.
      this.#state = { head, edge };
      this.#announced = true;
      this.#clockOffset = this.#offset();
      await this.#at('released');
      return reply(answers, head);
    } catch (error) {
      if (this.#dead === undefined) await transaction.rollback();
      throw this.#dead ?? error;
    }
  }

  /** Seals drafts before their turn: see {@link CommitterOptions.sealsAhead}. */
  get sealAhead(): ((drafts: readonly Draft[]) => readonly SealedDraft[]) | undefined {
    return this.#options.sealsAhead === true ? (drafts) => this.#seal(drafts) : undefined;
  }

  /** Moves the mark to the head that is on the disk, whoever wrote it; does nothing where it is there already. */
  async settle(): Promise<void> {
    const { mark, store } = this.#options;
    if (mark === undefined || this.#dead !== undefined || this.#state === undefined) return;
    if (!mark.lags(this.#state.head)) return;
    const transaction = await store.begin();
    try {
      // The head is compared with what we know, as before a commit: the mark is not taken back with the log.
      const state = await this.#catchUp(transaction);
      if (state !== undefined && mark.lags(state.head)) this.#moveMark(state);
    } finally {
      await transaction.rollback();
    }
  }

  /** What leaves the log is signed here, over what we hashed: a checkpoint that others stored is not passed on unread. */
  #moveMark({ head, edge }: State): void {
    const { mark, clock } = this.#options;
    mark?.move(this.#sign(edge, head.recordedAt), clock.monotonic());
  }

  /** The state of the taken head. What other writers added is hashed again before we sign over it. */
  async #catchUp(transaction: HeadTransaction): Promise<State | undefined> {
    const head = transaction.taken;
    const known = this.#state;
    if (head === undefined) {
      if (known === undefined) return undefined;
      throw new LogError('rolled_back', 'the head of the log is gone');
    }
    const same = known !== undefined && known.head.size === head.size;
    // What others wrote is followed only under a signature of the log's key: forged rows have none.
    if (!same) await this.#signer.check(transaction, head);
    const edge = same
      ? known.edge
      : await (known?.edge.follow(transaction, head) ?? Edge.load(transaction, head));
    if (same && !equalBytes(known.head.root, head.root)) {
      throw new LogError('rolled_back', `the root of the log at ${head.size} entries has changed`, {
        hint: 'its history was replaced; stop writing and verify against receipts',
      });
    }
    if (same) return known;
    await checkTime(transaction, head);
    this.#state = { head, edge };
    return this.#state;
  }

  /** The log's own entries that go in front of a batch. A log that is being created gets its genesis first. */
  #ownDrafts(state: State | undefined): Draft[] {
    if (state === undefined) return [];
    const { ownDraft, clock } = this.#options;
    const drafts: Draft[] = [];
    if (!this.#announced) drafts.push(ownDraft(logOpenedEvent()));
    const before = this.#clockOffset ?? 0;
    const step =
      this.#clockOffset === undefined
        ? Math.min(0, clock.wall() - state.head.recordedAt)
        : this.#offset() - before;
    if (Math.abs(step) > CLOCK_STEP_MS_MAX)
      drafts.push(ownDraft(clockJumpedEvent({ stepMs: Math.round(step) })));
    return drafts;
  }

  /** How far the wall clock is ahead of the monotonic one; constant while nobody sets the clock. */
  #offset(): number {
    return this.#options.clock.wall() - this.#options.clock.monotonic();
  }

  async #answer(
    known: Known,
    batch: Batch,
    drafts: readonly Draft[],
    sealed: readonly SealedDraft[],
  ): Promise<Answer[]> {
    const given = sealed.filter(({ givenId }) => givenId).map(({ id }) => id);
    const indexes = await known.find(given);
    const answers: Answer[] = [];
    for (const [position, draft] of sealed.entries()) {
      const index = indexes.get(draft.id) ?? batch.indexOf(draft.id);
      answers.push(
        index === undefined
          ? batch.accept(draft)
          : await repeated(() => batch.at(index) ?? known.at(index), drafts[position]!, {
              id: draft.id,
              index,
            }),
      );
    }
    return answers;
  }

  #sign(edge: Edge, recordedAt: number): Head {
    const { origin } = this.#options;
    const root = edge.root();
    const checkpoint = signNote(formatCheckpoint({ origin, size: edge.size, root }), [this.#signer.now]);
    return { size: edge.size, root, recordedAt, checkpoint };
  }

  #seal(drafts: readonly Draft[]): readonly SealedDraft[] {
    const { random } = this.#options;
    return drafts.map((draft) => sealDraft(draft, random));
  }

  /** Reads what waits, behind the lock: whoever held it before us has taken what it took. */
  async #takeIn(intake: Intake, transaction: HeadTransaction) {
    const taken = await intake.take(transaction);
    const sealed = taken.map(({ draft, sealed }) => sealed ?? sealDraft(draft, this.#options.random));
    return { drafts: taken.map(({ draft }) => draft), sealed };
  }

  /** Gives the head back where there is nothing to append; what an intake has done meanwhile is kept. */
  async #leave(transaction: HeadTransaction, keep: boolean): Promise<void> {
    if (keep) await this.#land(transaction);
    else await transaction.rollback();
  }

  async #land(transaction: HeadTransaction): Promise<void> {
    try {
      await transaction.commit();
      await this.#at('committed');
    } catch (error) {
      // A full disk wrote nothing, and SQLite has said so; a server that was lost is asked again, and what the store says
      // then is retryable. Of everything else the outcome is unknown.
      if (error instanceof LogError && error.retryable) throw error;
      this.#dead =
        error instanceof LogError && error.code === 'outcome_unknown'
          ? error
          : new LogError('outcome_unknown', 'the commit was cut short; whether it landed is unknown', {
              cause: error,
              hint: 'close the log and open it again; repeats with the same ids tell what landed',
            });
      throw this.#dead;
    }
  }

  async #at(step: CommitStep): Promise<void> {
    if (this.#options.hooks !== undefined) await this.#options.hooks.at(step);
  }
}

/** Whether a commit failed of which it is known that nothing of it landed, and another attempt may succeed at once. */
function isWorthAnother(error: unknown): boolean {
  return isLogError(error) && error.retryable && ['head_moved', 'unreachable'].includes(error.code);
}

/** The entries of one transaction. */
class Batch {
  readonly accepted: Accepted[] = [];
  readonly #from: number;
  readonly #recordedAt: string;
  readonly #byId = new Map<string, number>();

  constructor(from: number, recordedAt: string) {
    this.#from = from;
    this.#recordedAt = recordedAt;
  }

  /** Gives the event the next index, and its bytes. */
  accept(draft: SealedDraft): { readonly index: number; readonly leaf: Hash } {
    // RFC 6962, section 2.1: a leaf is hashed behind a zero byte. Encoded together, so that what is
    // hashed and what is stored are the same bytes in memory.
    const prefixed = utf8Encode(`\u0000${entryText(draft, this.#recordedAt)}`);
    const leaf = sha256(prefixed);
    const index = this.#from + this.accepted.length;
    if (draft.givenId) this.#byId.set(draft.id, index);
    this.accepted.push({ id: draft.id, entry: prefixed.subarray(1), disclosures: draft.disclosures, leaf });
    return { index, leaf };
  }

  indexOf(id: string): number | undefined {
    return this.#byId.get(id);
  }

  at(index: number): Accepted | undefined {
    return this.accepted[index - this.#from];
  }

  isRepeatsOnly(own: number): boolean {
    return this.accepted.length === own;
  }
}

function reply(answers: readonly Answer[], head: Head): CommitReply {
  const refusals: { position: number; error: LogError }[] = [];
  const indexes: number[] = [];
  const leafHashes: string[] = [];
  for (const [position, answer] of answers.entries()) {
    const refused = 'error' in answer;
    if (refused) refusals.push({ position, error: answer.error });
    indexes.push(refused ? -1 : answer.index);
    leafHashes.push(refused ? '' : base64Encode(answer.leaf));
  }
  return { indexes, leafHashes, refusals, checkpoint: utf8Decode(head.checkpoint) };
}
