import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { base64Encode, equalBytes, misuse, VerificationError } from '../bytes/index.ts';
import { type Genesis, isKeyChange, parseEntry, parseGenesis } from '../event/index.ts';
import { verifyLog } from '../log/index.ts';
import { decodeEntryBundle, EMPTY_ROOT, hashLeaf, TILE_WIDTH } from '../merkle/index.ts';
import { NOTE_BYTES_MAX, type Policy, parseVerifierKey } from '../note/index.ts';
import { randomBytes, replaceFile, syncFolder, systemClock } from '../platform/index.ts';
import { CHECKPOINT_PATH, LogError, type NewEntry, SqliteStore, type TileReader } from '../store/index.ts';
import { type AuditReport, type KeyEntry, keyTimeline, readHead, type Trust } from '../verify/index.ts';
import { choosingCheckpoint } from './checkpoint-choice.ts';
import { type DisclosuresOf, sealedFiles } from './disclosure-reading.ts';
import { GrowingTiles, type TileBytes } from './growing-tiles.ts';
import { openPlace, type PlaceOptions } from './places.ts';
import { bundlesOf, readBundle } from './published-files.ts';
import { PublishedKey } from './published-keys.ts';
import { type RestoredStamps, restoreStamps } from './restore-stamps.ts';
import { unsealerFor } from './unsealer.ts';

/** Bundles that are read, and stored in one transaction. */
const BUNDLES_AT_ONCE = 4;

/** How a log is restored. */
export interface RestoreOptions extends PlaceOptions {
  /** Where it is published: `file:///path`, `s3://bucket/prefix`, `https://…`. */
  readonly from: string;
  /** The folder to make; it must not hold anything. */
  readonly to: string;
  /** The log's key, known from elsewhere. Without it, or `policy`, the key found inside is believed. */
  readonly vkey?: string;
  /** A policy (c2sp.org/tlog-policy), parsed; instead of `vkey`. */
  readonly policy?: Trust;
  /** The keys of subjects (`subject-keys.db`), to restore the sealed values too. */
  readonly subjectKeys?: string;
  /** Told now and then how many entries are stored, of how many. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Gives up when it fires: its reason is thrown, and nothing is left behind. */
  readonly signal?: AbortSignal;
}

/** What was restored. */
export interface Restored extends RestoredStamps {
  readonly dir: string;
  readonly origin: string;
  readonly size: number;
  /** The root over the entries that were restored, which is the one that the checkpoint signs; standard base64. */
  readonly root: string;
  /** Whether the key was known from elsewhere, or is the one that the log itself names. */
  readonly key: 'pinned' | 'found inside';
  /** Sealed values that were restored. */
  readonly disclosures: number;
  /** What became of those that were not; absent where no keys were given, so that none was restored. */
  readonly unrestored?: Unrestored;
}

/** Sealed values of the entries that were not restored. */
export interface Unrestored {
  /** Erased or removed by retention, as a record in the log says, or the key of a subject was destroyed. */
  readonly erased: number;
  /** Neither: their files, or the keys, are not what they were when they were published. */
  readonly missing: number;
  /** The last entry that lacks any of these. */
  readonly example?: number;
}

const optionNames = [
  'from',
  'to',
  'vkey',
  'policy',
  'subjectKeys',
  'onProgress',
  'signal',
  'headers',
  'timeoutMs',
  'fetch',
  's3',
  'keySearch',
];

/**
 * Rebuilds a log out of its published files, without any key: `log.db` with its entries, tiles and checkpoint, and the verifier keys.
 * It is made beside its place, read back and audited, and gets its name last. Whoever is to go on writing puts `log.key` into it.
 *
 * Throws `VerificationError` where what is published is not what its checkpoint signs, `LogError` `log_missing` where nothing is,
 * `log_exists` where the folder holds anything.
 */
export async function restoreLog(options: RestoreOptions): Promise<Restored> {
  check(options);
  const dir = resolve(options.to);
  if (existsSync(dir) && readdirSync(dir).length > 0) {
    throw new LogError('log_exists', `${dir} is not empty`, {
      hint: 'a log is restored into a folder of its own',
    });
  }
  mkdirSync(dirname(dir), { recursive: true });
  const draft = `${dir}.${Buffer.from(randomBytes(6)).toString('hex')}.new`;
  const { policy, vkey } = options;
  const trust = policy ?? (vkey === undefined ? undefined : { vkey });
  const { reader } = choosingCheckpoint(await openPlace(options.from, options), trust);
  try {
    mkdirSync(draft, { mode: 0o700 });
    const restored = await unlessAborted(new Restoring(reader, draft, options).run(), options.signal);
    renameSync(draft, dir);
    syncFolder(dirname(dir));
    return { dir, ...restored };
  } finally {
    rmSync(draft, { recursive: true, force: true, maxRetries: 3 });
    await reader.close();
  }
}

