import { concatBytes } from '../bytes/index.ts';
import {
  type Hash,
  hashFromTile,
  hashLeaf,
  type NodeId,
  type ProofPlan,
  partialWidth,
  TILE_WIDTH,
  tileOfNode,
} from '../merkle/index.ts';
import { LogError, type LogReader, type TileId } from '../store/index.ts';

/** Tiles that a {@link TreeReader} keeps: 8 KiB each. */
const TILES_KEPT_MAX = 512;

/** Nodes that a {@link TreeReader} keeps, so that a tile is not hashed again for every proof that passes through it. */
const NODES_KEPT_MAX = 16_384;

/**
 * Reads the hashes of tree nodes out of a store: one batch of tiles for each proof. Full tiles never
 * change and are kept; the partial tile of level 0 is not stored and is hashed out of its entries, each
 * once: an entry that is changed after that no longer fits its own hash, and so it can be named.
 * Nothing read here is believed: whoever asks checks the result against a root.
 */
export class TreeReader {
  readonly #reader: LogReader;
  readonly #full = new Map<string, Uint8Array>();
  readonly #nodes = new Map<string, Hash>();
  #edge: { readonly size: number; readonly hashes: Uint8Array } | undefined;

  constructor(reader: LogReader) {
    this.#reader = reader;
  }

  /**
   * Carries out a proof plan in the tree of `size` entries. Plans of one call for many proofs share most of their nodes:
   * what one has worked out, `shared` keeps for the next.
   */
  async prove(plan: ProofPlan, size: number, shared?: Map<string, Hash>): Promise<Hash[]> {
    return plan.assemble(await this.#hashes(plan.nodes, size, shared));
  }

  async #hashes(nodes: readonly NodeId[], size: number, shared = new Map<string, Hash>()): Promise<Hash[]> {
    const missing: NodeId[] = [];
    const wanted = new Map<string, TileId>();
    for (const node of nodes) {
      const name = key(node);
      if (shared.has(name)) continue;
      const known = this.#nodes.get(name);
      if (known === undefined) {
        missing.push(node);
        const tile = tileOfNode(node);
        wanted.set(key(tile), tile);
      } else shared.set(name, known);
    }
    const tiles = await this.#tiles(wanted, size);
    for (const node of missing) {
      const tile = tileOfNode(node);
      const hash = hashFromTile(tiles.get(key(tile))!, node);
      shared.set(key(node), hash);
      if (isFull(tile, size)) keep(this.#nodes, NODES_KEPT_MAX, key(node), hash);
    }
    return nodes.map((node) => shared.get(key(node))!);
  }

  /** The hashes of one tile of the tree of `size` entries. Throws `LogError` `log_damaged` where it is missing. */
  async tile(tile: TileId, size: number): Promise<Uint8Array> {
    const name = key(tile);
    return (await this.#tiles(new Map([[name, tile]]), size)).get(name)!;
  }

  /** Several tiles: what is not kept is asked for at once, in one question to the store. */
  async #tiles(wanted: ReadonlyMap<string, TileId>, size: number): Promise<Map<string, Uint8Array>> {
    const found = new Map<string, Uint8Array>();
    const unread: [string, TileId][] = [];
    for (const [name, tile] of wanted) {
      const kept = this.#full.get(name);
      if (kept !== undefined) found.set(name, kept);
      else if (tile.level === 0 && !isFull(tile, size)) found.set(name, await this.#edgeOf(size));
      else unread.push([name, tile]);
    }
    if (unread.length === 0) return found;
    const read = await this.#reader.readTiles(unread.map(([, tile]) => tile));
    for (const [position, [name, tile]] of unread.entries()) {
      found.set(name, this.#checked(name, tile, size, read[position]));
    }
    return found;
  }

  #checked(name: string, tile: TileId, size: number, hashes: Uint8Array | undefined): Uint8Array {
    const full = isFull(tile, size);
    const width = full ? TILE_WIDTH : partialWidth(size, tile.level);
    if (hashes === undefined || hashes.length < width * 32) {
      throw new LogError('log_damaged', `tile ${name} is missing or too short`, {
        hint: 'run verify: it names everything that was changed',
      });
    }
    if (!full) return hashes.subarray(0, width * 32);
    keep(this.#full, TILES_KEPT_MAX, name, hashes);
    return hashes;
  }

  /** The leaf hashes behind the last full tile of level 0. */
  async #edgeOf(size: number): Promise<Uint8Array> {
    const known = this.#edge;
    if (known?.size === size) return known.hashes;
    const begin = size - (size % TILE_WIDTH);
    const isGrown = known !== undefined && known.size > begin && known.size < size;
    const from = isGrown ? known.size : begin;
    const entries = await this.#reader.readEntries(from, size);
    if (entries.length !== size - from) {
      throw new LogError('log_damaged', `entries are missing between ${from} and ${size}`);
    }
    const leaves = entries.map(({ entry }) => hashLeaf(entry));
    const hashes = concatBytes(...(isGrown ? [known.hashes] : []), ...leaves);
    this.#edge = { size, hashes };
    return hashes;
  }
}

/** Whether the tree of `size` entries fills this tile: then it never changes. */
function isFull({ level, index }: TileId, size: number): boolean {
  return index < Math.floor(size / TILE_WIDTH ** (level + 1));
}

/** Keeps a value in a map of at most `most`; the one that was kept first goes. */
function keep<Value>(kept: Map<string, Value>, most: number, name: string, value: Value): void {
  if (kept.size >= most) {
    const oldest = kept.keys().next();
    if (!oldest.done) kept.delete(oldest.value);
  }
  kept.set(name, value);
}

function key({ level, index }: TileId): string {
  return `${level}/${index}`;
}
