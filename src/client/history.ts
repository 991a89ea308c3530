import { base64Encode, equalBytes, utf8Encode, VerificationError } from '../bytes/index.ts';
import {
  type Hash,
  hashLeaf,
  planConsistency,
  type ReadTiles,
  TILE_WIDTH,
  type Tile,
  TileAuthenticator,
  tilePath,
  verifyConsistency,
} from '../merkle/index.ts';
import { type KeyEntry, type KeyTimeline, PinnedKey } from '../verify/index.ts';
import { invalidAnswer } from './problems.ts';
import { wallMs } from './runtime.ts';
import type { CheckpointStore } from './state.ts';

/** At most one write of the last checkpoint in so long, milliseconds. */
export const CHECKPOINT_WRITE_MS = 1000;

/** A tree that the log has signed. */
export interface SignedTree {
  readonly size: number;
  readonly root: Hash;
  /** The signed note. */
  readonly note: string;
}

/** What somebody has worked out of a tree without asking: the root over its first `size` entries. */
export type KnownRoot = Pick<SignedTree, 'size' | 'root'>;

/** What a history is kept with. */
export interface HistoryOptions {
  readonly vkey: string;
  readonly store: CheckpointStore;
  /** The bytes of a tile, by its path below the log's prefix; undefined where the server has no such file. */
  readonly fetchTile: (path: string) => Promise<Uint8Array | undefined>;
  /** The entries from which the log's keys follow; none where the server does not say. */
  readonly fetchKeys: () => Promise<readonly KeyEntry[]>;
}

/**
 * The history of one log as this client has seen it: the last checkpoint, to which every further one is held.
 *
 * A server that shows two histories, or goes back, is found out here: `forked`, with both checkpoints in `details`, and
 * `rolled_back`. The last checkpoint moves only forward, and only after the check.
 */
export class History {
  readonly #key: PinnedKey;
  readonly #options: HistoryOptions;
  #seen: SignedTree | undefined;
  #loaded: Promise<void> | undefined;
  /** Admissions, one after the other. */
  #last: Promise<unknown> = Promise.resolve();
  /** The authenticator of the tree that was asked about last, with the tiles that it remembers. */
  #tiles: (KnownRoot & { readonly tiles: TileAuthenticator }) | undefined;
  #writtenAt = Number.NEGATIVE_INFINITY;
  /** What the store holds, as far as this client knows. */
  #kept: string | undefined;

  constructor(options: HistoryOptions) {
    this.#options = options;
    const { vkey, fetchKeys } = options;
    const readLeaves = ({ size, root }: KnownRoot, indexes: readonly number[]): Promise<readonly Hash[]> =>
      this.#tilesOf({ size, root }).readHashes(indexes.map((index) => ({ level: 0, index })));
    this.#key = new PinnedKey({ trust: { vkey }, fetchKeys, readLeaves });
  }

  /** The largest tree that was admitted, what is kept from an earlier life included. */
  async seen(): Promise<SignedTree | undefined> {
    this.#loaded ??= this.#load();
    await this.#loaded;
    return this.#seen;
  }

  /** The keys of the log; undefined while the one that was given has been enough. */
  get timeline(): KeyTimeline | undefined {
    return this.#key.timeline;
  }

  /** Opens a checkpoint under the pinned key, or one that follows from it. Throws `VerificationError`. */
  async open(note: string): Promise<SignedTree> {
    const { size, root } = (await this.#key.open(utf8Encode(note))).checkpoint;
    return { size, root, note };
  }

  /**
   * Holds a tree to the last one. `asked` is what had been seen when the question was asked: no answer may be older.
   * Throws `VerificationError` `forked`, `rolled_back`, `tile_invalid`.
   */
  admit(
    tree: SignedTree,
    { asked, known = [] }: { readonly asked: SignedTree | undefined; readonly known?: readonly KnownRoot[] },
  ): Promise<void> {
    const admitted = this.#last.then(() => this.#admit(tree, asked, known));
    this.#last = admitted.catch(() => {});
    return admitted;
  }

  /**
   * Whether these are the entries of the log at these indexes, by the tiles under the largest tree seen. Throws
   * `VerificationError` `inclusion_invalid`, `tile_invalid`.
   */
  async verifyEntries(
    entries: readonly { readonly index: number; readonly entry: Uint8Array }[],
  ): Promise<void> {
    const tree = await this.seen();
    if (tree === undefined || entries.length === 0) return;
    const hashes = await this.#tilesOf(tree).readHashes(entries.map(({ index }) => ({ level: 0, index })));
    for (const [position, { index, entry }] of entries.entries()) {
      if (equalBytes(hashes[position]!, hashLeaf(entry))) continue;
      const message = `The entry that the server shows at ${index} is not the one in its tree.`;
      throw new VerificationError('inclusion_invalid', message, { index, size: tree.size });
    }
  }

  /** Writes the last checkpoint, if it is not there yet. Throws as `admit` where another client has kept another history. */
  async flush(): Promise<void> {
    await this.#last;
    await this.#write();
  }

  async #load(): Promise<void> {
    this.#kept = await this.#options.store.read();
    if (this.#kept !== undefined) this.#seen = await this.#openKept(this.#kept);
  }

  async #openKept(note: string): Promise<SignedTree> {
    try {
      return await this.open(note);
    } catch (cause) {
      if (!(cause instanceof VerificationError)) throw cause;
      const message = `The checkpoint that this client keeps is not this log's. ${cause.message}`;
      throw new VerificationError(cause.code, message, cause.details, { cause });
    }
  }

