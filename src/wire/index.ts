/**
 * What travels between a server, its clients and the viewer: the shapes of requests and answers, as types alone.
 *
 * The same log is met three ways: in the process, through a client, in a browser. All three speak of the same things (an
 * event, a receipt, a proof, a page), and here is the one place that says how each is written down in JSON. Bytes are
 * standard base64, times are RFC 3339 in UTC, sizes and indexes are numbers, absent fields are left out, never null.
 *
 * Nothing here is believed: a client takes `entry` and `disclosures`, hashes and opens them itself, and compares with a
 * checkpoint under the key that it was given beforehand. What a server merely says of its own log is called so.
 */

export type {
  EntryKeepingWire,
  ErasureAsked,
  ErasureList,
  ErasureState,
  ErasureWire,
  HoldAsked,
  HoldList,
  HoldWire,
  RequestWire,
  RetentionAsked,
  RetentionChangeWire,
  RetentionRuleWire,
  RetentionWire,
} from './erasures.ts';
export type {
  EntryWire,
  EventPage,
  EventResult,
  EventWire,
  ReceiptWire,
  RecordAnswer,
  SentEvent,
  SourceClaim,
  Stats,
  StatsBucket,
  StreamEvent,
} from './events.ts';
export type { ApiKey, ApiKeyCreated, ApiKeyRequest, KeyList, Scope } from './keys.ts';
export { scopes } from './keys.ts';
export type {
  AuditSummary,
  LogKeyList,
  LogList,
  LogRequest,
  LogSummary,
  SourceGap,
  Verification,
} from './logs.ts';
export type { Problem } from './problem.ts';
export { PROBLEM_TYPE } from './problem.ts';
export type { Exposure, Tier, TierLayer, TierPublication, TierStamp } from './tier.ts';
export type { SignInWays, ViewerSession, ViewerTokenCreated, ViewerTokenRequest } from './viewer.ts';
