import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AnchorStore, certificatesOf, judgeStamps, type TimestampSettings } from '../anchor/index.ts';
import { base64Encode, isMisuse, utf8Encode, VerificationError } from '../bytes/index.ts';
import { type Policy, parseCheckpoint, parseNote, parsePolicy } from '../note/index.ts';
import { readTextFile } from '../platform/index.ts';
import { isLogError, LogError } from '../store/index.ts';
import { keyTimeline, type Stamped } from '../verify/index.ts';
import type { LogHome } from './paths.ts';
import type { SignedCheckpoint } from './reader.ts';
import type { ReaderHandle } from './reader-thread.ts';
import type { History, TierFacts } from './tier-model.ts';
import { type PlaceLook, placesOf } from './tier-places.ts';
import { type WitnessSources, witnessesOf } from './tier-witnesses.ts';

/** The name of the file with the policy of a log: which witnesses its owner asks for (c2sp.org/tlog-policy). */
const POLICY_FILE = 'policy';

const POLICY_BYTES_MAX = 1024 * 1024;

/** Time-stamps that are looked through for the newest of each authority. */
const STAMPS_LOOKED_AT = 32;

/** Where the facts about a log come from. */
export interface TierSources {
  readonly home: LogHome;
  readonly origin: string;
  readonly checkpoint: SignedCheckpoint;
  /** The settings of its time-stamps; undefined where there are none. Throws a misuse where the file is wrong. */
  readonly settings: () => TimestampSettings | undefined;
  readonly reader: Pick<ReaderHandle, 'checkContinues' | 'keys'>;
  readonly look: PlaceLook;
  /** The wall clock, milliseconds since the epoch. */
  readonly now: number;
}

/** What is there of what can vouch for a log: verified where it is signed, and held against the log. */
export async function tierFacts(sources: TierSources): Promise<TierFacts> {
  const { home, origin, checkpoint, now } = sources;
  const contradictions: string[] = [];
  const warnings: string[] = [];
  const found = await anchorsOf(sources, { contradictions, warnings });
  const { folder, mark } = home;
  return {
    origin,
    size: checkpoint.size,
    root: checkpoint.root,
    now,
    hasMark: mark !== undefined && existsSync(mark),
    rootKey: folder === undefined ? 'unknown' : existsSync(join(folder, 'root.key')) ? 'here' : 'elsewhere',
    ...found,
    contradictions,
    warnings,
  };
}

/** What is told beside the facts. */
type Told = { readonly [Name in 'contradictions' | 'warnings']: string[] };

type Found = Pick<TierFacts, 'witnesses' | 'stamped' | 'published'>;

async function anchorsOf(sources: TierSources, { contradictions, warnings }: Told): Promise<Found> {
  const policy = policyIn(sources.home, contradictions);
  const asked = policy?.witnesses.length;
  const nothing: Found = { witnesses: { asked, unchecked: 0 }, stamped: [], published: [] };
  let store: AnchorStore | undefined;
  try {
    store = AnchorStore.openReadable(sources.home.anchors);
    if (store === undefined) return nothing;
    warnings.push(...refusalsOf(store, policy));
    return {
      witnesses: await witnessesOf(store, policy, await witnessSources(sources), {
        contradictions,
        warnings,
      }),
      stamped: await stampsOf(store, sources, contradictions),
      published: await publishedOf(store, sources, { contradictions, warnings }),
    };
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    contradictions.push(`What outside parties signed cannot be read: ${error.message}`);
    return nothing;
  } finally {
    store?.close();
  }
}

async function witnessSources(sources: TierSources): Promise<WitnessSources> {
  const { origin, now, checkpoint, reader } = sources;
  const [first, ...changes] = (await reader.keys()).entries;
  return {
    ...{ origin, now, size: checkpoint.size, timeline: keyTimeline(first!.entry, changes) },
    otherThan: async ({ size, root }) => {
      const history = await compare(sources, { size, root: base64Encode(root) });
      return history === 'this' ? undefined : history;
    },
  };
}

/** Where it is noted to be published, and what lies there now. */
async function publishedOf(
  store: AnchorStore,
  sources: TierSources,
  { contradictions, warnings }: Told,
): Promise<TierFacts['published']> {
  const noted = store.publications();
  if (noted.length === 0) return [];
  const { origin, look } = sources;
  const places = await placesOf(noted, {
    origin,
    keys: (await sources.reader.keys()).keys,
    historyOf: (state) => compare(sources, state),
    look,
    contradictions,
  });
  for (const { url, size, seen, problem } of places) {
    const isBehind = seen !== undefined && seen.size < size;
    const words = isBehind ? `up to size ${size}, and what lies there ends at ${seen.size}` : problem;
    if (words !== undefined)
      warnings.push(`The log is noted to be published at ${url}: ${words.replace(/\.$/, '')}.`);
  }
  return places;
}

