import { equalBytes, utf8Encode } from '../bytes/index.ts';
import { foldHashes, type Hash, planConsistency, rangeNodes, verifyConsistency } from '../merkle/index.ts';
import { type Head, LogError } from '../store/index.ts';
import { type KeyTimeline, openBelieved } from '../verify/index.ts';
import { nobodyElse } from './signed-head.ts';
import type { TreeReader } from './tiles.ts';

/** A signed state of the log under which an entry is proven: the newest, or an older one that witnesses have cosigned. */
export type SignedState = Pick<Head, 'size' | 'root' | 'checkpoint'>;

/** A step from one size of the log to a signed one. */
export interface Growth {
  readonly from: number;
  readonly to: number;
  /** The root that was signed for `to`. */
  readonly root: Hash;
}

/**
 * The signed state that `note` says, if one of the log's keys has signed it and the log has come so far. Throws `LogError`
 * `head_invalid`; `rolled_back` where the log has fewer entries than were signed for.
 */
export function stateUnder(
  note: string,
  log: { readonly timeline: KeyTimeline; readonly size: number },
): SignedState {
  const checkpoint = utf8Encode(note);
  let state: SignedState;
  try {
    const { size, root } = openBelieved(
      checkpoint,
      { policy: nobodyElse, timeline: log.timeline },
      { revoked: true },
    ).checkpoint;
    state = { size, root, checkpoint };
  } catch (cause) {
    throw new LogError('head_invalid', 'the checkpoint to prove under is not signed by the key of the log', {
      cause,
    });
  }
  if (state.size <= log.size) return state;
  throw new LogError('rolled_back', `the log has ${log.size} entries, and has signed for ${state.size}`, {
    hint: 'its history was replaced; stop writing and verify against receipts',
  });
}

/**
 * The consistency proof between two sizes of a log that now has `size` entries, checked before it leaves: what a witness then
 * refuses is no mistake of ours. Throws `LogError` `log_damaged`.
 */
export async function proveGrowth(
  tree: TreeReader,
  { from, to, root }: Growth,
  size: number,
): Promise<Hash[]> {
  const rootAt = async (end: number): Promise<Hash> => {
    const assemble = (hashes: readonly Hash[]): Hash[] => [foldHashes([...hashes])];
    return (await tree.prove({ nodes: rangeNodes(0, end), assemble }, size))[0]!;
  };
  const damaged = (cause?: unknown): LogError =>
    new LogError('log_damaged', `the tree does not lead from ${from} to the signed root of ${to} entries`, {
      cause,
      hint: 'run verify: it names everything that was changed',
    });
  if (from === 0 || from === to) {
    if (to > 0 && !equalBytes(await rootAt(to), root)) throw damaged();
    return [];
  }
  const proof = await tree.prove(planConsistency(from, to), size);
  try {
    verifyConsistency({ size1: from, root1: await rootAt(from), size2: to, root2: root, proof });
  } catch (cause) {
    throw damaged(cause);
  }
  return proof;
}
