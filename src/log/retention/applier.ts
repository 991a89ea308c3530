import {
  type Actor,
  type HoldChange,
  holdsAfter,
  type RetentionReach,
  retentionAppliedEvent,
} from '../../event/index.ts';
import type { HeadTransaction } from '../../store/index.ts';
import type { Intake, TakenIn } from '../commit.ts';
import { type EraserParts, type Taken, withdraw } from '../erasure/eraser.ts';
import { emptyScan, SCAN_ENTRIES, type Scan, Scanner } from '../erasure/scan.ts';
import { type Due, dueAmong, type Kept } from './due.ts';

/** A part of an application of the policy, as it is asked of the writer. Plain data, so that it crosses threads. */
export interface RetentionOrder {
  /** The entry that says the policy. */
  readonly policy: number;
  readonly rules: readonly RetentionReach[];
  /** The time of the wall clock at which the rules reach as far as they do, milliseconds. */
  readonly now: number;
  /** Entries with values that are due, by rising index, among the first `size`; and what is said of holds in those. */
  readonly indexes: readonly number[];
  readonly size: number;
  readonly holds: readonly HoldChange[];
  readonly actor?: Actor;
}

/** What has become of an order. */
export interface RetentionTaken extends Taken {
  readonly held: readonly Kept[];
  /** Whether the policy was changed since, or the clock set back, so that nothing was done. */
  readonly isStale: boolean;
}

const nothing = { values: 0, entries: 0, digest: '', held: [] };

/**
 * A part of an application of the policy, as an intake of the commit path: what it removes, and the `log.retention_applied` entry
 * that says so, are one transaction, as with an erasure (`../erasure/eraser.ts`), and what is true if we die is the same.
 */
export class RetentionIntake implements Intake {
  readonly #order: RetentionOrder;
  readonly #parts: EraserParts & { readonly wall: () => number };
  /** Known after `take`. */
  taken: RetentionTaken = { ...nothing, isStale: false };

  constructor(order: RetentionOrder, parts: EraserParts & { readonly wall: () => number }) {
    this.#order = order;
    this.#parts = parts;
  }

  async take(transaction: HeadTransaction): Promise<readonly TakenIn[]> {
    const { rules, now, indexes, size, policy, actor } = this.#order;
    const { pending, id, ownDraft, at, wall } = this.#parts;
    // A hold that was placed since the log was looked through is found now that nobody else can write; so is another policy.
    const since = await lookSince(transaction, size);
    if (since.policies.length > 0 || wall() < now) {
      this.taken = { ...nothing, isStale: true };
      return [];
    }
    await at('found');
    const due: Due = { found: [], held: [], next: 0 };
    const holds = holdsAfter([...this.#order.holds, ...since.holds]);
    const wanted = new Set(indexes);
    for (const [from, to] of windows(indexes)) {
      const entries = await transaction.readEntries(from, to);
      const some = entries.filter(({ index }) => wanted.has(index));
      dueAmong(some, { rules, holds }, due);
    }
    const { held } = due;
    if (due.found.length === 0) {
      this.taken = { ...nothing, held, isStale: false };
      return [];
    }
    const taken = await withdraw(transaction, due.found, []);
    await at('withdrawn');
    this.taken = { ...taken, held, isStale: false };
    pending.add(id);
    await at('pending');
    const heldBy = held.map(({ hold }) => hold);
    const applying = { ...taken, rules, policy, heldBy, ...(actor && { actor }) };
    return [{ draft: ownDraft({ ...retentionAppliedEvent(applying), id }) }];
  }

  settle(): void {}
}

/** What was said of holds and of the policy behind the first `size` entries, now that nobody else can write. */
export async function lookSince(transaction: HeadTransaction, size: number): Promise<Scan> {
  const end = transaction.taken?.size ?? 0;
  const scan = emptyScan();
  const scanner = new Scanner();
  for (let from = size; from < end; from += SCAN_ENTRIES)
    scanner.scan(await transaction.readEntries(from, Math.min(from + SCAN_ENTRIES, end)), scan);
  return scan;
}

/** Spans of at most {@link SCAN_ENTRIES} entries that hold all of these, which rise. */
function windows(indexes: readonly number[]): [from: number, to: number][] {
  const spans: [number, number][] = [];
  for (const index of indexes) {
    const last = spans.at(-1);
    if (last !== undefined && index < last[0] + SCAN_ENTRIES) last[1] = index + 1;
    else spans.push([index, index + 1]);
  }
  return spans;
}
