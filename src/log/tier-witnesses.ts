import { type AnchorStore, isAhead, mayBeWitnessed, type PublishedCheckpoint } from '../anchor/index.ts';
import { VerificationError } from '../bytes/index.ts';
import {
  cosignaturesFor,
  type OpenedCheckpoint,
  openNote,
  type Policy,
  parseNote,
  satisfiesPolicy,
  type VerifiedSignature,
} from '../note/index.ts';
import { demandsSecond, type KeyTimeline, openBelieved, pinnedBy, withoutOwn } from '../verify/index.ts';
import type { TierFacts } from './tier-model.ts';

/** Checkpoints with the signatures of a quorum that are held against the log, newest first: of an honest log the first is enough. */
const CANDIDATES_MAX = 64;

/** Published checkpoints that are looked at for times that lie ahead of the clock. */
const NEWEST_MAX = 64;

/** What the witnesses of a log are judged by. */
export interface WitnessSources {
  readonly origin: string;
  readonly size: number;
  readonly timeline: KeyTimeline;
  /** The wall clock, milliseconds since the epoch. */
  readonly now: number;
  /** Of which history a state is, in words; undefined where it is of this one. */
  readonly otherThan: (state: OpenedCheckpoint['checkpoint']) => Promise<string | undefined>;
}

/** What is said beside the facts. */
type Told = { readonly [Name in 'contradictions' | 'warnings']: string[] };

/**
 * The newest published checkpoint that a verifier with this policy accepts and that its quorum has cosigned: by the log lines of the
 * policy, by witnesses who are somebody else, at times that have come.
 */
export async function witnessesOf(
  store: AnchorStore,
  given: Policy | undefined,
  sources: WitnessSources,
  told: Told,
): Promise<TierFacts['witnesses']> {
  if (given === undefined)
    return { asked: undefined, unchecked: cosignersOf(store.newestPublished()[0], sources.origin) };
  const { timeline, origin, now } = sources;
  const policy = withoutOwn(given, timeline);
  const own = given.witnesses.filter((witness) => !policy.witnesses.includes(witness));
  for (const { name } of own)
    told.warnings.push(`The witness ${name} is the log itself, by its name or key, and counts for nothing.`);
  for (const name of namesAhead(store.newestPublished(NEWEST_MAX), policy, now))
    told.warnings.push(
      `The witness ${name} has cosigned at a time that is ahead of the clock here: that counts for nothing.`,
    );
  const base = { asked: given.witnesses.length, unchecked: 0 };
  if (policy.quorum === undefined) return { ...base, flaw: 'no quorum' };
  if (!namesLog(policy, sources)) return { ...base, flaw: 'another log' };
  const found = store.everyPublished((published) => candidatesIn(published, policy, sources));
  for (const { opened, signed } of found) {
    const { size } = opened.checkpoint;
    const other = await sources.otherThan(opened.checkpoint);
    if (other === undefined) {
      const names = [...new Set(signed.map(({ key }) => key.name))];
      return { ...base, met: { size, names, atMs: completeSince(policy, signed, origin) } };
    }
    told.contradictions.push(`Witnesses have cosigned ${size} entries of ${other}.`);
  }
  return base;
}

/** Whether the policy names the log: by a key from which the one that signs now follows, or by a second one beside it. */
function namesLog(policy: Policy, { timeline, size, origin }: WitnessSources): boolean {
  if (demandsSecond(policy)) return policy.logs.some(({ key }) => key.name === origin);
  return timeline.reached(pinnedBy(policy), size).length > 0;
}

interface Candidate {
  readonly opened: OpenedCheckpoint;
  /** The cosignatures that count. */
  readonly signed: readonly VerifiedSignature[];
}

function candidatesIn(
  published: Iterable<PublishedCheckpoint>,
  policy: Policy,
  sources: WitnessSources,
): Candidate[] {
  const found: Candidate[] = [];
  for (const { note } of published) {
    const candidate = mayBeWitnessed(policy, note) ? candidateOf(note, policy, sources) : undefined;
    if (candidate !== undefined) found.push(candidate);
    if (found.length === CANDIDATES_MAX) break;
  }
  return found;
}

function candidateOf(
  note: Uint8Array,
  policy: Policy,
  { timeline, origin, now }: WitnessSources,
): Candidate | undefined {
  const believed = { policy, timeline, pinned: pinnedBy(policy) };
  try {
    // Revoked or not: what it signed is held against this log.
    const opened = openBelieved(note, believed, { quorum: false, revoked: true });
    if (opened.checkpoint.origin !== origin) return undefined;
    const signed = cosignaturesFor(policy, opened.note).filter(
      ({ timestamp = 0n }) => !isAhead(timestamp, now),
    );
    const { text } = opened.note;
    return satisfiesPolicy(policy, { text, verified: signed }) ? { opened, signed } : undefined;
  } catch (error) {
    if (error instanceof VerificationError) return undefined;
    throw error;
  }
}

/** Since when the quorum is there, milliseconds since the epoch: the oldest of the newest signatures that make it up. */
function completeSince(policy: Policy, signed: readonly VerifiedSignature[], origin: string): number {
  const seconds = ({ timestamp = 0n }: VerifiedSignature): number => Number(timestamp);
  const newestFirst = [...signed].sort((one, other) => seconds(other) - seconds(one));
  const text = `${origin}\n`;
  const needed = newestFirst.findIndex((_, at) =>
    satisfiesPolicy(policy, { text, verified: newestFirst.slice(0, at + 1) }),
  );
  return seconds(newestFirst[needed]!) * 1000;
}

/** The witnesses that have put a time ahead of the clock under one of these. */
function namesAhead(published: readonly PublishedCheckpoint[], policy: Policy, now: number): string[] {
  const keys = policy.witnesses.map(({ key }) => key);
  const names = published.flatMap(({ note }) => {
    try {
      const ahead = openNote(note, keys).verified.filter(({ timestamp = 0n }) => isAhead(timestamp, now));
      return ahead.map(({ key }) => key.name);
    } catch (error) {
      if (error instanceof VerificationError) return [];
      throw error;
    }
  });
  return [...new Set(names)];
}

/** Names beside the log's own that a checkpoint bears a line of, checked by nobody. */
function cosignersOf(published: PublishedCheckpoint | undefined, origin: string): number {
  if (published === undefined) return 0;
  try {
    const names = parseNote(published.note).signatures.map(({ name }) => name);
    return new Set(names.filter((name) => name !== origin)).size;
  } catch (error) {
    if (error instanceof VerificationError) return 0;
    throw error;
  }
}
