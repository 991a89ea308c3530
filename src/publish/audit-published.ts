import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { misuse } from '../bytes/index.ts';
import { TILE_WIDTH, type Tile } from '../merkle/index.ts';
import { NOTE_BYTES_MAX } from '../note/index.ts';
import { CHECKPOINT_PATH, LogError, SubjectKeys, type TileReader } from '../store/index.ts';
import {
  Audit,
  type AuditReport,
  type ChunkReport,
  type Held,
  readHead,
  type Span,
  type Trust,
} from '../verify/index.ts';
import { strangeFinding } from './audit-span.ts';
import { type AuditAnswer, type AuditorData, type AuditQuestion, auditor } from './audit-worker.ts';
import type { DisclosureReading } from './disclosure-reading.ts';
import type { KeySearchLimits } from './key-search.ts';
import {
  bundlesOf,
  type ReadFile,
  readBundle,
  readNoting,
  readSpan,
  readTile,
  type StrangeFile,
} from './published-files.ts';
import { Heads } from './published-head.ts';
import { publishedStamps, upToStamps, withoutAhead } from './published-stamps.ts';
import { SEALED_FILE_BYTES_MAX, sealedPath } from './sealed-file.ts';

/** Threads that an audit takes where the caller does not say. */
const THREADS_DEFAULT_MAX = 4;

/** Threads that a caller may ask for. */
const THREADS_MAX = 64;

/** Logs smaller than this are audited on the caller's thread: starting others would take longer. */
const SMALL_ENTRIES = 20_000;

/**
 * Room for young objects on an auditor's thread, MiB: V8 takes more where it may, and memory then grows with the log. With 16, a quarter
 * of an audit goes into collecting them; with 64, it is little faster than with 32, and takes 100 MB more.
 */
const YOUNG_MB = 32;

/** Tiles above the leaves that are asked for at once. */
const TILES_AT_ONCE = 64;

