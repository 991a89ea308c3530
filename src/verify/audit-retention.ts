import type { VerificationError } from '../bytes/index.ts';
import {
  type PolicyChange,
  prunableBefore,
  type RetentionPolicy,
  type RetentionRule,
  samePolicy,
  timeMs,
} from '../event/index.ts';
import type { RecordedPruning } from './audit-pruning.ts';
import type { Discovery } from './finding.ts';

/** The policy by which an entry removed values, and when. */
export interface AppliedPolicy {
  readonly index: number;
  readonly recordedAt: string;
  readonly rules: readonly RetentionRule[];
}

/** What a chunk says of retention. */
export interface ChunkRetention {
  /** The policies that its entries put in force, by rising index. */
  readonly policies: readonly PolicyChange[];
  /** The policies by which its entries removed values, by rising index. */
  readonly applied: readonly AppliedPolicy[];
}

/** An entry that removed something by a policy, which is to be held against the one in force. */
interface Waiting {
  readonly index: number;
  readonly recordedAt: string;
  /** What is wrong with it, given the policy that was in force; undefined where none was. */
  readonly judge: (inForce: PolicyChange | undefined) => Discovery[];
}

/**
 * Holds every application of retention, and every pruning, against the policy that was in force. Chunks come from the end of the log
 * to its beginning, so what was removed waits for the newest change before it.
 */
export class PolicyAudit {
  #waiting: Waiting[] = [];

  /** Adds the chunk before the last one. Answers what is wrong with it, or was with those behind it. */
  add({ policies, applied }: ChunkRetention, pruned: readonly RecordedPruning[] = []): Discovery[] {
    const found: Discovery[] = [];
    const values = applied.map((one) => waiting(one, (inForce) => judgeApplied(one, inForce)));
    const entries = pruned.map((one) => waiting(one, (inForce) => judgePruned(one, inForce)));
    const wait = [...values, ...entries, ...this.#waiting];
    for (const change of policies.toReversed()) {
      const judged = wait.filter((one) => one.index > change.index && change.notBefore <= one.recordedAt);
      for (const one of judged) {
        wait.splice(wait.indexOf(one), 1);
        found.push(...one.judge(change));
      }
    }
    this.#waiting = wait;
    return found;
  }

  /** What was removed without any policy in force. */
  conclude(): Discovery[] {
    return this.#waiting.flatMap(({ judge }) => judge(undefined));
  }
}

function waiting(
  { index, recordedAt }: Pick<Waiting, 'index' | 'recordedAt'>,
  judge: Waiting['judge'],
): Waiting {
  return { index, recordedAt, judge };
}

/** What is wrong with an application, given the change of the policy that was in force; undefined where none was. */
export function judgeApplied(
  { index, rules }: Pick<AppliedPolicy, 'index' | 'rules'>,
  change: { readonly to: RetentionPolicy } | undefined,
): Discovery[] {
  if (change !== undefined && samePolicy(change.to, rules)) return [];
  const what =
    change === undefined
      ? 'removed values, and no policy was in force'
      : 'removed values by another policy than the one in force';
  return [{ code: 'retention_invalid', from: index, to: index, what }];
}

/** What is wrong with a pruning, given the change of the policy that was in force; undefined where none was. */
export function judgePruned(
  { index, recordedAt, policy, before, archive }: RecordedPruning,
  change: Pick<PolicyChange, 'index' | 'to' | 'entries'> | undefined,
): Discovery[] {
  const fault = (): string | undefined => {
    if (change === undefined) return 'pruned entries, and no policy was in force';
    if (change.index !== policy) return 'pruned entries by another policy than the one in force';
    if (change.entries === 'keep') return 'pruned entries, and the policy keeps them';
    if (change.entries === 'archived' && archive === undefined)
      return 'pruned entries, and names no archive, as the policy demands';
    const reach = prunableBefore(change.to, timeMs(recordedAt));
    if (reach === undefined) return 'pruned entries, and the policy keeps some for ever';
    return before > reach ? 'pruned entries that had not passed the longest period' : undefined;
  };
  const what = fault();
  return what === undefined ? [] : [{ code: 'pruning_invalid', from: index, to: index, what }];
}

/** An entry that speaks of retention and cannot be read as one that does. */
export function retentionUnreadable(index: number, { code, message }: VerificationError): Discovery {
  const what = 'about retention, and not as such an entry can be';
  return { code: 'retention_invalid', from: index, to: index, what, detail: { code, reason: message } };
}
