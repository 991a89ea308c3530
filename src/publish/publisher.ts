import { base64Encode, equalBytes, utf8Encode, VerificationError } from '../bytes/index.ts';
import {
  decodeEntryBundle,
  EMPTY_ROOT,
  entriesPath,
  hashLeaf,
  TILE_WIDTH,
  type Tile,
  tilePath,
} from '../merkle/index.ts';
import {
  type Checkpoint,
  NOTE_BYTES_MAX,
  openCheckpoint,
  parseNote,
  parseVerifierKey,
} from '../note/index.ts';
import {
  CHECKPOINT_PATH,
  isLogError,
  LogError,
  type PutResult,
  type StoredEntry,
  type TileStore,
} from '../store/index.ts';
import { readHead } from '../verify/index.ts';
import { GrowingTiles } from './growing-tiles.ts';
import { Puts } from './puts.ts';

/** Entries that are read, hashed and compared with the log before any of them is written: 16 bundles. */
const CHUNK_ENTRIES = 16 * TILE_WIDTH;

/** How often what another publisher has put there meanwhile is gone on from. */
const ATTEMPTS_MAX = 16;

/** A log as its publisher reads it. */
export interface PublishSource {
  readonly origin: string;
  /** The verifier keys under which a checkpoint of so many entries is one of this log. */
  keysAt(size: number): Promise<readonly string[]>;
  /** The newest checkpoint. */
  checkpoint(): Promise<{ readonly size: number; readonly root: string; readonly note: string }>;
  /** The bytes of a bundle and of a tile; undefined where the log has not come so far. */
  bundle(index: number, width: number): Promise<Uint8Array | undefined>;
  tile(tile: Tile): Promise<Uint8Array | undefined>;
  /** Entries with their disclosures, ascending. */
  entries(from: number, to: number): Promise<readonly StoredEntry[]>;
  /** Throws `LogError` `rolled_back` where the log does not continue this state. */
  checkContinues(state: { readonly size: number; readonly root: string }): Promise<void>;
}

/**
 * Makes the file with the disclosures of a bundle, and puts it. Calls may overlap; they come in the log's order. `entries` reads those of
 * the bundle, when their turn comes, and once more where another file lies in its place.
 */
export interface DisclosureSink {
  put(
    bundle: { readonly index: number; readonly width: number },
    entries: () => Promise<readonly StoredEntry[]>,
  ): Promise<PutResult>;
}

/** What of a log is for readers who go by its policy. */
export interface Shown {
  /** The checkpoint to publish; undefined for the log's newest. */
  readonly note: Uint8Array | undefined;
  /** Whether others have cosigned a checkpoint, as far as such readers ask for. */
  readonly isCosigned: (note: Uint8Array) => boolean;
}

