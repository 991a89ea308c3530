import { type JsonObject, type JsonValue, VerificationError } from '../bytes/index.ts';
import type { Entry } from './entry.ts';
import type { Actor, AuditEvent, EventValue } from './model.ts';
import { type ErasureStepName, ownEvent } from './own.ts';
import { isCanonicalTime, momentOf, readTime, timeMs } from './time.ts';

/**
 * Retention: how long sealed values are kept (spec/sealing.md). The policy in force is what the log says: an entry
 * `log.config_changed` with the setting `retention`, and nothing else anywhere knows of it. What has passed its period goes with an
 * entry `log.retention_applied`, which says for each rule how far it reached.
 */

/** How long the sealed values of some actions are kept. */
export interface RetentionRule {
  /** An action, the beginning of actions with `*` behind it, or `*` for every one. */
  readonly match: string;
  /** A whole number and a unit: `h`, `d` (24 hours), `w` (7 days), `mo` (31 days) or `y` (366 days). */
  readonly keep: string;
}

/** Rules in their order: of several that match an action, the first counts. What none matches is kept for ever. */
export type RetentionPolicy = readonly RetentionRule[];

/** A rule as it was applied: to entries below this index, all of them recorded before this time. */
export interface RetentionReach extends RetentionRule {
  readonly before: string;
  readonly below: number;
}

/** What tells whether a record covers the values of an entry. */
export interface RetentionPlace {
  readonly action: string;
  readonly index: number;
  readonly recordedAt: string;
}

/** What a `log.retention_applied` entry covers. */
export interface RetentionRecord {
  readonly rules: readonly RetentionReach[];
}

/**
 * What may become of the bytes of entries that have passed the longest period of a policy: they are kept; they go when an archive was
 * found to hold them; or they go (`pruning.ts`).
 */
export type EntryKeeping = (typeof entryKeepings)[number];

/** From the one that keeps most to the one that keeps least. */
export const entryKeepings = ['keep', 'archived', 'delete'] as const;

/** A change of the policy, as an entry says it. */
export interface PolicyChange {
  readonly index: number;
  readonly at: string;
  readonly from: RetentionPolicy;
  readonly to: RetentionPolicy;
  /** What becomes of entries while it is in force. */
  readonly entries: EntryKeeping;
  /** From when on it is in force. */
  readonly notBefore: string;
}

/** Rules that a policy has at most. */
export const RETENTION_RULES_MAX = 64;

/** No period is longer than this, milliseconds: 100 years. */
export const RETENTION_KEEP_MS_MAX = 100 * 366 * 86_400_000;

const HOUR_MS = 3_600_000;
const unitsMs: Readonly<Record<string, number>> = {
  h: HOUR_MS,
  d: 24 * HOUR_MS,
  w: 7 * 24 * HOUR_MS,
  // As long as the longest there is: no period is shorter than the calendar's.
  mo: 31 * 24 * HOUR_MS,
  y: 366 * 24 * HOUR_MS,
};

const keepPattern = /^([1-9][0-9]{0,5})(h|d|w|mo|y)$/;
const matchPattern = /^(?:\*|[a-z][a-z0-9._-]{0,127}\*?)$/;

/** A period in milliseconds; undefined where the text is none, or longer than {@link RETENTION_KEEP_MS_MAX}. */
export function keepMs(keep: unknown): number | undefined {
  const found = typeof keep === 'string' ? keepPattern.exec(keep) : null;
  if (found === null) return undefined;
  const ms = Number(found[1]) * unitsMs[found[2]!]!;
  return ms <= RETENTION_KEEP_MS_MAX ? ms : undefined;
}

/** What is wrong with a policy, as a sentence without its full stop; undefined where nothing is. */
export function policyComplaint(policy: unknown): string | undefined {
  if (!Array.isArray(policy)) return 'a policy of retention is a list of rules {match, keep}';
  if (policy.length > RETENTION_RULES_MAX) return `a policy has at most ${RETENTION_RULES_MAX} rules`;
  const seen = new Set<string>();
  for (const rule of policy as readonly unknown[]) {
    const complaint = ruleComplaint(rule);
    if (complaint !== undefined) return complaint;
    const { match } = rule as RetentionRule;
    if (seen.has(match)) return `two rules match ${match}: only the first would count`;
    seen.add(match);
  }
  return undefined;
}

function ruleComplaint(rule: unknown): string | undefined {
  if (typeof rule !== 'object' || rule === null) return 'a rule of retention is {match, keep}';
  const unknown = Object.keys(rule).find((name) => name !== 'match' && name !== 'keep');
  if (unknown !== undefined) return `a rule of retention has no ${unknown}: it is {match, keep}`;
  const { match, keep } = rule as Partial<RetentionRule>;
  if (typeof match !== 'string' || !matchPattern.test(match))
    return 'match is an action, as record.read, or the beginning of actions, as record.*, or *';
  if (isOwnAction(match)) return 'the log’s own entries are kept for ever: no rule matches log.*';
  if (keepMs(keep) === undefined)
    return `keep is a whole number with h, d, w, mo or y behind it, as 90d or 7y, and at most 100y`;
  return undefined;
}

