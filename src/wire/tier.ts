/** One of the things that can stand behind a log, from the weakest to the strongest. */
export interface TierLayer {
  readonly name: 'chained' | 'signed' | 'witnessed' | 'time-stamped' | 'published' | 'locked';
  /** Whether it is there now, as far as could be computed. */
  readonly holds: boolean;
  /** What there is of it, or is not, in plain words. */
  readonly says: string;
}

/** What one adversary could do to a log, as it is set up now. */
export interface Exposure {
  readonly who: string;
  readonly can: string;
  readonly answeredBy: string;
  /** What it could still do unseen, in plain words. */
  readonly unseen: string;
  readonly answered: 'whole' | 'part' | 'none';
  /** Whether it is answered as a whole. */
  readonly isAnswered: boolean;
}

/** A time-stamp that agrees with the log, the newest of one authority. */
export interface TierStamp {
  readonly authority: string;
  readonly size: number;
  /** RFC 3339. */
  readonly time: string;
  readonly ageMs: number;
  /** Whether it was verified by a certificate that the owner of the log named; otherwise by the one inside. */
  readonly isVerified: boolean;
}

/**
 * A place where a log is published: `size`, `at` and `retainUntil` as whoever publishes it has noted, which proves nothing; and what
 * was found there. Without `seen` and `problem` nobody has looked.
 */
export interface TierPublication {
  readonly url: string;
  readonly size: number;
  readonly at: string;
  /** Until when the place is noted to refuse to change what lies there. */
  readonly retainUntil?: string;
  /** The checkpoint that lay there, signed by this log and continued by it; `lockedUntil` by the word of the place itself. */
  readonly seen?: { readonly size: number; readonly lockedUntil?: string };
  /** Why nothing of this log is there, or nobody can tell. */
  readonly problem?: string;
}

/** What vouches for a log, computed out of what is there and never claimed; and what each adversary could still do. */
export interface Tier {
  readonly origin: string;
  readonly size: number;
  /** Root over all entries, standard base64. */
  readonly root: string;
  /** When this was computed. */
  readonly at: string;
  readonly layers: readonly TierLayer[];
  /** The largest checkpoint under which enough witnesses of the policy have put their names. */
  readonly witnessed?: { readonly size: number; readonly names: readonly string[]; readonly ageMs: number };
  readonly stamped: readonly TierStamp[];
  readonly published: readonly TierPublication[];
  /** What outside parties signed that is not of this log, or does not hold: each a reason to run verify, and to worry. */
  readonly contradictions: readonly string[];
  /** What keeps outside parties from vouching for it, and is for people to mend. */
  readonly warnings: readonly string[];
  readonly exposure: readonly Exposure[];
}
