import { isKeyChange } from '../event/index.ts';
import { decodeEntryBundle, type Hash, TILE_WIDTH, TileAuthenticator } from '../merkle/index.ts';
import type { OpenedCheckpoint } from '../note/index.ts';
import { LogError, type TileReader } from '../store/index.ts';
import { type KeyEntry, PinnedKey, readHead, type Trust } from '../verify/index.ts';
import { readBundle, readTile } from './published-files.ts';

/** Tiles that are kept once they are authenticated, 8 KiB each: two megabytes. */
const TILES_KEPT_MAX = 256;

/** Bundles that are looked through at once. */
const BUNDLES_AT_ONCE = 16;

/**
 * The key of a published log that a reader was given, and the keys that follow from it. Static files name no place at which keys
 * change, so where another key has signed, every entry is looked at, once; what is found is believed as {@link PinnedKey} says.
 */
export class PublishedKey {
  readonly #pinned: PinnedKey;
  /** What the checkpoint that is being opened claims to cover. */
  #claimed = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(reader: TileReader, trust: Trust) {
    this.#pinned = new PinnedKey({
      trust,
      fetchKeys: () => keyEntriesOf(reader, this.#claimed),
      readLeaves: (tree, indexes) => leavesOf(authenticatorOf(reader, tree), indexes),
    });
  }

  /** Opens a checkpoint by a key of the log, as {@link PinnedKey.open}. Calls wait for one another. */
  open(note: Uint8Array): Promise<OpenedCheckpoint> {
    const opening = this.#turn.then(() => {
      this.#claimed = readHead(note)?.size ?? 0;
      return this.#pinned.open(note);
    });
    this.#turn = opening.catch(() => {});
    return opening;
  }
}

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

function leavesOf(tiles: TileAuthenticator, indexes: readonly number[]): Promise<readonly Hash[]> {
  return tiles.readHashes(indexes.map((index) => ({ level: 0, index })));
}

/** The first entry, and every one that claims to change a key; up to the first bundle that is not there. Nobody has verified them. */
async function keyEntriesOf(reader: TileReader, size: number): Promise<KeyEntry[]> {
  const read = (path: string, bytesMax: number): Promise<Uint8Array | undefined> =>
    reader.read(path, bytesMax);
  const found: KeyEntry[] = [];
  for (let begin = 0; begin < size; begin += BUNDLES_AT_ONCE * TILE_WIDTH) {
    const end = Math.min(size, begin + BUNDLES_AT_ONCE * TILE_WIDTH);
    const firsts = Array.from(
      { length: Math.ceil((end - begin) / TILE_WIDTH) },
      (_, at) => begin + at * TILE_WIDTH,
    );
    const files = await Promise.all(
      firsts.map((first) =>
        readBundle(read, { index: first / TILE_WIDTH, width: Math.min(TILE_WIDTH, end - first) }),
      ),
    );
    for (const [position, { bytes, width }] of files.entries()) {
      if (bytes === undefined) return found;
      const first = firsts[position]!;
      for (const [at, entry] of decodeEntryBundle(bytes, width).entries()) {
        const index = first + at;
        if (index < size && (index === 0 || isKeyChange(entry))) found.push({ index, entry });
      }
    }
  }
  return found;
}
