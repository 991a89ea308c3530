import { publicationsIn } from '../../anchor/index.ts';
import { equalBytes, misuse } from '../../bytes/index.ts';
import {
  type Actor,
  changeInForce,
  type HoldChange,
  holdsAfter,
  type PolicyChange,
  PRUNE_STEP,
  type PrunedArchive,
  prunableBefore,
} from '../../event/index.ts';
import { hashLeaf, TILE_WIDTH } from '../../merkle/index.ts';
import { systemClock } from '../../platform/index.ts';
import { LogError } from '../../store/index.ts';
import { FOLLOWERS_WAIT_MS_DEFAULT, untilFollowed } from '../erasure/index.ts';
import type { FollowerRunner } from '../followers/index.ts';
import type { ReaderHandle } from '../reader-thread.ts';
import type { WriterHandle } from '../writer-thread.ts';

/** Entries that go in one transaction at most: others write again after so many. */
export const PRUNE_ENTRIES_MAX = 16_384;

/** A copy of the log that is read before anything goes: what `openPublished` of `indelible/publish` opens is one. */
export interface PruneArchive {
  checkpoint(): Promise<{ readonly size: number; readonly root: string }>;
  entries(range: {
    readonly from: number;
    readonly to: number;
  }): AsyncIterable<{ readonly index: number; readonly entry: Uint8Array }>;
}

/** How a log is pruned. */
export interface PruneOptions {
  /** Who prunes it; the log itself by default. */
  readonly by?: Actor;
  /** The archive, opened; needed where the policy prunes what is archived. Every entry that goes is read there first. */
  readonly archive?: PruneArchive;
  /**
   * Where the archive is, as the entry is to say it: a URL without credentials, query and fragment, since it stands in the log for
   * ever. Goes with `archive`.
   */
  readonly archiveUrl?: string;
  /**
   * Names of followers that need not have seen what goes, since nobody runs them any more, and addresses of publications that need not
   * hold it, and can never be published on then.
   */
  readonly despite?: readonly string[];
  /** Looks, and removes nothing. Default false. */
  readonly dryRun?: boolean;
  /** How long followers are waited for afterwards, milliseconds. Default {@link FOLLOWERS_WAIT_MS_DEFAULT}. */
  readonly followersWaitMs?: number;
}

/** What a pruning has done, or would do. */
export interface PruneResult {
  /** The minimum index of the log now; with `dryRun`, the one that it would have. */
  readonly minimum: number;
  /** How many entries lost their bytes; with `dryRun`, how many at most would. */
  readonly entries: number;
  /** The entries that record it; none where nothing was due. */
  readonly records: readonly number[];
  /** Everything recorded before it has passed the longest period of the policy. */
  readonly before: string;
  /** What keeps it from going further than that: a hold, a follower that has not seen all of it, a place where it is not published yet. */
  readonly stoppedBy?: { readonly kind: 'hold' | 'follower' | 'publication'; readonly name: string };
  /** Whether no byte is left in the files of the log; `residue` says why not. */
  readonly isClean: boolean;
  readonly residue?: string;
  readonly lagging: readonly { readonly name: string; readonly size: number }[];
  readonly outOfReach: readonly string[];
}

/** What a pruning works with. */
export interface PrunerParts {
  readonly reader: ReaderHandle;
  readonly writer: WriterHandle | undefined;
  readonly followers: FollowerRunner;
  /** The file that says where the log is published, and how far; '' where there is none. */
  readonly anchors: string;
  readonly outOfReach: readonly string[];
  /** What was said of the policy and of holds among the first entries. */
  readonly known: {
    readonly size: number;
    readonly policies: readonly PolicyChange[];
    readonly holds: readonly HoldChange[];
  };
  /** The first index whose entry was recorded at that time or later. */
  readonly firstSince: (time: string, size: number) => Promise<number>;
}

