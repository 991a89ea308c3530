import { VerificationError } from '../bytes/index.ts';
import { type OpenedCheckpoint, type Policy, satisfiesPolicy } from '../note/index.ts';
import {
  type Arrival,
  type Believed,
  CLOCKS_APART_MS_MAX,
  cosignaturesApart,
  openBelieved,
  readHead,
  type Stamped,
  TIME_MS_MAX,
} from '../verify/index.ts';
import type { Telling } from './found.ts';
import { around, type TimeMark, thereAt } from './times.ts';

/** How old things may be, milliseconds. What is not given is not asked for. */
export interface Limits {
  /** The cosignatures by which the quorum of the policy vouches for the newest checkpoint that has them. */
  readonly maxCosignatureAgeMs?: number;
  /** The newest time-stamp by an authority whose certificate the monitor was given. */
  readonly maxTimestampAgeMs?: number;
  /** The newest entry. */
  readonly maxSilenceMs?: number;
}

/** What is judged: the log as it was authenticated, and the clock of the monitor. */
export interface Facts {
  readonly nowMs: number;
  readonly size: number;
  /** `recordedAt` of the newest entry. */
  readonly recordedAt: string;
  readonly limits: Limits;
  /** When entries were recorded. */
  readonly times: readonly TimeMark[];
}

/** Whether the log has been silent for too long, or is ahead of time. */
export function judgeClock({ nowMs, size, recordedAt, limits }: Facts): Telling[] {
  if (recordedAt === '') return [];
  const place = { from: Math.max(size - 1, 0), to: Math.max(size - 1, 0), key: recordedAt };
  const ageMs = nowMs - Date.parse(recordedAt);
  if (ageMs < -CLOCKS_APART_MS_MAX) {
    const now = new Date(nowMs).toISOString();
    const message = `Entry ${size - 1} says that it was recorded at ${recordedAt}, and here it is ${now}.`;
    return [{ code: 'time_contradicted', message, ...place }];
  }
  if (limits.maxSilenceMs === undefined || ageMs <= limits.maxSilenceMs) return [];
  const message = `The newest entry is of ${recordedAt}: nothing has come for ${inWords(ageMs)}.`;
  return [{ code: 'log_stalled', message, ...place }];
}

/** Entries that came after something was seen at a time say that they were recorded long before it. */
export function judgeArrival(index: number, recordedAt: string, seenAtMs: number): Telling[] {
  if (seenAtMs === 0 || Date.parse(recordedAt) >= seenAtMs - CLOCKS_APART_MS_MAX) return [];
  const seenAt = new Date(seenAtMs).toISOString();
  const message = `Entry ${index} says that it was recorded at ${recordedAt}, and at ${seenAt} it was not there yet.`;
  return [{ code: 'time_contradicted', from: index, to: index, message }];
}

/** What of the witnesses is judged besides: of which log, and how large it was once their signatures were here. */
interface WitnessFacts extends Facts {
  readonly origin: string;
  readonly arrivals: readonly Arrival[];
}

/** Whether the witnesses of the policy vouch for the log, and its clock agrees with theirs. */
export function judgeWitnesses(
  notes: readonly Uint8Array[],
  believed: Believed,
  facts: WitnessFacts,
): Telling[] {
  return [
    ...judgeCosignatures(notes, believed, facts),
    ...judgeCosignedTimes(notes, believed, facts),
    ...judgeCosignedAhead(notes, believed, facts),
  ];
}

