import { equalBytes, VerificationError } from '../bytes/index.ts';
import { isLogError } from '../log/index.ts';
import { planConsistency, TileAuthenticator, verifyConsistency } from '../merkle/index.ts';
import type { Checkpoint } from '../note/index.ts';
import type { WatchedPlace } from './places.ts';

/** Hashes of a tree out of tiles that nobody vouches for. What they do not give throws `VerificationError` `tile_invalid`. */
export function authenticatorOf(
  { size, root }: Checkpoint,
  place: Pick<WatchedPlace, 'tile'>,
): TileAuthenticator {
  return new TileAuthenticator({
    size,
    root,
    readTiles: async (wanted) => {
      const found = await Promise.all(wanted.map((tile) => place.tile(tile)));
      if (found.includes(undefined)) throw new VerificationError('tile_invalid', 'A tile is missing.');
      return found as Uint8Array[];
    },
  });
}

/** Whether there are tiles that lead to the root of a checkpoint. */
export async function hasTiles(claim: Checkpoint, place: Pick<WatchedPlace, 'tile'>): Promise<boolean> {
  if (claim.size === 0) return true;
  try {
    await authenticatorOf(claim, place).readHashes([{ level: 0, index: 0 }]);
    return true;
  } catch (error) {
    if (error instanceof VerificationError || isLogError(error, 'log_damaged')) return false;
    throw error;
  }
}

/** Whether a tree is the beginning of another, by the tiles over the larger; `unknown` where they do not tell. */
export async function continues(
  older: Checkpoint,
  newer: Checkpoint,
  place: Pick<WatchedPlace, 'tile'>,
): Promise<'yes' | 'no' | 'unknown'> {
  if (older.size === newer.size) return equalBytes(older.root, newer.root) ? 'yes' : 'no';
  if (older.size === 0) return 'yes';
  const tiles = authenticatorOf(newer, place);
  const plan = planConsistency(older.size, newer.size);
  try {
    const proof = plan.assemble(await tiles.readHashes(plan.nodes));
    verifyConsistency({ size1: older.size, root1: older.root, size2: newer.size, root2: newer.root, proof });
    return 'yes';
  } catch (error) {
    if (error instanceof VerificationError) return error.code === 'consistency_invalid' ? 'no' : 'unknown';
    if (isLogError(error, 'log_damaged')) return 'unknown';
    throw error;
  }
}
