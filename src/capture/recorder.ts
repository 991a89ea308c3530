import { openStateFolder } from '#client-state';
import { isLogError, isMisuse, LogError, misuse, parseJson, VerificationError } from '../bytes/index.ts';
import {
  SPOOL_CHARACTERS_MAX,
  SPOOL_EVENTS_MAX,
  type SpooledEvent,
  type SpoolStore,
} from '../client/index.ts';
import {
  type Ambient,
  type ContextualEvent,
  currentActor,
  currentContext,
  fillEvent,
  runInContext,
} from '../context/index.ts';
import { EventError, prepareEvent } from '../event/index.ts';
import { systemClock, uuidv7 } from '../platform/index.ts';
import type { AuditLog, OnFailure, Recorded, RecordOptions } from './audit-log.ts';

import { WakingLoop } from './waking-loop.ts';

export type { AuditLog, OnFailure, Recorded, RecordOptions } from './audit-log.ts';

/** How long the log may take before the spool takes an event, milliseconds. */
export const PATIENCE_MS_DEFAULT = 2_000;

/** Events that are read out of the spool at once. */
const BATCH_EVENTS_MAX = 100;

/** How a recorder is opened. */
export interface RecorderOptions {
  /** The folder of the spool, which is made where it is not there: of this process alone, best on another disk than the log. */
  readonly spool: string;
  /** What to do with events that cannot be recorded now, where neither call nor action says. Default `spool`. */
  readonly onFailure?: OnFailure;
  /** The same by action: `{ 'invoice.voided': 'block' }`. A catalogue has this list as `catalogue.onFailure`. */
  readonly actions?: Readonly<Record<string, OnFailure>>;
  /** How long the log may take before the spool takes an event. Default {@link PATIENCE_MS_DEFAULT}. */
  readonly patienceMs?: number;
  /** Events that may wait in the spool; beyond them `record` rejects with `spool_full`. */
  readonly spoolEventsMax?: number;
  /** Hears that the spool cannot be delivered, and of what was set aside. `process.emitWarning` by default. */
  readonly warn?: (message: string) => void;
}

const optionNames = ['spool', 'onFailure', 'actions', 'patienceMs', 'spoolEventsMax', 'warn'];

/** An event as it lies in the spool, with what was around it when it was handed in. */
interface Kept {
  readonly event: ContextualEvent & { readonly id: string };
  readonly ambient: Ambient;
  /** When it was handed in: its `occurredAt`, where it does not say. */
  readonly handedInAt: string;
}

interface Pending {
  readonly text: string;
  readonly id: string;
  readonly cause: unknown;
  readonly resolve: (recorded: Recorded) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Opens a recorder over a log: `record` answers with a receipt, or, where the log cannot take the event now, with
 * `{ id, isSpooled: true }` once it is on this machine's disk. Throws misuse `option_unknown`, `option_invalid`; `LogError`
 * `spool_locked`, `disk_full`, `io_failed`.
 */
export async function openRecorder<L extends AuditLog>(
  log: L,
  options: RecorderOptions,
): Promise<RecorderOf<L>> {
  checkRecorder(log, options);
  const spool = await openStateFolder(options.spool).openSpool!();
  const recorder = new Recorder(log, options, spool, await spool.counts());
  const { recordIn } = log as Partial<RecordsIn>;
  if (typeof recordIn !== 'function') return recorder as RecorderOf<L>;
  const value: RecordsIn['recordIn'] = async (...words) => {
    recorder.checkOpen();
    return recordIn.apply(log, words);
  };
  return Object.defineProperty(recorder, 'recordIn', { value }) as RecorderOf<L>;
}

interface RecordsIn {
  recordIn(...words: unknown[]): Promise<unknown>;
}

/**
 * A recorder, with `recordIn` where its log has it. That never meets the spool: the event is recorded if and only if the
 * transaction commits, and where it cannot be, the transaction fails.
 */
export type RecorderOf<L extends AuditLog> = Recorder &
  (L extends { readonly recordIn: infer RecordIn } ? { readonly recordIn: RecordIn } : unknown);

/** Records into a log, and keeps on disk what the log cannot take now. Calls may overlap freely. */
export class Recorder implements AuditLog {
  /** Tells integrations that nothing is lost where the log fails. */
  readonly canSpool = true;
  readonly #log: AuditLog;
  readonly #options: RecorderOptions;
  readonly #spool: SpoolStore;
  readonly #loop: WakingLoop;
  #spooled: { events: number; characters: number };
  #pending: Pending[] = [];
  #writing: Promise<void> | undefined;
  #distrust: VerificationError | undefined;
  #hasWarned = false;
  #closing: Promise<void> | undefined;

