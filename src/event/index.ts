export type { JsonObject, JsonValue } from '../bytes/index.ts';
export { type Disclosure, digestDisclosure, parseDisclosure } from './disclosure.ts';
export { type Draft, draftId, entryText, type SealedDraft, sealDraft } from './draft.ts';
export { type Entry, type EntryParty, type EntrySeal, parseEntry } from './entry.ts';
export { type Erasure, erasureOf, judge, type Verdict } from './erasure.ts';
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
  type ErasureRequest,
  erasedEvent,
  type Genesis,
  genesisEvent,
  type KeyRotation,
  keyRotatedEvent,
  LOG_FORMAT,
  logOpenedEvent,
  parseGenesis,
  SEALING,
} from './own.ts';
export { type PrepareOptions, prepareEvent } from './prepare.ts';
export { PSEUDONYM_KEY_BYTES_MIN, pseudonym } from './pseudonym.ts';
export { EventError, type EventCode, eventCodes } from './refusal.ts';
export { sameEvent } from './repeat.ts';
export { limits } from './rules.ts';
