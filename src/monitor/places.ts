import { utf8Encode, VerificationError } from '../bytes/index.ts';
import {
  auditStamps,
  isLogError,
  type Log,
  LogError,
  logPaths,
  openLog,
  publishedOf,
  verifyLog,
  walkTree,
} from '../log/index.ts';
import { decodeEntryBundle, parseEntriesPath, TILE_WIDTH, type Tile } from '../merkle/index.ts';
import { NOTE_BYTES_MAX, type Policy } from '../note/index.ts';
import {
  auditPublished,
  isPlaceUrl,
  openPlace,
  type PlaceOptions,
  publishedStamps,
  type ReadablePlace,
  readBundle,
  readTile,
} from '../publish/index.ts';
import { CHECKPOINT_PATH, type TileReader } from '../store/index.ts';
import type { Arrival, AuditReport, Held, Stamped } from '../verify/index.ts';
import type { NextEntry, PrunedNext } from './continuation.ts';
import type { Deadline } from './deadline.ts';
import { firstOverdueIn, type OverdueAsked } from './overdue-entries.ts';

/** How everything that is there is read. */
export interface WholeReading {
  readonly policy: Policy;
  readonly held: readonly Held[];
  /** Bundles below it may be gone, as a record of the log says that was authenticated. */
  readonly minimum: number;
  /** Told of every other bundle that a server calls gone: it counts as missing. */
  readonly beyond: () => void;
  /** Told of the checkpoint that is read first, where the log is published. */
  readonly seen: (checkpoint: Uint8Array) => void;
}

/** What witnesses have signed, as it is kept beside a log. */
export interface Cosigned {
  readonly notes: readonly Uint8Array[];
  /** How large the log was once signature lines under them were here, as far as it was noted. */
  readonly arrivals: readonly Arrival[];
}

/** A log as a monitor reads it. Nothing that comes from here is believed. */
export interface WatchedPlace {
  /** The newest signed checkpoint. Throws `LogError` `log_missing` where there is none. */
  checkpoint(): Promise<Uint8Array>;
  /**
   * Entries from `from` on, up to the first that is not there. Throws `VerificationError` for a bundle that is none, `LogError`
   * `entry_pruned` where what is left of them is not here either.
   */
  entries(from: number, to: number): AsyncIterable<NextEntry | PrunedNext>;
  /** A tile, as far as it is there. */
  tile(tile: Tile): Promise<Uint8Array | undefined>;
  /** Checkpoints with cosignatures that are kept beside the log; none where they come with the checkpoint itself. */
  cosigned(): Cosigned;
  /** What time-stamping authorities have signed; by a place that is published, as far back as the newest whose authority is trusted. */
  stamps(known: number): Promise<StampsSeen>;
  /** The first entry with sealed values that should have gone by the policy of retention; undefined where there is none. */
  firstOverdue(asked: OverdueAsked): Promise<number | undefined>;
  /** Audits everything that is there. Throws `LogError` `entry_pruned` where a bundle below the minimum is gone. */
  whole(reading: WholeReading): Promise<AuditReport>;
  close(): Promise<void>;
}

/** Time-stamps as they lie at a place. */
export interface StampsSeen {
  readonly stamped: readonly Stamped[];
  /** How many are published there; 0 where it numbers none. */
  readonly end: number;
}

/** Where a log lies, and how it is read. */
export interface PlaceSettings extends PlaceOptions {
  /** The folder of a log, or `file:`, `s3:`, `https:` where one is published, a server's `https://host/logs/NAME` included. */
  readonly place: string;
  /** The keys of subjects, to judge the sealed values of a published log. */
  readonly subjectKeys?: string;
  /** Your own copy of `anchors.db`, for the folder of a log. */
  readonly anchors?: string;
  /** Certificates of time-stamping authorities to trust. */
  readonly tsaCertificates?: string | Uint8Array;
}

/** Whether the place is the folder of a log rather than an address. */
export function isFolder({ place }: Pick<PlaceSettings, 'place'>): boolean {
  return !isPlaceUrl(place);
}