/** The first rule that matches an action; undefined where none does. The log's own actions are matched by none. */
export function ruleFor<One extends { readonly match: string }>(
  rules: readonly One[],
  action: string,
): One | undefined {
  if (isOwnAction(action)) return undefined;
  return rules.find(({ match }) => matchesAction(match, action));
}

function matchesAction(match: string, action: string): boolean {
  return match.endsWith('*') ? action.startsWith(match.slice(0, -1)) : action === match;
}

function isOwnAction(action: string): boolean {
  return action.startsWith('log.');
}

/** Whether the policy `to` keeps the values of any action for a shorter time than `from` does. */
export function shortens(from: RetentionPolicy, to: RetentionPolicy): boolean {
  // Actions differ only in the patterns that match them, so one action for each pattern, which no longer pattern matches, and one
  // that only `*` matches, stand for all there are. No action has an exclamation mark.
  const matches = [...from, ...to].map(({ match }) => match);
  const actions = ['!', ...matches.map((match) => match.replace('*', '!'))];
  return actions.some((action) => keptMs(to, action) < keptMs(from, action));
}

function keptMs(policy: RetentionPolicy, action: string): number {
  return keepMs(ruleFor(policy, action)?.keep) ?? Number.POSITIVE_INFINITY;
}

/** Whether two policies have the same rules in the same order. */
export function samePolicy(one: RetentionPolicy, other: RetentionPolicy): boolean {
  return (
    one.length === other.length &&
    one.every(({ match, keep }, place) => match === other[place]!.match && keep === other[place]!.keep)
  );
}

/**
 * Whether a record covers the values of an entry with this action, at this index, recorded at this time. Nobody else holds the index
 * that a record names against its time: below it, an entry that was recorded later had not passed its period.
 */
export function isPastRetention(
  { rules }: RetentionRecord,
  { action, index, recordedAt }: RetentionPlace,
): boolean {
  const rule = ruleFor(rules, action);
  // Times are of one width, so that their order as texts is their order in time.
  return rule !== undefined && index < rule.below && recordedAt < rule.before;
}

/** Whether entries are kept less surely under `to` than under `from`. */
export function loosens(from: EntryKeeping, to: EntryKeeping): boolean {
  return entryKeepings.indexOf(to) > entryKeepings.indexOf(from);
}

/** What a change of the policy is recorded with. */
export interface PolicyChanging {
  readonly from: RetentionPolicy;
  readonly to: RetentionPolicy;
  /** What becomes of entries, before and from now on; kept both where it is left out. */
  readonly entries?: { readonly from: EntryKeeping; readonly to: EntryKeeping };
  /** The index of the last change before it; 0 where there was none. No two changes follow the same one. */
  readonly after: number;
  readonly actor?: Actor;
  /** Who approved it, by ids that name nobody; where it shortens. */
  readonly approvedBy?: readonly string[];
  /** From when on it is in force; from the entry on where it is left out. */
  readonly notBefore?: string;
  readonly reason?: string;
}

/** `log.config_changed` of the setting `retention`. Read back by {@link policyChangeOf}. */
export function policyChangedEvent(changing: PolicyChanging): AuditEvent {
  const { from, to, after, actor, approvedBy, notBefore, reason } = changing;
  const { entries = { from: 'keep', to: 'keep' } } = changing;
  const isPlain = entries.from === 'keep' && entries.to === 'keep';
  const retention = {
    from: from.map(ruleData),
    to: to.map(ruleData),
    ...(!isPlain && { entries: { from: entries.from, to: entries.to } }),
  };
  const data = {
    settings: { retention },
    ...(approvedBy !== undefined && { approvedBy }),
    ...(notBefore !== undefined && { notBefore }),
  };
  const event = ownEvent('log.config_changed', data as { [name: string]: EventValue }, actor);
  const severity = shortens(from, to) || loosens(entries.from, entries.to) ? 'high' : 'medium';
  // An id is recorded once: of two that judged by the same policy whether they shorten it, one comes too late.
  const id = `log.config_changed:retention:${after}`;
  return { ...event, id, severity, ...(reason !== undefined && { reason }) };
}

function ruleData({ match, keep }: RetentionRule): { match: string; keep: string } {
  return { match, keep };
}

