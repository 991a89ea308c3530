import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { type ReadPublished, readPublished } from '../anchor/index.ts';
import { misuse, VerificationError } from '../bytes/index.ts';
import { type Checkpoint, NOTE_BYTES_MAX, parseCheckpoint, parseNote } from '../note/index.ts';
import { readTextFile } from '../platform/index.ts';
import {
  isLogError,
  LogError,
  SQLITE_CORRUPT,
  SQLITE_ERROR,
  SQLITE_NOTADB,
  SubjectKeys,
  sqliteCode,
} from '../store/index.ts';
import {
  type Anchor,
  Audit,
  type AuditReport,
  type ChunkReport,
  type Discovery,
  type Held,
  type Span,
  type Trust,
} from '../verify/index.ts';
import { checkFolder, checkHeld } from './arguments.ts';
import { AuditFile, type IndexCoverage, logTables } from './audit-file.ts';
import { auditStamps } from './audit-stamps.ts';
import { type Auditor, auditHere, auditOnThread } from './audit-thread.ts';
import { type LogPaths, logPaths } from './paths.ts';

/** How a whole log is audited. */
export interface VerifyOptions {
  /** The log's key, known from elsewhere. Without it, or `policy`, the key found inside is used and the report says so. */
  readonly vkey?: string;
  /** A policy (c2sp.org/tlog-policy), parsed; instead of `vkey`. */
  readonly policy?: Trust;
  /** Receipts and checkpoints that somebody outside kept. */
  readonly held?: readonly Held[];
  /**
   * States of this log that outside parties had seen, and when, as their verified signatures say: what a key signed before it was
   * compromised is believed where one of them shows that it was there before.
   */
  readonly seenOutside?: readonly Anchor[];
  /** Rebuilds the search index and compares it too. Default false. */
  readonly index?: boolean;
  /** `full` (default) reads every entry and disclosure; `tree` hashes entries and compares the tree. */
  readonly depth?: 'full' | 'tree';
  /** Threads to audit with; by default one for each core, at most {@link AUDIT_THREADS_MAX}. 0: the caller's own. */
  readonly threads?: number;
  /** Where the mark lies; a sibling of the folder by default. It is held against the log where it exists. */
  readonly mark?: string;
  /** Your own copy of `anchors.db`, what outside parties signed; the one in the folder by default, which its owner can thin out. */
  readonly anchors?: string;
  /**
   * Certificates of time-stamping authorities to trust, their own or any above them: PEM, or the DER of one. Without them a time-stamp
   * is only found to be consistent with the certificate inside.
   */
  readonly tsaCertificates?: string | Uint8Array;
  /**
   * Where the keys of subjects lie (`subject-keys.db`), of a log that was restored: values whose subject's key was destroyed there count
   * as erased, although the record of it may not have been published. Throws `LogError` `key_missing` where there are none.
   */
  readonly subjectKeys?: string;
  /** Told now and then how many entries have been audited, of how many. */
  readonly onProgress?: (done: number, total: number) => void;
}

export type { IndexCoverage } from './audit-file.ts';

/** What the audit of a log in a folder has shown. */
export interface LogReport extends AuditReport {
  /** How much of the log the search index covers; absent where it was not asked for. A missing one covers nothing. */
  readonly index?: IndexCoverage;
}

/** Threads that an audit takes where the caller does not say. */
export const AUDIT_THREADS_MAX = 4;

/** Threads that a caller may ask for. */
const THREADS_MAX = 64;

/** Logs smaller than this are audited on one thread: starting more would take longer. */
const SMALL_ENTRIES = 20_000;

const optionNames = [
  'vkey',
  'policy',
  'held',
  'seenOutside',
  'index',
  'depth',
  'threads',
  'mark',
  'anchors',
  'tsaCertificates',
  'subjectKeys',
  'onProgress',
];

/**
 * Audits the log in a folder. It needs no key and no running log, and it opens what `openLog` would refuse:
 * damage is reported, each with its place. Throws `LogError` `log_missing` only where there is no log.
 */
export async function verifyLog(dir: string, options: VerifyOptions = {}): Promise<LogReport> {
  checkFolder(dir);
  if (options?.mark !== undefined && !existsSync(options.mark)) {
    throw misuse('range', 'option_invalid', `there is no mark at ${options.mark}`);
  }
  return auditFiles(logPaths(dir, { mark: options.mark }), options);
}

/** {@link verifyLog}, of a log whose places are known. */
export async function auditFiles(paths: LogPaths, options: VerifyOptions): Promise<LogReport> {
  check(options);
  if (!existsSync(paths.database)) {
    throw new LogError('log_missing', `there is no log at ${paths.dir}`);
  }
  let file: AuditFile | undefined;
  try {
    file = new AuditFile(paths.database);
    return await audit(file, paths, options);
  } catch (error) {
    if (!isDamage(error)) throw error;
    return unreadable(error as Error);
  } finally {
    file?.close();
  }
}

/** Whether SQLite complains about what is in the file (a missing table is SQLITE_ERROR), not about reading it. */
function isDamage(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === SQLITE_ERROR || code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}

/** The report on a file of which SQLite can make nothing: what was a log is none any more. */
function unreadable(error: Error): AuditReport {
  const whole = new Audit({ checkpoint: new Uint8Array(0), last: -1 });
  whole.discover({ code: 'schema_changed', from: 0, to: 0, what: `log.db cannot be read: ${error.message}` });
  return whole.conclude();
}