  /** @internal Use {@link openRecorder}. */
  constructor(
    log: AuditLog,
    options: RecorderOptions,
    spool: SpoolStore,
    counts: { readonly events: number; readonly characters: number },
  ) {
    this.#log = log;
    this.#options = options;
    this.#spool = spool;
    this.#spooled = { events: counts.events, characters: counts.characters };
    this.#loop = new WakingLoop(() => this.#deliver());
    if (counts.events > 0) this.#loop.wake();
  }

  /** Events that wait in the spool. */
  get spooled(): number {
    return this.#spooled.events;
  }

  /**
   * Records one event, as the log does. With `spool`, an event that the log cannot take now goes to the spool, and so does every
   * later one until that is empty, so that their order stays; with `block` it is for the log alone, past the spool.
   *
   * Rejects with what the log rejects with: always where the event itself is refused, and with `block` where it fails; with `LogError`
   * `spool_full`, `disk_full`, `io_failed` where the spool, too, cannot take it: then it is nowhere, and the caller must know.
   */
  async record(event: ContextualEvent, options: RecordOptions = {}): Promise<Recorded> {
    this.checkOpen();
    const { onFailure = 'spool', actions = {} } = this.#options;
    const action = (Object(event) as { readonly action?: string }).action ?? '';
    const byAction = Object.hasOwn(actions, action) ? actions[action] : undefined;
    const mode = options.onFailure ?? byAction ?? onFailure;
    if (mode !== 'block' && mode !== 'spool') {
      throw misuse('type', 'option_invalid', 'onFailure must be block or spool');
    }
    if (mode === 'block') return this.#log.record(event);
    const now = systemClock.wall();
    const id = (Object(event) as { readonly id?: string }).id ?? uuidv7(now);
    const kept: Kept = { event: { ...event, id }, ambient: ambientHere(), handedInAt: timeOf(now) };
    if (this.#spooled.events > 0 || this.#pending.length > 0) {
      this.#check(kept);
      return this.#keep(kept, undefined);
    }
    try {
      return await this.#patiently(() => this.#log.record(kept.event));
    } catch (error) {
      if (!mayPass(error)) throw error;
      return this.#keep(kept, error);
    }
  }

  /** Throws `LogError` `closed` once it is closed. @internal */
  checkOpen(): void {
    if (this.#closing !== undefined) throw new LogError('closed', 'the recorder is closed');
  }

  /** Stops delivering and gives the spool back. What is in it is delivered by the next recorder over it. The log stays open. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await this.#writing;
    await this.#loop.stop();
    await this.#spool.close();
  }

  async #patiently(record: () => Promise<Recorded>): Promise<Recorded> {
    const { patienceMs = PATIENCE_MS_DEFAULT } = this.#options;
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const message = `the log did not answer within ${patienceMs} ms`;
        // It may land yet. Delivered again under the same id, it is recorded once.
        reject(new LogError('unreachable', message, { retryable: true }));
      }, patienceMs);
    });
    try {
      return await Promise.race([record(), patience]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** An event that goes past the log into the spool is held to the rules of the log, as far as they are known here. */
  #check({ event, handedInAt }: Kept): void {
    const filled = fillEvent(event);
    const own = this.#log as {
      draft?(event: unknown): unknown;
      readonly log?: { draft?(event: unknown): unknown };
    };
    if (typeof own.draft === 'function') own.draft(filled.event);
    else if (typeof own.log?.draft === 'function') own.log.draft(filled.event);
    else {
      prepareEvent(filled.event, {
        id: event.id,
        occurredAt: handedInAt,
        now: Date.parse(handedInAt),
        source: { service: 'recorder', instance: event.id, seq: null },
        personalIds: 'allow',
      });
    }
  }

