import { base64Decode, base64Encode, equalBytes, VerificationError } from '../bytes/index.ts';
import {
  changeNumberOf,
  type Entry,
  erasureOf,
  isKeyChange,
  isPruning,
  KEY_CHANGE_BYTES_MAX,
  openEntry,
  parseEntry,
  pruningOf,
} from '../event/index.ts';
import { type Hash, hashLeaf, Range } from '../merkle/index.ts';
import { Discoveries, describe, type Finding, type FindingCode, type KeyEntry } from '../verify/index.ts';
import type { RetentionBook } from './retention-book.ts';

/** What has been authenticated of a log: the compact range of its first entries, as plain data. */
export interface Base {
  readonly size: number;
  /** Standard base64, in the order of `Range.hashes`. */
  readonly hashes: readonly string[];
}

/** An entry as it is read on: with its sealed values, where somebody can see them. */
export interface NextEntry {
  readonly index: number;
  readonly entry: Uint8Array;
  readonly disclosures?: readonly string[];
}

/** What is left of an entry that was pruned; a record among the entries behind it has to say so. */
export interface PrunedNext {
  readonly index: number;
  readonly hash: Hash;
}

/** What came of reading on. */
export interface Continued {
  /** All that is authenticated now; absent where the entries do not give the root. */
  readonly base?: Base;
  readonly findings: readonly Finding[];
  /** When the first and the last entry that were read say that they were recorded; absent where none could be read. */
  readonly times?: { readonly first: string; readonly last: string };
  /** The first entry of all, where it was among them. */
  readonly genesis?: Uint8Array;
  /** The entries among them that claim to change the log's keys. */
  readonly keyChanges: readonly KeyEntry[];
}

/** The base of a log of which nothing is known. */
export const NOTHING: Base = { size: 0, hashes: [] };

/**
 * Reads a log on from where an earlier reading stood: hashes the entries behind those that were authenticated before, looks at each,
 * and compares what all of them give together with a signed root. So the log continues what was authenticated, and what is new is what
 * was signed; nothing older is read. What it remembers does not grow with the log.
 *
 * It knows no place, no clock and no key: a server's audits of its own logs and a monitor elsewhere read with it.
 */
export class Continuation {
  readonly #range: Range;
  readonly #discoveries = new Discoveries('first');
  readonly #keyChanges = new Map<number, KeyEntry>();
  readonly #retention: RetentionBook | undefined;
  #before: string;
  #first: string | undefined;
  #last: string | undefined;
  #genesis: Uint8Array | undefined;
  /** The last entry that was passed over as pruned, and how far the records among those behind it reach. */
  #pruned = -1;
  #minimum = 0;

  /**
   * `recordedAt` is of the last entry that was read before, `retention` what is known of the policy up to there, where they are
   * known. Throws a misuse `hashes_mismatch` for a base that is none.
   */
  constructor(
    base: Base = NOTHING,
    { recordedAt = '', retention }: { readonly recordedAt?: string; readonly retention?: RetentionBook } = {},
  ) {
    this.#range = rangeOf(base);
    this.#before = recordedAt;
    this.#retention = retention;
  }

  /** The index that comes next. */
  get size(): number {
    return this.#range.end;
  }

