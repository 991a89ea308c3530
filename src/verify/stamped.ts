import { base64Encode, utf8Encode } from '../bytes/index.ts';
import type { Conclusion, ReportOfLog } from './audit-report.ts';
import type { Anchor, Believed } from './believed.ts';
import { compareOne } from './held.ts';
import { readHead, withoutStop } from './signed-head.ts';

/**
 * How far the clock of a log and that of an outside party, a time-stamping authority or a witness, may be apart before an audit says that one of them contradicts
 * the other, milliseconds.
 */
export const CLOCKS_APART_MS_MAX = 300_000;

/** What a time-stamp shows. */
export interface StampVerdict {
  /** RFC 3339, milliseconds, UTC. */
  readonly time: string;
  /** `anchored`: by an authority that the verifier knows. `inside`: consistent with the certificate that came with it, which shows nothing. */
  readonly trust: 'anchored' | 'inside';
  /** The subject of the certificate that signed, on one line: it came from outside. */
  readonly signer?: string;
}

/**
 * A time-stamp over a checkpoint (RFC 3161), as somebody who can read it has judged it: `verifyTimestamp` of `indelible/anchor`. This
 * room compares what was stamped with the log.
 */
export interface Stamped {
  /** The name under which the log keeps it. */
  readonly authority: string;
  /** The signed note whose text was stamped. */
  readonly note: string;
  /** What it shows; or the code and the words of why it shows nothing. */
  readonly verdict: StampVerdict | { readonly code: string; readonly message: string };
}

/** The newest time-stamp of one authority that agrees with the log. */
export interface StampedUpTo extends StampVerdict {
  readonly authority: string;
  /** How many entries it covers. */
  readonly size: number;
}

/** How much of what was time-stamped agrees with the log. */
export interface StampedVerdict {
  /** How many time-stamps were compared. */
  readonly given: number;
  /** How many of them agree. */
  readonly agree: number;
  /** For each authority, its newest that agrees. */
  readonly newest: readonly StampedUpTo[];
}

/** The indexes whose `recordedAt` lies at a time-stamp: the last entry that it covers, and the first that it does not. */
export function momentsOfStamps(stamps: readonly Stamped[]): number[] {
  const sizes = stamps.flatMap(({ note, verdict }) =>
    'time' in verdict && verdict.trust === 'anchored' ? (readHead(utf8Encode(note))?.size ?? []) : [],
  );
  return [...new Set(sizes.flatMap((size) => [size - 1, size]))].filter((index) => index >= 0);
}

/** The states of the log that authorities whom the verifier knows have seen, and when. */
export function anchorsOfStamps(stamps: readonly Stamped[]): Anchor[] {
  return stamps.flatMap(({ note, verdict }) => {
    const head = readHead(utf8Encode(note));
    if (head === undefined || !('time' in verdict) || verdict.trust !== 'anchored') return [];
    return { size: head.size, root: base64Encode(head.root), time: Date.parse(verdict.time) };
  });
}

/**
 * Compares what was time-stamped with the log, as checkpoints that somebody holds are compared; and the times with those that the
 * entries bear. Undefined where nothing was stamped.
 */
export function compareStamped(
  conclusion: Conclusion,
  believed: Believed | undefined,
  report: ReportOfLog,
): StampedVerdict | undefined {
  const { stamped = [] } = conclusion.options;
  if (stamped.length === 0) return undefined;
  const newest = new Map<string, StampedUpTo>();
  let agree = 0;
  for (const { authority, note, verdict } of stamped) {
    if (!('time' in verdict)) {
      report(
        'timestamp_invalid',
        `A time-stamp by ${authority} shows nothing: ${withoutStop(verdict.message)}`,
        {
          detail: { about: 'evidence', authority, code: verdict.code },
        },
      );
      continue;
    }
    const name = `The checkpoint that ${authority} time-stamped at ${verdict.time}`;
    // Its root speaks for itself: that the key which signed it was revoked later makes an honest log no other.
    const strictness = { revoked: true };
    const size = compareOne({ item: note, name, conclusion, believed, report, strictness });
    if (size === undefined) continue;
    agree += 1;
    if (verdict.trust === 'anchored') compareClocks(size, authority, verdict, { conclusion, report });
    const known = newest.get(authority);
    const isBetter =
      known === undefined || size > known.size || (known.trust === 'inside' && verdict.trust === 'anchored');
    if (isBetter) newest.set(authority, { authority, size, time: verdict.time, trust: verdict.trust });
  }
  return { given: stamped.length, agree, newest: [...newest.values()] };
}

/** What {@link clocksApart} compares: the time at which an outside party signed, with entries from before and from after it. */
export interface SignedMoments {
  readonly who: string;
  readonly how: 'time-stamped' | 'cosigned';
  readonly time: string;
  /** The last entry that was signed, and the first that was not there yet, as far as they are known. */
  readonly last: EntryMoment | undefined;
  readonly next: EntryMoment | undefined;
}

/** An entry, and when it says that it was recorded. */
export interface EntryMoment {
  readonly index: number;
  readonly recordedAt: string;
}

/**
 * An entry that a signature covers was there before it; one that came after it is not recorded, but for the moments that signing takes,
 * before it. A log whose clock was set says otherwise: which entry does, and in what words.
 */
export function* clocksApart({
  who,
  how,
  time,
  last,
  next,
}: SignedMoments): Generator<EntryMoment & { readonly what: string }, void, undefined> {
  const signedMs = Date.parse(time);
  const words = ({ index, recordedAt }: EntryMoment, signed: string): string =>
    `Entry ${index} says that it was recorded at ${recordedAt}, and ${who} has ${how} ${signed} at ${time}`;
  if (last !== undefined && Date.parse(last.recordedAt) > signedMs + CLOCKS_APART_MS_MAX) {
    yield { ...last, what: words(last, 'a checkpoint that covers it') };
  }
  if (next !== undefined && Date.parse(next.recordedAt) < signedMs - CLOCKS_APART_MS_MAX) {
    yield { ...next, what: words(next, 'the entries before it, when it was not there yet,') };
  }
}

function compareClocks(
  size: number,
  authority: string,
  { time }: StampVerdict,
  { conclusion, report }: { readonly conclusion: Conclusion; readonly report: ReportOfLog },
): void {
  const momentAt = (index: number): EntryMoment | undefined => {
    const recordedAt = conclusion.moments.get(index);
    return recordedAt === undefined ? undefined : { index, recordedAt };
  };
  const moments = { last: momentAt(size - 1), next: momentAt(size) };
  const stamp = { who: authority, how: 'time-stamped', time } as const;
  for (const { index, recordedAt, what } of clocksApart({ ...stamp, ...moments }))
    report('time_contradicted', what, { from: index, to: index, detail: { recordedAt, stampedAt: time } });
}

/** The time-stamps in words, as part of a sentence on how far a log is anchored. */
export function stampsInWords(stamped: StampedVerdict | undefined): string[] {
  return (stamped?.newest ?? []).map(({ authority, time, size, trust }) =>
    trust === 'anchored'
      ? `time-stamped by ${authority} at ${time} up to size ${size}`
      : `${authority} is said to have time-stamped size ${size} at ${time}, by a certificate that nobody vouches for`,
  );
}
