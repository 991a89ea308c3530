import type { Publication } from '../anchor/index.ts';

/** What is there of what can vouch for a log. All of it was computed; nothing is anybody's word but where it says so. */
export interface TierFacts {
  readonly origin: string;
  readonly size: number;
  readonly root: string;
  /** The wall clock, milliseconds since the epoch. */
  readonly now: number;
  readonly hasMark: boolean;
  readonly rootKey: 'here' | 'elsewhere' | 'unknown';
  readonly witnesses: {
    /** How many the policy names; undefined where there is no policy. */
    readonly asked: number | undefined;
    /** Without a policy: how many others have signed the newest published checkpoint, whoever they are. */
    readonly unchecked: number;
    /** Why the policy binds no verifier of this log: it asks for nobody's signature, or its log lines do not name this log. */
    readonly flaw?: 'no quorum' | 'another log';
    /** The newest checkpoint of this log that satisfies the quorum, and since when it does: as its oldest signature that it needs. */
    readonly met?: { readonly size: number; readonly names: readonly string[]; readonly atMs: number };
  };
  readonly stamped: readonly {
    readonly authority: string;
    readonly size: number;
    readonly timeMs: number;
    readonly isVerified: boolean;
  }[];
  readonly published: readonly PlaceFact[];
  readonly contradictions: readonly string[];
  readonly warnings: readonly string[];
}

/** A place where the log is noted to be published, and what was found there; neither where nobody has looked. */
export interface PlaceFact extends Publication {
  /** A checkpoint of this log, by a key of it, that this log continues. */
  readonly seen?: {
    readonly size: number;
    /** Until when the place itself says that nobody deletes it, milliseconds since the epoch. */
    readonly lockedUntil?: number;
  };
  /** Why nothing of it is there, or nobody can tell. */
  readonly problem?: string;
}

/** Of which history a signed state is: this one, or another one in words. */
export type History =
  | 'this'
  | 'another history than this one'
  | 'a history with which this damaged log cannot be compared';

/** What a server knows of a log beside what lies there. */
export interface TierCircumstances {
  /** The last whole audit; absent where there was none. */
  readonly audit?: { readonly finishedAt: string; readonly isIntact: boolean } | undefined;
  /** Whether checkpoint and tiles are served without a credential. */
  readonly isPublic: boolean;
  /** Gaps of sources that are open now. */
  readonly gaps: number;
}

/** A copy that its place refuses to change. */
export interface LockedPlace {
  readonly url: string;
  readonly size: number;
  readonly until: number;
}

/**
 * The places that refuse to change what lies there, now: by their own word for the checkpoint, and by the note for all that it covers.
 * The earlier of the two dates counts.
 */
export function lockedOf(published: readonly PlaceFact[], now: number): LockedPlace[] {
  return published.flatMap(({ url, retainUntil, seen }) => {
    if (retainUntil === undefined || seen?.lockedUntil === undefined) return [];
    const until = Math.min(retainUntil, seen.lockedUntil);
    return until > now ? [{ url, size: seen.size, until }] : [];
  });
}

/** A number of entries in words. */
export function entries(count: number): string {
  return count === 1 ? '1 entry' : `${count} entries`;
}

/** Names in a row, as people say them. */
export function people(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
