import { type PolicyChange, type RetentionRule, samePolicy } from '../event/index.ts';
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
        if (!samePolicy(change.to, one.rules))
          found.push(discovery(one, 'removed values by another policy than the one in force'));
      }
    }
    this.#waiting = wait;
    return found;
  }

  /** What was applied without any policy in force. */
  conclude(): Discovery[] {
    return this.#waiting.map((one) => discovery(one, 'removed values, and no policy was in force'));
  }
}

function discovery({ index }: AppliedPolicy, what: string): Discovery {
  return { code: 'retention_invalid', from: index, to: index, what };
}
