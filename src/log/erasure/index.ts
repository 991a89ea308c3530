/**
 * Erasure: how a person's values leave the log, and every proof stays.
 *
 * What can be erased lies beside the entries as disclosures (spec/sealing.md). `scan.ts` finds those of a subject by looking
 * through every entry, on the reading thread and while others write; `eraser.ts` is what happens under the head lock: the
 * rest is looked through, holds are asked, the disclosures go, and the `log.erased` entry comes, in one transaction of the commit
 * path. `scour.ts` is what follows it: the search index is dropped, the files are written anew. `pending.ts` remembers, from before
 * the commit until then, that it is not done yet, so that whoever opens the log after a crash finishes it. `archive-keys.ts`
 * finds the keys that have to go, so that what was published goes too. `holds.ts` places and releases what stands in the way.
 */

export { archiveKeysOf } from './archive-keys.ts';
export { type DiscloseOptions, eventsOf } from './disclose.ts';
export {
  APPROVERS_MIN,
  checkApprovers,
  checkErase,
  checkSubject,
  type EraseOptions,
  type ErasureResult,
  FOLLOWERS_WAIT_MS_DEFAULT,
  OUT_OF_REACH,
  OUT_OF_REACH_POSTGRES,
  SCOUR_MS_MAX,
} from './erase.ts';
export {
  ErasureIntake,
  type ErasureOrder,
  type ErasureStep,
  type Taken,
} from './eraser.ts';
export { type HoldOptions, Holds, type ReleaseOptions } from './holds.ts';
export { Pending } from './pending.ts';
export { Erasures, untilFollowed } from './run.ts';
export { type ErasedBefore, type Found, SCAN_ENTRIES, type Scan, Scanner } from './scan.ts';
export { type Finished, Scourer, type Unfinished } from './scour.ts';