  async #admit(tree: SignedTree, asked: SignedTree | undefined, known: readonly KnownRoot[]): Promise<void> {
    if (asked !== undefined && tree.size < asked.size) {
      const message = `The server answers for ${tree.size} entries, and had signed ${asked.size} before it was asked.`;
      throw new VerificationError('rolled_back', message, { older: asked.note, newer: tree.note });
    }
    const seen = await this.seen();
    if (seen !== undefined) {
      const [older, newer] = seen.size <= tree.size ? [seen, tree] : [tree, seen];
      await this.#verifyContinues(older, newer, newer === tree ? known : []);
      if (tree.size <= seen.size) return;
    }
    this.#seen = tree;
    if (wallMs() - this.#writtenAt >= CHECKPOINT_WRITE_MS) await this.#write();
  }

  async #verifyContinues(older: SignedTree, newer: SignedTree, known: readonly KnownRoot[]): Promise<void> {
    const told = older.size === newer.size ? newer : known.find(({ size }) => size === older.size);
    if (told !== undefined) {
      if (!equalBytes(told.root, older.root)) throw forked(older, newer);
      return;
    }
    if (older.size === 0) return;
    const tiles = this.#tilesOf(newer);
    const plan = planConsistency(older.size, newer.size);
    const proof = plan.assemble(await tiles.readHashes(plan.nodes));
    try {
      verifyConsistency({
        size1: older.size,
        root1: older.root,
        size2: newer.size,
        root2: newer.root,
        proof,
      });
    } catch (cause) {
      if (cause instanceof VerificationError) throw forked(older, newer);
      throw cause;
    }
  }

  #tilesOf({ size, root }: KnownRoot): TileAuthenticator {
    const kept = this.#tiles;
    if (kept !== undefined && kept.size === size && equalBytes(kept.root, root)) return kept.tiles;
    const tiles = new TileAuthenticator({ size, root, readTiles: this.#readTiles });
    this.#tiles = { size, root, tiles };
    return tiles;
  }

  readonly #readTiles: ReadTiles = (tiles) => Promise.all(tiles.map((tile) => this.#readTile(tile)));

  /** A partial tile may be gone once the full one is there, whose beginning it is (c2sp.org/tlog-tiles). */
  async #readTile(tile: Tile): Promise<Uint8Array> {
    const { fetchTile } = this.#options;
    const bytes = await fetchTile(tilePath(tile));
    if (bytes !== undefined) return bytes;
    if (tile.width < TILE_WIDTH) {
      const full = await fetchTile(tilePath({ ...tile, width: TILE_WIDTH }));
      if (full !== undefined) return full.subarray(0, (full.length / TILE_WIDTH) * tile.width);
    }
    throw invalidAnswer(`it has no tile ${tilePath(tile)}, which its checkpoint stands on`);
  }

  /** Another client that shares the store may have been quicker: then its checkpoint and ours are of one history, or it is told. */
  async #write(): Promise<void> {
    const { store } = this.#options;
    while (this.#seen !== undefined && this.#seen.note !== this.#kept) {
      const { note } = this.#seen;
      if (await store.write(note, this.#kept)) {
        this.#kept = note;
        break;
      }
      const there = await store.read();
      if (there === undefined) {
        this.#kept = undefined;
        continue;
      }
      const tree = await this.#openKept(there);
      if (tree.size < this.#seen.size) await this.#verifyContinues(tree, this.#seen, []);
      else {
        await this.#verifyContinues(this.#seen, tree, []);
        this.#seen = tree;
      }
      this.#kept = there;
    }
    this.#writtenAt = wallMs();
  }
}

function forked(older: SignedTree, newer: SignedTree): VerificationError {
  const message = `The server's history of ${newer.size} entries does not continue the ${older.size} that it signed before.`;
  return new VerificationError('forked', message, {
    older: older.note,
    newer: newer.note,
    size: older.size,
    root: base64Encode(older.root),
  });
}
