import { VerificationError } from '../bytes/index.ts';
import {
  changeInForce,
  type Entry,
  type PolicyChange,
  policyChangeOf,
  prunedAction,
  pruningOf,
  type RetentionReach,
  retentionOf,
  samePolicy,
} from '../event/index.ts';
import { type Discovery, judgeApplied, judgePruned, retentionUnreadable } from '../verify/index.ts';

/** Changes of the policy that are remembered: the one in force, and the newest of those that are to come. */
export const CHANGES_KEPT_MAX = 64;

/** A change of the policy, as far as it is remembered. */
export type KeptChange = Pick<PolicyChange, 'index' | 'to' | 'entries' | 'notBefore'>;

/** A value that has outlived the policy: the first entry that holds one, and the entry that says the policy. */
export interface Overdue {
  readonly index: number;
  readonly policy: number;
}

/** What is remembered of a log's retention: plain data, of bounded size. */
export interface KeptRetention {
  /** The change that is in force, and those after it, by rising index. */
  readonly changes: readonly KeptChange[];
  /** How far the policy that was applied last has been applied. */
  readonly applied: readonly RetentionReach[];
  /** When it was last looked for what has outlived the policy, milliseconds since the epoch; 0 where an entry may have changed that. */
  readonly judgedAt: number;
  readonly overdue?: Overdue;
}

/** Nothing is known yet. */
export const NO_RETENTION: KeptRetention = { changes: [], applied: [], judgedAt: 0 };

/** The entries that say what may be removed, and what was. */
const telling: ReadonlySet<string> = new Set([
  'log.config_changed',
  'log.erased',
  'log.hold_placed',
  'log.hold_released',
  'log.retention_applied',
  prunedAction,
]);

/**
 * The policy of retention as a log's entries say it, one after the other; each application of it is held against the one that was in
 * force. Forwards, and with what an audit of the whole log says backwards.
 */
export class RetentionBook {
  #changes: readonly KeptChange[];
  #applied: readonly RetentionReach[];
  readonly #overdue: Overdue | undefined;
  #judgedAt: number;

  constructor({ changes, applied, judgedAt, overdue }: KeptRetention = NO_RETENTION) {
    this.#changes = [...changes];
    this.#applied = [...applied];
    this.#judgedAt = judgedAt;
    this.#overdue = overdue;
  }

  /** What is to be remembered. */
  get kept(): KeptRetention {
    return {
      changes: this.#changes,
      applied: this.#applied,
      judgedAt: this.#judgedAt,
      ...(this.#overdue !== undefined && { overdue: this.#overdue }),
    };
  }

  /** Takes the next entry. Answers what is wrong with what it says of retention. */
  see(entry: Entry, index: number): Discovery[] {
    if (!telling.has(entry.action)) return [];
    this.#judgedAt = 0;
    try {
      const change = policyChangeOf(entry, index);
      if (change !== undefined) this.#change(change);
      if (entry.action === prunedAction) return this.#prune(entry, index);
      return entry.action === 'log.retention_applied' ? this.#apply(entry, index) : [];
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      if (entry.action !== prunedAction) return [retentionUnreadable(index, error)];
      const what = 'the record of a pruning, and not as one can be';
      return [{ code: 'pruning_invalid', from: index, to: index, what, detail: { reason: error.message } }];
    }
  }

  /** Those before the one in force are over for good: a time that goes back is a finding of its own. */
  #change({ index, to, entries, notBefore, at }: PolicyChange): void {
    const all = [...this.#changes, { index, to, entries, notBefore }];
    const inForce = changeInForce(all, at);
    const since = all.filter((one) => inForce === undefined || one.index >= inForce.index);
    const [first] = since;
    this.#changes = since.length > CHANGES_KEPT_MAX ? [first!, ...since.slice(1 - CHANGES_KEPT_MAX)] : since;
  }

  #prune(entry: Entry, index: number): Discovery[] {
    const { recordedAt } = entry;
    const record = { index, recordedAt, ...pruningOf(entry, index) };
    return judgePruned(record, changeInForce(this.#changes, recordedAt));
  }

  #apply(entry: Entry, index: number): Discovery[] {
    const { rules } = retentionOf(entry, index);
    const known = samePolicy(this.#applied, rules) ? this.#applied : rules;
    this.#applied = rules.map((rule, place) => (known[place]!.below > rule.below ? known[place]! : rule));
    return judgeApplied({ index, rules }, changeInForce(this.#changes, entry.recordedAt));
  }
}
