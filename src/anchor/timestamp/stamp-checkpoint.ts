import { utf8Decode, utf8Encode, VerificationError } from '../../bytes/index.ts';
import { parseNote } from '../../note/index.ts';
import type { Stamped } from '../../verify/index.ts';
import type { StampedCheckpoint } from '../anchor-rows.ts';
import type { AnchorStore } from '../anchor-store.ts';
import { loadAsn1 } from './asn1.ts';
import { requestTimestamp } from './request-timestamp.ts';
import type { TimestampAuthority } from './settings.ts';
import { parseToken } from './token.ts';
import { type TimestampVerdict, verifyTimestamp } from './verify-timestamp.ts';

/** Time-stamps that are judged at once, the newest: each covers the whole log up to its size. */
export const STAMPS_JUDGED_MAX = 500;

/** A checkpoint to be stamped. */
export interface ToStamp {
  readonly size: number;
  /** The signed note, as the log gives it. */
  readonly note: string;
}

/** How it is stamped. */
export interface StampOptions {
  /** The wall clock, milliseconds since the epoch. */
  readonly now: () => number;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/**
 * Has an authority stamp a checkpoint, verifies the answer, and keeps it: when this resolves, the token is on the disk. Throws what
 * `requestTimestamp` throws; nothing is kept then.
 */
export async function stampCheckpoint(
  store: AnchorStore,
  authority: TimestampAuthority,
  { size, note }: ToStamp,
  { now, signal, timeoutMs }: StampOptions,
): Promise<TimestampVerdict> {
  const text = utf8Encode(parseNote(utf8Encode(note)).text);
  const [previous] = store.newestTimestamps();
  const notBefore = previous && previous.size <= size ? await timeOf(previous) : undefined;
  const { token, verdict } = await requestTimestamp(authority, {
    text,
    now: now(),
    notBefore,
    signal,
    timeoutMs,
  });
  store.putTimestamp({ size, authority: authority.name, token, note: utf8Encode(note), at: now() });
  return verdict;
}

/** The time that a stored token claims; undefined where it is damaged, which whoever verifies it will say. */
async function timeOf({ token }: StampedCheckpoint): Promise<number | undefined> {
  try {
    return parseToken(await loadAsn1(), token).info.timeMs;
  } catch (error) {
    if (error instanceof VerificationError) return undefined;
    throw error;
  }
}

/** Whom to believe in judging stored time-stamps, and what time it is. */
export interface Judging {
  /** Certificates to trust, in DER, for a given authority's name; undefined where none are known. */
  readonly certificates: (authority: string) => readonly Uint8Array[] | undefined;
  /** Certificates that came along, in DER: they may complete a chain, and are trusted by nobody. */
  readonly intermediates?: readonly Uint8Array[];
  readonly now: number;
}

/**
 * Judges stored time-stamps as far as they go without the log: what an audit then compares with it. Each must not lie before those
 * over smaller logs. Never throws for a stamp's sake: what is wrong with one is its verdict.
 */
export async function judgeStamps(
  stamps: readonly Omit<StampedCheckpoint, 'at'>[],
  { certificates, intermediates, now }: Judging,
): Promise<Stamped[]> {
  const judged: Stamped[] = [];
  let [notBefore, newest, size]: (number | undefined)[] = [];
  for (const stamp of stamps.toSorted((one, other) => one.size - other.size)) {
    const { authority, token } = stamp;
    // Those over one size may come in any order: a log that stands still is stamped again.
    if (stamp.size !== size) [notBefore, size] = [newest, stamp.size];
    let note = '';
    try {
      note = utf8Decode(stamp.note);
      const text = utf8Encode(parseNote(stamp.note).text);
      const known = certificates(authority);
      const verdict = await verifyTimestamp({
        text,
        token,
        certificates: known,
        intermediates,
        now,
        notBefore,
      });
      // A stamp that nobody vouches for says nothing against others.
      if (verdict.trust === 'anchored') newest = Math.max(newest ?? 0, verdict.timeMs);
      const { time, trust, signer } = verdict;
      judged.push({ authority, note, verdict: { time, trust, signer } });
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      judged.push({ authority, note, verdict: { code: error.code, message: error.message } });
    }
  }
  return judged;
}
