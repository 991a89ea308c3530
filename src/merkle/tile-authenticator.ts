import { equalBytes, misuse, VerificationError } from '../bytes/index.ts';
import { HASH_BYTES, type Hash, requireHash } from './hashing.ts';
import { foldHashes, type NodeId, rangeNodes, requireNodeWithin } from './nodes.ts';
import { requireSize } from './sizes.ts';
import { hashFromTile, TILE_HEIGHT, TILE_WIDTH, type Tile, tileInTree, tileOfNode } from './tile.ts';

/**
 * Fetches the bytes of tiles, in the same order; from a disk, a database, a server. What it returns need not
 * be trusted.
 */
export type ReadTiles = (tiles: readonly Tile[]) => Promise<readonly Uint8Array[]>;

/** What a `TileAuthenticator` needs. */
export interface TileAuthenticatorOptions {
  /** The size of the tree, and its root, from a checkpoint that is trusted. */
  readonly size: number;
  readonly root: Hash;
  readonly readTiles: ReadTiles;
  /**
   * How many tiles, of 8 KiB each, to remember once they are authenticated; `TILES_CACHED_MAX` if not given.
   */
  readonly tilesCachedMax?: number;
}

/** The default of `tilesCachedMax`: half a megabyte. */
export const TILES_CACHED_MAX = 64;

/**
 * Reads nodes of a tree from tiles that nobody vouches for, and returns only hashes that the root vouches
 * for.
 *
 * A partial tile stands at the right edge of the tree, and the root is made of everything at the right edge.
 * A full tile has one hash, and its parent tile holds it. So each tile wanted is fetched together with the
 * tiles above it and the right edge, in one batch; everything is checked from the root downwards, and nothing
 * is used, returned or remembered before. Whoever wants many hashes pays for few tiles: 256 leaves cost what
 * one costs.
 *
 * (The discipline of TileHashReader in Go's sumdb/tlog.) Calls may overlap.
 */
export class TileAuthenticator {
  readonly #size: number;
  readonly #root: Hash;
  readonly #readTiles: ReadTiles;
  readonly #tilesCachedMax: number;
  readonly #edgeNodes: readonly NodeId[];
  /** Authenticated tiles, the one used least recently first. */
  readonly #trusted = new Map<string, Uint8Array>();

  constructor({ size, root, readTiles, tilesCachedMax = TILES_CACHED_MAX }: TileAuthenticatorOptions) {
    requireSize(size);
    requireHash(root);
    this.#size = size;
    this.#root = root.slice();
    this.#readTiles = readTiles;
    this.#tilesCachedMax = tilesCachedMax;
    this.#edgeNodes = rangeNodes(0, size);
  }