/** How a log is published. */
export interface PublisherOptions {
  readonly source: PublishSource;
  readonly store: TileStore;
  /** Where the disclosures go; nowhere by default. */
  readonly disclosures?: DisclosureSink | undefined;
  /** What is published rather than the log's newest checkpoint. One that is cosigned gives way to no other that is not. */
  readonly shown?: (() => Promise<Shown>) | undefined;
  /** Told now and then how many entries are written, of how many. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** What is published. */
export interface Published {
  readonly size: number;
  /** Standard base64. */
  readonly root: string;
  /** The signed note that lies there now. */
  readonly note: Uint8Array;
  /** Whether a newer checkpoint waits, since the one that lies there is cosigned and the newer one is not. */
  readonly isHeld: boolean;
  /** Entries that were not published before this call. */
  readonly added: number;
  /** Files that this call wrote, and files that it found there with the same bytes. */
  readonly written: number;
  readonly present: number;
  /** Time-stamps that this call published, which are among what it wrote. */
  readonly timestamps: number;
}

/** A checkpoint and the note that says it. */
interface Signed extends Checkpoint {
  readonly note: Uint8Array;
}

/**
 * Publishes a log as static files (c2sp.org/tlog-tiles).
 *
 * Everything that a checkpoint speaks of is durable before the checkpoint is there, and the checkpoint says where to go on: whoever
 * dies on the way has left files that the next attempt finds and compares. Nothing is written before it has been hashed and
 * found to lie in the log's signed tree, since what was written is never taken back.
 */
export class Publisher {
  readonly #options: PublisherOptions;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /**
   * Publishes what the newest checkpoint covers. Calls must not overlap; other publishers may publish the same log there meanwhile, and
   * whichever checkpoint is larger stays. Throws `LogError` `archive_conflict` where other bytes are
   * there, `rolled_back` where the log does not continue what was published, `log_damaged`.
   */
  async publish(): Promise<Published> {
    const { target, isCosigned } = await this.#target();
    const puts = new Puts(this.#options.store);
    for (let attempt = 1; ; attempt += 1) {
      const current = await this.#current();
      try {
        return await this.#publishFrom(current, { target, isCosigned, puts });
      } catch (error) {
        await puts.settled();
        // Another publisher of this log may have been quicker: what it has put there is gone on from, or is enough.
        if (!isLogError(error, 'archive_conflict') || !(await this.#isMoved(current))) throw error;
        if (attempt >= ATTEMPTS_MAX) throw tooMany(this.#options.store.place, error);
      }
    }
  }

  /** Whether another checkpoint of this log lies there than before. Throws as {@link publish}. */
  async #isMoved({ note }: Signed): Promise<boolean> {
    return !equalBytes((await this.#current()).note, note);
  }

  /** Publishes what a checkpoint covers, where this one lies there now. */
  async #publishFrom(
    current: Signed,
    {
      target,
      isCosigned,
      puts,
    }: { readonly target: Signed; readonly puts: Puts } & Pick<Shown, 'isCosigned'>,
  ): Promise<Published> {
    const { source, store } = this.#options;
    await source.checkContinues(stateOf(current));
    await source.checkContinues(stateOf(target));
    const keeps = current.note.length > 0 && isCosigned(current.note) && !isCosigned(target.note);
    const isBehind = !keeps && current.size < target.size;
    if (isBehind) await this.#writeBetween(current.size, target, puts);
    // What a checkpoint covers is durable from here on; the checkpoint is not yet there, so nobody asks for any of it.
    const isBetter = (): boolean => isCosigned(target.note) && !isCosigned(current.note);
    const isMore =
      current.size === target.size && !keeps && (saysMore(target.note, current.note) || isBetter());
    const isNew = isBehind || isMore;
    if (isNew) await store.putCheckpoint(target.note, current.note.length === 0 ? undefined : current.note);
    const { size, root, note } = isNew ? target : current;
    const { written, present } = puts;
    const isHeld = keeps && current.size < target.size;
    const added = size - current.size;
    return { size, root: base64Encode(root), note, isHeld, added, written, present, timestamps: 0 };
  }

  /** The checkpoint to publish: the one that is shown, or the log's newest where none is. */
  async #target(): Promise<{ readonly target: Signed; readonly isCosigned: Shown['isCosigned'] }> {
    const { source, shown } = this.#options;
    const { note, isCosigned = () => false } = (await shown?.()) ?? {};
    return {
      target: await this.#open(note ?? utf8Encode((await source.checkpoint()).note)),
      isCosigned,
    };
  }

  /** What lies there. A checkpoint of somebody else is not written over. */
  async #current(): Promise<Signed> {
    const { store } = this.#options;
    try {
      const note = await store.read(CHECKPOINT_PATH, NOTE_BYTES_MAX);
      if (note === undefined)
        return { origin: '', size: 0, root: EMPTY_ROOT, extensions: [], note: new Uint8Array(0) };
      return await this.#open(note);
    } catch (cause) {
      if (!(cause instanceof VerificationError)) throw cause;
      throw new LogError(
        'archive_conflict',
        `${store.place} holds a checkpoint that is not of this log: ${cause.message}`,
        {
          cause,
          hint: 'each log is published to a place of its own',
        },
      );
    }
  }

  async #open(note: Uint8Array): Promise<Signed> {
    const { source } = this.#options;
    const keys = await source.keysAt(readHead(note)?.size ?? 0);
    const { checkpoint } = openCheckpoint(note, { origin: source.origin, keys: keys.map(parseVerifierKey) });
    return { ...checkpoint, note };
  }

  /** Writes every full tile and bundle that the tree of `from` entries did not have, and the partial ones of the new tree. */
  async #writeBetween(from: number, target: Signed, puts: Puts): Promise<void> {
    const { source, disclosures, onProgress } = this.#options;
    const begin = from - (from % TILE_WIDTH);
    const growing = await GrowingTiles.at(begin, (tile) => mustHave(source.tile(tile), tilePath(tile)));
    let next = this.#read(begin, target.size);
    while (growing.size < target.size) {
      const chunk = await next;
      const end = growing.size + chunk.reduce((sum, { width }) => sum + width, 0);
      next = this.#read(end, target.size);
      // Awaited in its turn; a failure before that must not be nobody's.
      next.catch(() => {});
      for (const bundle of chunk) grow(growing, bundle);
      await this.#mustBeSigned(growing, target);
      for (const { index, width, bytes } of chunk) {
        await puts.add(entriesPath(index, width), bytes);
        if (disclosures === undefined) continue;
        const first = index * TILE_WIDTH;
        const entries = () => source.entries(first, first + width);
        await puts.run(() => disclosures.put({ index, width }, entries));
      }
      for (const { tile, bytes } of growing.takeFull()) await puts.add(tilePath(tile), bytes);
      onProgress?.(end - from, target.size - from);
    }
    for (const { tile, bytes } of growing.partials()) await puts.add(tilePath(tile), bytes);
    await puts.done();
  }

