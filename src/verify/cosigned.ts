import { equalBytes, utf8Encode, VerificationError } from '../bytes/index.ts';
import { openNote, type Policy, parseNote, satisfiesPolicy, type VerifiedSignature } from '../note/index.ts';
import type { Conclusion, ReportOfLog } from './audit-report.ts';
import { noteOf } from './held.ts';
import { readHead } from './signed-head.ts';
import { clocksApart, type EntryMoment } from './stamped.ts';
import type { Trust } from './trust.ts';

/** The last moment of the year 9999, milliseconds since the epoch: no later one can be written down. */
export const TIME_MS_MAX = 253_402_300_799_999;

/**
 * A signature line of a witness, and how many entries the log had once that line was here: it was read after the line had come. That
 * a checkpoint was cosigned late shows in it, so that no honest log is accused of what it recorded meanwhile.
 */
export interface Arrival {
  /** The line, without its newline. */
  readonly line: string;
  readonly logSize: number;
}

/** What {@link cosignaturesApart} compares with the entries. */
export interface CosignedNotes {
  /** Checkpoints of this log, with whatever stands under them. Their roots are those of the log. */
  readonly notes: readonly Uint8Array[];
  /** Whose quorum is believed; without one nobody is. */
  readonly policy: Policy;
  readonly arrivals: readonly Arrival[];
  /** Of the entries up to this one, the last whose time is known; undefined where none is. */
  readonly last: (index: number) => EntryMoment | undefined;
  /** Of the entries from this one on, the first whose time is known; undefined where none is. */
  readonly next: (index: number) => EntryMoment | undefined;
}

/** An entry whose time the quorum of witnesses contradicts. */
export interface CosignatureApart extends EntryMoment {
  /** In words, without a full stop. */
  readonly what: string;
  /** When the witness signed that says the least of those which the quorum needs: RFC 3339, UTC. */
  readonly cosignedAt: string;
}

/**
 * The entries that cosignatures contradict, the furthest of each direction.
 *
 * What a witness cosigned was there when it did. That an entry which it did not cover came later is not known by itself: checkpoints
 * are signed by hand days later, and witnesses are slow. It is known of entries that were not in the log yet when the signature was
 * here ({@link Arrival}), but for a commit that was under way then and had taken its time before. A checkpoint lies between two
 * commits: from the next one on that is known, every entry was recorded by a commit that began later.
 *
 * A clock that is wrong may be the witness's. So only as many as the quorum of the policy needs accuse an entry, under one checkpoint,
 * all of them; and none by a time that it takes back itself: see {@link consistent}.
 */
export function cosignaturesApart(cosigned: CosignedNotes): CosignatureApart[] {
  const widest = new Map<boolean, CosignatureApart & { readonly ms: number }>();
  for (const { who, ms, ...at } of momentsOf(cosigned)) {
    const time = new Date(ms).toISOString();
    const moments = {
      last: 'covered' in at ? cosigned.last(at.covered - 1) : undefined,
      next: 'later' in at ? cosigned.next(at.later) : undefined,
    };
    for (const apart of clocksApart({ who, how: 'cosigned', time, ...moments })) {
      const apartMs = Math.abs(Date.parse(apart.recordedAt) - ms);
      const isCovered = 'covered' in at;
      if (apartMs > (widest.get(isCovered)?.ms ?? 0))
        widest.set(isCovered, { ...apart, cosignedAt: time, ms: apartMs });
    }
  }
  return [...widest.values()].map(({ ms: _, ...apart }) => apart);
}

/** One cosignature. */
interface Cosignature {
  readonly key: VerifiedSignature['key'];
  readonly ms: number;
  readonly size: number;
  /** An entry that came later for certain, as all behind it; absent where none is known to have. */
  readonly later?: number;
}

/** What a quorum says: by when so many entries were there, or since when those from one on were not. */
type QuorumMoment = { readonly who: string; readonly ms: number } & (
  | { readonly covered: number }
  | { readonly later: number }
);

function momentsOf(cosigned: CosignedNotes): QuorumMoment[] {
  const { policy } = cosigned;
  if (policy.quorum === undefined) return [];
  const { earliest, latest } = consistent(signaturesOf(cosigned));
  const moments: QuorumMoment[] = [];
  for (const [covered, signed] of earliest) {
    const last = quorumOf(
      policy,
      signed.sort((a, b) => a.ms - b.ms),
    );
    if (last !== undefined && covered > 0) moments.push({ who: last.key.name, ms: last.ms, covered });
  }
  for (const signed of latest.values()) {
    signed.sort((a, b) => b.ms - a.ms);
    for (const later of new Set(signed.flatMap((one) => one.later ?? []))) {
      const known = signed.filter((one) => one.later !== undefined && one.later <= later);
      const last = quorumOf(policy, known);
      if (last !== undefined) moments.push({ who: last.key.name, ms: last.ms, later });
    }
  }
  return moments;
}

