import type { Tier, TierLayer } from '../wire/index.ts';
import { exposureOf } from './exposure.ts';
import { entries, lockedOf, people, type TierCircumstances, type TierFacts } from './tier-model.ts';

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
    published: published.map(({ url, size: there, at, retainUntil }) => ({
      url,
      size: there,
      at: iso(at),
      ...(retainUntil !== undefined && { retainUntil: iso(retainUntil) }),
    })),
    contradictions,
    warnings,
    exposure: exposureOf(facts, served),
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

function witnessedLayer({ size, now, witnesses: { asked, unchecked, met } }: TierFacts): TierLayer {
  const name = 'witnessed';
  if (met !== undefined) {
    const says = `${people(met.names)} cosigned, which the policy asks for, up to size ${met.size}${behind(size, met.size)}, ${age(now - met.atMs)} ago`;
    return { name, holds: true, says };
  }
  if (asked !== undefined) {
    const says =
      asked === 0
        ? 'the policy in the folder names no witness'
        : `the policy names ${asked} ${asked === 1 ? 'witness' : 'witnesses'}, and no published checkpoint satisfies it`;
    return { name, holds: false, says };
  }
  const says =
    unchecked === 0
      ? 'no policy names a witness, and none cosigns'
      : `${unchecked} others have signed, unchecked: no policy in the folder says whose signature counts`;
  return { name, holds: false, says };
}

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
  const says = published.map(
    ({ url, size: there, at }) => `${url} up to size ${there}${behind(size, there)}, ${iso(at)}`,
  );
  return {
    name: 'published',
    holds: published.length > 0,
    says:
      published.length === 0
        ? 'nowhere that the log knows of'
        : `${says.join('; ')}; as whoever publishes has noted`,
  };
}

function lockedLayer({ now, published }: TierFacts): TierLayer {
  const locked = lockedOf(published, now);
  const ended = published.filter(({ retainUntil }) => retainUntil !== undefined && retainUntil <= now);
  const says = locked.map(({ url, retainUntil }) => `${url} until ${iso(retainUntil)}`);
  const none = ended.length === 0 ? 'nothing is locked against deletion' : 'the lock has run out';
  return { name: 'locked', holds: locked.length > 0, says: locked.length === 0 ? none : says.join('; ') };
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