/** Witnesses whose newest signature lies ahead of the monitor's clock. */
function judgeCosignedAhead(
  notes: readonly Uint8Array[],
  believed: Believed,
  { nowMs, size }: WitnessFacts,
): Telling[] {
  const ahead = new Map<string, { readonly who: string; readonly atMs: number }>();
  for (const { key, atMs } of notes.flatMap((note) => cosignedIn(openedOr(note, believed), believed.policy)))
    if (isAhead(atMs, nowMs) && atMs > (ahead.get(key.text)?.atMs ?? 0))
      ahead.set(key.text, { who: key.name, atMs });
  return [...ahead].map(([key, { who, atMs }]) => {
    const message = `${who} says that it cosigned at ${textOf(atMs)}, and here it is ${textOf(nowMs)}: it vouches for nothing that is asked of its time.`;
    return { code: 'time_contradicted', from: 0, to: Math.max(size - 1, 0), message, key };
  });
}

/** Whether a time lies further ahead of the monitor's clock than two clocks may be apart: it says nothing of how old something is. */
function isAhead(atMs: number, nowMs: number): boolean {
  return atMs > nowMs + CLOCKS_APART_MS_MAX;
}

/** A cosignature by a witness of the policy, and when it was made, milliseconds since the epoch. */
interface Cosignature {
  readonly key: OpenedCheckpoint['verified'][number]['key'];
  readonly atMs: number;
}

function cosignedIn(
  opened: readonly Pick<OpenedCheckpoint, 'verified'>[],
  { witnesses }: Policy,
): Cosignature[] {
  const known = new Set(witnesses.map(({ key }) => key.text));
  return opened
    .flatMap(({ verified }) => verified)
    .filter(({ key }) => known.has(key.text))
    .map(({ key, timestamp = 0n }) => ({ key, atMs: Math.min(Number(timestamp) * 1000, TIME_MS_MAX) }));
}

/**
 * When the quorum vouched for a checkpoint: the oldest time among the signatures that it takes, of the youngest that are not ahead of
 * the clock; undefined where those are not enough.
 */
function vouchedAt(one: OpenedCheckpoint, policy: Policy, nowMs: number): number | undefined {
  const known = cosignedIn([one], policy).filter(({ atMs }) => !isAhead(atMs, nowMs));
  const latest = known.toSorted((a, b) => b.atMs - a.atMs);
  const enough = latest.findIndex((_, at) => satisfiesPolicy(policy, { verified: latest.slice(0, at + 1) }));
  return latest[enough]?.atMs;
}

/** Entries that say of their time what a witness contradicts, as far as times are remembered. */
function judgeCosignedTimes(
  notes: readonly Uint8Array[],
  { policy }: Believed,
  { size, recordedAt, times, origin, arrivals }: WitnessFacts,
): Telling[] {
  if (recordedAt === '') return [];
  const own = notes.filter((note) => {
    const head = readHead(note);
    return head !== undefined && head.origin === origin && head.size <= size;
  });
  const known = around(times, { index: size - 1, recordedAt });
  return cosignaturesApart({ notes: own, policy, arrivals, ...known }).map(({ index, what }) => {
    return { code: 'time_contradicted', from: index, to: index, message: `${what}.` };
  });
}

/**
 * How many entries are older than a limit for certain, and so have to be covered. Signatures are made of a checkpoint that was there
 * a moment before, and that moment is granted.
 */
function reachNeeded({ nowMs, times }: Facts, maxMs: number): number {
  return thereAt(times, nowMs - maxMs - CLOCKS_APART_MS_MAX);
}

