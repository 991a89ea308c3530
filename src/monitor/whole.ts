import { equalBytes, utf8Encode, VerificationError } from '../bytes/index.ts';
import { isLogError } from '../log/index.ts';
import { type Hash, hashLeaf, TILE_WIDTH, type TileAuthenticator } from '../merkle/index.ts';
import type { Policy } from '../note/index.ts';
import { type AuditReport, Discoveries, describe, type Held, readHead } from '../verify/index.ts';
import { type Telling, tellingOf } from './found.ts';
import { unreadWhole } from './notices.ts';
import type { WatchedPlace } from './places.ts';
import type { KeptRetention } from './retention-book.ts';
import type { MonitorState } from './state.ts';
import { authenticatorOf } from './tree.ts';

/** What a reading of everything has shown. */
export interface WholeRead {
  readonly tellings: readonly Telling[];
  /** Whether no finding is among them. */
  readonly isIntact: boolean;
  /** Whether every entry was there. */
  readonly isWhole: boolean;
  /** Whether a bundle was called gone that no record covers: that record may have been made since the log was looked at. */
  readonly isBeyond: boolean;
}

/** What a log is held against when everything is read. */
export interface WholeSettings {
  readonly policy: Policy;
  readonly held: readonly Held[];
  /** Told of the checkpoint that is read first, where the log is published. */
  readonly seen: (checkpoint: Uint8Array) => void;
}

/**
 * Entries below it may be gone, as a record says that was authenticated; no server's word counts for it. A state of an earlier time does
 * not remember what it has seen of that.
 */
export function prunedBelow({ minimum, isPartial }: KeptRetention, size: number): number {
  return isPartial === true ? Math.max(minimum, size - (size % TILE_WIDTH)) : minimum;
}

/** Reads everything that is there again. Where entries were pruned on record, what is left is read. Throws what reading throws. */
export async function readWhole(
  place: WatchedPlace,
  state: MonitorState,
  { policy, held, seen }: WholeSettings,
): Promise<WholeRead> {
  const minimum = prunedBelow(state.retention, state.base.size);
  let isBeyond = false;
  const beyond = (): void => {
    isBeyond = true;
  };
  try {
    const report = await place.whole({ policy, held: [...held, state.note], minimum, beyond, seen });
    return { tellings: tellingsOf(report), isIntact: report.ok, isWhole: true, isBeyond };
  } catch (error) {
    if (!isLogError(error, 'entry_pruned')) throw error;
    const findings = await readLeft(place, state, { minimum, beyond });
    const tellings = [unreadWhole(state, minimum), ...findings];
    return { tellings, isIntact: findings.length === 0, isWhole: false, isBeyond };
  }
}

/** The findings of an audit, as they are told. */
export function tellingsOf({ findings }: AuditReport): Telling[] {
  return findings.map(tellingOf);
}

interface LeftSettings {
  readonly minimum: number;
  readonly beyond: () => void;
}

/**
 * Reads what a pruning has left: the tiles over all entries, and every bundle that is there, against the root that is authenticated.
 * What the entries say was judged when they were read first: these are the same ones.
 */
async function readLeft(
  place: WatchedPlace,
  { note }: Pick<MonitorState, 'note'>,
  { minimum, beyond }: LeftSettings,
): Promise<Telling[]> {
  const head = readHead(utf8Encode(note))!;
  const tiles = authenticatorOf(head, place);
  const discoveries = new Discoveries('first');
  for (let begin = 0; begin < head.size; begin += TILE_WIDTH) {
    const end = Math.min(begin + TILE_WIDTH, head.size);
    const span = { from: begin, to: end - 1 };
    const hashes = await leavesOf(tiles, begin, end);
    if (hashes === undefined) {
      const what = 'the tiles over them do not lead to the root that is signed';
      discoveries.add({ code: 'tile_mismatch', ...span, what });
    }
    let next = begin;
    try {
      for await (const one of place.entries(begin, end)) {
        if (hashes !== undefined && !equalBytes(leafOf(one), hashes[next - begin]!))
          discoveries.add({ code: 'root_mismatch', from: next, to: next, what: 'not what was signed' });
        next += 1;
      }
    } catch (error) {
      if (error instanceof VerificationError) {
        discoveries.add({ code: 'bundle_malformed', ...span, what: error.message.replace(/\.$/, '') });
        continue;
      }
      if (!isLogError(error, 'entry_pruned')) throw error;
      if (end <= minimum) continue;
      beyond();
    }
    if (next < end) discoveries.add({ code: 'index_gap', from: next, to: end - 1, what: 'missing' });
  }
  return discoveries.kept.map((discovery) => tellingOf(describe(discovery)));
}

function leafOf(one: { readonly entry: Uint8Array } | { readonly hash: Hash }): Hash {
  return 'hash' in one ? one.hash : hashLeaf(one.entry);
}

/** The leaf hashes of one tile; undefined where the tiles do not give them. */
async function leavesOf(tiles: TileAuthenticator, begin: number, end: number): Promise<Hash[] | undefined> {
  const nodes = Array.from({ length: end - begin }, (_, at) => ({ level: 0, index: begin + at }));
  try {
    return await tiles.readHashes(nodes);
  } catch (error) {
    if (error instanceof VerificationError || isLogError(error, 'log_damaged')) return undefined;
    throw error;
  }
}