/** How far a pruning goes. */
interface Reach extends Pick<PruneResult, 'before' | 'stoppedBy'> {
  readonly policy: number;
  readonly now: number;
  /** The minimum index that is, the one that is to be, and the first entry that goes; absent where none does. */
  readonly from: number;
  readonly to: number;
  readonly first?: number;
  readonly own: readonly number[];
}

const names = ['by', 'archive', 'archiveUrl', 'despite', 'dryRun', 'followersWaitMs'];

/** One pruning; undefined where the policy, a hold or the log was changed meanwhile, and it has to begin again. */
export async function prune(parts: PrunerParts, options: PruneOptions): Promise<PruneResult | undefined> {
  checkPruning(options);
  const { reader, writer, followers, outOfReach } = parts;
  const reach = await reachOf(parts, options);
  const { before, stoppedBy, from, to, own } = reach;
  const plain = {
    before,
    ...(stoppedBy !== undefined && { stoppedBy }),
    outOfReach,
    isClean: true,
    lagging: [],
  };
  if (reach.first === undefined) return { ...plain, minimum: from, entries: 0, records: [] };
  if (options.dryRun === true) {
    const since = Math.min(from, reach.first);
    const ownNow = own.filter((index) => index >= since).length;
    return { ...plain, minimum: to, entries: to - since - ownNow, records: [] };
  }
  if (writer === undefined) throw new LogError('read_only', 'the log was opened for reading only');
  const archive = await archived(parts, reach, options);
  const records: number[] = [];
  const ids: string[] = [];
  let entries = 0;
  let below = from;
  do {
    below = Math.min(to, below + PRUNE_ENTRIES_MAX);
    const done = await writer.prune({
      ...{ policy: reach.policy, now: reach.now, before, below, size: parts.known.size },
      own: own.filter((index) => index < below),
      ...(archive !== undefined && { archive }),
      ...(options.by !== undefined && { actor: options.by }),
    });
    if (done.isStale) {
      if (records.length === 0) return undefined;
      break;
    }
    entries += done.entries;
    if (done.index !== undefined) records.push(done.index);
    if (done.id !== undefined) ids.push(done.id);
  } while (below < to);
  const scouring = await writer.scour();
  reader.wake();
  followers.wake();
  if (scouring.isClean) await writer.settleErasures(ids);
  const waitMs = options.followersWaitMs ?? FOLLOWERS_WAIT_MS_DEFAULT;
  return {
    ...plain,
    ...{ minimum: await reader.minimum(), entries, records, isClean: scouring.isClean },
    ...(scouring.why !== undefined && { residue: scouring.why }),
    lagging: await untilFollowed(followers, records.at(-1)! + 1, waitMs),
  };
}

/** How far the policy, holds and followers let it go. Throws `LogError` `pruning_refused` where the policy does not let it at all. */
async function reachOf(parts: PrunerParts, options: PruneOptions): Promise<Reach> {
  const { reader, known } = parts;
  const now = systemClock.wall();
  const change = changeInForce(known.policies, new Date(now).toISOString());
  if (change === undefined || change.entries === 'keep')
    throw refused(
      'the policy in force keeps entries',
      'retention set --entries archived, or delete, says otherwise',
    );
  const before = prunableBefore(change.to, now);
  if (before === undefined)
    throw refused('the policy keeps some actions for ever', 'a rule that matches * says how long at most');
  if (change.entries === 'archived' && options.archive === undefined && options.dryRun !== true)
    throw refused(
      'the policy prunes what is archived, and no archive was given',
      'give the place to which the log is published',
    );
  const from = await reader.minimum();
  // The entry at the minimum index stays, and shows by its own time that all before it had passed the period.
  const passed = await parts.firstSince(before, known.size);
  const most = wholeBundles(Math.max(0, passed - 1));
  const plain = { policy: change.index, now, before, from };
  if (most < from) return { ...plain, to: from, own: [] };
  const { own, first, below, held } = await reader.prunable({
    from: 0,
    to: most,
    holds: holdsAfter(known.holds),
  });
  const behind = behindOf(parts, most, options.despite ?? []);
  const to = wholeBundles(Math.min(below, behind?.size ?? most));
  const stoppedBy =
    behind !== undefined && behind.size < below
      ? { kind: behind.kind, name: behind.name }
      : held && { kind: 'hold' as const, name: held };
  return {
    ...plain,
    to: Math.max(to, from),
    own: own.filter((index) => index < to),
    // What a copy has brought back below the minimum goes as well.
    ...(first !== undefined && first < to && to >= from && { first }),
    ...(stoppedBy && { stoppedBy }),
  };
}

