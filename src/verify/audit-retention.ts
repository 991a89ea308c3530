import { type PolicyChange, prunableBefore, type RetentionRule, samePolicy, timeMs } from '../event/index.ts';
import type { RecordedPruning } from './audit-pruning.ts';
import type { Discovery, FindingCode } from './finding.ts';

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
  readonly code: FindingCode;
  /** What is wrong with it, given the policy that was in force; undefined where nothing is. */
  readonly fault: (inForce: PolicyChange | undefined) => string | undefined;
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
    const wait = [...applied.map(ofValues), ...pruned.map(ofEntries), ...this.#waiting];
    for (const change of policies.toReversed()) {
      const judged = wait.filter((one) => one.index > change.index && change.notBefore <= one.recordedAt);
      for (const one of judged) {
        wait.splice(wait.indexOf(one), 1);
        found.push(...discoveries(one, change));
      }
    }
    this.#waiting = wait;
    return found;
  }

  /** What was removed without any policy in force. */
  conclude(): Discovery[] {
    return this.#waiting.flatMap((one) => discoveries(one, undefined));
  }
}

function ofValues({ index, recordedAt, rules }: AppliedPolicy): Waiting {
  const fault = (inForce: PolicyChange | undefined): string | undefined => {
    if (inForce === undefined) return 'removed values, and no policy was in force';
    return samePolicy(inForce.to, rules)
      ? undefined
      : 'removed values by another policy than the one in force';
  };
  return { index, recordedAt, code: 'retention_invalid', fault };
}

function ofEntries({ index, recordedAt, policy, before }: RecordedPruning): Waiting {
  const fault = (inForce: PolicyChange | undefined): string | undefined => {
    if (inForce === undefined) return 'pruned entries, and no policy was in force';
    if (inForce.index !== policy) return 'pruned entries by another policy than the one in force';
    if (inForce.entries === 'keep') return 'pruned entries, and the policy keeps them';
    const reach = prunableBefore(inForce.to, timeMs(recordedAt));
    if (reach === undefined) return 'pruned entries, and the policy keeps some for ever';
    return before > reach ? 'pruned entries that had not passed the longest period' : undefined;
  };
  return { index, recordedAt, code: 'pruning_invalid', fault };
}

function discoveries({ index, code, fault }: Waiting, inForce: PolicyChange | undefined): Discovery[] {
  const what = fault(inForce);
  return what === undefined ? [] : [{ code, from: index, to: index, what }];
}
