import { VerificationError } from '../bytes/index.ts';
import type { Hash, TileAuthenticator } from '../merkle/index.ts';
import type { OpenedCheckpoint } from '../note/index.ts';
import type { TileReader } from '../store/index.ts';
import { PinnedKey, policyOf, type Trust } from '../verify/index.ts';
import { authenticatorOf } from './authenticator.ts';
import { KeySearch, type KeySearchLimits } from './key-search.ts';

/**
 * The key of a published log that a reader was given, and the keys that follow from it. Static files name no place at which keys
 * change, so where another key has signed, entries are looked through ({@link KeySearch}), each once; what is found is believed as
 * {@link PinnedKey} says.
 */
export class PublishedKey {
  readonly #pinned: PinnedKey;
  readonly #search: KeySearch;
  /** How many entries a checkpoint had that was opened. */
  #opened = 0;
  #turn: Promise<unknown> = Promise.resolve();

  /** Throws `malformed_key` for a key that is none. */
  constructor(reader: TileReader, trust: Trust, limits?: KeySearchLimits) {
    this.#search = new KeySearch(reader, policyOf(trust), limits);
    this.#pinned = new PinnedKey({
      trust,
      fetchKeys: () => this.#search.find(),
      readLeaves: (tree, indexes) => leavesOf(authenticatorOf(reader, tree), indexes),
    });
  }

  /** Opens a checkpoint by a key of the log, as {@link PinnedKey.open}. Calls wait for one another. */
  open(note: Uint8Array): Promise<OpenedCheckpoint> {
    const opening = this.#turn.then(() => this.#open(note));
    this.#turn = opening.catch(() => {});
    return opening;
  }

  /**
   * Where a checkpoint was opened before, changes are looked for behind it first. That is enough where they lead to the signer: each
   * bears the number that comes next, so none before them was passed over. Where they do not, what was passed over is read.
   */
  async #open(note: Uint8Array): Promise<OpenedCheckpoint> {
    const isAhead = this.#opened > this.#search.end;
    try {
      return await this.#openFrom(note, Math.max(this.#opened, this.#search.end));
    } catch (error) {
      if (!isAhead || !(error instanceof VerificationError) || !mayLead(error)) throw error;
      return this.#openFrom(note, this.#search.end);
    }
  }

  async #openFrom(note: Uint8Array, from: number): Promise<OpenedCheckpoint> {
    this.#search.prepare(note, from);
    const opened = await this.#pinned.open(note);
    this.#search.keep();
    this.#opened = Math.max(this.#opened, opened.checkpoint.size);
    return opened;
  }
}

/** Whether changes that were passed over may say who has signed. */
function mayLead({ code, details }: VerificationError): boolean {
  return (code === 'signature_unknown' || code === 'key_retired') && !('searched' in details);
}

function leavesOf(tiles: TileAuthenticator, indexes: readonly number[]): Promise<readonly Hash[]> {
  return tiles.readHashes(indexes.map((index) => ({ level: 0, index })));
}