/** Of signatures in an order, the first with which they satisfy the policy; undefined where all do not. */
function quorumOf(policy: Policy, signed: readonly Cosignature[]): Cosignature | undefined {
  return signed.find((_, at) => satisfiesPolicy(policy, { verified: signed.slice(0, at + 1) }));
}

/**
 * By size, the signatures with the time that each witness stands by. It signs what grows: where its times go back meanwhile, its clock
 * was wrong once. Of what was there it says then the latest time that it gave up to that size, of what was not, the earliest from it on.
 */
function consistent(signatures: readonly Cosignature[]): Record<'earliest' | 'latest', BySize> {
  const ordered = signatures.toSorted((a, b) => a.size - b.size);
  return {
    earliest: bounded(ordered, (ms, other) => Math.max(ms, other)),
    latest: bounded(ordered.toReversed(), (ms, other) => Math.min(ms, other)),
  };
}

type BySize = Map<number, Cosignature[]>;

/** Each time bounded by those of the same witness that stand before it, at other sizes. */
function bounded(ordered: readonly Cosignature[], bound: (ms: number, other: number) => number): BySize {
  const bySize: BySize = new Map();
  for (const one of ordered) bySize.set(one.size, [...(bySize.get(one.size) ?? []), one]);
  const bounds = new Map<string, number>();
  for (const [size, signed] of bySize) {
    const within = signed.map((one) => ({ ...one, ms: bound(one.ms, bounds.get(one.key.text) ?? one.ms) }));
    bySize.set(size, within);
    for (const { key, ms } of within) bounds.set(key.text, bound(ms, bounds.get(key.text) ?? ms));
  }
  return bySize;
}

function signaturesOf({ notes, policy, arrivals }: CosignedNotes): Cosignature[] {
  const keys = policy.witnesses.map(({ key }) => key);
  const arrived = new Map(arrivals.map(({ line, logSize }) => [line, logSize]));
  const sizes = [...new Set(notes.map((note) => readHead(note)?.size ?? 0))].sort((a, b) => a - b);
  return notes.flatMap((note) => {
    const size = readHead(note)?.size;
    if (size === undefined) return [];
    return verifiedBy(note, keys).flatMap(({ key, timestamp = 0n }) => {
      // Zero says nothing of the time (c2sp.org/tlog-cosignature).
      if (timestamp === 0n) return [];
      const ms = Math.min(Number(timestamp) * 1000, TIME_MS_MAX);
      const line = parseNote(note).signatures.find((one) => one.name === key.name && one.keyId === key.keyId);
      const logSize = arrived.get(line?.line ?? '');
      const later = logSize === undefined ? undefined : sizes.find((one) => one > Math.max(logSize, size));
      return { key, ms, size, ...(later !== undefined && { later }) };
    });
  });
}

function verifiedBy(
  note: Uint8Array,
  keys: readonly VerifiedSignature['key'][],
): readonly VerifiedSignature[] {
  try {
    return openNote(note, keys).verified;
  } catch (error) {
    if (error instanceof VerificationError) return [];
    throw error;
  }
}

/** The indexes whose `recordedAt` lies at what witnesses have signed: see {@link cosignaturesApart}. */
export function momentsOfCosigned(
  notes: readonly (string | Uint8Array)[],
  trust: Trust | undefined,
): number[] {
  if (trust === undefined || !('witnesses' in trust) || trust.witnesses.length === 0) return [];
  const sizes = notes.flatMap((note) => readHead(bytesOf(note))?.size ?? []);
  return [...new Set(sizes.flatMap((size) => [size - 1, size]))].filter((index) => index >= 0);
}

/** Compares the times of cosignatures with those that the entries bear. */
export function compareCosigned(conclusion: Conclusion, policy: Policy, report: ReportOfLog): void {
  const { head, options, moments } = conclusion;
  const { published = [], held = [], arrivals = [] } = options;
  const notes = [head.checkpoint, ...published.map((note) => utf8Encode(note)), ...held.map(noteOf)];
  const at = (index: number): EntryMoment | undefined => {
    const recordedAt = moments.get(index);
    return recordedAt === undefined ? undefined : { index, recordedAt };
  };
  const agreeing = notes.filter((note) => isOfLog(note, conclusion));
  const apart = cosignaturesApart({ notes: agreeing, policy, arrivals, last: at, next: at });
  for (const { index, recordedAt, what, cosignedAt } of apart)
    report('time_contradicted', what, { from: index, to: index, detail: { recordedAt, cosignedAt } });
}

function isOfLog(note: Uint8Array, { trees, genesis }: Conclusion): boolean {
  const claim = readHead(note);
  const root = claim && trees.get(claim.size)?.root();
  return root !== undefined && equalBytes(root, claim!.root) && claim!.origin === genesis?.origin;
}

function bytesOf(note: string | Uint8Array): Uint8Array {
  return typeof note === 'string' ? utf8Encode(note) : note;
}
