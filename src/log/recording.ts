import { type ContextualEvent, currentSource, fillEvent } from '../context/index.ts';
import {
  type AuditEvent,
  type Draft,
  draftId,
  type EventSource,
  type PersonalIds,
  prepareEvent,
} from '../event/index.ts';
import { systemClock, uuidv7 } from '../platform/index.ts';
import { LogError } from '../store/index.ts';
import { checkEvents } from './arguments.ts';
import type { Intake } from './commit.ts';
import { type OpenOptions, SERVICE_DEFAULT } from './options.ts';
import { Queue, type Waiter } from './queue.ts';
import { type Behalf, type FreshReceipt, One, type Receipt, type RecordResult } from './receipt.ts';
import { HEARTBEAT_MS_DEFAULT, SourceFrames } from './source-frames.ts';
import type { WriterHandle } from './writer-thread.ts';

/** What the recording half of a log works with. */
export interface RecordingParts {
  readonly options: OpenOptions;
  /** A UUID of this process start. */
  readonly instance: string;
  readonly personalIds: PersonalIds;
  /** Undefined where the log was opened for reading only. */
  readonly writer: WriterHandle | undefined;
  /** Hears that something was handed in. */
  readonly wake: () => void;
  /** What becomes of a receipt before the caller has it. */
  readonly fresh: (receipt: Receipt) => FreshReceipt;
}

/** The half of an open log that takes events in: it drafts them, queues them, numbers them, and frames what this process sends. */
export class Recording {
  readonly #parts: RecordingParts;
  readonly #queue: Queue | undefined;
  readonly #source: { readonly service: string; readonly instance: string; readonly version?: string };
  readonly #frames: SourceFrames;
  #isClosed = false;

  constructor(parts: RecordingParts) {
    const { options, instance, writer } = parts;
    this.#parts = parts;
    this.#source = {
      service: options.service ?? SERVICE_DEFAULT,
      instance,
      ...(options.version === undefined ? {} : { version: options.version }),
    };
    this.#queue = writer && new Queue((drafts) => writer.commit(drafts), options.queue, options.meter);
    this.#frames = new SourceFrames({
      instance,
      everyMs: options.heartbeatMs ?? HEARTBEAT_MS_DEFAULT,
      send: (event) => this.own(event),
    });
  }

  /** Whether the writer does not know what it wrote. */
  get isLost(): boolean {
    return this.#queue?.isLost === true;
  }

  /** Events that wait, and are under way. */
  get waiting(): number {
    return this.#queue?.length ?? 0;
  }

  /** Throws `LogError` `closed` after {@link close}. */
  requireOpen(): void {
    if (this.#isClosed) throw new LogError('closed', 'the log is closed');
  }

  /** See `Log.record`. */
  record(event: ContextualEvent): Promise<FreshReceipt> {
    return new Promise<FreshReceipt>((resolve, reject) => {
      this.#push(event, (id) => new One(id, (receipt) => resolve(this.#parts.fresh(receipt)), reject));
    });
  }

  /** See `Log.recordMany`. */
  async recordMany(events: Iterable<ContextualEvent>): Promise<RecordResult[]> {
    checkEvents(events);
    const results = [];
    for (const event of events) {
      const { promise, resolve } = Promise.withResolvers<RecordResult>();
      results.push(promise);
      const refuse = (error: unknown) => resolve({ ok: false, error: error as Error });
      const accept = (receipt: Receipt) => resolve({ ok: true, receipt: this.#parts.fresh(receipt) });
      if (this.#queue?.full) await this.#queue.room();
      try {
        this.#push(event, (id) => new One(id, accept, refuse));
      } catch (error) {
        refuse(error);
      }
    }
    return Promise.all(results);
  }

  /** An event that came through a server: `source` says from whom. */
  for(event: unknown, behalf: Behalf): Promise<Receipt> {
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

  /** An entry of the log's own, `log.viewed` and the like. */
  own(event: AuditEvent): Promise<Receipt> {
    return new Promise<Receipt>((resolve, reject) => {
      const source = { ...this.#source, seq: null };
      this.#take(this.#draft(event, { source, own: true }), (id) => new One(id, resolve, reject));
    });
  }

  /** The draft of an event that is recorded later, by whoever holds the log then. */
  draft(
    event: unknown,
    source: Omit<EventSource, 'seq'> = this.#source,
    surroundings: { readonly filled?: readonly string[]; readonly occurredAt?: string } = {},
  ): Draft {
    return this.#draft(event, { ...surroundings, source: { ...source, seq: null } });
  }

  /** Records what an intake has, in its turn. Answers how many events that were. */
  async take(intake: Intake): Promise<number> {
    this.requireOpen();
    const { writer, wake } = this.#parts;
    if (writer?.take === undefined) throw readOnly();
    const { indexes } = await writer.take(intake);
    wake();
    return indexes.length;
  }

  /** Takes nothing more, says that this source stops, and resolves when everything is answered. */
  async close(): Promise<void> {
    const stopped = this.#frames.stop();
    this.#isClosed = true;
    await stopped;
    await this.#queue?.drained();
  }

  #push(given: ContextualEvent, waiter: (id: string) => Waiter): void {
    const seq = this.#frames.next;
    const { event, names } = fillEvent(given);
    const { service, version } = this.#parts.options;
    // What was told when the log was opened wins over the part of the application that acts.
    const told = { ...(service !== undefined && { service }), ...(version !== undefined && { version }) };
    const source = { ...this.#source, ...currentSource(), ...told, seq };
    const draft = this.#draft(event, { source, filled: names });
    this.#take(draft, (id) => this.#frames.heard(seq, waiter(id)));
    this.#frames.take();
  }

  #take(draft: Draft, waiter: (id: string) => Waiter): void {
    this.requireOpen();
    if (this.#queue === undefined) throw readOnly();
    this.#queue.push(draft, waiter(draftId(draft)));
    this.#parts.wake();
  }

  #draft(event: unknown, given: Drafting): Draft {
    const { source, own = false, occurredAt, filled = [] } = given;
    const { personalIds, options } = this.#parts;
    const now = systemClock.wall();
    return prepareEvent(event, {
      id: uuidv7(now),
      occurredAt: occurredAt ?? isoTime(now),
      now,
      source,
      filled,
      own,
      personalIds,
      ...(options.pseudonymKey === undefined ? {} : { pseudonymKey: options.pseudonymKey }),
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

function readOnly(): LogError {
  return new LogError('read_only', 'the log was opened for reading only');
}

let timeMs = Number.NaN;
let timeText = '';

/** RFC 3339 text of a time; the same millisecond is not formatted twice. */
export function isoTime(ms: number): string {
  if (ms !== timeMs) {
    timeText = new Date(ms).toISOString();
    timeMs = ms;
  }
  return timeText;
}