/** The witnesses that do not cosign, and why, as whoever shows them checkpoints has noted. */
function refusalsOf(store: AnchorStore, policy: Policy | undefined): string[] {
  return (policy?.witnesses ?? []).flatMap(({ name, url }) => {
    const known = url === undefined ? undefined : store.witness(url);
    if (known?.refusal === undefined) return [];
    const since = new Date(known.at).toISOString();
    const { kind } = known.refusal;
    if (kind === 'unknown')
      return [
        `The witness ${name} has cosigned nothing since ${since}: it does not know the log, or the key that signs it now. Give whoever runs it the verifier key.`,
      ];
    const holds = kind === 'fork' ? 'another history' : 'a longer history';
    return [`The witness ${name} holds ${holds} of this log, and is not asked since ${since}: run verify.`];
  });
}

function policyIn({ folder }: LogHome, contradictions: string[]): Policy | undefined {
  const path = folder === undefined ? undefined : join(folder, POLICY_FILE);
  if (path === undefined || !existsSync(path)) return undefined;
  try {
    return parsePolicy(readTextFile(path, POLICY_BYTES_MAX));
  } catch (error) {
    if (!(error instanceof VerificationError || error instanceof LogError)) throw error;
    contradictions.push(`The policy of the log cannot be read: ${error.message}`);
    return undefined;
  }
}

/** The newest time-stamp of each authority that holds and agrees with the log. */
async function stampsOf(
  store: AnchorStore,
  sources: TierSources,
  contradictions: string[],
): Promise<TierFacts['stamped']> {
  const { now } = sources;
  const authorities = authoritiesOf(sources, contradictions);
  const certificates = (name: string) => {
    const authority = authorities.find((known) => known.name === name);
    return authority && certificatesOf(authority);
  };
  const named = authorities.flatMap(({ name }) => store.newestTimestampOf(name) ?? []);
  const rows = [...named, ...store.newestTimestamps(STAMPS_LOOKED_AT)];
  const newest = new Map(rows.toReversed().map((row) => [`${row.authority} ${row.size}`, row]));
  const judged = await judgeStamps([...newest.values()], { certificates, now });
  const found = new Map<string, TierFacts['stamped'][number]>();
  for (const stamp of judged) {
    const fact = await stampFact(stamp, sources, contradictions);
    if (fact === undefined) continue;
    const known = found.get(fact.authority);
    if (known === undefined || fact.size > known.size) found.set(fact.authority, fact);
  }
  return [...found.values()];
}

/** A file of settings that cannot be read is told, and says no more than if it were not there. */
function authoritiesOf({ settings }: TierSources, contradictions: string[]) {
  try {
    return settings()?.authorities ?? [];
  } catch (error) {
    if (!isMisuse(error) && !(error instanceof LogError)) throw error;
    contradictions.push(`The settings of its time-stamps cannot be read: ${error.message}`);
    return [];
  }
}

async function stampFact(
  { authority, note, verdict }: Stamped,
  sources: TierSources,
  contradictions: string[],
): Promise<TierFacts['stamped'][number] | undefined> {
  if (!('time' in verdict)) {
    contradictions.push(`A time-stamp by ${authority} does not hold: ${verdict.message}`);
    return undefined;
  }
  const { time, trust } = verdict;
  try {
    const { size, root, origin } = parseCheckpoint(parseNote(utf8Encode(note)).text);
    const state = { size, root: base64Encode(root) };
    const history = origin === sources.origin ? await compare(sources, state) : 'another log';
    if (history === 'this') {
      return { authority, size, timeMs: Date.parse(time), isVerified: trust === 'anchored' };
    }
    contradictions.push(`${authority} has time-stamped, at ${time}, ${size} entries of ${history}.`);
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    contradictions.push(`What ${authority} time-stamped at ${time} is no checkpoint.`);
  }
  return undefined;
}

/** Holds a signed state against the log. */
async function compare(
  { reader }: TierSources,
  state: { readonly size: number; readonly root: string },
): Promise<History> {
  try {
    await reader.checkContinues(state);
    return 'this';
  } catch (error) {
    if (isLogError(error, 'rolled_back')) return 'another history than this one';
    if (isLogError(error, 'log_damaged')) return 'a history with which this damaged log cannot be compared';
    throw error;
  }
}
