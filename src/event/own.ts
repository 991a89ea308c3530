import { type JsonObject, type JsonValue, VerificationError } from '../bytes/index.ts';
import type { Entry } from './entry.ts';
import type { Actor, AuditEvent, EventValue, PersonalIds } from './model.ts';

/**
 * The log's own entries (spec/entry.md). Their data stands in `metadata`, in the open, because it has to be
 * there for as long as anyone verifies the log; nothing of theirs can be erased.
 */

/** The format of a log that this version writes and reads. */
export const LOG_FORMAT = 1;

/** How values are sealed in it: RFC 9901 digests, SHA-256, salts of 128 bits. */
export const SEALING = 'rfc9901-sha256-128';

/** Who acts where nobody asked the log to. */
const logItself: Actor = Object.freeze({ type: 'log', id: 'self' });

/** The log itself, as a subject: its values are nobody's, and are never erased. */
export const LOG_ITSELF = `${logItself.type}/${logItself.id}`;

/** What the first entry of a log says of it. */
export interface Genesis {
  readonly format: typeof LOG_FORMAT;
  /** The name of the log, which every checkpoint bears. */
  readonly origin: string;
  /** The verifier keys that sign its checkpoints from the start. */
  readonly logKeys: readonly string[];
  /** The verifier key that authorises the change of log keys; null: they can never change. */
  readonly rootKey: string | null;
  readonly sealing: string;
  readonly personalIds: PersonalIds;
}

/** `log.created`, which is the first entry of every log and no other's. */
export function genesisEvent(genesis: Omit<Genesis, 'format' | 'sealing'>): AuditEvent {
  const { origin, logKeys, rootKey, personalIds } = genesis;
  return ownEvent('log.created', {
    format: LOG_FORMAT,
    origin,
    logKeys,
    rootKey,
    sealing: SEALING,
    personalIds,
  });
}

/** `log.opened`: a process opened the log for writing; `source` says which. */
export function logOpenedEvent(data: { readonly [name: string]: EventValue } = {}): AuditEvent {
  return ownEvent('log.opened', data);
}

/**
 * `log.clock_jumped`: the wall clock parted from the monotonic one by so many milliseconds, forwards if
 * positive.
 */
export function clockJumpedEvent({ stepMs }: { readonly stepMs: number }): AuditEvent {
  return { ...ownEvent('log.clock_jumped', { stepMs }), severity: 'medium' };
}

/** What is missing of a source. */
export interface SourceGapFound {
  readonly service: string;
  readonly instance: string;
  readonly kind: 'seq' | 'heartbeat';
  readonly missingFrom?: number;
  readonly missingTo?: number;
  readonly since: string;
}

/** `log.source_gap`: numbers of a source have not arrived, or it fell silent without saying that it stops. */
export function sourceGapEvent(gap: SourceGapFound): AuditEvent {
  return { ...ownEvent('log.source_gap', { ...gap }), severity: 'high' };
}

/** What the refusal of a witness is recorded with. */
export interface WitnessRefusal {
  /** Its name in the log's policy. */
  readonly witness: string;
  readonly url: string;
  /**
   * `fork`: it holds another history than it was shown. `ahead`: it holds a longer one. `unknown`: it has cosigned the log before, and
   * does not know it, or the key that signs it, any more.
   */
  readonly kind: 'fork' | 'ahead' | 'unknown';
  /** What it was shown. */
  readonly size: number;
  readonly root: string;
}

/**
 * `log.witness_refused`: a witness holds something that this log does not continue, and is asked no more; or it does not know the
 * log's key any more, and is asked on.
 */
export function witnessRefusedEvent(refusal: WitnessRefusal): AuditEvent {
  const severity = refusal.kind === 'unknown' ? 'high' : 'critical';
  return { ...ownEvent('log.witness_refused', { ...refusal }), outcome: 'failure', severity };
}