/** What an entry says of the policy; undefined where it is of something else. Throws `malformed_entry` where it does not say. */
export function policyChangeOf(entry: Entry, index: number): PolicyChange | undefined {
  if (entry.action !== 'log.config_changed') return undefined;
  const data = entry['metadata'];
  const settings = isObject(data) ? data['settings'] : undefined;
  const change = isObject(settings) ? settings['retention'] : undefined;
  if (change === undefined) return undefined;
  if (!isObject(change)) throw malformed('does not say from what to what');
  const notBefore = (data as JsonObject)['notBefore'] ?? entry.recordedAt;
  if (typeof notBefore !== 'string' || typeof readTime(notBefore) === 'string')
    throw malformed('is in force from no time');
  const { from, to } = change as { readonly from?: JsonValue; readonly to?: JsonValue };
  const entries = keepingIn(change['entries']);
  return { index, at: entry.recordedAt, from: policyIn(from), to: policyIn(to), entries, notBefore };
}

function keepingIn(value: JsonValue | undefined): EntryKeeping {
  if (value === undefined) return 'keep';
  const found = isObject(value) ? entryKeepings.find((one) => one === value['to']) : undefined;
  if (found === undefined) throw malformed('does not say what becomes of entries');
  return found;
}

function policyIn(value: JsonValue | undefined): RetentionPolicy {
  const complaint = policyComplaint(value);
  if (complaint !== undefined) throw malformed(`has no policy: ${complaint}`);
  return value as unknown as RetentionPolicy;
}

/** The change that is in force at a time; undefined where there is none. Changes come by rising index. */
export function changeInForce<One extends Pick<PolicyChange, 'notBefore'>>(
  changes: readonly One[],
  at: string,
): One | undefined {
  return changes.findLast(({ notBefore }) => notBefore <= at);
}

/** What is asked for, in the open: ids alone. */
export interface PolicyAbout {
  /** The id under which the server knows it. */
  readonly change: string;
  readonly rules: RetentionPolicy;
  readonly entries?: EntryKeeping;
  readonly basis: string;
  readonly requestId: string;
  /** When it is done at the earliest. */
  readonly notBefore?: string;
}

/** `log.retention_requested`, `log.retention_approved`, `log.retention_blocked`, `log.retention_cancelled`. */
export function retentionStepEvent(step: ErasureStepName, about: PolicyAbout, actor: Actor): AuditEvent {
  const data = { ...about, rules: about.rules.map(ruleData) } as { [name: string]: EventValue };
  return { ...ownEvent(`log.retention_${step}`, data, actor), severity: 'high' };
}

/** What an application of the policy has removed, and how far it reached. */
export interface RetentionApplying {
  readonly rules: readonly RetentionReach[];
  /** How many disclosures were removed, and from how many entries. */
  readonly values: number;
  readonly entries: number;
  /** As that of an erasure: over the digests of what was removed. */
  readonly digest: string;
  /** The entry that says the policy. */
  readonly policy: number;
  /** Holds that kept values of these entries. */
  readonly heldBy: readonly string[];
  readonly actor?: Actor;
}

/** `log.retention_applied`: sealed values that had passed their period were removed. Read back by {@link retentionOf}. */
export function retentionAppliedEvent({ actor, ...data }: RetentionApplying): AuditEvent {
  return { ...ownEvent('log.retention_applied', data as never, actor), severity: 'medium' };
}

/**
 * What a `log.retention_applied` entry at an index covers. Throws `malformed_entry` for any other entry, or one that does not say,
 * reaches ahead of itself, or removed what had not passed its period when it was recorded.
 */
export function retentionOf(entry: Entry, index: number): RetentionRecord {
  const data = entry['metadata'];
  if (entry.action !== 'log.retention_applied' || !isObject(data))
    throw malformed('says nothing of retention');
  const { rules } = data;
  if (!Array.isArray(rules) || rules.length > RETENTION_RULES_MAX) throw malformed('has no rules');
  const now = timeMs(entry.recordedAt);
  const reaches = (rules as readonly JsonValue[]).map((rule) => reachIn(rule, index, now));
  const complaint = policyComplaint(reaches.map(ruleData));
  if (complaint !== undefined) throw malformed(`has no policy: ${complaint}`);
  return { rules: reaches };
}

function reachIn(rule: JsonValue, index: number, now: number): RetentionReach {
  if (!isObject(rule)) throw malformed('has a rule that is none');
  const { match, keep, before, below } = rule;
  const periodMs = keepMs(keep);
  if (typeof match !== 'string' || typeof keep !== 'string' || periodMs === undefined)
    throw malformed('has a rule that is none');
  if (typeof below !== 'number' || !Number.isSafeInteger(below) || below < 0 || below > index)
    throw malformed('names no index below its own');
  if (typeof before !== 'string' || !isCanonicalTime(before) || timeMs(before) > Math.max(0, now - periodMs))
    throw malformed('reaches what had not passed its period');
  return { match, keep, before, below };
}

/** The time before which entries have passed a period, at a time of the wall clock in milliseconds. */
export function passedBefore(keep: string, nowMs: number): string {
  return momentOf(Math.max(0, Math.floor(nowMs) - keepMs(keep)!))!.text;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function malformed(what: string): VerificationError {
  return new VerificationError('malformed_entry', `The record of retention ${what}.`, {
    pointer: '/metadata',
  });
}
