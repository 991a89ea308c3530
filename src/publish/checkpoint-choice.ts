import { equalBytes, VerificationError } from '../bytes/index.ts';
import { isKeyChange, parseEntry, parseGenesis } from '../event/index.ts';
import { decodeEntryBundle, hashLeaf, TILE_WIDTH, TileAuthenticator } from '../merkle/index.ts';
import {
  type Checkpoint,
  NOTE_BYTES_MAX,
  openWithPolicy,
  parseNote,
  parseVerifierKey,
  type VerifierKey,
} from '../note/index.ts';
import { CHECKPOINT_PATH, isLogError, type TileReader } from '../store/index.ts';
import { type KeyEntry, keyTimeline, policyOf, readHead, type Trust } from '../verify/index.ts';
import type { ReadablePlace } from './places.ts';
import { type ReadFile, readBundle, readTile } from './published-files.ts';
import { PublishedKey } from './published-keys.ts';

/** Signed checkpoints that are kept while all are looked through, the largest: a few megabytes. */
const SIGNED_MAX = 4096;

/** Checkpoints of which it is found out whether the reader believes them, and whether their entries are there. */
const TRIED_MAX = 256;

/** A place whose checkpoint is chosen among all that were ever put there, where it keeps them and was asked for them. */
export function choosingCheckpoint(place: ReadablePlace, trust: Trust | undefined): ReadablePlace {
  const { reader } = place;
  if (reader.checkpoints?.(NOTE_BYTES_MAX) === undefined) return place;
  return {
    ...place,
    reader: {
      place: reader.place,
      read: async (path, bytesMax) =>
        path === CHECKPOINT_PATH
          ? ((await new Choice(reader, trust).choose()) ?? reader.read(path, bytesMax))
          : reader.read(path, bytesMax),
      close: () => reader.close(),
    },
  };
}

/** A checkpoint that a key of the log may have signed, by what it says itself. */
interface Signed {
  readonly size: number;
  readonly note: Uint8Array;
}

/**
 * The largest checkpoint that is signed, and whose last entry is there. Whoever may write to a bucket can put any number of others,
 * of any size, and those that the log has signed and not published there: none of them stands in the way, and what is kept of them
 * does not grow.
 */
class Choice {
  readonly #reader: TileReader;
  readonly #trust: Trust | undefined;
  readonly #read: ReadFile;
  readonly #signed: Signed[] = [];
  /** What checkpoints claim to cover. */
  readonly #sizes = new Set<number>();

  constructor(reader: TileReader, trust: Trust | undefined) {
    this.#reader = reader;
    this.#trust = trust;
    this.#read = (path, bytesMax) => reader.read(path, bytesMax);
  }

