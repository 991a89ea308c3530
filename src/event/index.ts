/**
 * What happened, in a form that lasts: the event that an application hands in, the entry that is hashed and
 * stored, and the sealed values beside it.
 *
 * **Nothing that may describe a person enters the hashed bytes.** Of an actor only `type` and `id` stay in
 * the open; every other attribute, and the context, the changes, the reason, the error, the labels and the
 * metadata, are *sealed* as in RFC 9901: the value leaves its object, a salted digest takes its place, and
 * salt, name and value are kept beside the entry as a *disclosure*. Delete the disclosure, and the value is
 * gone while every hash, proof and checkpoint still holds.
 *
 * ```ts
 * const event = { action: 'user.signed_in', actor: { type: 'user', id: 'u_42', name: 'Ada' } };
 * const sealed = sealDraft(prepareEvent(event, options), random);
 * sealed.disclosures;                        // ['["<salt>","name","Ada"]']
 * const text = entryText(sealed, '2026-01-31T12:00:00.000Z');
 * // {"_sd_alg":"sha-256","action":"user.signed_in","actor":{"_sd":["Xq…"],"id":"u_42","type":"user"},…}
 * const entry = parseEntry(utf8Encode(text));
 * openEntry(entry, sealed.disclosures, 0).event.actor;    // { type: 'user', id: 'u_42', name: 'Ada' }
 * openEntry(entry, [], 0).event.actor;                    // { type: 'user', id: 'u_42' }
 * ```
 *
 * Writing has two phases, since checking runs on the caller's thread and hashing on a worker: `prepareEvent`
 * refuses whatever breaks a rule (`rules.ts` is the one table of them) and writes canonical JSON with holes;
 * `sealDraft` fills the holes. Whose a sealed value is follows from the hashed bytes alone
 * (`SealedField.subjects`), so that an erasure can be judged for ever. Reading is strict: `parseEntry` takes
 * exactly what could have been written.
 *
 * The room also holds the log's own entries (`log.created`, `log.erased`, …) and the query language with its
 * words (`parseQuery`, `matches`, `tokenize`), so that a search means the same in the index, on the command
 * line and in a browser.
 *
 * Everything is a pure function: clock, ids and randomness are handed in. Formats: spec/entry.md,
 * spec/sealing.md; RFC 8785, RFC 9901.
 */

export type { JsonObject, JsonValue } from '../bytes/index.ts';
export { checkFilter } from './check-filter.ts';
export { csvCell, csvRecord } from './csv.ts';
export { csvColumns, csvRow } from './csv-columns.ts';
export { type Disclosure, digestDisclosure, parseDisclosure } from './disclosure.ts';
export { type Draft, draftId, entryText, type SealedDraft, sealDraft, sealingBytes } from './draft.ts';
export { type Entry, type EntryParty, type EntrySeal, parseEntry } from './entry.ts';
export {
  type Erasure,
  erasureOf,
  judge,
  type Removal,
  removalActions,
  removalOf,
  type Verdict,
} from './erasure.ts';
export {
  coveredByHold,
  type Hold,
  type HoldChange,
  type HoldWords,
  holdChangeOf,
  holdId,
  holdPlacedEvent,
  holdReleasedEvent,
  holdsAfter,
  isHoldName,
  isSubject,
  type PlacedHold,
} from './holds.ts';
export {
  type ChangePlace,
  type CompromisedSince,
  changeNumberOf,
  formatKeyStatement,
  isKeyChange,
  KEY_CHANGE_BYTES_MAX,
  KEY_CHANGES_MAX,
  type KeyChange,
  type KeyStatement,
  keyChangeEvent,
  keyChangeId,
  keyChangeOf,
  parseKeyStatement,
  type RevocationStatement,
  type RotationStatement,
} from './key-change.ts';
export type {
  Actor,
  AuditEvent,
  Change,
  EventContext,
  EventFailure,
  EventSource,
  EventValue,
  Outcome,
  PersonalIds,
  RecordedActor,
  RecordedEvent,
  RecordedTarget,
  Seal,
  Severity,
  Target,
  Withheld,
} from './model.ts';
export {
  type DisclosureProblem,
  type OpenedEntry,
  type OpeningProblem,
  openEntry,
  type SealedField,
  subjectOf,
} from './open.ts';
export {
  type ConfigChange,
  clockJumpedEvent,
  configChangedEvent,
  type Disclosing,
  disclosedEvent,
  type ErasureAbout,
  type ErasureAccount,
  type ErasureRequest,
  type ErasureStepName,
  type Exporting,
  erasedEvent,
  erasureStepEvent,
  exportedEvent,
  type ForkedFrom,
  forkedFromEvent,
  forkedFromOf,
  type Genesis,
  genesisEvent,
  LOG_FORMAT,
  LOG_ITSELF,
  logOpenedEvent,
  parseGenesis,
  SEALING,
  type SourceGapFound,
  sourceGapEvent,
  type Viewing,
  viewedEvent,
  type WitnessRefusal,
  witnessRefusedEvent,
} from './own.ts';
export { type PrepareOptions, prepareEvent } from './prepare.ts';
export {
  isPruning,
  PRUNE_STEP,
  type PrunedArchive,
  type Pruning,
  type PruningRecord,
  prunableBefore,
  prunedAction,
  prunedEvent,
  pruningId,
  pruningOf,
} from './pruning.ts';
export { PSEUDONYM_KEY_BYTES_MIN, pseudonym } from './pseudonym.ts';
export { type Filter, formatFilter, matches, type WordField, wordFields, wordOf } from './query.ts';
export { judgeMatch } from './query-judge.ts';
export {
  type AskPage,
  checkPageOptions,
  eachEvent,
  filterOf,
  onePage,
  PAGE_EVENTS_DEFAULT,
  PAGE_EVENTS_MAX,
  type Page,
  type PageOptions,
} from './query-pages.ts';
export { parseQuery, type QueryError, queryLimits } from './query-parser.ts';
export {
  type EventCode,
  EventError,
  eventCodes,
  nearestName,
  parsePointer,
  pointerTo,
} from './refusal.ts';
export { sameEvent } from './repeat.ts';
export {
  changeInForce,
  type EntryKeeping,
  entryKeepings,
  isPastRetention,
  keepMs,
  loosens,
  type PolicyAbout,
  type PolicyChange,
  type PolicyChanging,
  passedBefore,
  policyChangedEvent,
  policyChangeOf,
  policyComplaint,
  RETENTION_KEEP_MS_MAX,
  RETENTION_RULES_MAX,
  type RetentionApplying,
  type RetentionPolicy,
  type RetentionReach,
  type RetentionRecord,
  type RetentionRule,
  retentionAppliedEvent,
  retentionOf,
  retentionStepEvent,
  ruleFor,
  samePolicy,
  shortens,
} from './retention.ts';
export { type Reveal, revealed, revealPointer } from './reveal.ts';
export { limits, reservedNames } from './rules.ts';
export { entrySchema, eventSchema } from './schema.ts';
export { isSentence, SENTENCE_CHARACTERS_MAX } from './sentence.ts';
export {
  SeqCounter,
  type SeqRange,
  type SourceFrame,
  sourceActions,
  sourceEvent,
  sourceFrameOf,
} from './source-frames.ts';
export { timeMs } from './time.ts';
export { searchText, TOKEN_LENGTH_MAX, tokenize } from './tokens.ts';
export { type Action, actionVocabulary, type KnownAction } from './vocabulary.ts';