/** What an erasure is recorded with. */
export interface ErasureRequest {
  /** Whose values: `type/id`. */
  readonly subject: string;
  /** Values in entries with a lower index. */
  readonly below: number;
  /** What was removed, and on whose word; absent in records of before there was a command that erases. */
  readonly account?: ErasureAccount;
  /** Who asked for it. */
  readonly actor?: Actor;
  readonly reason?: string;
}

/** What an erasure says of itself, in the open and for ever: counts and a digest, never a value. */
export interface ErasureAccount {
  /** How many disclosures were removed, and from how many entries. */
  readonly values: number;
  readonly entries: number;
  /** Base64url of the SHA-256 over the digests of what was removed, each followed by a newline, in the order of the log. */
  readonly digest: string;
  /** On what ground, and for which request. */
  readonly basis: string;
  readonly requestId: string;
  /** Who approved it, by ids that name nobody. */
  readonly approvedBy: readonly string[];
}

/**
 * `log.erased`: the values of one subject in the entries below an index were deleted. Read back by
 * `erasureOf`.
 */
export function erasedEvent({ subject, below, account, actor, reason }: ErasureRequest): AuditEvent {
  const event = ownEvent('log.erased', { subject, below, ...account }, actor);
  return { ...event, severity: 'high', ...(reason !== undefined && { reason }) };
}

/** A step of an erasure that takes two people. */
export type ErasureStepName = 'requested' | 'approved' | 'blocked' | 'cancelled';

/** What is asked for, in the open: ids alone. */
export interface ErasureAbout {
  /** The id under which the server knows it. */
  readonly erasure: string;
  readonly subject: string;
  readonly basis: string;
  readonly requestId: string;
  /** When it is done at the earliest. */
  readonly notBefore?: string;
}

/** `log.erasure_requested`, `log.erasure_approved`, `log.erasure_blocked`, `log.erasure_cancelled`. */
export function erasureStepEvent(step: ErasureStepName, about: ErasureAbout, actor: Actor): AuditEvent {
  return { ...ownEvent(`log.erasure_${step}`, { ...about }, actor), severity: 'high' };
}

/** The log that another one takes the place of, as far as it was known. */
export interface ForkedFrom {
  readonly origin: string;
  /** How many entries are left of it. */
  readonly size: number;
  /** The root over them, standard base64. */
  readonly root: string;
  /** The signed checkpoint over them. */
  readonly checkpoint: string;
  /** A later checkpoint that it had signed, of entries that are no longer there; absent where none is known. */
  readonly lastSeen?: string;
}

/** The action of the entry that says so. */
const FORKED = `log.forked_from`;

/** `log.forked_from`: this log begins where another could not go on. It is the second entry, or there is none. */
export function forkedFromEvent(fork: ForkedFrom): AuditEvent {
  return { ...ownEvent(FORKED, { ...fork }), severity: 'high' };
}

/** Reads such an entry; undefined for any other, or one that does not say it. */
export function forkedFromOf(entry: Entry): ForkedFrom | undefined {
  const data = entry['metadata'];
  if (entry.action !== FORKED || !isObject(data)) return undefined;
  const { origin, size, root, checkpoint, lastSeen } = data;
  const isWhole = typeof size === 'number' && Number.isSafeInteger(size) && size >= 0;
  if (typeof origin !== 'string' || typeof root !== 'string' || typeof checkpoint !== 'string' || !isWhole)
    return undefined;
  return { origin, size, root, checkpoint, ...(typeof lastSeen === 'string' && { lastSeen }) };
}

/**
 * What a change of the log's configuration is recorded with: each setting with its value before and after.
 */
export interface ConfigChange {
  readonly settings: Readonly<Record<string, { readonly from: EventValue; readonly to: EventValue }>>;
  readonly actor?: Actor;
  readonly reason?: string;
}

/** `log.config_changed`: what the log takes in, keeps or shows is decided otherwise from now on. */
export function configChangedEvent({ settings, actor, reason }: ConfigChange): AuditEvent {
  const event = ownEvent('log.config_changed', { settings }, actor);
  return { ...event, severity: 'medium', ...(reason !== undefined && { reason }) };
}

