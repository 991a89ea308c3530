/**
 * Retention: sealed values go when the period is over for which the log's policy keeps them, and every proof stays.
 *
 * The policy is what the log's own entries say (`src/event/retention.ts`); `policy.ts` is how it is changed: what keeps values for a
 * shorter time takes two people and a delay. `due.ts` finds what has passed its period, by looking through every entry on the reading
 * thread; `applier.ts` is what happens under the head lock: holds are asked, the disclosures go, and the `log.retention_applied`
 * entry comes, in one transaction of the commit path. Then the files are written anew, as after an erasure (`../erasure/scour.ts`).
 * `pruner.ts` finds how far whole entries can go, and `prune-intake.ts` takes them, with `log.pruned` entries, in the same way.
 * `presets.ts` has policies that are common in a few fields.
 *
 *     await log.retention.set([{ match: 'record.read', keep: '90d' }, { match: '*', keep: '7y' }], { approvedBy: ['p_1', 'p_2'] });
 *     await log.retention.apply();
 */

export { RetentionIntake, type RetentionOrder, type RetentionTaken } from './applier.ts';
export type { Due, DueRequest, Kept } from './due.ts';
export { RETENTION_DELAY_MS_DEFAULT, type RetentionSetOptions } from './policy.ts';
export { type RetentionPreset, retentionPresets } from './presets.ts';
export {
  PRUNE_ENTRIES_MAX,
  type PruneArchive,
  type PruneOptions,
  type PruneResult,
} from './pruner.ts';
export {
  type PolicyInForce,
  Retention,
  type RetentionApplyOptions,
  type RetentionParts,
  type RetentionResult,
} from './retention.ts';
