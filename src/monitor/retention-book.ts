import { VerificationError } from '../bytes/index.ts';
import {
  changeInForce,
  type Entry,
  holdChangeOf,
  openEntry,
  type PolicyChange,
  policyChangeOf,
  prunedAction,
  pruningOf,
  type RetentionReach,
  retentionOf,
  samePolicy,
  timeMs,
} from '../event/index.ts';
import { type Discovery, judgeApplied, judgePruned, retentionUnreadable } from '../verify/index.ts';
import { type TimeMark, TimeMarks } from './times.ts';

/** Changes of the policy that are remembered: the newest that were in force, and as many of those that come into force soonest. */
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
  /** Changes that were in force, the one that is, and those to come, by rising index and rising time; others never come into force. */
  readonly changes: readonly KeptChange[];
  /** How far the policy that was applied last has been applied. */
  readonly applied: readonly RetentionReach[];
  /** When it was last looked for what has outlived the policy, milliseconds since the epoch; 0 where an entry may have changed that. */
  readonly judgedAt: number;
  readonly overdue?: Overdue;
  /** When entries were recorded. */
  readonly times: readonly TimeMark[];
  /** Entries below it were pruned. */
  readonly minimum: number;
  /** Entries were read of which it is not remembered what they say of the policy: a state of an earlier time. */
  readonly isPartial?: boolean;
}

/** Nothing is known yet. */
export const NO_RETENTION: KeptRetention = { changes: [], applied: [], judgedAt: 0, times: [], minimum: 0 };

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
  readonly #times: TimeMarks;
  readonly #isPartial: boolean;
  #judgedAt: number;
  #minimum: number;

  constructor({
    changes,
    applied,
    judgedAt,
    overdue,
    times,
    minimum,
    isPartial,
  }: KeptRetention = NO_RETENTION) {
    this.#changes = [...changes];
    this.#applied = [...applied];
    this.#judgedAt = judgedAt;
    this.#overdue = overdue;
    this.#times = new TimeMarks(times);
    this.#minimum = minimum;
    this.#isPartial = isPartial === true;
  }

  /** What is to be remembered. */
  get kept(): KeptRetention {
    return {
      changes: this.#changes,
      applied: this.#applied,
      judgedAt: this.#judgedAt,
      ...(this.#overdue !== undefined && { overdue: this.#overdue }),
      times: this.#times.kept,
      minimum: this.#minimum,
      ...(this.#isPartial && { isPartial: true }),
    };
  }

  /** Takes the next entry. Answers what is wrong with what it says of retention. */
  see(entry: Entry, index: number): Discovery[] {
    this.#times.see(index, entry.recordedAt);
    if (!telling.has(entry.action)) return [];
    // What was removed, pruned or is held can end that a value is overdue, and begin none.
    if (this.#overdue !== undefined || entry.action === 'log.hold_released') this.#judgedAt = 0;
    try {
      if (entry.action.startsWith('log.hold_')) return holdFaults(entry, index);
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

  /** One that a later change precedes in time is never in force any more. */
  #change({ index, to, entries, notBefore, at }: PolicyChange): void {
    this.#judgedAt = 0;
    const earlier = this.#changes.filter((one) => one.notBefore < notBefore);
    const all = [...earlier, { index, to, entries, notBefore }];
    const begun = all.filter((one) => one.notBefore <= at);
    const coming = all.slice(begun.length, begun.length + CHANGES_KEPT_MAX);
    const past = begun.slice(-CHANGES_KEPT_MAX);
    // What is forgotten counts as the oldest that is known: nobody can make a policy younger by changing it often.
    if (past.length < begun.length) past[0] = { ...past[0]!, notBefore: begun[0]!.notBefore };
    this.#changes = [...past, ...coming];
  }

  #prune(entry: Entry, index: number): Discovery[] {
    const { recordedAt } = entry;
    const record = { index, recordedAt, ...pruningOf(entry, index) };
    const { before, minimum } = record;
    const isEarly = this.#isEarly({ before, below: minimum });
    this.#minimum = Math.max(this.#minimum, minimum);
    const change = changeInForce(this.#changes, recordedAt);
    const found = change === undefined && this.#isPartial ? [] : judgePruned(record, change);
    if (found.length > 0 || !isEarly) return found;
    const what = 'pruned entries that were recorded later than it says';
    return [{ code: 'pruning_invalid', from: index, to: index, what }];
  }

  #apply(entry: Entry, index: number): Discovery[] {
    const { rules } = retentionOf(entry, index);
    const known = samePolicy(this.#applied, rules) ? this.#applied : rules;
    this.#applied = rules.map((rule, place) => (known[place]!.below > rule.below ? known[place]! : rule));
    const change = changeInForce(this.#changes, entry.recordedAt);
    const found = change === undefined && this.#isPartial ? [] : judgeApplied({ index, rules }, change);
    if (found.length > 0 || !rules.some((rule) => this.#isEarly(rule))) return found;
    const what = 'removed values of entries that were recorded later than it says';
    return [{ code: 'retention_invalid', from: index, to: index, what }];
  }

  /**
   * Whether entries that a record reaches were recorded at its time or later for certain, by what is remembered of times. What was pruned
   * had no value any more to remove.
   */
  #isEarly({ before, below }: Pick<RetentionReach, 'before' | 'below'>): boolean {
    const newestMs = this.#times.earliest(below - 1, this.#minimum);
    return newestMs !== undefined && newestMs >= timeMs(before);
  }
}

function holdFaults(entry: Entry, index: number): Discovery[] {
  try {
    holdChangeOf(entry, openEntry(entry, [], index).event);
    return [];
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    const what = 'about a legal hold, and not as such an entry can be';
    return [{ code: 'retention_invalid', from: index, to: index, what, detail: { reason: error.message } }];
  }
}