/** Opens the place anew: what lies there may have been exchanged since. Where it is published, reading ends at the deadline. */
export async function openWatched(settings: PlaceSettings, deadline: Deadline): Promise<WatchedPlace> {
  return isFolder(settings)
    ? new FolderPlace(settings, await openLog(settings.place, { readOnly: true }))
    : new PublishedPlace(settings, await openPlace(settings.place, settings), deadline);
}

/** Audits a folder that cannot even be opened as a log. */
export function wholeFolder(
  settings: PlaceSettings,
  { policy, held }: Pick<WholeReading, 'policy' | 'held'>,
): Promise<AuditReport> {
  const { place, anchors, tsaCertificates } = settings;
  return verifyLog(place, {
    policy,
    held,
    threads: 1,
    ...(anchors !== undefined && { anchors }),
    ...(tsaCertificates !== undefined && { tsaCertificates }),
  });
}

class FolderPlace implements WatchedPlace {
  readonly #settings: PlaceSettings;
  readonly #log: Log;

  constructor(settings: PlaceSettings, log: Log) {
    this.#settings = settings;
    this.#log = log;
  }

  async checkpoint(): Promise<Uint8Array> {
    return utf8Encode((await this.#log.checkpoint()).note);
  }

  async *entries(from: number, to: number): AsyncGenerator<NextEntry | PrunedNext> {
    try {
      yield* walkTree(this.#log.reader, from, to);
    } catch (error) {
      if (!isLogError(error, 'log_damaged')) throw error;
    }
  }

  async tile(tile: Tile): Promise<Uint8Array | undefined> {
    return this.#log.reader.tile(tile);
  }

  cosigned(): Cosigned {
    const { notes, arrivals } = publishedOf(this.#settings.anchors ?? logPaths(this.#settings.place).anchors);
    return { notes: notes.map((note) => utf8Encode(note)), arrivals };
  }

  async stamps(): Promise<StampsSeen> {
    const { place, anchors: own, tsaCertificates: certificates } = this.#settings;
    const { stamped } = await auditStamps({ path: logPaths(place).anchors, own, certificates });
    return { stamped, end: 0 };
  }

  async firstOverdue(asked: OverdueAsked): Promise<number | undefined> {
    try {
      return await this.#log.retention.firstDue(asked.rules);
    } catch (error) {
      // The log itself stops at a hold or a policy that is none, and so would whoever only asks it: the entries say enough.
      if (!isUnfit(error)) throw error;
      return await firstOverdueIn((from, to) => this.#there(from, to), asked);
    }
  }

  async *#there(from: number, to: number): AsyncGenerator<NextEntry> {
    for await (const next of this.entries(from, to)) if ('entry' in next) yield next;
  }

  whole(reading: WholeReading): Promise<AuditReport> {
    return wholeFolder(this.#settings, reading);
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}

class PublishedPlace implements WatchedPlace {
  readonly #settings: PlaceSettings;
  readonly #place: ReadablePlace;
  readonly #deadline: Deadline;

  constructor(settings: PlaceSettings, place: ReadablePlace, deadline: Deadline) {
    this.#settings = settings;
    this.#place = place;
    this.#deadline = deadline;
  }

  async checkpoint(): Promise<Uint8Array> {
    const note = await this.#read(CHECKPOINT_PATH, NOTE_BYTES_MAX);
    if (note !== undefined) return note;
    throw new LogError(
      'log_missing',
      `no log is published at ${this.#settings.place}: there is no checkpoint`,
    );
  }

  async *entries(from: number, to: number): AsyncGenerator<NextEntry> {
    for (let begin = from - (from % TILE_WIDTH); begin < to; begin += TILE_WIDTH) {
      const width = Math.min(TILE_WIDTH, to - begin);
      const file = await readBundle(this.#read, { index: begin / TILE_WIDTH, width });
      if (file.bytes === undefined) return;
      const entries = decodeEntryBundle(file.bytes, file.width);
      for (let at = Math.max(0, from - begin); at < width; at += 1) {
        yield { index: begin + at, entry: entries[at]! };
      }
    }
  }

  tile(tile: Tile): Promise<Uint8Array | undefined> {
    return readTile(this.#read, tile);
  }

  cosigned(): Cosigned {
    return { notes: [], arrivals: [] };
  }

  stamps(known: number): Promise<StampsSeen> {
    const isTrusted = ({ verdict }: Stamped): boolean => 'time' in verdict && verdict.trust === 'anchored';
    return publishedStamps(this.#read, {
      certificates: this.#settings.tsaCertificates,
      from: known,
      isEnough: (stamped) => stamped.some(isTrusted),
    });
  }

  firstOverdue(asked: OverdueAsked): Promise<number | undefined> {
    return firstOverdueIn((from, to) => this.#unpruned(from, to, asked.minimum), asked);
  }

  /** As {@link entries}, without those of bundles that were pruned on record: their values went with them. */
  async *#unpruned(from: number, to: number, minimum: number): AsyncGenerator<NextEntry> {
    for (let begin = from; begin < to; begin += TILE_WIDTH - (begin % TILE_WIDTH)) {
      let next = begin;
      const end = Math.min(to, begin + TILE_WIDTH - (begin % TILE_WIDTH));
      try {
        for await (const entry of this.entries(begin, end)) {
          yield entry;
          next += 1;
        }
      } catch (error) {
        if (!isLogError(error, 'entry_pruned')) throw error;
        if (end <= minimum) next = end;
      }
      if (next < end) return;
    }
  }

  whole({ policy, held, seen, ...pruned }: WholeReading): Promise<AuditReport> {
    const { subjectKeys, tsaCertificates } = this.#settings;
    const { reader, root } = this.#place;
    const read: TileReader['read'] = async (path, bytesMax) => {
      const bytes = await this.#read(path, bytesMax);
      if (path === CHECKPOINT_PATH && bytes !== undefined) seen(bytes);
      return bytes;
    };
    const limited = { place: reader.place, read, close: () => reader.close() };
    const place = { reader: believingRecords(limited, pruned), ...(root !== undefined && { root }) };
    return auditPublished(place, {
      policy,
      held,
      threads: 0,
      ...(subjectKeys !== undefined && { subjectKeys }),
      ...(tsaCertificates !== undefined && { tsaCertificates }),
    });
  }

  close(): Promise<void> {
    return this.#place.reader.close();
  }

  readonly #read = (path: string, bytesMax: number): Promise<Uint8Array | undefined> =>
    this.#deadline.keep(() => this.#place.reader.read(path, bytesMax), {
      // What lies beside the tree, as time-stamps do, has no end that anybody has signed.
      isSigned: path.startsWith('tile/'),
    });
}

/** A server may call any bundle gone: those that no record covers are missing, as whatever is not there. */
function believingRecords(
  reader: TileReader,
  { minimum, beyond }: Pick<WholeReading, 'minimum' | 'beyond'>,
): TileReader {
  return {
    place: reader.place,
    read: async (path, bytesMax) => {
      try {
        return await reader.read(path, bytesMax);
      } catch (error) {
        if (!isLogError(error, 'entry_pruned')) throw error;
        if ((parseEntriesPath(path).index + 1) * TILE_WIDTH <= minimum) throw error;
        beyond();
        return undefined;
      }
    },
    close: () => reader.close(),
  };
}

/** Whether something is not of its format; an error that comes from another thread keeps no more than its name. */
function isUnfit(error: unknown): boolean {
  return error instanceof VerificationError || (error instanceof Error && error.name === 'VerificationError');
}

/** Whether an error says that what is there is damaged, rather than that it could not be read. */
export function isDamage(error: unknown): error is Error & { readonly code: string } {
  if (isUnfit(error)) return true;
  return isLogError(error) && !error.retryable && damage.has(error.code);
}

const damage: ReadonlySet<string> = new Set([
  'head_invalid',
  'log_damaged',
  'log_replaced',
  'mark_invalid',
  'rolled_back',
  'schema_changed',
  'store_contract',
]);
