import {
  base64Decode,
  base64Encode,
  equalBytes,
  utf8Decode,
  VerificationError,
} from '../../../src/bytes/index.ts';
import {
  hashFromTile,
  planConsistency,
  TILE_WIDTH,
  type Tile,
  TileAuthenticator,
  tileInTree,
  tileOfNode,
  tilePath,
  verifyConsistency,
} from '../../../src/merkle/index.ts';
import { type KeyEntry, PinnedKey, type Trust } from '../../../src/verify/index.ts';
import { settleSignatures } from './browser-signatures.ts';
import type { CheckedRow, HeadVerdict, Row, RowVerdict, SeenCheckpoint, SignedHead } from './model.ts';
import { type OpenedRow, openRow } from './open-row.ts';

/** What a verifier needs: a key that was given beforehand, a memory, and somebody who fetches. */
export interface LogVerifierOptions {
  readonly trust: Trust;
  readonly seen: SeenCheckpoint | undefined;
  fetchCheckpoint(): Promise<Uint8Array>;
  fetchTile(path: string): Promise<Uint8Array>;
  /** The entries from which the log's keys follow, where the server tells: asked for when another key than the pinned one signs. */
  fetchKeys?(): Promise<readonly KeyEntry[]>;
  now(): Date;
}

/**
 * Checks one log in the page: the signature of its checkpoints under the pinned key, that each continues the last one
 * that this browser saw, and that every row shown is the leaf at its index.
 *
 * It starts from bytes alone. What the server says of an event, of a proof or of itself does not come in here.
 */
export class LogVerifier {
  readonly #options: LogVerifierOptions;
  readonly #key: PinnedKey;
  #seen: SeenCheckpoint | undefined;
  #verdict: HeadVerdict | undefined;
  #authenticator: TileAuthenticator | undefined;
  #refreshing: Promise<HeadVerdict> | undefined;
  /** Where the signed tree could not be reached: what there is to compare rows with all the same. */
  #ruins: Ruins | undefined;
  /** Full tiles never change; kept over checkpoints, and authenticated anew under each. */
  readonly #tiles = new Map<string, Uint8Array>();
  /** Leaves that were found in a signed tree, by index. */
  readonly #sealed = new Map<number, Leaf>();

