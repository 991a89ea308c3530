import { base64Encode, equalBytes, misuse, utf8Decode, VerificationError } from '../bytes/index.ts';
import type { Proof, SignedCheckpoint } from '../log/index.ts';
import {
  decodeEntryBundle,
  type Hash,
  hashLeaf,
  type ProofPlan,
  planConsistency,
  planInclusion,
  TILE_WIDTH,
  type TileAuthenticator,
  verifyConsistency,
  verifyInclusion,
} from '../merkle/index.ts';
import { type Checkpoint, NOTE_BYTES_MAX } from '../note/index.ts';
import { CHECKPOINT_PATH, LogError, type TileReader } from '../store/index.ts';
import { formatProof, policyOf, type Trust } from '../verify/index.ts';
import { authenticatorOf, missing } from './authenticator.ts';
import { choosingCheckpoint } from './checkpoint-choice.ts';
import type { KeySearchLimits } from './key-search.ts';
import { openPlace, type PlaceOptions } from './places.ts';
import { readBundle } from './published-files.ts';
import { PublishedKey } from './published-keys.ts';

/** An entry of a published log. */
export interface PublishedEntry {
  readonly index: number;
  /** The very bytes that the log has signed for. */
  readonly entry: Uint8Array;
}

/** A checkpoint that was verified, and the tree under it. */
interface Tree {
  readonly checkpoint: Checkpoint;
  readonly note: Uint8Array;
  readonly tiles: TileAuthenticator;
}

/**
 * A published log, read by its URL alone. Nothing that comes from there is believed: the checkpoint by the key or policy that the
 * reader was given, or a key that took its place by the log's own rules, everything else by the hashes that lead to the checkpoint's
 * root. A tile is kept once it has been authenticated, not before. Calls may overlap.
 */
export class PublishedLog {
  readonly #reader: TileReader;
  readonly #key: PublishedKey;
  #tree: Tree | undefined;
  #newest: Promise<Tree> | undefined;

  private constructor(reader: TileReader, trust: Trust, limits: KeySearchLimits | undefined) {
    this.#reader = reader;
    this.#key = new PublishedKey(reader, trust, limits);
  }

  /** @internal Use {@link openPublished}. */
  static async over(reader: TileReader, trust: Trust, limits?: KeySearchLimits): Promise<PublishedLog> {
    const log = new PublishedLog(reader, trust, limits);
    await log.checkpoint();
    return log;
  }

