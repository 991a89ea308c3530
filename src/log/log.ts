import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { base64Encode, misuse } from '../bytes/index.ts';
import {
  type AuditEvent,
  type Draft,
  draftId,
  type EventSource,
  type Filter,
  prepareEvent,
  type RecordedEvent,
} from '../event/index.ts';
import { hashLeaf } from '../merkle/index.ts';
import { systemClock, uuidv7 } from '../platform/index.ts';
import { LogError, type StoredEntry } from '../store/index.ts';
import { checkEvents, checkFolder, checkId, checkProvable, checkRange } from './arguments.ts';
import { auditFiles, type LogReport, type VerifyOptions } from './audit.ts';
import { type Backup, backupLog } from './backup.ts';
import { type Created, createFiles } from './create.ts';
import { FollowerRunner } from './followers/index.ts';
import {
  type CreateOptions,
  checkHeartbeat,
  checkLimits,
  checkOptions,
  type Making,
  type OpenOptions,
  SERVICE_DEFAULT,
} from './options.ts';
import { type LogPaths, logPaths } from './paths.ts';
import { Query, type QueryOptions } from './query.ts';
import { Queue, type Waiter } from './queue.ts';
import type { Proof, SignedCheckpoint } from './reader.ts';
import { openReader, type ReaderHandle } from './reader-thread.ts';
import { type Behalf, One, type Receipt, type RecordResult } from './receipt.ts';
import { HEARTBEAT_MS_DEFAULT, SourceFrames } from './source-frames.ts';
import { walk } from './walk.ts';
import { openWriterHere, openWriterThread, type WriterHandle } from './writer-thread.ts';

/** A log that is open. Made by {@link createLog} and {@link openLog}; calls may overlap freely. */
export class Log {
  readonly dir: string;
  readonly origin: string;
  /** The verifier key of the key that signs. */
  readonly vkey: string;
  /** Extensions that tail the log from a durable cursor. */
  readonly followers: FollowerRunner;
  readonly #paths: LogPaths;
  readonly #options: OpenOptions;
  readonly #writer: WriterHandle | undefined;
  readonly #reader: ReaderHandle;
  readonly #queue: Queue | undefined;
  readonly #source: { readonly service: string; readonly instance: string; readonly version?: string };
  readonly #personalIds: 'refuse' | 'allow' | 'pseudonymise';
  readonly #frames: SourceFrames;
  #closing: Promise<void> | undefined;