  constructor(options: LogVerifierOptions) {
    this.#options = options;
    this.#seen = options.seen;
    this.#key = new PinnedKey({
      trust: options.trust,
      fetchKeys: async () => (await options.fetchKeys?.()) ?? [],
      readLeaves: (tree, indexes) =>
        this.#authenticatorOf(tree).readHashes(indexes.map((index) => ({ level: 0, index }))),
      settle: settleSignatures,
    });
  }

  /** The last verdict about the log; undefined before the first. */
  get verdict(): HeadVerdict | undefined {
    return this.#verdict;
  }

  /** The newest checkpoint that held. */
  get seen(): SeenCheckpoint | undefined {
    return this.#seen;
  }

  /** Fetches the checkpoint and checks it. A log that was found broken stays broken for this verifier. */
  refresh(): Promise<HeadVerdict> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #refresh(): Promise<HeadVerdict> {
    if (this.#verdict?.state === 'broken') return this.#verdict;
    try {
      this.#verdict = await this.#advance();
    } catch (error) {
      if (!(error instanceof VerificationError)) {
        const failure = { state: 'unreachable', message: messageOf(error) } as const;
        if (this.#verdict?.state !== 'sealed') this.#verdict = failure;
        return failure;
      }
      this.#verdict = { state: 'broken', code: error.code, message: error.message };
    }
    return this.#verdict;
  }

  async #advance(): Promise<HeadVerdict> {
    const { fetchCheckpoint, now } = this.#options;
    const bytes = await fetchCheckpoint();
    const { checkpoint, note, verified } = await this.#key.open(bytes);
    const { origin, size, root } = checkpoint;
    const last = this.#seen;
    if (this.#authenticator !== undefined && last?.size === size) requireSameRoot(last, root);
    else {
      this.#ruins = { size, seen: last === undefined ? undefined : this.#treeOf(last) };
      this.#authenticator = await this.#follow({ size, root }, last);
    }
    this.#seen = { size, root: base64Encode(root), at: now().toISOString() };
    const signatures = note.verified.length + note.unknown.length;
    const head: SignedHead = {
      origin,
      size,
      root,
      note: utf8Decode(bytes),
      witnessed: verified.length - 1,
      witnesses: signatures - 1,
    };
    return { state: 'sealed', head, continues: this.#options.seen };
  }

  /** The tree of a newer checkpoint, once its right edge leads to its root and it continues what this browser saw. */
  async #follow(newer: Tree, seen: SeenCheckpoint | undefined): Promise<TileAuthenticator> {
    const authenticator = this.#authenticatorOf(newer);
    if (newer.size > 0) await authenticator.readHashes([]);
    if (seen !== undefined) await requireContinues(seen, newer, authenticator);
    return authenticator;
  }

  /** Checks rows, in their order. Fetches a newer checkpoint where one of them lies beyond the last. */
  async check(rows: readonly Row[]): Promise<CheckedRow[]> {
    const opened = rows.map(openRow);
    const highest = Math.max(-1, ...rows.map(({ index }) => index));
    if (this.#verdict?.state !== 'sealed' || highest >= this.#verdict.head.size) await this.refresh();
    const byTile = Map.groupBy(opened, ({ index }) => Math.floor(index / TILE_WIDTH));
    await Promise.all([...byTile.values()].map((together) => this.#judge(together)));
    return opened.map(({ index, verdict, event, fields }) => ({
      index,
      verdict: verdict ?? { state: 'pending' },
      event,
      fields,
    }));
  }

  /** Fills in the verdicts of rows whose leaves stand in one tile, so that a bad tile condemns only its own. */
  async #judge(rows: readonly OpenedRow[]): Promise<void> {
    for (const row of rows) row.verdict ??= this.#judgeByMemory(row);
    const verdict = this.#verdict;
    const unread = rows.filter((row) => row.verdict === undefined);
    if (unread.length === 0) return;
    if (verdict?.state === 'broken') await this.#judgeInRuins(unread);
    if (verdict?.state !== 'sealed' || this.#authenticator === undefined) {
      for (const row of unread) row.verdict ??= withoutHead(verdict);
      return;
    }
    const { size } = verdict.head;
    const covered = unread.filter(({ index }) => index < size);
    try {
      const leaves = await this.#authenticator.readHashes(covered.map(({ index }) => ({ level: 0, index })));
      covered.forEach((row, position) => {
        this.#sealed.set(row.index, { size, leafHash: leaves[position]! });
        row.verdict = this.#judgeByMemory(row);
      });
    } catch (error) {
      const failed: RowVerdict =
        error instanceof VerificationError
          ? { state: 'broken', code: error.code, message: error.message }
          : { state: 'unchecked', message: messageOf(error) };
      for (const row of covered) row.verdict = failed;
    }
  }

  /**
   * Judges rows of a log that does not hold, so that what was changed can be named: against the tree that this browser saw
   * before, as far as its tiles can still be had, else against the hash that the server itself gives for the row.
   */
  async #judgeInRuins(rows: readonly OpenedRow[]): Promise<void> {
    const ruins = this.#ruins;
    if (ruins === undefined) return;
    for (const row of rows) {
      const { index, leafHash } = row;
      if (leafHash === undefined || index >= ruins.size) continue;
      const seen = await this.#leafSeen(index, ruins);
      if (seen !== undefined) this.#sealed.set(index, seen);
      const leaf = seen?.leafHash ?? (await this.#leafClaimed(index, ruins));
      if (seen !== undefined) row.verdict = this.#judgeByMemory(row);
      else if (leaf !== undefined && !equalBytes(leaf, leafHash)) row.verdict = exchanged(index);
    }
  }

  /** The leaf in the tree that this browser saw; undefined where it is not in it, or no longer reached. */
  async #leafSeen(index: number, { seen }: Ruins): Promise<Leaf | undefined> {
    if (seen === undefined || index >= seen.size) return undefined;
    try {
      const [leafHash] = await seen.authenticator.readHashes([{ level: 0, index }]);
      return leafHash && { size: seen.size, leafHash };
    } catch {
      return undefined;
    }
  }

  /** The leaf as the server's tile has it, which nobody vouches for. */
  async #leafClaimed(index: number, { size }: Ruins): Promise<Uint8Array | undefined> {
    try {
      const node = { level: 0, index };
      const tile = tileInTree(tileOfNode(node), size);
      return tile && hashFromTile(await this.#readTile(tile), node);
    } catch {
      return undefined;
    }
  }

  #treeOf({ size, root }: SeenCheckpoint): Ruins['seen'] {
    return { size, authenticator: this.#authenticatorOf({ size, root: base64Decode(root) }) };
  }

  #authenticatorOf(tree: Tree): TileAuthenticator {
    const readTiles = (tiles: readonly Tile[]) => Promise.all(tiles.map((tile) => this.#readTile(tile)));
    return new TileAuthenticator({ ...tree, readTiles });
  }

  /** What was found in a signed tree once stays true, and what differs from it is not what was signed. */
  #judgeByMemory({ index, leafHash }: OpenedRow): RowVerdict | undefined {
    const known = this.#sealed.get(index);
    if (known === undefined || leafHash === undefined) return undefined;
    return equalBytes(leafHash, known.leafHash)
      ? { state: 'sealed', size: known.size, leafHash: base64Encode(leafHash) }
      : exchanged(index);
  }

  async #readTile(tile: Tile): Promise<Uint8Array> {
    const path = tilePath(tile);
    const kept = this.#tiles.get(path);
    if (kept !== undefined) return kept;
    const bytes = await this.#options.fetchTile(path);
    if (tile.width === TILE_WIDTH) this.#tiles.set(path, bytes);
    return bytes;
  }
}