  /**
   * The newest checkpoint, read now. It must continue the one that was seen before: throws `VerificationError` `rolled_back` where it
   * is older, `forked` where it is of another history, and what `PinnedKey.open` throws.
   */
  async checkpoint(): Promise<SignedCheckpoint> {
    this.#newest ??= this.#refresh().finally(() => {
      this.#newest = undefined;
    });
    const { checkpoint, note } = await this.#newest;
    return { size: checkpoint.size, root: base64Encode(checkpoint.root), note: utf8Decode(note) };
  }

  /** One entry under the checkpoint that was seen last. Throws `LogError` `not_found`; as {@link entries}. */
  async get(index: number): Promise<PublishedEntry> {
    const tree = this.#seen();
    requireIndex(index, tree);
    const begin = index - (index % TILE_WIDTH);
    return { index, entry: (await this.#bundle(begin, tree))[index - begin]! };
  }

  /**
   * Entries under the checkpoint that was seen last, ascending. Throws `VerificationError` `tile_invalid`, `malformed_entry_bundle` or
   * `inclusion_invalid` where what is published is not what was signed, `LogError` `log_damaged` where it is missing.
   */
  async *entries(
    range: { readonly from?: number; readonly to?: number } = {},
  ): AsyncGenerator<PublishedEntry> {
    const tree = this.#seen();
    const to = Math.min(range.to ?? tree.checkpoint.size, tree.checkpoint.size);
    let index = range.from ?? 0;
    if (!(Number.isSafeInteger(index) && index >= 0)) {
      throw misuse('range', 'argument_invalid', 'from must be an index');
    }
    while (index < to) {
      const begin = index - (index % TILE_WIDTH);
      const entries = await this.#bundle(begin, tree);
      for (; index < Math.min(to, begin + TILE_WIDTH); index += 1)
        yield { index, entry: entries[index - begin]! };
    }
  }

  /** Proves the entry at `index`, and checks the proof. Throws as {@link get}. */
  async prove(index: number): Promise<Proof> {
    const tree = this.#seen();
    const { entry } = await this.get(index);
    const { size, root } = tree.checkpoint;
    const hashes = await this.#fetch(planInclusion(index, size), tree);
    verifyInclusion({ index, size, leafHash: hashLeaf(entry), root, proof: hashes });
    const proof = formatProof({ index, hashes, checkpoint: utf8Decode(tree.note) });
    return { index, proof, entry, disclosures: [] };
  }

  /**
   * Whether the log continues a checkpoint that somebody kept: a signed note. Throws `VerificationError` `rolled_back` where the log is
   * smaller now, `forked` where it is of another history, and what opening the note throws.
   */
  async verifyContinues(note: string | Uint8Array): Promise<void> {
    const bytes = typeof note === 'string' ? Buffer.from(note, 'utf8') : note;
    await this.#mustContinue((await this.#key.open(bytes)).checkpoint, this.#seen());
  }

  /** Releases everything. Idempotent. */
  close(): Promise<void> {
    return this.#reader.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #seen(): Tree {
    return this.#tree!;
  }

  async #refresh(): Promise<Tree> {
    const note = await this.#reader.read(CHECKPOINT_PATH, NOTE_BYTES_MAX);
    if (note === undefined) {
      throw new LogError(
        'log_missing',
        `no log is published at ${this.#reader.place}: there is no checkpoint`,
      );
    }
    const { checkpoint } = await this.#key.open(note);
    const seen = this.#tree;
    const isSame =
      seen?.checkpoint.size === checkpoint.size && equalBytes(seen.checkpoint.root, checkpoint.root);
    const tiles = isSame ? seen.tiles : authenticatorOf(this.#reader, checkpoint);
    const tree = { checkpoint, note, tiles };
    if (seen !== undefined) await this.#mustContinue(seen.checkpoint, tree);
    this.#tree = tree;
    return tree;
  }

  async #mustContinue(older: Checkpoint, { checkpoint: newer, tiles }: Tree): Promise<void> {
    if (older.size > newer.size) {
      const message = `The published log has ${newer.size} entries; it had ${older.size}.`;
      throw new VerificationError('rolled_back', message, { size: newer.size, seen: older.size });
    }
    if (older.size === 0) return;
    try {
      const plan = planConsistency(older.size, newer.size);
      const proof = plan.assemble(await tiles.readHashes(plan.nodes));
      verifyConsistency({
        size1: older.size,
        root1: older.root,
        size2: newer.size,
        root2: newer.root,
        proof,
      });
    } catch (error) {
      if (!(error instanceof VerificationError) || error.code !== 'consistency_invalid') throw error;
      const message = `The published log of ${newer.size} entries does not continue the one of ${older.size} that was seen.`;
      throw new VerificationError('forked', message, { size: newer.size, seen: older.size });
    }
  }

  async #fetch(plan: ProofPlan, { tiles }: Tree): Promise<Hash[]> {
    return plan.assemble(await tiles.readHashes(plan.nodes));
  }

  /** The entries of a bundle, each compared with its authenticated leaf hash. */
  async #bundle(begin: number, { checkpoint, tiles }: Tree): Promise<Uint8Array[]> {
    const width = Math.min(TILE_WIDTH, checkpoint.size - begin);
    const nodes = Array.from({ length: width }, (_, at) => ({ level: 0, index: begin + at }));
    const read = (path: string, bytesMax: number): Promise<Uint8Array | undefined> =>
      this.#reader.read(path, bytesMax);
    const [file, hashes] = await Promise.all([
      readBundle(read, { index: begin / TILE_WIDTH, width }),
      tiles.readHashes(nodes),
    ]);
    if (file.bytes === undefined) throw missing(this.#reader.place, `bundle ${begin / TILE_WIDTH}`);
    const entries = decodeEntryBundle(file.bytes, file.width).slice(0, width);
    entries.forEach((entry, at) => {
      if (equalBytes(hashLeaf(entry), hashes[at]!)) return;
      throw new VerificationError(
        'inclusion_invalid',
        `Entry ${begin + at} is not the one that was signed.`,
        {
          index: begin + at,
        },
      );
    });
    return entries;
  }
}

/**
 * Opens a published log by its URL (`file:`, `s3:`, `https:`) and whom the reader believes: a verifier key, or a policy. Throws
 * `LogError` `log_missing`, `unreachable`, and what {@link PublishedLog.checkpoint} throws.
 */
export async function openPublished(
  url: string,
  trust: string | Trust,
  options: PlaceOptions = {},
): Promise<PublishedLog> {
  const policy = policyOf(typeof trust === 'string' ? { vkey: trust } : trust);
  const { reader } = choosingCheckpoint(await openPlace(url, options), policy);
  try {
    return await PublishedLog.over(reader, policy, options.keySearch);
  } catch (error) {
    await reader.close();
    throw error;
  }
}

function requireIndex(index: number, { checkpoint }: Tree): void {
  if (Number.isSafeInteger(index) && index >= 0 && index < checkpoint.size) return;
  throw new LogError('not_found', `there is no entry ${index} in a log of ${checkpoint.size}`);
}
