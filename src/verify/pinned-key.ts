import { equalBytes, VerificationError } from '../bytes/index.ts';
import { type Hash, hashLeaf } from '../merkle/index.ts';
import { type OpenedCheckpoint, openWithPolicy, type Policy } from '../note/index.ts';
import { openBelieved, pinnedBy } from './believed.ts';
import {
  authorisationsIn,
  type KeyEntry,
  type KeyTimeline,
  keyTimeline,
  type SignedBy,
} from './key-timeline.ts';
import { policyOf, type Trust } from './trust.ts';

/** What a {@link PinnedKey} asks of the server, and of its tree. */
export interface PinnedKeyOptions {
  readonly trust: Trust;
  /** The entries from which the log's keys follow, as the server says; none where it does not say. */
  readonly fetchKeys: () => Promise<readonly KeyEntry[]>;
  /** The leaves at these indexes, in the tree of a checkpoint. Throws `VerificationError` where they are not to be had. */
  readonly readLeaves: (
    tree: { readonly size: number; readonly root: Hash },
    indexes: readonly number[],
  ) => Promise<readonly Hash[]>;
  /** Told which notes are about to be verified, and by which keys, where signatures are verified ahead. */
  readonly settle?: (asked: readonly SignedBy[]) => Promise<void>;
}

/** Errors after which it is worth asking whether the key was replaced. */
const unknownSigner: ReadonlySet<string> = new Set([
  'signature_unknown',
  'key_retired',
  'policy_unsatisfied',
]);

/**
 * The key of a log that a verifier was given, and the keys that follow from it: where the log's key was replaced by the rules, the
 * verifier goes on by itself. It asks for the entries that say so, follows the signatures from the key that it was given, and believes
 * what it found once those entries are shown to lie in the tree that the new key has signed. Anything else is what it was before: a
 * checkpoint by a key that nobody knows.
 */
export class PinnedKey {
  readonly #options: PinnedKeyOptions;
  #read: Policy | undefined;
  #timeline: KeyTimeline | undefined;

  constructor(options: PinnedKeyOptions) {
    this.#options = options;
  }

  /** Read when it is first needed: a key that is none fails the check, and nothing before. */
  get #policy(): Policy {
    this.#read ??= policyOf(this.#options.trust);
    return this.#read;
  }

  /** The keys of the log; undefined while the one that was given has been enough. */
  get timeline(): KeyTimeline | undefined {
    return this.#timeline;
  }

  /**
   * Opens a checkpoint by a key of the log. Throws `VerificationError`: above all `signature_unknown` where another has signed it,
   * `key_retired` and `key_revoked` where one has that does not sign any more.
   */
  async open(note: Uint8Array): Promise<OpenedCheckpoint> {
    try {
      await this.#settle(note);
      return this.#openNow(note);
    } catch (error) {
      if (!(error instanceof VerificationError) || !unknownSigner.has(error.code)) throw error;
      const opened = await this.#follow(note);
      if (opened === undefined) throw error;
      return opened;
    }
  }

  async #settle(note: Uint8Array, timeline = this.#timeline, more: readonly SignedBy[] = []): Promise<void> {
    const { logs, witnesses } = this.#policy;
    const all = [...logs, ...(timeline?.spans ?? []), ...witnesses].map(({ key }) => key);
    const keys = [...new Map(all.map((key) => [key.text, key])).values()];
    await this.#options.settle?.([...more, { note, keys }]);
  }

  #openNow(note: Uint8Array): OpenedCheckpoint {
    const timeline = this.#timeline;
    if (timeline === undefined) return openWithPolicy(note, this.#policy);
    return openBelieved(note, { policy: this.#policy, timeline });
  }

  /** Opens a checkpoint by a key that took over since; undefined where no change of keys leads to its signer. */
  async #follow(note: Uint8Array): Promise<OpenedCheckpoint | undefined> {
    const entries = await this.#options.fetchKeys();
    const [first, ...changes] = entries;
    if (first === undefined || first.index !== 0) return undefined;
    const timeline = await this.#timelineIn(note, first.entry, changes);
    const known = this.#timeline;
    if (timeline === undefined || timeline.changes <= (known?.changes ?? 0)) return undefined;
    const pinned = pinnedBy(this.#policy);
    await this.#settle(note, timeline);
    this.#mustBeReached(timeline, pinned);
    const opened = openBelieved(note, { policy: this.#policy, timeline, pinned });
    const { checkpoint } = opened;
    const leaves = await this.#options.readLeaves(
      checkpoint,
      entries.map(({ index }) => index),
    );
    for (const [position, { index, entry }] of entries.entries()) {
      if (equalBytes(leaves[position]!, hashLeaf(entry))) continue;
      const message = `Entry ${index} is not in the tree that the new key signs.`;
      throw new VerificationError('inclusion_invalid', message, { index, size: checkpoint.size });
    }
    this.#timeline = timeline;
    return opened;
  }

  /** The timeline, unless what the server shows is none. */
  async #timelineIn(
    note: Uint8Array,
    first: Uint8Array,
    changes: readonly KeyEntry[],
  ): Promise<KeyTimeline | undefined> {
    try {
      await this.#settle(note, undefined, authorisationsIn(first, changes));
      return keyTimeline(first, changes);
    } catch (error) {
      if (error instanceof VerificationError) return undefined;
      throw error;
    }
  }

  /** Tells a key that was replaced without its own signature from one that never signed here: as the server says, both times. */
  #mustBeReached(timeline: KeyTimeline, pinned: readonly string[]): void {
    const isReached = timeline.current.some(({ text }) => pinned.includes(text));
    const spans = timeline.spans.filter(({ key }) => pinned.includes(key.text));
    const [span] = spans;
    if (isReached || span?.last === undefined) return;
    if (timeline.reached(pinned, span.last + 1).length > 0) return;
    const message = `This key was replaced at entry ${span.last}, says the server, and has not signed it: get the new one from elsewhere.`;
    throw new VerificationError('key_retired', message, { key: span.key.text, last: span.last });
  }
}