/** Whether the quorum of witnesses vouches for the log, and did so lately, for all entries that are older than that. */
export function judgeCosignatures(notes: readonly Uint8Array[], believed: Believed, facts: Facts): Telling[] {
  const { nowMs, size, limits } = facts;
  const { policy } = believed;
  if (policy.quorum === undefined) return [];
  const place = { from: 0, to: Math.max(size - 1, 0) };
  const opened = notes.flatMap((note) => openedOr(note, believed));
  const complete = opened.filter(({ note }) => satisfiesPolicy(policy, note));
  if (complete.length === 0) {
    const message = `The quorum ${policy.quorum} has cosigned no checkpoint that is here.`;
    return [{ code: 'checkpoint_invalid', message, key: 'quorum', ...place }];
  }
  const maxMs = limits.maxCosignatureAgeMs;
  if (maxMs === undefined) return [];
  const vouched = complete.flatMap((one) => {
    const atMs = vouchedAt(one, policy, nowMs);
    return atMs === undefined ? [] : [{ atMs, size: one.checkpoint.size }];
  });
  const fresh = vouched.filter(({ atMs }) => nowMs - atMs <= maxMs);
  if (fresh.length > 0) {
    const reach = Math.max(...fresh.map((one) => one.size));
    const needed = reachNeeded(facts, maxMs);
    if (reach >= needed) return [];
    const message = `The quorum ${policy.quorum} cosigns only the first ${reach} entries: entry ${reach} and others are older than ${inWords(maxMs)}, and it vouches for none of them.`;
    return [{ code: 'cosignature_old', message, from: reach, to: reach, key: 'reach' }];
  }
  const newest = Math.max(0, ...vouched.map(({ atMs }) => atMs));
  const at = newest === 0 ? 'none' : textOf(newest);
  const last = newest === 0 ? 'no time that it gives counts here' : `it last did at ${at}`;
  const message = `The quorum ${policy.quorum} has cosigned nothing for more than ${inWords(maxMs)}: ${last}.`;
  return [{ code: 'cosignature_old', message, key: at, ...place }];
}

/** Whether an authority that the monitor knows has stamped the log lately. */
export function judgeStamps(
  stamped: readonly Stamped[],
  facts: Facts & { readonly origin: string },
  noteBytes: (note: string) => Uint8Array,
): Telling[] {
  const { origin, size, nowMs, limits } = facts;
  const maxMs = limits.maxTimestampAgeMs;
  if (maxMs === undefined) return [];
  const stamps = stamped.flatMap(({ note, verdict }) => {
    const head = readHead(noteBytes(note));
    const counts =
      'time' in verdict && verdict.trust === 'anchored' && head?.origin === origin && head.size <= size;
    if (!counts) return [];
    const atMs = Date.parse(verdict.time);
    return isAhead(atMs, nowMs) ? [] : [{ atMs, size: head.size }];
  });
  const newest = Math.max(0, ...stamps.map(({ atMs }) => atMs));
  if (newest > 0 && nowMs - newest <= maxMs) {
    const fresh = stamps.filter(({ atMs }) => nowMs - atMs <= maxMs);
    const reach = Math.max(...fresh.map((one) => one.size));
    if (reach >= reachNeeded(facts, maxMs)) return [];
    const message = `Time-stamps are made only of the first ${reach} entries: entry ${reach} and others are older than ${inWords(maxMs)}, and no stamp covers them.`;
    return [{ code: 'timestamp_old', message, from: reach, to: reach, key: 'reach' }];
  }
  const at = newest === 0 ? 'none' : new Date(newest).toISOString();
  const message =
    newest === 0
      ? 'No time-stamp by an authority that is trusted here is there.'
      : `The newest time-stamp is of ${at}: older than ${inWords(maxMs)}.`;
  return [{ code: 'timestamp_old', from: 0, to: Math.max(size - 1, 0), key: at, message }];
}

function openedOr(note: Uint8Array, believed: Believed): OpenedCheckpoint[] {
  try {
    return [openBelieved(note, believed, { quorum: false })];
  } catch (error) {
    if (error instanceof VerificationError) return [];
    throw error;
  }
}

function textOf(atMs: number): string {
  return new Date(atMs).toISOString();
}

/** A time in the largest unit that fits. */
export function inWords(ms: number): string {
  const units = [
    ['day', 86_400_000],
    ['hour', 3_600_000],
    ['minute', 60_000],
    ['second', 1000],
  ] as const;
  const [name, unitMs] = units.find(([, one]) => ms >= 2 * one) ?? units.at(-1)!;
  return `${Math.floor(ms / unitMs)} ${name}s`;
}
