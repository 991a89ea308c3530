import { equalBytes, misuse, VerificationError } from '../bytes/index.ts';
import {
  changeNumberOf,
  isKeyChange,
  KEY_CHANGE_BYTES_MAX,
  KEY_CHANGES_MAX,
  parseEntry,
  parseGenesis,
} from '../event/index.ts';
import {
  decodeEntryBundle,
  type Hash,
  hashLeaf,
  TILE_WIDTH,
  type TileAuthenticator,
} from '../merkle/index.ts';
import {
  type Checkpoint,
  openNote,
  openWithPolicy,
  type Policy,
  parseNote,
  satisfiesPolicy,
} from '../note/index.ts';
import { systemClock } from '../platform/index.ts';
import { LogError, type TileReader } from '../store/index.ts';
import { type KeyEntry, keyTimeline, openBelieved, readHead } from '../verify/index.ts';
import { authenticatorOf } from './authenticator.ts';
import { bundlesOf, readBundle } from './published-files.ts';

/**
 * How much of a log is read for changes of its keys while nobody whom the reader knows has signed its checkpoint. Whoever serves the
 * files can write such a checkpoint, over a tree as large as they like, so this is all the work that they can ask for.
 */
export interface KeySearchLimits {
  /** Entries; {@link KEY_SEARCH_ENTRIES_MAX} by default. */
  readonly entries?: number;
  /** Bytes of bundles and of tiles; {@link KEY_SEARCH_BYTES_MAX} by default. */
  readonly bytes?: number;
  /** Milliseconds; {@link KEY_SEARCH_MS_MAX} by default. */
  readonly ms?: number;
}

/** 16,777,216 entries: as many as one tile of level 2 covers. */
export const KEY_SEARCH_ENTRIES_MAX: number = TILE_WIDTH ** 3;

/** 4 GiB. */
export const KEY_SEARCH_BYTES_MAX: number = 4 * 1024 ** 3;

/** Five minutes. */
export const KEY_SEARCH_MS_MAX = 300_000;

/** Bundles that are looked through at once. */
const BUNDLES_AT_ONCE = 16;

/** What is read of a bundle beside others, bytes. A longer one is read by itself: all of one may have 16 MiB. */
const BUNDLE_BYTES_BESIDE = 1024 * 1024;

/** What has been found: the first entry, and the changes after it in the order of their numbers. */
interface Found {
  readonly entries: KeyEntry[];
  /** Up to where entries were read, or need not be. */
  readonly end: number;
}

/** What one search has read. */
interface Work {
  entries: number;
  bytes: number;
  readonly began: number;
  /** Whether it may go on without end: somebody who is known has signed for the size. */
  isVouched: boolean;
}

/**
 * Looks for the entries that change a log's keys, in the order of the log. It reads on only where the checkpoint can be what it says,
 * compares every entry with the tree that the checkpoint names, and keeps the first entry and those whose number comes next: at most
 * {@link KEY_CHANGES_MAX}, of {@link KEY_CHANGE_BYTES_MAX} each. A tree can be made up as well, so what it reads is bound by
 * {@link KeySearchLimits}, unless the quorum of the policy has cosigned the checkpoint, or it is signed by a key to which those found
 * so far lead.
 */
export class KeySearch {
  readonly #reader: TileReader;
  readonly #policy: Policy;
  readonly #limits: Required<KeySearchLimits>;
  #kept: Found = { entries: [], end: 0 };
  #found: Found | undefined;
  #note: Uint8Array = new Uint8Array(0);
  #from = 0;

  constructor(reader: TileReader, policy: Policy, limits: KeySearchLimits = {}) {
    this.#reader = reader;
    this.#policy = policy;
    this.#limits = {
      entries: limits.entries ?? KEY_SEARCH_ENTRIES_MAX,
      bytes: limits.bytes ?? KEY_SEARCH_BYTES_MAX,
      ms: limits.ms ?? KEY_SEARCH_MS_MAX,
    };
    for (const [name, limit] of Object.entries(this.#limits)) {
      if (Number.isSafeInteger(limit) && limit > 0) continue;
      throw misuse('range', 'option_invalid', `keySearch.${name} must be a whole number above 0`);
    }
  }

