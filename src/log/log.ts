import { base64Encode } from '../bytes/index.ts';
import { type ContextualEvent, currentSource, fillEvent } from '../context/index.ts';
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
import type { LogReport, VerifyOptions } from './audit.ts';
import type { Backup } from './backup.ts';
import type { Intake } from './commit.ts';
import { FollowerRunner } from './followers/index.ts';
import { type OpenOptions, SERVICE_DEFAULT } from './options.ts';
import type { LogHome } from './paths.ts';
import { Query, type QueryOptions } from './query.ts';
import { Queue, type Waiter } from './queue.ts';
import type { Proof, SignedCheckpoint } from './reader.ts';
import type { ReaderHandle } from './reader-thread.ts';
import { type Behalf, One, type Receipt, type RecordResult } from './receipt.ts';
import { HEARTBEAT_MS_DEFAULT, SourceFrames } from './source-frames.ts';
import { walk } from './walk.ts';
import type { WriterHandle } from './writer-thread.ts';

/** A log that is open. Made by `createLog` and `openLog`; calls may overlap freely. */
export class Log {
  readonly dir: string;
  readonly origin: string;
  /** The verifier key of the key that signs. */
  readonly vkey: string;
  /** Extensions that tail the log from a durable cursor. */
  readonly followers: FollowerRunner;
  readonly #home: LogHome;
  readonly #options: OpenOptions;
  readonly #writer: WriterHandle | undefined;
  readonly #reader: ReaderHandle;
  readonly #queue: Queue | undefined;
  readonly #source: { readonly service: string; readonly instance: string; readonly version?: string };
  readonly #personalIds: 'refuse' | 'allow' | 'pseudonymise';
  readonly #frames: SourceFrames;
  #closing: Promise<void> | undefined;

  /** @internal Use `openLog`. */
  constructor(parts: {
    home: LogHome;
    options: OpenOptions;
    instance: string;
    writer: WriterHandle | undefined;
    reader: ReaderHandle;
  }) {
    const { home, options, instance, writer, reader } = parts;
    this.dir = home.dir;
    this.#home = home;
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
    this.followers = new FollowerRunner(reader, home.followers);
  }

  /**
   * Records one event. Resolves when it is on the disk and in the tree; a repeat (same id, same event)
   * resolves with the same `id`, `index` and `leafHash`. What it leaves out of `actor` and `context` is taken from the context
   * around the call (`indelible/context`); what was taken from there does not tell a repeat from another event.
   *
   * Rejects with `EventError` where the event is refused (nothing was recorded), and with `LogError`:
   * `id_conflict`, `overloaded` and `disk_full` (retryable; nothing was recorded), `outcome_unknown` (open the
   * log again and repeat with the same id), `closed`, `read_only`.
   */
  record(event: ContextualEvent): Promise<Receipt> {
    return new Promise<Receipt>((resolve, reject) => {
      this.#push(event, (id) => new One(id, resolve, reject));
    });
  }

  /**
   * Records many events, in their order; each has its own result, and a refused one fails no other.
   * Sent together, they share transactions. Where more events are handed in than may wait, it waits for room.
   * Never rejects for an event's sake.
   */
  async recordMany(events: Iterable<ContextualEvent>): Promise<RecordResult[]> {
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
    const { service, credential, counted, occurredAt, filled = [] } = behalf;
    const { instance } = this.#source;
    const source = {
      ...(counted ?? { instance, seq: null }),
      service,
      ...(credential === undefined ? {} : { credential }),
    };
    return new Promise<Receipt>((resolve, reject) => {
      const given = { source, filled, ...(occurredAt === undefined ? {} : { occurredAt }) };
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

  /**
   * The draft of an event that is recorded later, by whoever holds the log then: as {@link record} would make it.
   * @internal
   */
  draft(
    event: unknown,
    source: Omit<EventSource, 'seq'> = this.#source,
    surroundings: { readonly filled?: readonly string[]; readonly occurredAt?: string } = {},
  ): Draft {
    return this.#draft(event, { ...surroundings, source: { ...source, seq: null } });
  }

  /**
   * Records what an intake has, in its turn. Answers how many events that were.
   * @internal
   */
  async take(intake: Intake): Promise<number> {
    if (this.#closing !== undefined) throw new LogError('closed', 'the log is closed');
    if (this.#writer?.take === undefined)
      throw new LogError('read_only', 'the log was opened for reading only');
    const { indexes } = await this.#writer.take(intake);
    this.#reader.wake();
    return indexes.length;
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
    return this.#home.verify(options);
  }

  /** Copies the log, online and consistent, without any private key, into a folder that must not hold a log. */
  async backup(dir: string): Promise<Backup> {
    checkFolder(dir);
    return this.#home.backup(dir);
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

  #push(given: ContextualEvent, waiter: (id: string) => Waiter): void {
    const seq = this.#frames.next;
    const { event, names } = fillEvent(given);
    const { service, version } = this.#options;
    // What was told when the log was opened wins over the part of the application that acts.
    const told = { ...(service !== undefined && { service }), ...(version !== undefined && { version }) };
    const source = { ...this.#source, ...currentSource(), ...told, seq };
    const draft = this.#draft(event, { source, filled: names });
    this.#take(draft, (id) => this.#frames.heard(seq, waiter(id)));
    this.#frames.take();
  }

  #take(draft: Draft, waiter: (id: string) => Waiter): void {
    if (this.#closing !== undefined) throw new LogError('closed', 'the log is closed');
    if (this.#queue === undefined) throw new LogError('read_only', 'the log was opened for reading only');
    this.#queue.push(draft, waiter(draftId(draft)));
    this.#reader.wake();
  }

  #draft(event: unknown, given: Drafting): Draft {
    const { source, own = false, occurredAt, filled = [] } = given;
    const now = systemClock.wall();
    return prepareEvent(event, {
      id: uuidv7(now),
      occurredAt: occurredAt ?? isoTime(now),
      now,
      source,
      filled,
      own,
      personalIds: this.#personalIds,
      ...(this.#options.pseudonymKey === undefined ? {} : { pseudonymKey: this.#options.pseudonymKey }),
    });
  }
}

/** What the log says of an event that it drafts. */
interface Drafting {
  readonly source: EventSource;
  readonly own?: boolean;
  readonly occurredAt?: string;
  readonly filled?: readonly string[];
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
