import { equalBytes, utf8Encode, VerificationError } from '../bytes/index.ts';
import { openNote, type Policy, parseNote, type VerifiedSignature } from '../note/index.ts';
import type { Conclusion, ReportOfLog } from './audit-report.ts';
import { noteOf } from './held.ts';
import { readHead } from './signed-head.ts';
import { clocksApart, type EntryMoment } from './stamped.ts';
import type { Trust } from './trust.ts';

/** The last moment of the year 9999, milliseconds since the epoch: no later one can be written down. */
const TIME_MS_MAX = 253_402_300_799_999;

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
  readonly witnesses: Policy['witnesses'];
  readonly arrivals: readonly Arrival[];
  /** Of the entries up to this one, the last whose time is known; undefined where none is. */
  readonly last: (index: number) => EntryMoment | undefined;
  /** Of the entries from this one on, the first whose time is known; undefined where none is. */
  readonly next: (index: number) => EntryMoment | undefined;
}

/** An entry whose time a cosignature contradicts. */
export interface CosignatureApart extends EntryMoment {
  /** In words, without a full stop. */
  readonly what: string;
  /** When the witness signed: RFC 3339, UTC. */
  readonly cosignedAt: string;
}

/**
 * The entries that cosignatures contradict, the furthest of each witness and direction.
 *
 * What a witness cosigned was there when it did. That an entry which it did not cover came later is not known by itself: checkpoints
 * are signed by hand days later, and witnesses are slow. It is known of entries that were not in the log yet when the signature was
 * here ({@link Arrival}), but for a commit that was under way then and had taken its time before. A checkpoint lies between two
 * commits: from the next one on that is known, every entry was recorded by a commit that began later.
 */
export function cosignaturesApart(cosigned: CosignedNotes): CosignatureApart[] {
  const widest = new Map<string, CosignatureApart & { readonly ms: number }>();
  for (const { vkey, who, time, size, later } of momentsOf(cosigned)) {
    const moments = {
      last: size === 0 ? undefined : cosigned.last(size - 1),
      next: later === undefined ? undefined : cosigned.next(later),
    };
    for (const apart of clocksApart({ who, how: 'cosigned', time, ...moments })) {
      const ms = Math.abs(Date.parse(apart.recordedAt) - Date.parse(time));
      const id = `${vkey} ${apart.index < size}`;
      if (ms > (widest.get(id)?.ms ?? 0)) widest.set(id, { ...apart, cosignedAt: time, ms });
    }
  }
  return [...widest.values()].map(({ ms: _, ...apart }) => apart);
}

/** One cosignature. */
interface CosignedMoment {
  readonly vkey: string;
  readonly who: string;
  readonly time: string;
  readonly size: number;
  /** An entry that came later for certain, as all behind it; absent where none is known to have. */
  readonly later?: number;
}

function momentsOf({ notes, witnesses, arrivals }: CosignedNotes): CosignedMoment[] {
  const keys = witnesses.map(({ key }) => key);
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
      const moment = { vkey: key.text, who: key.name, time: new Date(ms).toISOString(), size };
      return { ...moment, ...(later !== undefined && { later }) };
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
export function compareCosigned(conclusion: Conclusion, { witnesses }: Policy, report: ReportOfLog): void {
  const { head, options, moments } = conclusion;
  const { published = [], held = [], arrivals = [] } = options;
  const notes = [head.checkpoint, ...published.map((note) => utf8Encode(note)), ...held.map(noteOf)];
  const at = (index: number): EntryMoment | undefined => {
    const recordedAt = moments.get(index);
    return recordedAt === undefined ? undefined : { index, recordedAt };
  };
  const agreeing = notes.filter((note) => isOfLog(note, conclusion));
  const apart = cosignaturesApart({ notes: agreeing, witnesses, arrivals, last: at, next: at });
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