  /** Up to where no entry has to be read again. */
  get end(): number {
    return this.#kept.end;
  }

  /** Which checkpoint comes next. The entries between {@link end} and `from` are passed over, should a search be needed. */
  prepare(note: Uint8Array, from: number): void {
    this.#found = undefined;
    this.#note = note;
    this.#from = from;
  }

  /** The checkpoint was opened: what was found for it, if anything was looked for, is what the log says. */
  keep(): void {
    if (this.#found !== undefined) this.#kept = this.#found;
  }

  /**
   * The entries from which the keys of the checkpoint follow, as far as they are there; none where none can change anything. Throws
   * `VerificationError` `signature_unknown` beyond the limits, and what reading throws.
   */
  async find(): Promise<readonly KeyEntry[]> {
    const [note, from] = [this.#note, this.#from];
    const claim = readHead(note);
    if (claim === undefined || claim.size === 0 || !this.#mayFollow(note, claim)) return [];
    const entries = this.#kept.entries.filter(({ index }) => index < claim.size);
    const work = {
      entries: 0,
      bytes: 0,
      began: systemClock.monotonic(),
      isVouched: isCosigned(note, this.#policy),
    };
    const pass = new Pass(this.#reader, { claim, entries, work });
    try {
      await pass.tiles.readHashes([]);
      if (entries.length === 0) await pass.read(0, 1);
      if (!mayChange(entries, claim)) return entries;
      const step = BUNDLES_AT_ONCE * TILE_WIDTH;
      for (let begin = from - (from % TILE_WIDTH); begin < claim.size; begin += step) {
        this.#mustBeWithin(note, entries, work, claim);
        await pass.read(begin, Math.min(claim.size, begin + step), from);
      }
    } catch (error) {
      // What is not there, or not what the tree says, ends the search; what was found before is judged.
      if (!isEnd(error)) throw error;
      return entries;
    }
    if (claim.size >= this.end) this.#found = { entries, end: claim.size };
    return entries;
  }

  /** Whether entries can say who has signed this: a key of the log's name has, and none that is known. */
  #mayFollow(note: Uint8Array, { origin }: Checkpoint): boolean {
    if (!parseNote(note).signatures.some(({ name }) => name === origin)) return false;
    try {
      openWithPolicy(note, { ...this.#policy, quorum: undefined });
      return false;
    } catch (error) {
      if (error instanceof VerificationError) return true;
      throw error;
    }
  }

  #mustBeWithin(note: Uint8Array, entries: readonly KeyEntry[], work: Work, { size }: Checkpoint): void {
    const { entries: count, bytes, began, isVouched } = work;
    const isWithin =
      count < this.#limits.entries &&
      bytes < this.#limits.bytes &&
      systemClock.monotonic() - began < this.#limits.ms;
    if (isWithin || isVouched) return;
    work.isVouched = this.#leads(note, entries);
    if (work.isVouched) return;
    const message = `No key that is known has signed this checkpoint of ${size} entries, and ${count} of them were read without one that says who has: no more are. Take the log’s newest key from elsewhere.`;
    throw new VerificationError('signature_unknown', message, { size, searched: count });
  }

  /** Whether the changes so far lead to a key that has signed the checkpoint. */
  #leads(note: Uint8Array, [first, ...changes]: readonly KeyEntry[]): boolean {
    if (first === undefined || changes.length === 0) return false;
    const policy = { ...this.#policy, quorum: undefined };
    const pinned = policy.logs.map(({ key }) => key.text);
    return doesVerify(() => {
      openBelieved(note, { policy, timeline: keyTimeline(first.entry, changes), pinned });
      return true;
    });
  }
}

/** Whether the quorum of a policy vouches for a checkpoint: it has seen the log's own signature, whoever the log's key is now. */
export function isCosigned(note: Uint8Array, policy: Policy): boolean {
  if (policy.quorum === undefined) return false;
  const keys = policy.witnesses.map(({ key }) => key);
  return doesVerify(() => satisfiesPolicy(policy, openNote(note, keys)));
}

/** One way through the entries that a checkpoint covers. */
class Pass {
  readonly tiles: TileAuthenticator;
  readonly #reader: TileReader;
  readonly #size: number;
  readonly #entries: KeyEntry[];
  readonly #work: Work;

  constructor(
    reader: TileReader,
    {
      claim,
      entries,
      work,
    }: { readonly claim: Checkpoint; readonly entries: KeyEntry[]; readonly work: Work },
  ) {
    this.#size = claim.size;
    this.#entries = entries;
    this.#work = work;
    this.#reader = {
      place: reader.place,
      read: async (path, bytesMax) => {
        const bytes = await reader.read(path, bytesMax);
        work.bytes += bytes?.length ?? 0;
        return bytes;
      },
      close: async () => {},
    };
    this.tiles = authenticatorOf(this.#reader, claim);
  }

  /** Looks through the bundles from `begin` to `end`, at the entries from `from` on. Throws as the tiles do, and where a bundle is not there or another. */
  async read(begin: number, end: number, from = begin): Promise<void> {
    const bundles = bundlesOf({ begin, end: Math.min(this.#size, Math.ceil(end / TILE_WIDTH) * TILE_WIDTH) });
    // Tiles first: who has not even those is not asked for entries.
    const [leaves, files] = [
      await this.#leaves(bundles),
      await Promise.all(
        bundles.map((bundle) =>
          readBundle((path, bytesMax) => this.#read(path, Math.min(bytesMax, BUNDLE_BYTES_BESIDE)), bundle),
        ),
      ),
    ];
    for (const [position, { index, width }] of bundles.entries()) {
      let file = files[position]!;
      if (file.bytes !== undefined && file.bytes.length > BUNDLE_BYTES_BESIDE) {
        file = await readBundle((path, bytesMax) => this.#read(path, bytesMax), { index, width });
      }
      files[position] = { bytes: undefined, width };
      if (file.bytes === undefined) throw notThere(index);
      const first = index * TILE_WIDTH;
      const entries = decodeEntryBundle(file.bytes, file.width).slice(0, width);
      for (const [at, entry] of entries.entries()) {
        if (!equalBytes(hashLeaf(entry), leaves[first - begin + at]!)) throw notThere(index);
        if (first + at >= from && first + at < end) this.#take(first + at, entry);
      }
      this.#work.entries += width;
    }
  }

  #leaves(bundles: readonly { readonly index: number; readonly width: number }[]): Promise<Hash[]> {
    const nodes = bundles.flatMap(({ index, width }) =>
      Array.from({ length: width }, (_, at) => ({ level: 0, index: index * TILE_WIDTH + at })),
    );
    return this.tiles.readHashes(nodes);
  }

  async #read(path: string, bytesMax: number): Promise<Uint8Array | undefined> {
    return this.#reader.read(path, bytesMax);
  }

  /** Keeps an entry that has a part in the keys: a copy, since the rest of its bundle is not kept. */
  #take(index: number, entry: Uint8Array): void {
    const known = this.#entries;
    if (index === 0 ? known.length === 0 : isNext(entry, known.length))
      known.push({ index, entry: entry.slice() });
  }
}

/** Whether an entry bears the number of the change that comes next: no other changes anything. */
function isNext(entry: Uint8Array, number: number): boolean {
  if (number > KEY_CHANGES_MAX || entry.length > KEY_CHANGE_BYTES_MAX || !isKeyChange(entry)) return false;
  return doesVerify(() => changeNumberOf(parseEntry(entry).id) === number);
}

/** Whether the log can have a change of keys at all: its first entry is of this log, and names a root key. */
function mayChange([first]: readonly KeyEntry[], { origin }: Checkpoint): boolean {
  return doesVerify(() => {
    const genesis = parseGenesis(parseEntry(first!.entry));
    return genesis.origin === origin && genesis.rootKey !== null;
  });
}

function doesVerify(check: () => boolean): boolean {
  try {
    return check();
  } catch (error) {
    if (error instanceof VerificationError) return false;
    throw error;
  }
}

function isEnd(error: unknown): boolean {
  if (error instanceof LogError) return error.code === 'log_damaged';
  return error instanceof VerificationError && error.code !== 'signature_unknown';
}

function notThere(index: number): VerificationError {
  return new VerificationError('inclusion_invalid', `Bundle ${index} is not the one that was signed.`, {
    index,
  });
}
