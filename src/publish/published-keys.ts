import { VerificationError } from '../bytes/index.ts';
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

/** The entries of a log that its keys follow from, as far as they are known. */
interface KeysRead {
  /** The first entry, and the changes of keys; none where none was needed so far. */
  readonly entries: readonly KeyEntry[];
  /** Up to which size no others are looked for. */
  readonly size: number;
}

const nothingRead: KeysRead = { entries: [], size: 0 };

/**
 * The key of a published log that a reader was given, and the keys that follow from it. Static files name no place at which keys
 * change, so where another key has signed, entries are looked through; what is found is believed as {@link PinnedKey} says.
 *
 * They are looked through from where they were the last time, or else from the size of the last checkpoint that the given key has
 * signed: before that nobody can have taken its place. Changes of keys are numbered, so that one which was passed over leads nowhere;
 * then, whatever the reason, every entry is looked at.
 */
export class PublishedKey {
  readonly #pinned: PinnedKey;
  /** What the checkpoint that is being opened claims to cover. */
  #claimed = 0;
  #known = nothingRead;
  /** What was read for the checkpoint that is being opened. */
  #read: KeysRead | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(reader: TileReader, trust: Trust) {
    this.#pinned = new PinnedKey({
      trust,
      fetchKeys: async () => {
        this.#read = await keysRead(reader, this.#claimed, this.#known);
        return this.#read.entries;
      },
      readLeaves: (tree, indexes) => leavesOf(authenticatorOf(reader, tree), indexes),
    });
  }

  /** Opens a checkpoint by a key of the log, as {@link PinnedKey.open}. Calls wait for one another. */
  open(note: Uint8Array): Promise<OpenedCheckpoint> {
    const opening = this.#turn.then(() => this.#open(note));
    this.#turn = opening.catch(() => {});
    return opening;
  }

  async #open(note: Uint8Array): Promise<OpenedCheckpoint> {
    this.#claimed = readHead(note)?.size ?? 0;
    this.#read = undefined;
    let opened: OpenedCheckpoint;
    try {
      opened = await this.#pinned.open(note);
    } catch (error) {
      const isPartial = this.#read !== undefined && this.#known.size > 0;
      if (!isPartial || !(error instanceof VerificationError)) throw error;
      this.#known = nothingRead;
      opened = await this.#pinned.open(note);
    }
    if (this.#read !== undefined) this.#known = this.#read;
    else if (this.#pinned.timeline === undefined) this.#known = { entries: [], size: opened.checkpoint.size };
    return opened;
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

/**
 * The first entry, and every one that claims to change a key, beside those that are known; up to the first bundle that is not there.
 * Nobody has verified them.
 */
async function keysRead(reader: TileReader, size: number, known: KeysRead): Promise<KeysRead> {
  const found = known.entries.filter(({ index }) => index < size);
  if (found.length === 0 && known.size > 0)
    found.push(...(await keyEntriesIn(reader, { from: 0, to: 1 }, size)).entries);
  const more = await keyEntriesIn(reader, { from: known.size, to: size }, size);
  return { entries: [...found, ...more.entries], size: Math.max(known.size, more.size) };
}

/** Those of one stretch of a log of some size, and how far it could be read. */
async function keyEntriesIn(
  reader: TileReader,
  { from, to }: { readonly from: number; readonly to: number },
  size: number,
): Promise<KeysRead> {
  const read = (path: string, bytesMax: number): Promise<Uint8Array | undefined> =>
    reader.read(path, bytesMax);
  const found: KeyEntry[] = [];
  const step = BUNDLES_AT_ONCE * TILE_WIDTH;
  for (let begin = from - (from % TILE_WIDTH); begin < to; begin += step) {
    const end = Math.min(to, begin + step);
    const firsts = Array.from(
      { length: Math.ceil((end - begin) / TILE_WIDTH) },
      (_, at) => begin + at * TILE_WIDTH,
    );
    const files = await Promise.all(
      firsts.map((first) =>
        readBundle(read, { index: first / TILE_WIDTH, width: Math.min(TILE_WIDTH, size - first) }),
      ),
    );
    for (const [position, { bytes, width }] of files.entries()) {
      const first = firsts[position]!;
      if (bytes === undefined) return { entries: found, size: Math.max(from, first) };
      for (const [at, entry] of decodeEntryBundle(bytes, width).entries()) {
        const index = first + at;
        const isHere = index >= from && index < to;
        if (isHere && (index === 0 || isKeyChange(entry))) found.push({ index, entry });
      }
    }
  }
  return { entries: found, size: to };
}
