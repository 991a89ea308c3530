import {
  type Actor,
  type HoldChange,
  holdsAfter,
  type PrunedArchive,
  prunedEvent,
  pruningId,
} from '../../event/index.ts';
import type { HeadTransaction } from '../../store/index.ts';
import type { Intake, TakenIn } from '../commit.ts';
import type { EraserParts } from '../erasure/eraser.ts';
import { prunedOf } from '../pruned.ts';
import { lookSince } from './applier.ts';

/** A part of a pruning, as it is asked of the writer. Plain data, so that it crosses threads. */
export interface PruneOrder {
  /** The entry that says the policy. */
  readonly policy: number;
  /** All that goes was recorded before this time, as the wall clock at `now` and the policy say. */
  readonly before: string;
  readonly now: number;
  /** The minimum index that is to be, and the log's own entries below it, which stay. */
  readonly below: number;
  readonly own: readonly number[];
  /** What was looked through: nothing of it is under a hold; and how much was known of the log then. */
  readonly size: number;
  readonly archive?: PrunedArchive;
  readonly actor?: Actor;
}

/** What has become of an order. */
export interface PruneTaken {
  /** How many entries lost their bytes. */
  readonly entries: number;
  /** Whether the policy or a hold was changed since, the clock set back, or the log pruned by somebody else, so that nothing was done. */
  readonly isStale: boolean;
  /** The id of the entry that records it. */
  readonly id?: string;
}

/**
 * A part of a pruning, as an intake of the commit path: the removal and the `log.pruned` entry that says so are one transaction, as
 * with an erasure (`../erasure/eraser.ts`), and what is true if we die is the same.
 */
export class PruneIntake implements Intake {
  readonly #order: PruneOrder;
  readonly #parts: Omit<EraserParts, 'id'> & { readonly wall: () => number };
  /** Known after `take`. */
  taken: PruneTaken = { entries: 0, isStale: true };

  constructor(order: PruneOrder, parts: Omit<EraserParts, 'id'> & { readonly wall: () => number }) {
    this.#order = order;
    this.#parts = parts;
  }

  async take(transaction: HeadTransaction): Promise<readonly TakenIn[]> {
    const { policy, before, now, below, own, size, archive, actor } = this.#order;
    const { pending, ownDraft, at, wall } = this.#parts;
    // A hold that was placed since the log was looked through is found now that nobody else can write; so is another policy.
    const since = await lookSince(transaction, size);
    const { number, minimum } = await prunedOf(transaction);
    const isHeld = holdsAfter(since.holds as HoldChange[]).length > 0;
    if (since.policies.length > 0 || isHeld || wall() < now || minimum > below) return [];
    await at('found');
    const entries = await transaction.prune({ below, keep: own });
    await at('withdrawn');
    const event = prunedEvent({
      ...{ number: number + 1, minimum: below, kept: own.length, entries, policy, before },
      ...(archive !== undefined && { archive }),
      ...(actor !== undefined && { actor }),
    });
    const id = pruningId(number + 1);
    pending.add(id);
    await at('pending');
    this.taken = { entries, isStale: false, id };
    return [{ draft: ownDraft(event) }];
  }

  settle(): void {}
}