/** What somebody read, over a while. */
export interface Viewing {
  readonly actor: Actor;
  readonly requests: number;
  /** How many events were shown, counted each time. */
  readonly events: number;
  /** The indexes among which they lie; absent where nothing was shown. */
  readonly range?: { readonly from: number; readonly to: number };
  /** The fields that the queries asked for, without what they were compared with. */
  readonly fields: readonly string[];
  /** The queries themselves. They may name persons, so they are sealed, and nobody's to erase. */
  readonly queries: readonly string[];
  readonly from: string;
  readonly to: string;
}

/** `log.viewed`: somebody read events. */
export function viewedEvent({ actor, queries, ...counts }: Viewing): AuditEvent {
  return readingEvent('log.viewed', actor, counts, queries);
}

/** What somebody took away. */
export interface Exporting {
  readonly actor: Actor;
  readonly format: string;
  readonly events: number;
  readonly fields: readonly string[];
  readonly queries: readonly string[];
  /** Whether all of it was sent; false where the reader went away, or an error ended it. */
  readonly isWhole: boolean;
}

/** `log.exported`: somebody took events away. */
export function exportedEvent({ actor, queries, ...counts }: Exporting): AuditEvent {
  return readingEvent('log.exported', actor, counts, queries);
}

/** What was held about a subject, and handed out on a request of access. */
export interface Disclosing {
  readonly by?: Actor;
  readonly requestId?: string;
}

/** `log.exported`: everything about one subject was taken away. Whose it was is sealed, and nobody's to erase. */
export function disclosedEvent(
  subject: string,
  { by = logItself, requestId }: Disclosing,
  counts: Pick<Exporting, 'events' | 'isWhole'>,
): AuditEvent {
  const request = requestId === undefined ? {} : { requestId };
  const data = { format: 'subject', fields: ['subject'], ...request, ...counts };
  return readingEvent('log.exported', by, data, [`subject:${subject}`]);
}

function readingEvent(
  action: string,
  actor: Actor,
  counts: { readonly [name: string]: EventValue | undefined },
  queries: readonly string[],
): AuditEvent {
  if (queries.length === 0) return ownEvent(action, counts as { readonly [name: string]: EventValue }, actor);
  const event = ownEvent(action, { ...(counts as { readonly [name: string]: EventValue }), queries }, actor);
  return { ...event, seals: [{ path: '/metadata/queries', subjects: [] }] };
}

/** Reads the first entry of a log. Throws `malformed_genesis`. */
export function parseGenesis(entry: Entry): Genesis {
  if (entry.action !== 'log.created') throw malformed('The first entry of a log is log.created.');
  const data = entry['metadata'];
  if (!isObject(data)) throw malformed('It says nothing of the log.');
  const { format, origin, logKeys, rootKey, sealing, personalIds } = data;
  if (format !== LOG_FORMAT)
    throw malformed(`Its format is ${JSON.stringify(format)}, and this version reads ${LOG_FORMAT}.`);
  if (typeof origin !== 'string' || origin === '') throw malformed('It names no origin.');
  if (!Array.isArray(logKeys) || logKeys.length === 0 || !logKeys.every((key) => typeof key === 'string')) {
    throw malformed('It names no keys that sign.');
  }
  if (rootKey !== null && typeof rootKey !== 'string')
    throw malformed('Its root key is neither a key nor null.');
  if (sealing !== SEALING)
    throw malformed(`It seals by ${JSON.stringify(sealing)}, which this version does not know.`);
  if (personalIds !== 'refuse' && personalIds !== 'allow' && personalIds !== 'pseudonymise') {
    throw malformed('It does not say what becomes of personal ids.');
  }
  return { format: LOG_FORMAT, origin, logKeys, rootKey, sealing, personalIds };
}

/** An entry of the log's own: its data in the open. */
export function ownEvent(
  action: string,
  metadata: { readonly [name: string]: EventValue },
  actor = logItself,
): AuditEvent {
  return { action, actor, metadata, clear: ['/metadata'] };
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function malformed(message: string): VerificationError {
  return new VerificationError('malformed_genesis', message);
}
