import {
  AnchorStore,
  formatStampFile,
  type PublishedStamp,
  STAMP_FILE_BYTES_MAX,
  type StampsAtPlace,
  stampPath,
  verifyTimestamp,
} from '../anchor/index.ts';
import { hexEncode, sha256, utf8Encode, VerificationError } from '../bytes/index.ts';
import { type Checkpoint, openCheckpoint, parseNote, parseVerifierKey } from '../note/index.ts';
import { isLogError, type TileStore } from '../store/index.ts';
import { readHead } from '../verify/index.ts';
import type { PublishSource } from './publisher.ts';

/** Tokens that are taken out of `anchors.db` at once. */
const TOKENS_AT_ONCE = 64;

/** Published files that are read at once. */
const FILES_AT_ONCE = 16;

/** What {@link StampPublisher} works with. */
export interface StampPublisherParts {
  /** `anchors.db` of the log; empty where it has none. */
  readonly anchorsPath: string;
  readonly source: Pick<PublishSource, 'origin' | 'keysAt' | 'checkpoint'>;
  readonly store: TileStore;
}

/** What is published, and whether nothing was there before. */
export interface StampsCovered {
  readonly size: number;
  readonly isFirst: boolean;
}

/**
 * Publishes the time-stamps that a log keeps, each in a file of its own under the next number that is free.
 *
 * They come after the checkpoint that covers them: whoever reads them first and the checkpoint then finds none that is ahead of it. A
 * number that somebody else has taken is passed over. What could not be believed by anybody, as it is no token or stamps another log,
 * is not published, since it could never be taken back.
 */
export class StampPublisher {
  readonly #parts: StampPublisherParts;
  /** How far this process has come, where nobody can write it down. */
  #reached: StampsAtPlace | undefined;

  constructor(parts: StampPublisherParts) {
    this.#parts = parts;
  }

  /** Publishes what is new; answers how many files it wrote. Throws what the store throws. */
  async publish(covered: StampsCovered): Promise<number> {
    const anchors = openAnchors(this.#parts.anchorsPath);
    try {
      return anchors === undefined ? 0 : await this.#publishOf(anchors, covered);
    } finally {
      anchors?.close();
    }
  }

  async #publishOf(anchors: AnchorStore, { size, isFirst }: StampsCovered): Promise<number> {
    const { store } = this.#parts;
    const nowhere: StampsAtPlace = { url: store.place, handled: 0, next: 0 };
    const known = isFirst ? undefined : (anchors.timestampsPublished(store.place) ?? this.#reached);
    let { handled, next } = known ?? nowhere;
    if (anchors.numberedTimestamps(handled).length === 0) return 0;
    // Somebody may have emptied the place since.
    if (next > 0 && (await readTaken(store, next - 1)) === undefined) ({ handled, next } = nowhere);
    const place = new NumberedPlace(store, next);
    await place.readOn();
    const { written, reached } = await this.#putFrom(handled, size, { anchors, place });
    const now: StampsAtPlace = { url: store.place, handled: reached, next: place.next };
    this.#reached = isWrittenDown(anchors, now) ? undefined : now;
    return written;
  }

  /** Puts tokens in their order, up to the first that the published checkpoint does not cover yet. */
  async #putFrom(
    from: number,
    size: number,
    { anchors, place }: { readonly anchors: AnchorStore; readonly place: NumberedPlace },
  ): Promise<{ readonly written: number; readonly reached: number }> {
    const { source } = this.#parts;
    let [written, reached] = [0, from];
    for (;;) {
      const stamps = anchors.numberedTimestamps(reached, TOKENS_AT_ONCE);
      if (stamps.length === 0) return { written, reached };
      for (const stamp of stamps) {
        const file = await stampOfLog(stamp, source);
        if (file !== undefined && file.checkpoint.size > size) {
          // It waits for its checkpoint. One that the log itself does not reach any more is for `verify` of the log to tell.
          if (file.checkpoint.size <= (await source.checkpoint()).size) return { written, reached };
        } else if (file !== undefined && (await place.put(file.bytes))) written += 1;
        reached = stamp.number + 1;
      }
    }
  }
}