  /** The entries from which keys follow, as far as was read. */
  get keys(): Pick<Continued, 'genesis' | 'keyChanges'> {
    return {
      ...(this.#genesis !== undefined && { genesis: this.#genesis }),
      keyChanges: [...this.#keyChanges.values()],
    };
  }

  /** Adds something that was found elsewhere about these entries. */
  discover(code: FindingCode, index: number, what: string, detail?: Readonly<Record<string, unknown>>): void {
    this.#discoveries.add({ code, from: index, to: index, what, ...(detail !== undefined && { detail }) });
  }

  /** Takes the next entry; what comes before it was authenticated, and is passed over. Returns its leaf hash where it was taken. */
  take({ index, entry, disclosures }: NextEntry): Hash | undefined {
    if (index !== this.size) return undefined;
    const hash = hashLeaf(entry);
    this.#range.append(hash);
    if (index === 0) this.#genesis = entry.slice();
    try {
      this.#read(parseEntry(entry), index, disclosures);
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      this.discover('entry_malformed', index, 'not an entry of this format', { code: error.code });
    }
    if (isKeyChange(entry)) this.#keepKeyChange(entry, index);
    if (isPruning(entry)) this.#checkPruning(entry, index);
    return hash;
  }

  /** Passes over the next entry, which is said to be pruned. */
  pass({ index, hash }: PrunedNext): boolean {
    if (index !== this.size) return false;
    this.#range.append(hash);
    this.#pruned = index;
    return true;
  }

  /** Compares what the entries give with what is signed. */
  conclude({ size, root }: { readonly size: number; readonly root: Uint8Array }): Continued {
    const isThere = this.size === size;
    const isExcused = this.#pruned < this.#minimum || this.#pruned < 0;
    const isSigned = isThere && equalBytes(this.#range.root(), root);
    if (!isThere) this.discover('index_gap', this.size, 'missing');
    if (!isExcused) this.discover('index_gap', this.#pruned, 'missing');
    if (isThere && !isSigned) {
      const what =
        'The entries, with those that were authenticated before, do not give the root that is signed';
      const to = Math.max(size - 1, 0);
      this.#discoveries.add({ code: 'root_mismatch', from: 0, to, what, ofLog: true });
    }
    return {
      ...(isSigned && isExcused && { base: baseOf(this.#range) }),
      findings: this.#discoveries.kept.map(describe),
      ...(this.#first !== undefined && { times: { first: this.#first, last: this.#last! } }),
      ...this.keys,
    };
  }

  #read(entry: Entry, index: number, disclosures: readonly string[] | undefined): void {
    const { recordedAt } = entry;
    this.#first ??= recordedAt;
    this.#last = recordedAt;
    // Fixed-width UTC: the order of the texts is that of the times.
    if (recordedAt < this.#before)
      this.discover('time_backwards', index, 'recorded earlier than the entry before it');
    this.#before = recordedAt;
    if (entry.action === 'log.created' && index > 0)
      this.discover('genesis_invalid', index, 'the log is created once more');
    if (entry.action === 'log.erased') this.#checkErasure(entry, index);
    for (const wrong of this.#retention?.see(entry, index) ?? []) this.#discoveries.add(wrong);
    if (disclosures === undefined) return;
    const [problem] = openEntry(entry, disclosures, index).problems;
    if (problem !== undefined) this.discover('disclosure_altered', index, problem.message.replace(/\.$/, ''));
  }

  #checkPruning(entry: Uint8Array, index: number): void {
    try {
      this.#minimum = Math.max(this.#minimum, pruningOf(parseEntry(entry), index).minimum);
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      // A reader that knows the policy says so itself.
      if (this.#retention === undefined)
        this.discover('pruning_invalid', index, 'the record of a pruning, and not as one can be');
    }
  }

  /** A record speaks of what came before it. One that reaches ahead would excuse the loss of values not yet written. */
  #checkErasure(entry: Entry, index: number): void {
    try {
      const erasure = erasureOf(entry);
      if (erasure !== undefined && erasure.below > index)
        this.discover('erasure_invalid', index, 'the record of an erasure that reaches ahead of itself');
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      this.discover('erasure_invalid', index, 'the record of an erasure that does not say of what');
    }
  }

  /** The first entry that bears a number counts; however many there are, no more are kept than can be changes. */
  #keepKeyChange(entry: Uint8Array, index: number): void {
    const number = entry.length > KEY_CHANGE_BYTES_MAX ? undefined : numberIn(entry);
    if (number === undefined) this.discover('key_change_invalid', index, 'changes no key');
    else if (!this.#keyChanges.has(number)) this.#keyChanges.set(number, { index, entry: entry.slice() });
  }
}

function numberIn(entry: Uint8Array): number | undefined {
  try {
    return changeNumberOf(parseEntry(entry).id);
  } catch (error) {
    if (error instanceof VerificationError) return undefined;
    throw error;
  }
}

/** A range as plain data; {@link rangeOf} reads it back. */
export function baseOf(range: Range): Base {
  return { size: range.end, hashes: range.hashes.map((hash) => base64Encode(hash)) };
}

/** The range that is remembered. Throws a misuse `hashes_mismatch` where numbers do not fit, `malformed_base64` for what is none. */
export function rangeOf({ size, hashes }: Base): Range {
  return Range.from({ begin: 0, end: size, hashes: hashes.map((text) => base64Decode(text)) });
}
