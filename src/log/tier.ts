import type { Tier, TierLayer, TierPublication } from '../wire/index.ts';
import { exposureOf } from './exposure.ts';
import {
  entries,
  lockedOf,
  type PlaceFact,
  people,
  type TierCircumstances,
  type TierFacts,
} from './tier-model.ts';

/** What vouches for a log, and what each adversary could still do to it, out of the facts alone. */
export function tierOf(facts: TierFacts, served?: TierCircumstances): Tier {
  const { origin, size, root, now, witnesses, stamped, published, contradictions, warnings } = facts;
  const { met } = witnesses;
  return {
    origin,
    size,
    root,
    at: iso(now),
    layers: layersOf(facts),
    ...(met !== undefined && {
      witnessed: { size: met.size, names: met.names, ageMs: Math.max(0, now - met.atMs) },
    }),
    stamped: stamped.map(({ authority, size: covered, timeMs, isVerified }) => ({
      authority,
      size: covered,
      time: iso(timeMs),
      ageMs: Math.max(0, now - timeMs),
      isVerified,
    })),
    published: published.map(publicationOf),
    contradictions,
    warnings,
    exposure: exposureOf(facts, served),
  };
}

function publicationOf({ url, size, at, retainUntil, seen, problem }: PlaceFact): TierPublication {
  return {
    url,
    size,
    at: iso(at),
    ...(retainUntil !== undefined && { retainUntil: iso(retainUntil) }),
    ...(seen !== undefined && {
      seen: {
        size: seen.size,
        ...(seen.lockedUntil !== undefined && { lockedUntil: iso(seen.lockedUntil) }),
      },
    }),
    ...(problem !== undefined && { problem }),
  };
}

function layersOf(facts: TierFacts): TierLayer[] {
  const { size } = facts;
  return [
    {
      name: 'chained',
      holds: true,
      says: `${entries(size)} under one root; that their bytes still give it is what verify finds out`,
    },
    { name: 'signed', holds: true, says: 'the checkpoint over them is signed by the key that the log names' },
    witnessedLayer(facts),
    stampedLayer(facts),
    publishedLayer(facts),
    lockedLayer(facts),
  ];
}

function witnessedLayer({ size, now, witnesses: { asked, unchecked, flaw, met } }: TierFacts): TierLayer {
  const name = 'witnessed';
  if (met !== undefined) {
    const says = `${people(met.names)} cosigned, which the policy asks for, up to size ${met.size}${behind(size, met.size)}, ${age(now - met.atMs)} ago`;
    return { name, holds: true, says };
  }
  if (asked !== undefined) {
    const says =
      asked === 0
        ? 'the policy in the folder names no witness'
        : `the policy names ${asked} ${asked === 1 ? 'witness' : 'witnesses'}, and ${flaw === undefined ? 'no published checkpoint satisfies it' : flawWords[flaw]}`;
    return { name, holds: false, says };
  }
  const says =
    unchecked === 0
      ? 'no policy names a witness, and none cosigns'
      : `${unchecked} others have signed, unchecked: no policy in the folder says whose signature counts`;
  return { name, holds: false, says };
}

const flawWords = {
  'no quorum':
    'asks for the signature of none (quorum none): a verifier with it accepts any history that the key signs',
  'another log': 'no log line of it is a key of this log: a verifier with it refuses the log',
} as const;

function stampedLayer({ size, now, stamped }: TierFacts): TierLayer {
  const name = 'time-stamped';
  const verified = stamped.filter(({ isVerified }) => isVerified);
  if (stamped.length === 0) return { name, holds: false, says: 'no time-stamp that holds' };
  const says = stamped.map(({ authority, size: covered, timeMs, isVerified }) => {
    const how = isVerified ? '' : ', by a certificate that nobody vouches for';
    return `${authority}, ${age(now - timeMs)} ago, up to size ${covered}${behind(size, covered)}${how}`;
  });
  return { name, holds: verified.length > 0, says: says.join('; ') };
}

function publishedLayer({ size, published }: TierFacts): TierLayer {
  const says = published.map(({ url, size: noted, at, seen, problem }) => {
    if (seen !== undefined) return `${url} up to size ${seen.size}${behind(size, seen.size)}`;
    const note = `noted up to size ${noted}, ${iso(at)}`;
    return problem === undefined ? `${url}: ${note}, not looked at` : `${url}: ${note}, but ${problem}`;
  });
  const holds = published.some(({ seen }) => seen !== undefined);
  const whole = holds ? '; the checkpoint was looked at, and whether all is there verify URL finds out' : '';
  return {
    name: 'published',
    holds,
    says: published.length === 0 ? 'nowhere that the log knows of' : `${says.join('; ')}${whole}`,
  };
}

function lockedLayer({ now, published }: TierFacts): TierLayer {
  const locked = lockedOf(published, now);
  const says =
    locked.length > 0
      ? locked.map(({ url, until }) => `${url} until ${iso(until)}, as it says itself`)
      : published.flatMap((place) => unlockedWords(place, now) ?? []);
  return {
    name: 'locked',
    holds: locked.length > 0,
    says: says.length === 0 ? 'nothing is locked against deletion' : says.join('; '),
  };
}

/** Why a lock that is noted is none; undefined where none is noted. */
function unlockedWords({ url, retainUntil, seen, problem }: PlaceFact, now: number): string | undefined {
  if (retainUntil === undefined) return undefined;
  if (retainUntil <= now) return `${url}: the lock has run out`;
  const note = `${url}: noted until ${iso(retainUntil)}`;
  if (problem !== undefined) return `${note}, but ${problem}`;
  if (seen === undefined) return `${note}, not looked at`;
  if (seen.lockedUntil === undefined) return `${note}, which the place does not say itself`;
  return `${note}, but by the place's own word the lock has run out`;
}

function behind(size: number, covered: number): string {
  return covered < size ? ` of ${size}` : '';
}

/** How long ago, in the largest unit that says something. */
function age(ms: number): string {
  const minutes = Math.max(0, Math.floor(ms / 60_000));
  if (minutes < 1) return 'less than a minute';
  if (minutes < 120) return minutes === 1 ? 'a minute' : `${minutes} minutes`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} hours` : `${Math.floor(hours / 24)} days`;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