async function audit(file: AuditFile, paths: LogPaths, options: VerifyOptions): Promise<LogReport> {
  // Mark and time-stamps first: they never lead the log, but others may move all of them while we read.
  const mark = markOf(paths);
  const { anchors: own, tsaCertificates: certificates } = options;
  const stamps = await auditStamps({ path: paths.anchors, own, certificates });
  const published = publishedOf(paths.anchors);
  const head = file.head();
  const trust = options.policy ?? (options.vkey === undefined ? undefined : { vkey: options.vkey });
  const whole = new Audit(head, {
    ...(options.held === undefined ? {} : { held: options.held }),
    ...(options.seenOutside === undefined ? {} : { anchors: options.seenOutside }),
    ...(mark === undefined ? {} : { mark }),
    stamped: stamps.stamped,
    ...(published.notes.length === 0 ? {} : { published: published.notes, arrivals: published.arrivals }),
    ...(trust === undefined ? {} : { trust }),
    ...(options.depth === undefined ? {} : { depth: options.depth }),
    ...(options.subjectKeys === undefined ? {} : { destroyed: SubjectKeys.destroyedIn(options.subjectKeys) }),
  });
  for (const discovery of file.surroundings(head, whole.end, claimed(head.checkpoint)))
    whole.discover(discovery);
  for (const discovery of stamps.discoveries) whole.discover(discovery);
  for (const discovery of published.discoveries) whole.discover(discovery);
  let index: IndexCoverage | undefined;
  const auditors = await startAuditors(paths.database, whole, options.threads);
  try {
    await auditSpans(whole, auditors, options.onProgress);
    if (options.depth !== 'tree') await auditTables(whole, auditors);
    if (options.index === true) {
      const compared = await auditors[0]!.index(paths.index);
      for (const discovery of compared.discoveries) whole.discover(discovery);
      index = compared.coverage;
    }
  } finally {
    await Promise.all(auditors.map((auditor) => auditor.close()));
  }
  const report = whole.conclude(file.readTiles(whole.upperTiles()));
  return index === undefined ? report : { ...report, index };
}

/** What the stored checkpoint says, before anybody has verified it. */
function claimed(note: Uint8Array): Checkpoint | undefined {
  try {
    return parseCheckpoint(parseNote(note).text);
  } catch (error) {
    if (error instanceof VerificationError) return undefined;
    throw error;
  }
}

function startAuditors(path: string, whole: Audit, wanted: number | undefined): Promise<Auditor[]> {
  const most = whole.end < SMALL_ENTRIES ? 1 : Math.min(availableParallelism(), AUDIT_THREADS_MAX);
  const threads = wanted ?? most;
  if (threads === 0) return Promise.resolve([auditHere(path, whole.request)]);
  return Promise.all(Array.from({ length: threads }, () => auditOnThread(path, whole.request)));
}

/** Hands spans to auditors, two ahead for each, and adds their reports in the spans' order. */
async function auditSpans(
  whole: Audit,
  auditors: readonly Auditor[],
  onProgress?: (done: number, total: number) => void,
): Promise<void> {
  const underway: Promise<ChunkReport>[] = [];
  let next = 0;
  const addOldest = async (): Promise<void> => {
    const report = await underway.shift()!;
    whole.add(report);
    onProgress?.(whole.end - report.begin, whole.end);
  };
  const start = (span: Span): void => {
    const report = auditors[next % auditors.length]!.chunk(span);
    // A later one may fail while an earlier one is awaited; it is awaited in its turn.
    report.catch(() => {});
    underway.push(report);
    next += 1;
  };
  for (const span of whole.spans()) {
    start(span);
    if (underway.length >= auditors.length * 2) await addOldest();
  }
  while (underway.length > 0) await addOldest();
}

/** Lets SQLite look at each table, shared out among the auditors. */
async function auditTables(whole: Audit, auditors: readonly Auditor[]): Promise<void> {
  const found = await Promise.all(
    logTables.map((table, at) => auditors[at % auditors.length]!.structure(table)),
  );
  for (const discovery of found.flat()) whole.discover(discovery);
}

/** The mark is a checkpoint that the writer keeps outside the folder: it is held against the log. */
function markOf({ mark }: LogPaths): string | undefined {
  if (!existsSync(mark)) return undefined;
  try {
    return readTextFile(mark, NOTE_BYTES_MAX);
  } catch (cause) {
    throw new LogError('io_failed', `the mark ${mark} cannot be read: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** What was shown to witnesses, and is kept beside the log. A file that cannot be read any more is a finding, and no reason to stop. */
export function publishedOf(path: string): ReadPublished & { readonly discoveries: readonly Discovery[] } {
  try {
    return { ...readPublished(path), discoveries: [] };
  } catch (error) {
    if (!isLogError(error, 'io_failed')) throw error;
    const what = `What witnesses have signed cannot be read: ${error.message}`;
    const damaged = { code: 'table_damaged', from: 0, to: 0, what, ofLog: true } as const;
    return { notes: [], arrivals: [], discoveries: [damaged] };
  }
}

function check(options: VerifyOptions): void {
  if (typeof options !== 'object' || options === null) {
    throw misuse('type', 'argument_invalid', 'verify takes an object of options');
  }
  for (const name of Object.keys(options)) {
    if (optionNames.includes(name)) continue;
    throw misuse('type', 'option_unknown', `unknown option ${name}: known are ${optionNames.join(', ')}`);
  }
  const { held, depth, threads } = options;
  if (held !== undefined) checkHeld(held);
  if (depth !== undefined && depth !== 'full' && depth !== 'tree') {
    throw misuse('type', 'option_invalid', 'depth must be full or tree');
  }
  if (threads !== undefined && !(Number.isSafeInteger(threads) && threads >= 0 && threads <= THREADS_MAX)) {
    throw misuse('range', 'option_invalid', `threads must be a whole number from 0 to ${THREADS_MAX}`);
  }
}
