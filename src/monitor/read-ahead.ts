import { VerificationError } from '../bytes/index.ts';
import { parseEntry } from '../event/index.ts';
import { type Checkpoint, parseNote } from '../note/index.ts';
import type { Continuation } from './continuation.ts';

/** Entries, and bytes of them, that are read at most for a checkpoint of which nothing says yet who signed it. */
export const AHEAD_ENTRIES_MAX = 1_000_000;
const AHEAD_BYTES_MAX = 2 ** 30;

/** Whether a line under a checkpoint bears the name of its log, as every key does that can follow from another. */
export function bearsOwnName(note: Uint8Array, { origin }: Checkpoint): boolean {
  try {
    return parseNote(note).signatures.some(({ name }) => name === origin);
  } catch (error) {
    if (error instanceof VerificationError) return false;
    throw error;
  }
}

/**
 * Reading on for a checkpoint that nobody known has signed: an entry that was not read yet may name its signer. Until one does, and its
 * signatures are good, nothing vouches for what is read, and anybody can make as much of it as he likes: there is a limit, and what is no
 * entry ends it.
 */
export class ReadAhead {
  readonly #isSigned: (keys: Continuation['keys']) => boolean;
  #isSettled = false;
  #isOver = false;
  #changes = -1;
  #entries = 0;
  #bytes = 0;

  /** `isSigned` says whether the checkpoint verifies with the keys that the entries up to here name. */
  constructor(isSigned: (keys: Continuation['keys']) => boolean) {
    this.#isSigned = isSigned;
  }

  /** Whether reading has ended because nothing vouched for it. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether as much was read as may be. */
  get isFull(): boolean {
    return this.#entries >= AHEAD_ENTRIES_MAX || this.#bytes >= AHEAD_BYTES_MAX;
  }

  /** Takes the next entry, undefined where it was pruned. Answers whether more may be read. */
  take(entry: Uint8Array | undefined, { keys }: Pick<Continuation, 'keys'>): boolean {
    if (this.#isSettled) return true;
    this.#entries += 1;
    this.#bytes += entry?.length ?? 0;
    const changes = keys.keyChanges.length + (keys.genesis === undefined ? 0 : 1);
    if (changes !== this.#changes) {
      this.#changes = changes;
      this.#isSettled = this.#isSigned(keys);
      if (this.#isSettled) return true;
    }
    this.#isOver = this.isFull || (entry !== undefined && !isEntry(entry));
    return !this.#isOver;
  }
}

function isEntry(bytes: Uint8Array): boolean {
  try {
    parseEntry(bytes);
    return true;
  } catch (error) {
    if (error instanceof VerificationError) return false;
    throw error;
  }
}
