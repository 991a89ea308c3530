import type { Signer, VerifierKey } from '../note/index.ts';
import type { Awaitable, Head, HeadTransaction } from '../store/index.ts';
import { keysOf, type LogKeys } from './log-timeline.ts';
import { checkHead, notTheKey } from './signed-head.ts';

/** Who signs for a writer. */
export interface Signing {
  readonly signer: Signer;
  /** Who signs the log, as far as it is known. */
  readonly keys?: LogKeys | undefined;
  /** Finds the key that signs now where the one at hand was replaced; undefined where there is none to be had. */
  readonly renew?: ((keys: readonly VerifierKey[]) => Awaitable<Signer | undefined>) | undefined;
  /** Whether the signer is a key that what is recorded first puts in the place of another: it signs nothing before. */
  readonly isSuccessor?: boolean | undefined;
}

/** The key that a writer signs with, for as long as it is the log's. */
export class LogSigner {
  readonly #options: Signing;
  #now: Signer;
  #keys: LogKeys | undefined;

  constructor(options: Signing) {
    this.#options = options;
    this.#now = options.signer;
    this.#keys = options.keys;
  }

  /** The signer that was in order when the head was taken. */
  get now(): Signer {
    return this.#now;
  }

  /**
   * Checks who has signed a head that others wrote, and that it is ours to sign the next: what others wrote is followed only under a
   * signature of the log's key, which forged rows have none of. Where the key was replaced meanwhile, the new one is looked for; without it
   * nothing is signed over the head, and nothing is lost by that. Throws `LogError` `head_invalid`, `key_retired`.
   */
  async check(transaction: HeadTransaction, head: Head): Promise<void> {
    const known = this.#keys ?? (await keysOf(transaction));
    let keys = known;
    try {
      checkHead(head, keys.timeline);
    } catch (error) {
      keys = await keysOf(transaction);
      if (keys.timeline.changes === known.timeline.changes) throw error;
      checkHead(head, keys.timeline);
    }
    const { current } = keys.timeline;
    const isCurrent = ({ vkey }: Signer): boolean => current.some(({ text }) => text === vkey);
    if (this.#options.isSuccessor !== true && !isCurrent(this.#now)) {
      const renewed = await this.#options.renew?.(current);
      if (renewed === undefined || !isCurrent(renewed)) throw notTheKey(this.#now.vkey, keys, 'key_retired');
      this.#now = renewed;
    }
    this.#keys = keys;
  }
}
