/**
 * What outside parties sign about a log, and how they are asked.
 *
 * A log's own signature says nothing against whoever holds its key. A witness that cosigns a checkpoint has seen that it continues
 * the last one it saw; a time-stamping authority that signs it has seen it at that time. Neither can be made afterwards without
 * them. What they signed is kept in `anchors.db` beside the log, and travels with its proofs.
 *
 * A time-stamp (RFC 3161) is over the *text* of a checkpoint's note, so that cosignatures and another key of the log change nothing:
 *
 * ```ts
 * const { token } = await requestTimestamp({ name: 'tsa', url, certificates: pem }, { text, now: Date.now() });
 * const { time, trust } = await verifyTimestamp({ text, token, certificates: parseCertificates(pem) });
 * ```
 *
 * Everything that comes from outside is an attacker's until it is verified. `timestamp/der.ts` refuses what is not strict DER before
 * any parser sees it, `timestamp/token.ts` takes apart without believing, `timestamp/verify-timestamp.ts` believes.
 */

export { mayMakeLike } from './anchor-file.ts';
export type {
  Publication,
  PublishedCheckpoint,
  SignatureArrival,
  StampedCheckpoint,
  WitnessRecord,
} from './anchor-rows.ts';
export { AnchorStore } from './anchor-store.ts';
export { isAhead } from './cosignature-time.ts';
export { mayBeWitnessed } from './newest-witnessed.ts';
export {
  addPolicyWitness,
  type NewWitness,
  newPolicy,
  removePolicyWitness,
  WITNESS_GROUP,
} from './policy-file.ts';
export { PUBLISHED_KEPT_MIN } from './published-order.ts';
export { publicationsIn, type ReadPublished, readPublished } from './read-published.ts';
export type { StampsAtPlace } from './stamp-order.ts';
export { parseCertificates } from './timestamp/certificates.ts';
export { answerAround } from './timestamp/messages.ts';
export {
  ANSWER_BYTES_MAX as TIMESTAMP_ANSWER_BYTES_MAX,
  requestTimestamp,
  type Stamping,
  TIMESTAMP_TIMEOUT_MS,
} from './timestamp/request-timestamp.ts';
export {
  AUTHORITIES_MAX,
  certificatesOf,
  checkAuthority,
  checkTimestampSettings,
  readTimestampSettings,
  TIMESTAMP_EVERY_MS_DEFAULT,
  type TimestampAuthority,
  type TimestampSettings,
  writeTimestampSettings,
} from './timestamp/settings.ts';
export {
  type Judging,
  judgeStamps,
  STAMPS_JUDGED_MAX,
  type StampOptions,
  stampCheckpoint,
  type ToStamp,
} from './timestamp/stamp-checkpoint.ts';
export {
  formatStampFile,
  type PublishedStamp,
  parseStampFile,
  parseStampPath,
  STAMP_FILE_BYTES_MAX,
  STAMP_NUMBERS_MAX,
  stampPath,
} from './timestamp/stamp-file.ts';
export {
  TIMESTAMP_TOLERANCE_MS,
  type TimestampEvidence,
  type TimestampVerdict,
  verifyTimestamp,
} from './timestamp/verify-timestamp.ts';
export {
  askWitness,
  problemOfWitnessUrl,
  SIZE_MEDIA_TYPE,
  WITNESS_ANSWER_BYTES_MAX,
  WITNESS_TIMEOUT_MS_DEFAULT,
  type WitnessAnswer,
  type WitnessFetch,
  type WitnessQuestion,
} from './witness-client.ts';
export { type WitnessState, type WitnessStates, witnessStates } from './witness-states.ts';
