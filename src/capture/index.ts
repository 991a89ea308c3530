/**
 * Capture: how events get in that were not written for this log. One small file per source.
 *
 * An importer is a pure function from one foreign record to one event: `mapCloudTrail`, `mapGitHub`, `mapJsonLine`. It
 * decides who acted, what was done to what, how it ended and when, in our vocabulary:
 *
 *     {"eventSource": "s3.amazonaws.com", "eventName": "GetObject", "errorCode": "AccessDenied", …}
 *     aws.s3.get_object · denied · assumed_role/AROA… · s3_object/arn:aws:s3:::…/ring.txt
 *
 * Around them `mapRecord` keeps three promises. **Nothing is skipped**: a record that no rule fits becomes
 * `import.unmapped`. **The original stays**: sealed under `metadata.original`, or, where it is too large for one sealed
 * value, its digest under `metadata.originalLeftOut`, and the report says how many. **Importing twice records once**: ids
 * follow from the record (CloudTrail's `eventID`, GitHub's delivery id, else a hash), so a repeat is answered as one.
 *
 * `importRecords` feeds a log with windows of records and counts every one of them exactly once.
 *
 * The other files listen where an application works: `better-auth.ts`, `auth-js.ts` and `passport.ts` to who signs in and who may do what,
 * `prisma.ts`, `drizzle.ts` and `kysely.ts` to every row that is written. Each has a subpath of its own, imports nothing of its library when
 * it is loaded, and refuses loudly what it cannot see. `audit-diff.ts` says what changed; `coverage/` finds what nobody records.
 */

export { auditDiff, type DiffOptions } from './audit-diff.ts';
export * from './coverage/index.ts';
export { mapCloudTrail } from './import-cloudtrail.ts';
export { mapGitHub } from './import-github.ts';
export { mapJsonLine } from './import-jsonl.ts';
export {
  type ImportLine,
  type ImportOptions,
  type ImportReport,
  importRecords,
  type RefusedRecord,
} from './import-records.ts';
export {
  type FoundRecord,
  findRecord,
  type ImportFormat,
  importFormats,
  type Mapping,
  mapRecord,
  mapUnmapped,
  mapUnread,
  Occurrences,
  type UnreadRecord,
} from './map-record.ts';
export {
  type ChangeTold,
  type PolicyChanged,
  permissionChanged,
  policyUpdated,
  type RolesChanged,
  roleChanged,
} from './policy-events.ts';
export { Unmappable } from './record.ts';
export type { ActorOption, OnUnrecorded, Recorder, TransactionRecorder } from './recording.ts';
export { type PathPattern, REDACTED, type RedactionOptions, redactDefault } from './redaction.ts';
