import { type Hash, TileAuthenticator } from '../merkle/index.ts';
import { LogError, type TileReader } from '../store/index.ts';
import { readTile } from './published-files.ts';

/** Tiles that are kept once they are authenticated, 8 KiB each: two megabytes. */
const TILES_KEPT_MAX = 256;

/** The tiles of a published tree: each is kept once it has been authenticated. */
export function authenticatorOf(
  reader: TileReader,
  { size, root }: { readonly size: number; readonly root: Hash },
): TileAuthenticator {
  const read = (path: string, bytesMax: number): Promise<Uint8Array | undefined> =>
    reader.read(path, bytesMax);
  return new TileAuthenticator({
    size,
    root,
    tilesCachedMax: TILES_KEPT_MAX,
    readTiles: (tiles) =>
      Promise.all(
        tiles.map(async (tile) => {
          const bytes = await readTile(read, tile);
          if (bytes !== undefined) return bytes;
          throw missing(reader.place, `tile ${tile.index} of level ${tile.level}`);
        }),
      ),
  });
}

/** The error for a file that a checkpoint covers and that is not there. */
export function missing(place: string, what: string): LogError {
  return new LogError('log_damaged', `${place} has no ${what}, which its checkpoint covers`, {
    hint: 'run verify: it names everything that is missing',
  });
}
