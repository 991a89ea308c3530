import { type JsonObject, type JsonValue, VerificationError } from '../bytes/index.ts';
import type { Entry } from './entry.ts';
import type { Actor, AuditEvent, EventValue } from './model.ts';
import { ownEvent } from './own.ts';
import { keepMs, type RetentionPolicy } from './retention.ts';
import { reservedIds } from './rules.ts';
import { isCanonicalTime, momentOf } from './time.ts';

/**
 * Pruning: the bytes of old entries leave a log (c2sp.org/tlog-tiles, "Pruning"). They go by prefix only: every entry below the
 * minimum index, when all of them have passed the longest period of the policy. The tree stays whole, since its hashes do; so do the
 * ids and the log's own entries. An entry `log.pruned` says so, and a verifier believes no missing entry without it.
 */

/** Pruning goes by whole entry bundles: a minimum index is a multiple of this (c2sp.org/tlog-tiles). */
export const PRUNE_STEP = 256;

/** The action of the entry that records a pruning. */
export const prunedAction = 'log.pruned';

/** The copy of the pruned entries that was read, byte for byte, before they went. */
export interface PrunedArchive {
  readonly url: string;
  /** The checkpoint that it was read under. */
  readonly size: number;
  /** Standard base64. */
  readonly root: string;
}

/** What a `log.pruned` entry covers. */
export interface PruningRecord {
  /** Entries below this index may be missing: those of the log's own excepted. */
  readonly minimum: number;
  /** How many of the log's own entries stand below it, and stay. */
  readonly kept: number;
  /** The entry that says the policy. */
  readonly policy: number;
  /** All that went was recorded before this time. */
  readonly before: string;
  /** How many entries lost their bytes with it. */
  readonly entries: number;
  readonly archive?: PrunedArchive;
}

/** What a pruning is recorded with. */
export interface Pruning extends PruningRecord {
  /** Its number among the prunings of this log, from 1. */
  readonly number: number;
  readonly actor?: Actor;
}

/** The id under which the pruning of this number is recorded: how the newest is found without reading the log. */
export function pruningId(number: number): string {
  return `${reservedIds.pruning}${number}`;
}

/** `log.pruned`: the bytes of all entries below an index, but the log's own, were removed. Read back by {@link pruningOf}. */
export function prunedEvent({ actor, number, ...data }: Pruning): AuditEvent {
  const event = ownEvent(prunedAction, { ...data } as unknown as Record<string, EventValue>, actor);
  return { ...event, id: pruningId(number), severity: 'high' };
}

/** How the entry of every pruning begins: canonical JSON puts the action first where nothing is sealed, and nothing may be. */
const BEGINNING = `{"action":"${prunedAction}"`;

/** Whether these are the bytes of an entry that records a pruning, or claims to. Cheap: it looks at the first few. */
export function isPruning(entry: Uint8Array): boolean {
  if (entry.length < BEGINNING.length) return false;
  for (let at = 0; at < BEGINNING.length; at += 1) if (entry[at] !== BEGINNING.charCodeAt(at)) return false;
  return true;
}

/**
 * What a `log.pruned` entry at an index covers. Throws `malformed_entry` for any other entry, or one that does not say, or reaches
 * ahead of itself.
 */
export function pruningOf(entry: Entry, index: number): PruningRecord {
  const data = entry['metadata'];
  if (entry.action !== prunedAction || !isObject(data)) throw malformed('says nothing');
  if (entry['_sd'] !== undefined) throw malformed('hides something');
  const { minimum, kept, policy, before, entries, archive } = data;
  if (!isIndex(minimum) || minimum === 0 || minimum > index || minimum % PRUNE_STEP !== 0)
    throw malformed(`names no index below its own that is a multiple of ${PRUNE_STEP}`);
  if (!isIndex(kept) || kept > minimum) throw malformed('does not say how many entries stay');
  if (!isIndex(entries) || entries > minimum - kept) throw malformed('took more entries than there were');
  if (!isIndex(policy) || policy >= index) throw malformed('names no policy before it');
  if (typeof before !== 'string' || !isCanonicalTime(before)) throw malformed('names no time');
  const named = archive === undefined ? undefined : archiveIn(archive, minimum);
  return { minimum, kept, policy, before, entries, ...(named !== undefined && { archive: named }) };
}

function archiveIn(archive: JsonValue, minimum: number): PrunedArchive {
  const { url, size, root } = isObject(archive) ? archive : {};
  if (typeof url !== 'string' || typeof root !== 'string' || !isIndex(size) || size < minimum)
    throw malformed('names an archive that does not hold what went');
  return { url, size, root };
}

/**
 * The time before which everything has passed the longest period of a policy; undefined where it keeps something for ever: where no
 * rule matches every action.
 */
export function prunableBefore(rules: RetentionPolicy, nowMs: number): string | undefined {
  if (!rules.some(({ match }) => match === '*')) return undefined;
  const longest = Math.max(...rules.map(({ keep }) => keepMs(keep)!));
  return momentOf(Math.max(0, Math.floor(nowMs) - longest))!.text;
}

function isIndex(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function malformed(what: string): VerificationError {
  return new VerificationError('malformed_entry', `The record of a pruning ${what}.`, {
    pointer: '/metadata',
  });
}