  /**
   * The hashes of `nodes`, authenticated against the root. Throws a misuse `node_invalid` for a node that the
   * tree does not have, and `tile_invalid` if any tile on the way is not the one that the root stands for;
   * what `readTiles` throws passes through.
   */
  async readHashes(nodes: readonly NodeId[]): Promise<Hash[]> {
    for (const node of nodes) requireNodeWithin(node, this.#size);
    const wanted = new Map<string, Tile>();
    for (const node of [...this.#edgeNodes, ...nodes]) this.#addWithParents(tileOfNode(node), wanted);
    const data = await this.#fetch(wanted);
    // From here to the end nothing waits, so nobody can exchange the bytes between the check and their use.
    this.#authenticate(wanted, data);
    this.#remember(data);
    return nodes.map((node) => hashFromTile(data.get(keyOf(tileOfNode(node)))!, node));
  }

  /** Adds a tile and those above it, up to the partial one in which the way to the root ends. */
  #addWithParents(place: Pick<Tile, 'level' | 'index'>, wanted: Map<string, Tile>): void {
    let tile = this.#tile(place);
    while (!wanted.has(keyOf(tile))) {
      wanted.set(keyOf(tile), tile);
      if (tile.width < TILE_WIDTH) return;
      tile = this.#tile(parentOf(tile));
    }
  }

  /** The bytes of every tile wanted: those remembered, and the others read in one batch. */
  async #fetch(wanted: ReadonlyMap<string, Tile>): Promise<Map<string, Uint8Array>> {
    const data = new Map<string, Uint8Array>();
    const missing: Tile[] = [];
    for (const [key, tile] of wanted) {
      const trusted = this.#trusted.get(key);
      if (trusted === undefined) missing.push(tile);
      else data.set(key, trusted);
    }
    const read = missing.length === 0 ? [] : await this.#readTiles(missing);
    if (read.length !== missing.length) {
      const message = `${missing.length} tiles were asked for, and readTiles returned ${read.length}.`;
      throw misuse('range', 'hashes_mismatch', message);
    }
    missing.forEach((tile, position) => {
      const bytes = read[position]!;
      if (bytes.length !== tile.width * HASH_BYTES) throw invalid(tile, `has ${bytes.length} bytes`);
      data.set(keyOf(tile), bytes);
    });
    return data;
  }

  /**
   * Checks the right edge against the root, and then every tile that is not remembered against its parent,
   * from above.
   */
  #authenticate(wanted: ReadonlyMap<string, Tile>, data: ReadonlyMap<string, Uint8Array>): void {
    const hashOf = (node: NodeId): Hash => hashFromTile(data.get(keyOf(tileOfNode(node)))!, node);
    if (!equalBytes(foldHashes(this.#edgeNodes.map(hashOf)), this.#root)) {
      const message = `The tiles at the right edge of size ${this.#size} do not lead to the root.`;
      throw new VerificationError('tile_invalid', message, { size: this.#size });
    }
    const untrusted = [...wanted].filter(
      ([key, tile]) => tile.width === TILE_WIDTH && !this.#trusted.has(key),
    );
    untrusted.sort(([, a], [, b]) => b.level - a.level);
    for (const [key, tile] of untrusted) {
      // The node over the whole tile is the first of its level in its parent, and one that the tile's own
      // bytes give as well.
      const top = { level: (tile.level + 1) * TILE_HEIGHT, index: tile.index };
      if (!equalBytes(hashOfTile(data.get(key)!), hashOf(top)))
        throw invalid(tile, 'is not the one its parent names');
    }
  }

  /** Keeps copies, since the caller's buffers are the caller's to use again. */
  #remember(data: ReadonlyMap<string, Uint8Array>): void {
    for (const [key, bytes] of data) {
      const trusted = this.#trusted.get(key);
      this.#trusted.delete(key);
      this.#trusted.set(key, trusted ?? bytes.slice());
    }
    for (const key of this.#trusted.keys()) {
      if (this.#trusted.size <= this.#tilesCachedMax) break;
      this.#trusted.delete(key);
    }
  }

  #tile(place: Pick<Tile, 'level' | 'index'>): Tile {
    const tile = tileInTree(place, this.#size);
    if (tile !== undefined) return tile;
    throw new Error(`Tile ${place.level}/${place.index} is not in the tree.`);
  }
}

function keyOf({ level, index }: Pick<Tile, 'level' | 'index'>): string {
  return `${level}/${index}`;
}

function parentOf({ level, index }: Tile): Pick<Tile, 'level' | 'index'> {
  return { level: level + 1, index: Math.floor(index / TILE_WIDTH) };
}

/** The hash over a full tile: that of its two halves, which are nodes within it. */
function hashOfTile(data: Uint8Array): Hash {
  const halves = [0, 1].map((index) => hashFromTile(data, { level: TILE_HEIGHT - 1, index }));
  return foldHashes(halves);
}

function invalid({ level, index, width }: Tile, what: string): VerificationError {
  const message = `Tile ${index} of level ${level}, of width ${width}, ${what}.`;
  return new VerificationError('tile_invalid', message, { level, index, width });
}
