import type { VerificationError } from '../bytes/index.ts';
import { type PolicyChange, type RetentionPolicy, type RetentionRule, samePolicy } from '../event/index.ts';
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

/**
 * Holds every application of retention against the policy that was in force. Chunks come from the end of the log to its beginning,
 * so what was applied waits for the newest change before it.
 */
export class PolicyAudit {
  #waiting: AppliedPolicy[] = [];

  /** Adds the chunk before the last one. Answers what is wrong with it, or was with those behind it. */
  add({ policies, applied }: ChunkRetention): Discovery[] {
    const found: Discovery[] = [];
    const wait = [...applied, ...this.#waiting];
    for (const change of policies.toReversed()) {
      const judged = wait.filter((one) => one.index > change.index && change.notBefore <= one.recordedAt);
      for (const one of judged) {
        wait.splice(wait.indexOf(one), 1);
        found.push(...judgeApplied(one, change));
      }
    }
    this.#waiting = wait;
    return found;
  }

  /** What was applied without any policy in force. */
  conclude(): Discovery[] {
    return this.#waiting.flatMap((one) => judgeApplied(one, undefined));
  }
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

/** An entry that speaks of retention and cannot be read as one that does. */
export function retentionUnreadable(index: number, { code, message }: VerificationError): Discovery {
  const what = 'about retention, and not as such an entry can be';
  return { code: 'retention_invalid', from: index, to: index, what, detail: { code, reason: message } };
}
