import type { Draft, SealedDraft } from '../event/index.ts';
import { LogError } from '../store/index.ts';
import type { CommitReply, Intake, Work } from './commit.ts';

/**
 * Events that share one transaction at most. The wait for the disk is a twentieth of so many; in larger groups callers and
 * writer would take turns instead of working at the same time.
 */
export const GROUP_EVENTS_MAX = 512;

interface Waiting {
  readonly drafts: readonly Draft[];
  /** In place of drafts: it has a transaction of its own. */
  readonly intake?: Intake;
  /** The drafts sealed, where that was done while another commit was waited for. */
  readonly sealed?: readonly SealedDraft[] | undefined;
  readonly resolve: (reply: CommitReply) => void;
  readonly reject: (error: unknown) => void;
}

/** What a {@link GroupCommit} drives. */
export interface Commits {
  commit(work: Work, sealed?: readonly SealedDraft[]): Promise<CommitReply>;
  /** Seals drafts ahead of their commit, where that fills the time in which a server is waited for. */
  readonly sealAhead?: ((drafts: readonly Draft[]) => readonly SealedDraft[]) | undefined;
}

/**
 * Lets callers share transactions: while one commit waits for the disk, everything that arrives
 * gathers, and goes together next.
 */
export class GroupCommit {
  readonly #committer: Commits;
  readonly #gather: () => Promise<void> | undefined;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #closed = false;

  /**
   * `gather` fetches what has arrived and not been handed over yet (a thread's port), perhaps after others had their turn; by
   * default nothing.
   */
  constructor(committer: Commits, gather: () => Promise<void> | undefined = () => undefined) {
    this.#committer = committer;
    this.#gather = gather;
  }

  /** Records these drafts, in this order, within one transaction; or what an intake has, in its turn, in one of its own. */
  submit(work: Work): Promise<CommitReply> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new LogError('closed', 'the log is closed'));
        return;
      }
      const what = 'take' in work ? { drafts: [], intake: work } : { drafts: work };
      const sealed = this.#running === undefined ? undefined : this.#committer.sealAhead?.(what.drafts);
      this.#waiting.push({ ...what, sealed, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Runs `work` while no commit does, before later submissions. */
  async idle(work: () => Promise<void>): Promise<void> {
    while (this.#running !== undefined) await this.#running;
    const done = work();
    this.#running = done
      .catch(() => {})
      .then(() => {
        this.#running = undefined;
        if (this.#waiting.length > 0) this.#running = this.#run();
      });
    await done;
  }

  /** Resolves when everything submitted has been answered; later submissions are refused. */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    // One turn, so that callers of the same tick travel together.
    await Promise.resolve();
    for (;;) {
      await this.#gather();
      // What was gathered submits itself in the microtasks before this one.
      await Promise.resolve();
      const group = this.#take();
      if (group.length === 0) break;
      await this.#commit(group);
    }
    this.#running = undefined;
  }

  #take(): Waiting[] {
    let events = 0;
    let count = 0;
    for (const { drafts, intake } of this.#waiting) {
      if (count > 0 && (intake !== undefined || events + drafts.length > GROUP_EVENTS_MAX)) break;
      events += drafts.length;
      count += 1;
      if (intake !== undefined) break;
    }
    return this.#waiting.splice(0, count);
  }

  /** What of a group was sealed ahead, and the rest now. */
  #sealed(group: readonly Waiting[]): SealedDraft[] | undefined {
    const { sealAhead } = this.#committer;
    if (sealAhead === undefined || group[0]?.intake !== undefined) return undefined;
    return group.flatMap(({ drafts, sealed }) => sealed ?? sealAhead(drafts));
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    try {
      const only = group.length === 1 ? group[0] : undefined;
      const work = only?.intake ?? only?.drafts ?? group.flatMap(({ drafts }) => drafts);
      const reply = await this.#committer.commit(work, this.#sealed(group));
      let from = 0;
      for (const { drafts, resolve } of group) {
        resolve(only === undefined ? part(reply, from, from + drafts.length) : reply);
        from += drafts.length;
      }
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }
}

function part(reply: CommitReply, from: number, to: number): CommitReply {
  return {
    indexes: reply.indexes.slice(from, to),
    leafHashes: reply.leafHashes.slice(from, to),
    refusals: reply.refusals
      .filter(({ position }) => position >= from && position < to)
      .map(({ position, error }) => ({ position: position - from, error })),
    checkpoint: reply.checkpoint,
  };
}