/** What work comes to, or the reason of a signal that fires before; the work then fails by itself, and nobody waits for it. */
function unlessAborted<Result>(work: Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
  if (signal === undefined) return work;
  work.catch(() => {});
  const aborted = Promise.withResolvers<Result>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  return Promise.race([work, aborted.promise]).finally(() => signal.removeEventListener('abort', abort));
}

class Restoring {
  readonly #reader: TileReader;
  readonly #draft: string;
  readonly #options: RestoreOptions;
  #disclosures = 0;
  /** The first entry, and every change of keys. */
  readonly #keys: KeyEntry[] = [];

  constructor(reader: TileReader, draft: string, options: RestoreOptions) {
    this.#reader = reader;
    this.#draft = draft;
    this.#options = options;
  }

  async run(): Promise<Omit<Restored, 'dir'>> {
    const { vkey, policy } = this.#options;
    const note = await this.#reader.read(CHECKPOINT_PATH, NOTE_BYTES_MAX);
    if (note === undefined) {
      throw new LogError(
        'log_missing',
        `no log is published at ${this.#reader.place}: there is no checkpoint`,
      );
    }
    const pinned = policy ?? (vkey === undefined ? undefined : { vkey });
    const open = (trust: Trust) => new PublishedKey(this.#reader, trust, this.#options.keySearch).open(note);
    // Before anything that it claims to cover.
    const known = pinned && (await open(pinned));
    const [first] = await this.#read(0, Math.min(TILE_WIDTH, readHead(note)?.size ?? 0));
    if (first === undefined) throw entriesMissing(0, 1);
    const genesis = parseGenesis(parseEntry(entriesOf(first)[0]!));
    const { checkpoint } = known ?? (await open(namedIn(genesis)));
    const { size, origin } = checkpoint;
    if (origin !== genesis.origin) {
      throw new VerificationError(
        'origin_mismatch',
        'The checkpoint bears another name than the log’s first entry.',
        {
          expected: origin,
          found: genesis.origin,
        },
      );
    }
    const root = await this.#store(size, note);
    if (!equalBytes(root, checkpoint.root)) {
      const message = `The ${size} published entries do not have the root that the checkpoint signs.`;
      throw new VerificationError('tile_invalid', message, { size });
    }
    const { current } = keyTimeline(this.#keys[0]!.entry, this.#keys.slice(1));
    replaceFile(join(this.#draft, 'log.vkey'), `${current.at(-1)!.text}\n`);
    if (genesis.rootKey !== null) replaceFile(join(this.#draft, 'root.vkey'), `${genesis.rootKey}\n`);
    const unrestored = await this.#readBack(pinned);
    const stamps = await restoreStamps(this.#draft, (path, bytesMax) => this.#reader.read(path, bytesMax));
    return {
      origin,
      size,
      root: base64Encode(root),
      key: pinned === undefined ? 'found inside' : 'pinned',
      disclosures: this.#disclosures,
      ...(unrestored !== undefined && { unrestored }),
      ...stamps,
    };
  }

  /** Stores all entries, and answers the root over them. Nobody sees the database before that root has been compared. */
  async #store(size: number, note: Uint8Array): Promise<Uint8Array> {
    const { subjectKeys, onProgress } = this.#options;
    const store = SqliteStore.create(join(this.#draft, 'log.db'), {
      jitter: Math.random,
      now: () => systemClock.monotonic(),
    });
    const unsealer = subjectKeys === undefined ? undefined : unsealerFor({ subjectKeys }, size);
    const read = (path: string, bytesMax: number): Promise<Uint8Array | undefined> =>
      this.#reader.read(path, bytesMax);
    const growing = await GrowingTiles.at(0, async () => EMPTY_ROOT);
    try {
      let next = this.#read(0, size);
      while (growing.size < size) {
        this.#options.signal?.throwIfAborted();
        const begin = growing.size;
        const bundles = await next;
        const end = bundles.at(-1)!.end;
        next = this.#read(end, size);
        // Awaited in its turn; a failure before that must not be nobody's.
        next.catch(() => {});
        const disclosures = await unsealer?.open(await sealedFiles({ begin, end }, { read }));
        await this.#append(store, growing, { bundles, disclosures, note, isLast: end === size });
        onProgress?.(end, size);
      }
    } finally {
      await unsealer?.close();
      store.close();
    }
    return growing.root();
  }

  async #append(store: SqliteStore, growing: GrowingTiles, chunk: Chunk): Promise<void> {
    const { bundles, disclosures, note, isLast } = chunk;
    let recordedAt = 0;
    const rows: NewEntry[] = [];
    for (const bundle of bundles) {
      for (const entry of entriesOf(bundle)) {
        const index = growing.size;
        const { id, recordedAt: time } = parseEntry(entry);
        recordedAt = Date.parse(time);
        growing.append(hashLeaf(entry));
        if (index === 0 || isKeyChange(entry)) this.#keys.push({ index, entry: entry.slice() });
        const texts = disclosures?.get(index) ?? [];
        this.#disclosures += texts.length;
        rows.push({ id, entry, disclosures: texts });
      }
    }
    const partial = isLast ? growing.partials().filter(({ tile }) => tile.level > 0) : [];
    const transaction = await store.begin();
    try {
      transaction.append({
        entries: rows,
        tiles: [...growing.takeFull(), ...partial].map(storedTile),
        head: { size: growing.size, root: growing.root(), recordedAt, checkpoint: note },
      });
      await transaction.commit();
    } catch (error) {
      await transaction.rollback();
      throw error;
    }
  }

  /** The bundles from `begin` on, some at most. */
  #read(begin: number, size: number): Promise<RestoredBundle[]> {
    const read = (path: string, bytesMax: number): Promise<Uint8Array | undefined> =>
      this.#reader.read(path, bytesMax);
    const bundles = bundlesOf({ begin, end: Math.min(size, begin + BUNDLES_AT_ONCE * TILE_WIDTH) });
    return Promise.all(
      bundles.map(async ({ index, width }) => {
        const first = index * TILE_WIDTH;
        const { bytes, width: promised } = await readBundle(read, { index, width });
        if (bytes !== undefined) return { bytes, promised, width, end: first + width };
        throw entriesMissing(first, first + width);
      }),
    );
  }

  /** What is in the new log is read from it, not remembered; also what its entries have sealed and was not restored. */
  async #readBack(trust: Trust | undefined): Promise<Unrestored | undefined> {
    const { subjectKeys } = this.#options;
    const common = { threads: 1, ...(trust !== undefined && { policy: trust }) };
    let sealed: AuditReport | undefined;
    if (subjectKeys !== undefined) {
      sealed = await verifyLog(this.#draft, { ...common, subjectKeys });
      // What entries say is not for who restores them to judge: that their tree is the signed one is.
      if (sealed.findings.every(({ code }) => code === 'disclosure_missing')) return unrestoredIn(sealed);
    }
    const report = await verifyLog(this.#draft, { ...common, depth: 'tree' });
    if (report.ok) return sealed && unrestoredIn(sealed);
    const [first] = report.findings;
    throw new LogError('log_damaged', `what was restored does not verify: ${first?.message ?? 'see verify'}`);
  }
}

function unrestoredIn({ counts: { erased, missing }, findings }: AuditReport): Unrestored {
  const example = findings.find(({ code }) => code === 'disclosure_missing')?.from;
  return { erased, missing, ...(example !== undefined && { example }) };
}

/** A bundle as it was read. */
interface RestoredBundle {
  readonly bytes: Uint8Array;
  /** How many entries its path promises; more than `width` where a full one stands in for a partial one. */
  readonly promised: number;
  /** How many of them the log has, and the index behind the last of those. */
  readonly width: number;
  readonly end: number;
}

/** The entries of a bundle. Throws `VerificationError` `malformed_entry_bundle`. */
function entriesOf({ bytes, promised, width }: RestoredBundle): Uint8Array[] {
  return decodeEntryBundle(bytes, promised).slice(0, width);
}

function entriesMissing(from: number, to: number): VerificationError {
  return new VerificationError('malformed_entry_bundle', `Entries are missing between ${from} and ${to}.`);
}

/** Entries that are stored together. */
interface Chunk {
  readonly bundles: readonly RestoredBundle[];
  readonly disclosures: DisclosuresOf | undefined;
  readonly note: Uint8Array;
  readonly isLast: boolean;
}

function storedTile({ tile: { level, index }, bytes }: TileBytes): {
  level: number;
  index: number;
  hashes: Uint8Array;
} {
  return { level, index, hashes: bytes };
}

/** Whom a log names itself: for those who know nobody. */
function namedIn({ logKeys, rootKey }: Genesis): Policy {
  const texts = rootKey === null ? logKeys : [...logKeys, rootKey];
  const logs = texts.map((text) => ({ key: parseVerifierKey(text) }));
  return { logs, witnesses: [], groups: [], quorum: undefined };
}

function check(options: RestoreOptions): void {
  for (const name of Object.keys(options)) {
    if (optionNames.includes(name)) continue;
    throw misuse('type', 'option_unknown', `unknown option ${name}: known are ${optionNames.join(', ')}`);
  }
  if (typeof options.to === 'string' && options.to !== '') return;
  throw misuse('type', 'option_invalid', 'to must be the folder to restore into');
}