  /** @internal Use {@link openLog}. */
  constructor(parts: {
    paths: LogPaths;
    options: OpenOptions;
    instance: string;
    writer: WriterHandle | undefined;
    reader: ReaderHandle;
  }) {
    const { paths, options, instance, writer, reader } = parts;
    this.dir = paths.dir;
    this.#paths = paths;
    this.#options = options;
    this.#writer = writer;
    this.#reader = reader;
    this.origin = reader.identity.origin;
    this.vkey = reader.identity.vkey;
    this.#personalIds = reader.identity.personalIds;
    this.#source = {
      service: options.service ?? SERVICE_DEFAULT,
      instance,
      ...(options.version === undefined ? {} : { version: options.version }),
    };
    this.#queue = writer && new Queue((drafts) => writer.commit(drafts), options.queue, options.meter);
    this.#frames = new SourceFrames({
      instance,
      everyMs: options.heartbeatMs ?? HEARTBEAT_MS_DEFAULT,
      send: (event) => this.recordOwn(event),
    });
    this.followers = new FollowerRunner(reader, paths.followers);
  }

  /**
   * Records one event. Resolves when it is on the disk and in the tree; a repeat (same id, same event)
   * resolves with the same `id`, `index` and `leafHash`.
   *
   * Rejects with `EventError` where the event is refused (nothing was recorded), and with `LogError`:
   * `id_conflict`, `overloaded` and `disk_full` (retryable; nothing was recorded), `outcome_unknown` (open the
   * log again and repeat with the same id), `closed`, `read_only`.
   */
  record(event: AuditEvent): Promise<Receipt> {
    return new Promise<Receipt>((resolve, reject) => {
      this.#push(event, (id) => new One(id, resolve, reject));
    });
  }

  /**
   * Records many events, in their order; each has its own result, and a refused one fails no other.
   * Sent together, they share transactions. Where more events are handed in than may wait, it waits for room.
   * Never rejects for an event's sake.
   */
  async recordMany(events: Iterable<AuditEvent>): Promise<RecordResult[]> {
    checkEvents(events);
    const results = [];
    for (const event of events) {
      const { promise, resolve } = Promise.withResolvers<RecordResult>();
      results.push(promise);
      const refuse = (error: unknown) => resolve({ ok: false, error: error as Error });
      if (this.#queue?.full) await this.#queue.room();
      try {
        this.#push(event, (id) => new One(id, (receipt) => resolve({ ok: true, receipt }), refuse));
      } catch (error) {
        refuse(error);
      }
    }
    return Promise.all(results);
  }

  /**
   * Records an event that came through a server: `source` says from whom. As {@link record}.
   * @internal
   */
  recordFor(event: unknown, behalf: Behalf): Promise<Receipt> {
    const { service, credential, counted, occurredAt } = behalf;
    const { instance } = this.#source;
    const source = {
      ...(counted ?? { instance, seq: null }),
      service,
      ...(credential === undefined ? {} : { credential }),
    };
    return new Promise<Receipt>((resolve, reject) => {
      const given = { source, ...(occurredAt === undefined ? {} : { occurredAt }) };
      this.#take(this.#draft(event, given), (id) => new One(id, resolve, reject));
    });
  }

  /**
   * Records an entry of the log's own, `log.viewed` and the like. As {@link record}.
   * @internal
   */
  recordOwn(event: AuditEvent): Promise<Receipt> {
    return new Promise<Receipt>((resolve, reject) => {
      const source = { ...this.#source, seq: null };
      this.#take(this.#draft(event, { source, own: true }), (id) => new One(id, resolve, reject));
    });
  }

  /**
   * The reading half, for what a server hands on: rows, tiles, bundles.
   * @internal
   */
  get reader(): ReaderHandle {
    return this.#reader;
  }

  /**
   * Whether nothing is left but to close it and open it again: its writer does not know what it wrote, or its thread has ended.
   * @internal
   */
  get isLost(): boolean {
    return this.#queue?.isLost === true || this.#reader.isLost();
  }

  /**
   * Events that wait to be recorded, and are under way.
   * @internal
   */
  get waiting(): number {
    return this.#queue?.length ?? 0;
  }

  /** The event recorded under `id`, or undefined. */
  async get(id: string): Promise<RecordedEvent | undefined> {
    checkId(id);
    return this.#reader.get(id);
  }

  /** Proves an entry under the newest checkpoint. Throws `LogError` `not_found`, `log_damaged`. */
  async prove(entry: string | Receipt): Promise<Proof> {
    checkProvable(entry);
    if (typeof entry === 'string') return this.#reader.proveId(entry);
    const proof = await this.#reader.prove(entry.index);
    if (base64Encode(hashLeaf(proof.entry)) === entry.leafHash) return proof;
    throw new LogError('log_damaged', `the entry at ${entry.index} is not the one that the receipt is for`, {
      hint: 'the history was rewritten, or the receipt is of another log: run verify with it held',
    });
  }

  /** Searches: iterate over it, newest first, or take it page by page. See `docs/query.md` for the language. */
  query(query: string | Filter = '', options: QueryOptions = {}): Query {
    return new Query(this.#reader, query, options);
  }

  /**
   * Entries as they are stored, ascending, up to the size at the first read: every one of them. Throws `LogError` `log_damaged`
   * at the first that is missing.
   */
  async *entries(range: { readonly from?: number; readonly to?: number } = {}): AsyncGenerator<StoredEntry> {
    checkRange(range);
    const { size } = await this.checkpoint();
    const to = Math.min(range.to ?? size, size);
    yield* walk(this.#reader, range.from ?? 0, to);
  }

  /** The newest checkpoint. */
  checkpoint(): Promise<SignedCheckpoint> {
    return this.#reader.checkpoint();
  }

  /** Audits the whole log: every byte that readers see is read again. Reports; throws only where it cannot read. */
  verify(options: VerifyOptions = {}): Promise<LogReport> {
    return auditFiles(this.#paths, options);
  }

  /** Copies the log, online and consistent, without any private key, into a folder that must not hold a log. */
  async backup(dir: string): Promise<Backup> {
    checkFolder(dir);
    return backupLog(this.#paths, dir);
  }

  /** Answers everything that was recorded, moves the mark, releases threads and files. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#frames.stop().then(() => this.#close());
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await this.#queue?.drained();
    await this.followers.stop();
    await this.#reader.close();
    await this.#writer?.close();
  }

  #push(event: AuditEvent, waiter: (id: string) => Waiter): void {
    const seq = this.#frames.next;
    const draft = this.#draft(event, { source: { ...this.#source, seq } });
    this.#take(draft, (id) => this.#frames.heard(seq, waiter(id)));
    this.#frames.take();
  }

  #take(draft: Draft, waiter: (id: string) => Waiter): void {
    if (this.#closing !== undefined) throw new LogError('closed', 'the log is closed');
    if (this.#queue === undefined) throw new LogError('read_only', 'the log was opened for reading only');
    this.#queue.push(draft, waiter(draftId(draft)));
    this.#reader.wake();
  }

  #draft(event: unknown, given: { source: EventSource; own?: boolean; occurredAt?: string }): Draft {
    const { source, own = false, occurredAt } = given;
    const now = systemClock.wall();
    return prepareEvent(event, {
      id: uuidv7(now),
      occurredAt: occurredAt ?? isoTime(now),
      now,
      source,
      own,
      personalIds: this.#personalIds,
      ...(this.#options.pseudonymKey === undefined ? {} : { pseudonymKey: this.#options.pseudonymKey }),
    });
  }
}

let timeMs = Number.NaN;
let timeText = '';

/** RFC 3339 text of a time; the same millisecond is not formatted twice. */
function isoTime(ms: number): string {
  if (ms !== timeMs) {
    timeText = new Date(ms).toISOString();
    timeMs = ms;
  }
  return timeText;
}

/**
 * Creates a log in `dir` and opens it. Refuses, with `LogError` `log_exists`, where there is one.
 * The signing key is made at `options.key`, or taken from there with `reuseKey`; a root key is made in the folder unless `rootVkey`
 * says that one is kept elsewhere: move it offline.
 */
export async function createLog(dir: string, options: CreateOptions): Promise<Log> {
  checkOptions(options, 'create');
  checkLimits(options.queue);
  checkHeartbeat(options.heartbeatMs);
  const { origin, rootVkey, personalIds, reuseKey, ...open } = options;
  await makeLog(dir, { origin, rootVkey, personalIds, reuseKey }, open);
  return start(dir, open, false);
}

/** Makes the files of a new log without opening it, and tells where its keys are. */
export async function makeLog(dir: string, creation: Making, open: OpenOptions = {}): Promise<Created> {
  return create(dir, creation, open, false);
}

async function create(
  dir: string,
  { origin, rootVkey, personalIds = 'refuse', reuseKey }: Making,
  open: OpenOptions,
  newKeyOnly: boolean,
): Promise<Created> {
  if (typeof origin !== 'string' || origin === '') {
    throw misuse('type', 'option_invalid', 'origin must name the log, as example.com/audit');
  }
  return createFiles({
    paths: logPaths(dir, placesOf(open)),
    origin,
    rootVkey,
    personalIds,
    service: open.service ?? SERVICE_DEFAULT,
    instance: randomUUID(),
    keyText: await keyTextOf(open),
    reuseKey,
    newKeyOnly,
  });
}

/** Where the caller wants parts of the log to lie. */
function placesOf({ key, mark }: OpenOptions): { key?: string | undefined; mark?: string | undefined } {
  return { key: typeof key === 'string' ? key : undefined, mark };
}

/** The signing key itself, where the caller unwraps it. */
async function keyTextOf({ key }: OpenOptions): Promise<string | undefined> {
  return typeof key === 'function' ? await key() : undefined;
}

/** Opens the log in `dir`. Throws `LogError` `log_missing` where there is none, unless `createIfMissing` says how. */
export async function openLog(dir: string, options: OpenOptions = {}): Promise<Log> {
  checkOptions(options, 'open');
  checkLimits(options.queue);
  checkHeartbeat(options.heartbeatMs);
  const paths = logPaths(dir, placesOf(options));
  let announce = true;
  if (!existsSync(paths.database)) {
    if (options.createIfMissing === undefined) {
      throw new LogError('log_missing', `there is no log at ${paths.dir}`, {
        hint: 'create it (createLog, indelible init), or pass createIfMissing',
      });
    }
    announce = !(await createMissing(dir, options));
  }
  return start(dir, options, announce);
}

/** True when it created the log; false when another process did at the same moment. */
async function createMissing(dir: string, options: OpenOptions): Promise<boolean> {
  const creation = options.createIfMissing!;
  checkOptions(creation, 'creation');
  try {
    const { vkey } = await create(dir, creation, options, true);
    warnOf(options)(`created a new log at ${dir}: origin ${creation.origin}, verifier key ${vkey}`);
    return true;
  } catch (error) {
    if (error instanceof LogError && error.code === 'log_exists' && existsSync(logPaths(dir).database))
      return false;
    throw error;
  }
}

async function start(dir: string, options: OpenOptions, announce: boolean): Promise<Log> {
  const paths = logPaths(dir, placesOf(options));
  const instance = randomUUID();
  const warn = warnOf(options);
  const here = options.thread === 'caller';
  const keyText = options.readOnly === true ? undefined : await keyTextOf(options);
  const writing = { paths, service: options.service ?? SERVICE_DEFAULT, instance, announce, keyText };
  // Both halves start at once: a thread takes most of the time that opening takes.
  const opening = [
    options.readOnly === true
      ? undefined
      : here
        ? openWriterHere(writing, { warn })
        : openWriterThread(writing, warn),
    openReader(paths, { here, warn }),
  ] as const;
  const [writer, reader] = await Promise.allSettled(opening);
  if (writer.status === 'fulfilled' && reader.status === 'fulfilled') {
    return new Log({ paths, options, instance, writer: writer.value, reader: reader.value });
  }
  const opened = [writer, reader].map((half) =>
    half.status === 'fulfilled' ? half.value?.close() : undefined,
  );
  await Promise.allSettled(opened);
  throw writer.status === 'rejected' ? writer.reason : (reader as PromiseRejectedResult).reason;
}

function warnOf(options: OpenOptions): (message: string) => void {
  return options.warn ?? ((message) => process.emitWarning(message, { type: 'IndelibleWarning' }));
}