/** A token over a checkpoint that a key of the log has signed. */
export interface StampOfLog {
  /** Its file. */
  readonly bytes: Uint8Array;
  readonly checkpoint: Checkpoint;
  /** When it was made, as it says itself: milliseconds since the epoch. */
  readonly timeMs: number;
}

/** What a token stamps; undefined for what is none, or is of another log. Whose it is, whoever verifies asks. */
export async function stampOfLog(
  stamp: PublishedStamp,
  source: Pick<PublishSource, 'origin' | 'keysAt'>,
): Promise<StampOfLog | undefined> {
  const bytes = formatStampFile(stamp);
  if (bytes === undefined) return undefined;
  const { origin } = source;
  try {
    const keys = await source.keysAt(readHead(stamp.note)?.size ?? 0);
    const { checkpoint } = openCheckpoint(stamp.note, { origin, keys: keys.map(parseVerifierKey) });
    const text = utf8Encode(parseNote(stamp.note).text);
    const { timeMs } = await verifyTimestamp({ text, token: stamp.token });
    return { bytes, checkpoint, timeMs };
  } catch (error) {
    if (error instanceof VerificationError) return undefined;
    throw error;
  }
}

/** Files under consecutive numbers, and what is known to be among them. */
class NumberedPlace {
  next: number;
  readonly #store: TileStore;
  readonly #there = new Set<string>();

  constructor(store: TileStore, next: number) {
    this.#store = store;
    this.next = next;
  }

  /** Reads what others have put there, up to the first number that is free. */
  async readOn(): Promise<void> {
    for (;;) {
      const numbers = Array.from({ length: FILES_AT_ONCE }, (_, at) => this.next + at);
      // One at first: mostly there is nothing.
      const first = await readTaken(this.#store, this.next);
      if (first === undefined) return;
      const others = await Promise.all(numbers.slice(1).map((number) => readTaken(this.#store, number)));
      for (const file of [first, ...others]) {
        if (file === undefined) return;
        this.#there.add(digestOf(file));
        this.next += 1;
      }
    }
  }

  /** Puts a file under the first number that is free, unless it is there already; whether it did. */
  async put(bytes: Uint8Array): Promise<boolean> {
    while (!this.#there.has(digestOf(bytes))) {
      try {
        const result = await this.#store.putImmutable(stampPath(this.next), bytes);
        this.#there.add(digestOf(bytes));
        this.next += 1;
        return result === 'written';
      } catch (error) {
        if (!isLogError(error, 'archive_conflict')) throw error;
        const other = await readTaken(this.#store, this.next);
        if (other === undefined) throw error;
        this.#there.add(digestOf(other));
        this.next += 1;
      }
    }
    return false;
  }
}

/** What lies under a number; nothing is read of what is no file, which only takes it. Undefined where it is free. */
async function readTaken(store: TileStore, number: number): Promise<Uint8Array | undefined> {
  try {
    return await store.read(stampPath(number), STAMP_FILE_BYTES_MAX);
  } catch (error) {
    if (error instanceof VerificationError && error.code === 'not_a_file') return new Uint8Array(0);
    throw error;
  }
}

function digestOf(bytes: Uint8Array): string {
  return hexEncode(sha256(bytes));
}

/** The anchors, where they hold a token; to be written to where that can be. One that cannot be read keeps no log from being published. */
function openAnchors(path: string): AnchorStore | undefined {
  if (stampsKept(path) === 0) return undefined;
  try {
    return AnchorStore.open(path);
  } catch (error) {
    if (!isLogError(error, 'io_failed')) throw error;
    return AnchorStore.openReadable(path);
  }
}

/** How many tokens a log has kept so far. */
export function stampsKept(path: string): number {
  let anchors: AnchorStore | undefined;
  try {
    anchors = AnchorStore.openReadable(path);
    return anchors?.timestampNumbers() ?? 0;
  } catch (error) {
    if (!isLogError(error, 'io_failed')) throw error;
    return 0;
  } finally {
    anchors?.close();
  }
}

/** Whoever may read the log and not write beside it publishes all the same. */
function isWrittenDown(anchors: AnchorStore, reached: StampsAtPlace): boolean {
  try {
    anchors.putTimestampsPublished(reached);
    return true;
  } catch (error) {
    if (!isLogError(error, 'io_failed')) throw error;
    return false;
  }
}