/** Who is furthest behind a size: a follower, or a place where the log is published, which could never be published on. */
function behindOf(
  { followers, anchors }: PrunerParts,
  size: number,
  despite: readonly string[],
): { readonly kind: 'follower' | 'publication'; readonly name: string; readonly size: number } | undefined {
  const all = [
    ...followers.behind(size).map((one) => ({ kind: 'follower' as const, ...one })),
    ...publicationsIn(anchors).map((one) => ({
      kind: 'publication' as const,
      name: one.url,
      size: one.size,
    })),
  ];
  return all
    .filter((one) => one.size < size && !despite.includes(one.name))
    .toSorted((one, other) => one.size - other.size)[0];
}

/** Reads everything that is to go in the archive. Throws `LogError` `pruning_refused` where it is not there as it is here. */
async function archived(
  { reader }: PrunerParts,
  { from: minimum, to, first = minimum }: Reach,
  { archive, archiveUrl: url = '' }: PruneOptions,
): Promise<PrunedArchive | undefined> {
  if (archive === undefined) return undefined;
  const { size, root } = await archive.checkpoint();
  await reader.checkContinues({ size, root });
  const short = (index: number): LogError =>
    refused(`the archive does not hold entry ${index}`, 'publish the log there first');
  if (size < to) throw short(size);
  const from = Math.min(minimum, first);
  let next = from;
  let tile: Uint8Array | undefined;
  for await (const { index, entry } of archive.entries({ from, to })) {
    if (index !== next) throw short(next);
    const at = index % TILE_WIDTH;
    if (at === 0 || tile === undefined)
      tile = await reader.tile({ level: 0, index: Math.floor(index / TILE_WIDTH), width: TILE_WIDTH });
    const hash = tile?.subarray(at * 32, (at + 1) * 32);
    if (hash === undefined || !equalBytes(hash, hashLeaf(entry)))
      throw refused(`the archive holds another entry ${index} than the log`, 'verify both');
    next += 1;
  }
  if (next < to) throw short(next);
  return { url, size, root };
}

function wholeBundles(size: number): number {
  return size - (size % PRUNE_STEP);
}

function refused(why: string, hint: string): LogError {
  return new LogError('pruning_refused', `nothing was pruned: ${why}`, { hint });
}

function checkPruning(options: PruneOptions): void {
  for (const name of Object.keys(options)) {
    if (!names.includes(name))
      throw misuse('type', 'option_unknown', `unknown option ${name}: known are ${names.join(', ')}`);
  }
  const { archive, archiveUrl } = options;
  if ((archive === undefined) !== (archiveUrl === undefined))
    throw misuse('range', 'option_invalid', 'archive and archiveUrl are given together');
  if (archive !== undefined && typeof archive?.entries !== 'function')
    throw misuse('type', 'option_invalid', 'archive must be a published log: openPublished opens one');
  if (archiveUrl === undefined) return;
  const url = URL.parse(archiveUrl);
  if (url === null || `${url.username}${url.password}${url.search}${url.hash}` !== '')
    throw misuse(
      'range',
      'option_invalid',
      'archiveUrl must be a URL without credentials, query and fragment',
    );
}