/** A leaf that was found in the signed tree of `size` entries. */
interface Leaf {
  readonly size: number;
  readonly leafHash: Uint8Array;
}

/** What is left of a log whose signed tree cannot be reached. */
interface Ruins {
  readonly size: number;
  /** The tree of an earlier checkpoint that this browser checked. */
  readonly seen: { readonly size: number; readonly authenticator: TileAuthenticator } | undefined;
}

interface Tree {
  readonly size: number;
  readonly root: Uint8Array;
}

function requireSameRoot({ size, root, at }: SeenCheckpoint, now: Uint8Array): void {
  if (base64Encode(now) === root) return;
  const message = `The log has signed two different trees of ${size} entries: one that this browser saw on ${at}, and another now.`;
  throw new VerificationError('consistency_invalid', message, { size1: size, size2: size });
}

/** Shows that the tree which this browser saw is the beginning of the one that is now signed. */
async function requireContinues(
  seen: SeenCheckpoint,
  newer: Tree,
  authenticator: TileAuthenticator,
): Promise<void> {
  if (seen.size === 0) return;
  if (newer.size < seen.size) {
    const message = `This browser saw ${seen.size} entries on ${seen.at}; the log now signs only ${newer.size}. Entries that were there are gone.`;
    throw new VerificationError('consistency_invalid', message, { size1: seen.size, size2: newer.size });
  }
  if (newer.size === seen.size) return requireSameRoot(seen, newer.root);
  const plan = planConsistency(seen.size, newer.size);
  const proof = plan.assemble(await authenticator.readHashes(plan.nodes));
  const root1 = base64Decode(seen.root);
  verifyConsistency({ size1: seen.size, root1, size2: newer.size, root2: newer.root, proof });
}

function withoutHead(verdict: HeadVerdict | undefined): RowVerdict {
  if (verdict?.state === 'broken') {
    return { state: 'unchecked', message: `The log as a whole does not hold: ${verdict.message}` };
  }
  const message = verdict?.state === 'unreachable' ? verdict.message : 'No checkpoint has been checked.';
  return { state: 'unchecked', message };
}

function exchanged(index: number): RowVerdict {
  const message = `The entry that was shown is not the one that the log's tree holds at index ${index}.`;
  return { state: 'broken', code: 'inclusion_invalid', message };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