  /** Resolves once the event is on the disk. What is handed in together shares one write. */
  #keep(kept: Kept, cause: unknown): Promise<Recorded> {
    const text = JSON.stringify(kept);
    return new Promise((resolve, reject) => {
      this.#pending.push({ text, id: kept.event.id, cause, resolve, reject });
      this.#writing ??= new Promise<void>((done) => setImmediate(done)).then(() => this.#write());
    });
  }

  async #write(): Promise<void> {
    this.#writing = undefined;
    const pending = this.#pending;
    this.#pending = [];
    const fitting = pending.filter((one) => this.#fits(one));
    try {
      if (this.#distrust !== undefined) throw this.#distrust;
      await this.#spool.append(fitting.map(({ text }) => text));
    } catch (error) {
      for (const one of fitting) this.#give(one, -1);
      for (const { reject, cause } of fitting) reject(nowhere(error, cause));
      return;
    }
    for (const { resolve, id } of fitting) resolve({ id, isSpooled: true });
    if (fitting.length > 0) this.#loop.wake();
  }

  /** Counts an event in; where there is no room it is refused instead. */
  #fits(one: Pending): boolean {
    const { spoolEventsMax = SPOOL_EVENTS_MAX } = this.#options;
    const { events, characters } = this.#spooled;
    if (events < spoolEventsMax && characters + one.text.length <= SPOOL_CHARACTERS_MAX) {
      this.#give(one, 1);
      return true;
    }
    const hint = 'the log has failed for long: see why, or raise spoolEventsMax';
    const message = `${events} events wait in the spool`;
    one.reject(new LogError('spool_full', message, { retryable: true, hint, cause: one.cause }));
    return false;
  }

  #give({ text }: { readonly text: string }, sign: 1 | -1): void {
    const { events, characters } = this.#spooled;
    this.#spooled = { events: events + sign, characters: characters + sign * text.length };
  }

  /** Delivers what is in the spool, oldest first. True when nothing is left; false to be called again after a pause. */
  async #deliver(): Promise<boolean> {
    try {
      for (;;) {
        const batch = await this.#spool.read(BATCH_EVENTS_MAX);
        if (batch.length === 0) return true;
        for (const spooled of batch) {
          if (this.#closing !== undefined) return true;
          await this.#deliverOne(spooled);
        }
        this.#hasWarned = false;
        this.#distrust = undefined;
      }
    } catch (error) {
      if (error instanceof VerificationError) this.#distrust = error;
      if (!this.#hasWarned) {
        this.#warn(
          `the spool holds ${this.spooled} events and cannot be delivered: ${(error as Error).message}`,
        );
      }
      this.#hasWarned = true;
      return false;
    }
  }

  /** Records one spooled event and takes it out; sets it aside where the log will never have it. Throws where it may have it later. */
  async #deliverOne({ position, text }: SpooledEvent): Promise<void> {
    const kept = parseJson(text, { maxDepth: 40 }) as unknown as Kept;
    try {
      await this.#recordKept(kept);
      await this.#spool.remove(position);
    } catch (error) {
      if (mayPass(error) || error instanceof VerificationError) throw error;
      await this.#spool.refuse(position, (error as Error).message);
      this.#warn(
        `the event ${kept.event.id} in the spool was refused and set aside: ${(error as Error).message}`,
      );
    }
    this.#give({ text }, -1);
  }

  async #recordKept({ event, ambient, handedInAt }: Kept): Promise<void> {
    const record = (given: ContextualEvent): Promise<Recorded> =>
      this.#patiently(() => runInContext(ambient, () => this.#log.record(given)));
    if (event.occurredAt !== undefined) return void (await record(event));
    try {
      await record({ ...event, occurredAt: handedInAt });
    } catch (error) {
      if (!isLogError(error, 'id_conflict')) throw error;
      // The first attempt may have landed, and was dated by the log. Without a time of its own this is a repeat of it, or a conflict.
      await record(event);
    }
  }

  #warn(message: string): void {
    const { warn = (text: string) => process.emitWarning(text, { type: 'IndelibleWarning' }) } =
      this.#options;
    warn(message);
  }
}

/** What is around this code, as plain data: a spool outlives the process. */
function ambientHere(): Ambient {
  const actor = currentActor();
  const { context } = fillEvent({}).event as { readonly context?: NonNullable<Ambient['context']> };
  const source = currentContext()?.source;
  return {
    ...(actor !== undefined && { actor }),
    ...(context !== undefined && { context }),
    ...(source !== undefined && { source }),
  };
}

/** Whether a failure says nothing of the event itself, so that the same event may be recorded later. */
function mayPass(error: unknown): boolean {
  if (error instanceof EventError || error instanceof VerificationError || isMisuse(error)) return false;
  return !isLogError(error, 'id_conflict') && !isLogError(error, 'request_refused');
}

/** Neither the log nor the spool has the event: the caller hears of both. */
function nowhere(error: unknown, cause: unknown): unknown {
  if (cause === undefined || !isLogError(error)) return error;
  const message = `neither the log nor the spool can take the event: ${error.message}`;
  return new LogError(error.code, message, { retryable: error.retryable, cause });
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

function checkRecorder(log: AuditLog, options: RecorderOptions): void {
  if (typeof log?.record !== 'function') {
    throw misuse('type', 'argument_invalid', 'a recorder needs an open log, or a client');
  }
  for (const name of Object.keys(options)) {
    if (optionNames.includes(name)) continue;
    throw misuse('type', 'option_unknown', `unknown option ${name}: known are ${optionNames.join(', ')}`);
  }
  if (typeof options.spool !== 'string' || options.spool === '') {
    throw misuse('type', 'option_invalid', 'spool must be a folder of this process alone');
  }
  for (const [name, mode] of [['onFailure', options.onFailure], ...Object.entries(options.actions ?? {})]) {
    if (mode === undefined || mode === 'block' || mode === 'spool') continue;
    throw misuse('type', 'option_invalid', `${name} must be block or spool`);
  }
  for (const name of ['patienceMs', 'spoolEventsMax'] as const) {
    const value = options[name];
    if (value === undefined || (Number.isSafeInteger(value) && value >= 1)) continue;
    throw misuse('range', 'option_invalid', `${name} must be a whole number of at least 1`);
  }
}
