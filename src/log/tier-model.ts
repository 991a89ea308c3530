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
    /** The newest checkpoint of this log that satisfies the quorum. */
    readonly met?: { readonly size: number; readonly names: readonly string[]; readonly atMs: number };
  };
  readonly stamped: readonly {
    readonly authority: string;
    readonly size: number;
    readonly timeMs: number;
    readonly isVerified: boolean;
  }[];
  readonly published: readonly Publication[];
  readonly contradictions: readonly string[];
  readonly warnings: readonly string[];
}

/** What a server knows of a log beside what lies there. */
export interface TierCircumstances {
  /** The last whole audit; absent where there was none. */
  readonly audit?: { readonly finishedAt: string; readonly isIntact: boolean } | undefined;
  /** Whether checkpoint and tiles are served without a credential. */
  readonly isPublic: boolean;
  /** Gaps of sources that are open now. */
  readonly gaps: number;
}

/** The places that refuse to change what lies there, now. */
export function lockedOf(
  published: readonly Publication[],
  now: number,
): (Publication & { readonly retainUntil: number })[] {
  return published.flatMap(({ retainUntil, ...place }) =>
    retainUntil !== undefined && retainUntil > now ? [{ ...place, retainUntil }] : [],
  );
}

/** A number of entries in words. */
export function entries(count: number): string {
  return count === 1 ? '1 entry' : `${count} entries`;
}

/** Names in a row, as people say them. */
export function people(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