  /** The bundles from `begin` on, at most one chunk of them. */
  #read(begin: number, size: number): Promise<Bundle[]> {
    const end = Math.min(begin + CHUNK_ENTRIES, size);
    const wanted: { index: number; width: number }[] = [];
    for (let first = begin; first < end; first += TILE_WIDTH) {
      wanted.push({ index: first / TILE_WIDTH, width: Math.min(TILE_WIDTH, end - first) });
    }
    return Promise.all(
      wanted.map(async ({ index, width }) => {
        const bytes = await mustHave(this.#options.source.bundle(index, width), entriesPath(index, width));
        return { index, width, bytes };
      }),
    );
  }

  /** What is about to be written leads to what the log has signed. */
  async #mustBeSigned(growing: GrowingTiles, target: Signed): Promise<void> {
    const root = growing.root();
    if (growing.size < target.size) {
      await this.#options.source.checkContinues({ size: growing.size, root: base64Encode(root) });
    } else if (!equalBytes(root, target.root)) {
      throw new LogError('log_damaged', `the ${target.size} entries do not give the root of the checkpoint`, {
        hint: 'run verify: it names everything that was changed',
      });
    }
  }
}

function tooMany(place: string, cause: unknown): LogError {
  const message = `the checkpoint at ${place} was moved by other publishers ${ATTEMPTS_MAX} times in a row`;
  return new LogError('io_failed', message, { retryable: true, cause });
}

/** A bundle that was read. */
interface Bundle {
  readonly index: number;
  readonly width: number;
  readonly bytes: Uint8Array;
}

/** Hashes a bundle in its turn: what is made of it is then gone before the next, and the heap stays small. */
function grow(growing: GrowingTiles, { bytes, width }: Bundle): void {
  for (const entry of decodeEntryBundle(bytes, width)) growing.append(hashLeaf(entry));
}

async function mustHave(read: Promise<Uint8Array | undefined>, path: string): Promise<Uint8Array> {
  const bytes = await read;
  if (bytes !== undefined) return bytes;
  throw new LogError('log_damaged', `the log has no ${path}, which its checkpoint covers`);
}

function stateOf({ size, root }: Checkpoint): { size: number; root: string } {
  return { size, root: base64Encode(root) };
}

/** Whether a note of the same checkpoint carries more signatures than the one that is there, if any is. */
function saysMore(note: Uint8Array, than: Uint8Array): boolean {
  if (than.length === 0) return true;
  const more = parseNote(note).signatures.length - parseNote(than).signatures.length;
  return more > 0 || (more === 0 && newestTime(note) > newestTime(than));
}

/** Bytes of a cosignature, its time included (c2sp.org/tlog-cosignature): by Ed25519, by ML-DSA-44. */
const COSIGNATURE_BYTES: ReadonlySet<number> = new Set([72, 2428]);

/** The newest time that a cosignature says; nothing of it is verified. */
function newestTime(note: Uint8Array): bigint {
  const times = parseNote(note).signatures.map(({ signature: { buffer, byteOffset, length } }) =>
    COSIGNATURE_BYTES.has(length) ? new DataView(buffer, byteOffset).getBigUint64(0) : 0n,
  );
  return times.reduce((newest, time) => (time > newest ? time : newest), 0n);
}