/** How a published log is audited. */
export interface VerifyPublishedOptions {
  /** The log's key, known from elsewhere. Without it, or `policy`, the key found inside is used and the report says so. */
  readonly vkey?: string;
  /** A policy (c2sp.org/tlog-policy), parsed; instead of `vkey`. */
  readonly policy?: Trust;
  /** Receipts and checkpoints that somebody outside kept. */
  readonly held?: readonly Held[];
  /** `full` (default) reads every entry; `tree` hashes entries and compares the tree. */
  readonly depth?: 'full' | 'tree';
  /** The keys of subjects (`subject-keys.db`), to read and judge the sealed values too. */
  readonly subjectKeys?: string;
  /** Certificates of time-stamping authorities to trust, in PEM or DER; without them a published time-stamp shows nothing against its maker. */
  readonly tsaCertificates?: string | Uint8Array;
  /** Threads to audit with; by default one for each core, at most four. 0: the caller's own. */
  readonly threads?: number;
  /** How much is read for changes of keys while no known key has signed the checkpoint that is there. */
  readonly keySearch?: KeySearchLimits;
  /** Told now and then how many entries have been audited, of how many. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Where a published log is read from, and its folder where it is one: then each thread reads for itself. */
export interface PublishedPlace {
  readonly reader: TileReader;
  readonly root?: string | undefined;
}

/**
 * Audits a published log: every byte of every bundle and tile that its checkpoint covers, without its database. Findings are in the
 * report; what throws is the reading. Throws `LogError` `log_missing` where there is no checkpoint.
 */
export async function auditPublished(
  { reader, root }: PublishedPlace,
  options: VerifyPublishedOptions,
): Promise<AuditReport> {
  const strange: StrangeFile[] = [];
  const read: ReadFile = (path, bytesMax) => reader.read(path, bytesMax);
  const { vkey, policy, held, depth, subjectKeys, threads, onProgress } = options;
  const trust = policy ?? (vkey === undefined ? undefined : { vkey });
  // What lies in a folder ends where its files do; a server can make up what it is asked for.
  const heads =
    trust === undefined || root !== undefined
      ? undefined
      : new Heads({ reader, trust, keySearch: options.keySearch });
  const early = heads && (await readNoting(read, [])(CHECKPOINT_PATH, NOTE_BYTES_MAX));
  const refused = early && (await heads?.refusalOf(early));
  if (refused !== undefined) return refused;
  const stamps = await publishedStamps(read, { certificates: options.tsaCertificates });
  const first = await readNoting(read, strange)(CHECKPOINT_PATH, NOTE_BYTES_MAX);
  if (strange.length > 0) return withoutCheckpoint(strange[0]!);
  if (first === undefined) {
    throw new LogError('log_missing', `no log is published at ${reader.place}: there is no checkpoint`);
  }
  const checkpoint = await upToStamps(read, first, stamps.stamped);
  const later = await heads?.refusalOf(checkpoint);
  if (later !== undefined) return later;
  const last = (readHead(checkpoint)?.size ?? 0) - 1;
  const whole = new Audit(
    { checkpoint, last, ...(await extentOf(reader, last + 1)) },
    {
      ...(subjectKeys === undefined
        ? { sealed: 'elsewhere' as const }
        : { sealed: 'here' as const, destroyed: SubjectKeys.destroyedIn(subjectKeys) }),
      ...(trust !== undefined && { trust }),
      ...(held !== undefined && { held }),
      ...(depth !== undefined && { depth }),
      stamped: withoutAhead(stamps.stamped, checkpoint),
    },
  );
  for (const discovery of stamps.discoveries) whole.discover(discovery);
  const data: AuditorData = {
    request: whole.request,
    ...(root !== undefined && { root }),
    ...(subjectKeys !== undefined && { reading: { subjectKeys } satisfies DisclosureReading }),
  };
  const auditors = startAuditors(data, threads ?? defaultThreads(whole.end));
  try {
    await auditSpans(whole, { reader, data, auditors }, onProgress);
  } finally {
    await Promise.all(auditors.map(({ end }) => end()));
  }
  return whole.conclude(await upperTiles(whole, reader));
}

/** The report on a place in which something that is no file stands where the checkpoint should. */
function withoutCheckpoint(strange: StrangeFile): AuditReport {
  const whole = new Audit({ checkpoint: new Uint8Array(0), last: -1 });
  whole.discover({ ...strangeFinding(strange, { from: 0, to: 0 }), ofLog: true });
  return whole.conclude();
}

/**
 * How many entries are there at most, where the last bundle is missing; nothing is said where it is there. A checkpoint that nobody has
 * verified yet may claim more than a verifier could ask for in its life.
 */
async function extentOf(reader: TileReader, size: number): Promise<{ entries?: number }> {
  const read: ReadFile = (path, bytesMax) => reader.read(path, Math.min(bytesMax, TILE_WIDTH));
  const has = async (index: number): Promise<boolean> => {
    const width = Math.min(TILE_WIDTH, size - index * TILE_WIDTH);
    const strange: StrangeFile[] = [];
    const { bytes } = await readBundle(readNoting(read, strange), { index, width });
    // What stands there and is no file is found in its turn.
    return bytes !== undefined || strange.length > 0;
  };
  const last = Math.ceil(size / TILE_WIDTH) - 1;
  if (last < 0 || (await has(last))) return {};
  let [low, high] = [0, 1];
  while (high < last && (await has(high))) [low, high] = [high, high * 2];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (await has(Math.min(middle, last))) low = middle + 1;
    else high = middle;
  }
  return { entries: Math.min(size, low * TILE_WIDTH) };
}

/** Audits spans, in the order in which they are handed in. */
interface Auditor {
  ask(question: AuditQuestion): Promise<ChunkReport>;
  end(): Promise<void>;
}

function defaultThreads(entries: number): number {
  return entries < SMALL_ENTRIES ? 0 : Math.min(availableParallelism(), THREADS_DEFAULT_MAX);
}

function startAuditors(data: AuditorData, threads: number): Auditor[] {
  if (!(Number.isSafeInteger(threads) && threads >= 0 && threads <= THREADS_MAX)) {
    throw misuse('range', 'option_invalid', `threads must be a whole number from 0 to ${THREADS_MAX}`);
  }
  if (threads === 0) return [auditHere(data)];
  return Array.from({ length: threads }, () => auditOnThread(data));
}

function auditHere(data: AuditorData): Auditor {
  const answer = auditor(data);
  return { ask: async (question) => reportOf(await answer(question)), end: async () => {} };
}