  /** Undefined where none is signed. */
  async choose(): Promise<Uint8Array | undefined> {
    const policy = this.#trust && policyOf(this.#trust);
    let isUnknown = policy === undefined;
    await this.#lookThrough((note) => {
      const refused = policy === undefined ? undefined : refusalOf(() => openWithPolicy(note, policy));
      // By a key that nobody knows yet: one that took over, or anybody's.
      isUnknown ||= refused !== undefined && unknownSigner.has(refused);
      return policy !== undefined && refused === undefined;
    });
    const keys = isUnknown ? await this.#keysFound() : [];
    if (keys.length > 0) {
      this.#signed.length = 0;
      const { logs = [], ...rest } = policy ?? { witnesses: [], groups: [], quorum: undefined };
      const known = new Map([...logs.map(({ key }) => key), ...keys].map((one) => [one.text, { key: one }]));
      const wider = { ...rest, logs: [...known.values()] };
      await this.#lookThrough((note) => refusalOf(() => openWithPolicy(note, wider)) === undefined);
    }
    const tried = this.#signed.slice(0, TRIED_MAX);
    const key = this.#trust && new PublishedKey(this.#reader, this.#trust);
    const isBelieved = async (note: Uint8Array): Promise<boolean> =>
      key === undefined || (await holds(() => key.open(note)));
    for (const { note } of tried)
      if ((await holds(() => this.#mustEnd(readHead(note)!))) && (await isBelieved(note))) return note;
    // The entries of none are there: the largest says what is missing.
    for (const { note } of tried) if (await isBelieved(note)) return note;
    return undefined;
  }

  /**
   * Keeps the largest of the checkpoints that are signed, each once: lines that nobody knows can be added to a note by anybody. Of one
   * size, those that were put last come first.
   */
  async #lookThrough(isSigned: (note: Uint8Array) => boolean): Promise<void> {
    for await (const note of this.#reader.checkpoints!(NOTE_BYTES_MAX)!) {
      const size = readHead(note)?.size;
      if (size === undefined || size === 0) continue;
      this.#sizes.add(size);
      if (!isSigned(note) || this.#isKept(size, note)) continue;
      const after = this.#signed.findIndex((other) => other.size < size);
      this.#signed.splice(after < 0 ? this.#signed.length : after, 0, { size, note });
      if (this.#signed.length > SIGNED_MAX) this.#signed.pop();
    }
  }

  #isKept(size: number, note: Uint8Array): boolean {
    const { text } = parseNote(note);
    return this.#signed.some((other) => other.size === size && parseNote(other.note).text === text);
  }

  /** Throws unless the tiles lead from the root to the last entry, and that is there. */
  async #mustEnd({ size, root }: Checkpoint): Promise<void> {
    const tiles = new TileAuthenticator({
      size,
      root,
      tilesCachedMax: 8,
      readTiles: (wanted) =>
        Promise.all(wanted.map(async (tile) => (await readTile(this.#read, tile)) ?? new Uint8Array(0))),
    });
    const [hash] = await tiles.readHashes([{ level: 0, index: size - 1 }]);
    const index = Math.floor((size - 1) / TILE_WIDTH);
    const width = size - index * TILE_WIDTH;
    const entry = (await this.#bundle(index, width))[width - 1];
    if (entry === undefined || !equalBytes(hashLeaf(entry), hash!)) {
      throw new VerificationError('inclusion_invalid', `Entry ${size - 1} is not there.`, {
        index: size - 1,
      });
    }
  }

  /**
   * The keys that the log names itself, and those that took over by its rules, as the entries say that are there: only a checkpoint that
   * one of them has signed is looked at any further. What is believed in the end is for {@link PublishedKey} to say.
   */
  async #keysFound(): Promise<VerifierKey[]> {
    let [first, ...changes]: KeyEntry[] = [];
    let keys: VerifierKey[] = [];
    const sizes = [...this.#sizes].sort((one, other) => other - one);
    for (let index = 0, isFull = true; isFull; index += 1) {
      const full = await this.#bundle(index, TILE_WIDTH);
      isFull = full.length > 0;
      const ends = isFull ? [] : sizes.filter((size) => Math.ceil(size / TILE_WIDTH) === index + 1);
      const bundles = isFull ? [full] : await this.#partial(index, ends);
      for (const [at, entry] of bundles.flatMap((entries) => [...entries.entries()])) {
        const place = { index: index * TILE_WIDTH + at, entry };
        if (place.index === 0 && first === undefined) {
          if (!isGenesis(entry)) continue;
          [first, changes, keys] = [place, [], keysNamedIn(entry)];
        }
        if (first === undefined || !isKeyChange(entry)) continue;
        // One that is none takes nothing from those that are: others may have put it there.
        const timeline = timelineOf(first, [...changes, place]);
        if (timeline === undefined) continue;
        changes.push(place);
        keys = [...keys, ...timeline.spans.map(({ key }) => key)];
      }
    }
    return [...new Map(keys.map((key) => [key.text, key])).values()];
  }

  /** The partial bundles of which checkpoints of these sizes speak. */
  async #partial(index: number, sizes: readonly number[]): Promise<Uint8Array[][]> {
    const found: Uint8Array[][] = [];
    for (const size of sizes) found.push(await this.#bundle(index, size - index * TILE_WIDTH));
    return found;
  }

  /** The entries of a bundle; none where there is none, or what is there is none. */
  async #bundle(index: number, width: number): Promise<Uint8Array[]> {
    const file = await readBundle(this.#read, { index, width });
    try {
      return file.bytes === undefined ? [] : decodeEntryBundle(file.bytes, file.width);
    } catch (error) {
      if (error instanceof VerificationError) return [];
      throw error;
    }
  }
}

/** Refusals after which a key that took over may have signed. */
const unknownSigner: ReadonlySet<string> = new Set([
  'signature_unknown',
  'key_retired',
  'policy_unsatisfied',
]);

/** The code with which something is refused; undefined where it is not. */
function refusalOf(open: () => unknown): string | undefined {
  try {
    open();
    return undefined;
  } catch (error) {
    if (error instanceof VerificationError) return error.code;
    throw error;
  }
}

async function holds(check: () => Promise<unknown>): Promise<boolean> {
  try {
    await check();
    return true;
  } catch (error) {
    if (error instanceof VerificationError || isLogError(error, 'log_damaged')) return false;
    throw error;
  }
}

function isGenesis(entry: Uint8Array): boolean {
  return refusalOf(() => parseGenesis(parseEntry(entry))) === undefined;
}

function keysNamedIn(entry: Uint8Array): VerifierKey[] {
  const { logKeys, rootKey } = parseGenesis(parseEntry(entry));
  return [...logKeys, ...(rootKey === null ? [] : [rootKey])].map(parseVerifierKey);
}

function timelineOf(
  first: KeyEntry,
  changes: readonly KeyEntry[],
): ReturnType<typeof keyTimeline> | undefined {
  try {
    return keyTimeline(first.entry, changes);
  } catch (error) {
    if (error instanceof VerificationError) return undefined;
    throw error;
  }
}