function auditOnThread(data: AuditorData): Auditor {
  const worker = new Worker(new URL('./audit-worker.js', import.meta.url), {
    workerData: data,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
  });
  const waiting: PromiseWithResolvers<ChunkReport>[] = [];
  const lost = (cause: unknown): void => {
    const error = new LogError('worker_failed', 'a thread of the audit ended', { cause });
    for (const { reject } of waiting.splice(0)) reject(error);
  };
  worker.on('message', (answer: AuditAnswer) => {
    const { resolve, reject } = waiting.shift()!;
    try {
      resolve(reportOf(answer));
    } catch (error) {
      reject(error);
    }
  });
  worker.on('error', lost);
  worker.on('exit', () => lost(undefined));
  return {
    ask: (question) => {
      const asked = Promise.withResolvers<ChunkReport>();
      waiting.push(asked);
      worker.postMessage(question);
      return asked.promise;
    },
    end: async () => {
      await worker.terminate();
    },
  };
}

function reportOf(answer: AuditAnswer): ChunkReport {
  if ('report' in answer) return answer.report;
  throw new LogError('io_failed', answer.error);
}

interface Audition {
  readonly reader: TileReader;
  readonly data: AuditorData;
  readonly auditors: readonly Auditor[];
}

/** Hands spans to auditors, two ahead for each, and adds their reports in the spans' order. */
async function auditSpans(
  whole: Audit,
  { reader, data, auditors }: Audition,
  onProgress: VerifyPublishedOptions['onProgress'],
): Promise<void> {
  const underway: Promise<ChunkReport>[] = [];
  let next = 0;
  const addOldest = async (): Promise<void> => {
    const report = await underway.shift()!;
    whole.add(report);
    onProgress?.(whole.end - report.begin, whole.end);
  };
  for (const span of whole.spans()) {
    const auditor = auditors[next % auditors.length]!;
    const report = question(span, reader, data).then((asked) => auditor.ask(asked));
    // A later one may fail while an earlier one is awaited; it is awaited in its turn.
    report.catch(() => {});
    underway.push(report);
    next += 1;
    if (underway.length >= auditors.length * 2) await addOldest();
  }
  while (underway.length > 0) await addOldest();
}

/** What an auditor is asked: a span, with its files where it cannot read them itself. */
async function question(
  span: Span,
  reader: TileReader,
  { root, reading }: AuditorData,
): Promise<AuditQuestion> {
  if (root !== undefined) return { span };
  const read = (path: string, bytesMax: number): Promise<Uint8Array | undefined> =>
    reader.read(path, bytesMax);
  const files = await readSpan(read, span);
  if (reading === undefined) return { span, files };
  const strange = [...files.strange];
  const noting = readNoting(read, strange);
  const sealed = await Promise.all(
    bundlesOf(span).map(({ index, width }) => noting(sealedPath(index, width), SEALED_FILE_BYTES_MAX)),
  );
  return { span, files: { ...files, strange }, sealed };
}

/** The tiles above the leaves, in the order of `whole.upperTiles()`. One of another length than its own is a finding. */
async function upperTiles(whole: Audit, reader: TileReader): Promise<(Uint8Array | undefined)[]> {
  const wanted = whole.upperTiles();
  const found: (Uint8Array | undefined)[] = [];
  for (let from = 0; from < wanted.length; from += TILES_AT_ONCE) {
    const some = wanted.slice(from, from + TILES_AT_ONCE);
    const tiles = await Promise.all(
      some.map(async (tile) => {
        const strange: StrangeFile[] = [];
        const read = readNoting((path, bytesMax) => reader.read(path, bytesMax), strange);
        const bytes = await readTile(read, tile);
        for (const one of strange) whole.discover(strangeFinding(one, leavesUnder(whole, tile)));
        return bytes;
      }),
    );
    for (const [position, tile] of some.entries()) checkLength(whole, tile, tiles[position]);
    found.push(...tiles);
  }
  return found;
}

/** The entries whose hashes lie in a tile above the leaves. */
function leavesUnder(whole: Audit, { level, index, width }: Tile): { from: number; to: number } {
  const leaves = TILE_WIDTH ** level;
  const from = index * TILE_WIDTH * leaves;
  return { from, to: Math.min(from + width * leaves, whole.end) - 1 };
}

function checkLength(whole: Audit, tile: Tile, bytes: Uint8Array | undefined): void {
  const { level, index, width } = tile;
  if (bytes === undefined || bytes.length <= width * 32) return;
  const what = 'the tile above them is longer than its path says';
  whole.discover({ code: 'tile_mismatch', ...leavesUnder(whole, tile), what, detail: { level, index } });
}
