import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hexDecode, hexEncode, misuse } from '../../bytes/index.ts';
import { configChangedEvent } from '../../event/index.ts';
import {
  type CommitMeter,
  isLogError,
  type Log,
  LogError,
  makeLog,
  openLog,
  peekLog,
  type QueueLimits,
  type SourceWatch,
  watchSources,
} from '../../log/index.ts';
import { createExclusive, randomBytes, readPrivate, replaceFile } from '../../platform/index.ts';
import type { LogRequest, LogSummary } from '../../wire/index.ts';
import type { Caller, Logs, TakenLog } from '../route.ts';
import { Audits } from './audits.ts';
import { CursorSeal } from './cursor-seal.ts';
import { actorOf, Views } from './views.ts';
import { type KmsKeys, WrappedKeys } from './wrapped-keys.ts';

/** How the logs of a server are kept. */
export interface LogsOptions {
  /** What the origins of new logs begin with, where the request names none: `<base>/<name>`. */
  readonly originBase?: string;
  /** Logs that stay open when nobody uses them. Default {@link LOGS_OPEN_MAX}. */
  readonly openMax?: number;
  /** Opens the keys that AWS KMS has wrapped, and wraps those of new logs. */
  readonly kms?: KmsKeys | undefined;
  /** Limits of what may wait to be recorded in one log. */
  readonly queue?: QueueLimits;
  /** Hears how recording goes, in all logs alike. */
  readonly meter?: CommitMeter;
  readonly warn?: (message: string) => void;
}

/** How the open logs fare, added up. */
export interface Vitals {
  readonly open: number;
  /** Events that wait to be recorded. */
  readonly waiting: number;
  /** How many entries the search index furthest behind has still to take in. */
  readonly indexLagMax: number;
  /** Witnesses of these logs that do not cosign, for whatever reason. */
  readonly witnessesFailing: number;
}

/** Logs that stay open when nobody uses them. */
export const LOGS_OPEN_MAX = 64;

/** A tenant's log is named so; the server's own begin with `_`. */
const tenantName = /^[a-z0-9][a-z0-9-]{0,62}$/;
const ownName = /^_[a-z0-9-]{1,62}$/;

/** `source.service` of what the server itself records. */
const SERVICE = 'indelible-server';

/** What opening a log for writing may find; it is then opened for reading, so that the damage can be seen. */
const damageCodes = new Set<string>([
  'head_invalid',
  'key_insecure',
  'key_mismatch',
  'key_missing',
  'log_damaged',
  'mark_invalid',
  'rolled_back',
  'schema_changed',
]);

interface Opened {
  readonly log: Log;
  readonly damage: LogError | undefined;
  /** Looks for what is missing, while the log is open. */
  readonly sources?: SourceWatch;
}

interface Slot {
  readonly opening: Promise<Opened>;
  users: number;
  isPublic: boolean;
  /** Nobody takes it any more: it is closed when the last one who has it lets go. */
  isRetired: boolean;
}

/**
 * The logs of one data directory: `<data>/logs/<name>/`, each a folder like any other log's, with its mark and the server's
 * settings for it beside. Those that are used lately stay open; one that somebody has taken is never closed under their hands.
 */
export class LogRegistry implements Logs {
  /** Seals cursors, so that none is of use in another log or under another filter. */
  readonly cursors: CursorSeal;
  /** What this server found when it audited the logs; `start` it where the server runs. */
  readonly audits: Audits;
  /** Who reads what, on its way into the logs. */
  readonly views: Views;
  readonly #dir: string;
  readonly #options: LogsOptions;
  readonly #wrappedKeys: WrappedKeys;
  /** The most recently used last. */
  readonly #slots = new Map<string, Slot>();
  readonly #closing = new Map<string, Promise<void>>();
  #closed: Promise<void> | undefined;
  #isClosed = false;

  /** @internal Use {@link openLogs}. */
  constructor(dataDir: string, options: LogsOptions) {
    this.#dir = join(dataDir, 'logs');
    this.#options = options;
    this.#wrappedKeys = new WrappedKeys(this.#dir, options.kms);
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
    this.audits = new Audits(this, this.#dir, options.warn);
    this.views = new Views(this, options.warn);
    this.cursors = new CursorSeal(secretAt(join(dataDir, 'cursor.key')));
  }

  async take(name: string): Promise<TakenLog | undefined> {
    if (this.#isClosed) throw new LogError('closed', 'the server is stopping');
    if (!isName(name) || !existsSync(join(this.#dir, name, 'log.db'))) return undefined;
    await this.#closing.get(name);
    const slot = this.#slots.get(name) ?? this.#newSlot(name);
    this.#slots.delete(name);
    this.#slots.set(name, slot);
    slot.users += 1;
    let opened: Opened;
    try {
      opened = await slot.opening;
    } catch (error) {
      if (this.#slots.get(name) === slot) this.#slots.delete(name);
      throw error;
    }
    const taken = this.#taken({ name, slot, ...opened });
    if (!opened.log.isLost) return taken;
    // Its writer or its thread is gone for good: who opens it again finds out what is there.
    if (this.#slots.get(name) === slot) {
      this.#options.warn?.(`${name}: it answers nothing more, and is opened again`);
      this.#slots.delete(name);
      slot.isRetired = true;
    }
    taken.release();
    return this.take(name);
  }

  async names(): Promise<readonly string[]> {
    return readdirSync(this.#dir)
      .filter((name) => tenantName.test(name) && existsSync(join(this.#dir, name, 'log.db')))
      .sort();
  }

  async summary(name: string): Promise<LogSummary | undefined> {
    // Its head is read, and nothing opened: a list of many logs would push those in use out of their places.
    const dir = join(this.#dir, name);
    if (!isName(name) || !existsSync(join(dir, 'log.db'))) return undefined;
    return { name, ...peekLog(dir), isPublic: this.#settings(name).isPublic };
  }

  async create({ name, origin: named, personalIds, isPublic }: LogRequest): Promise<LogSummary> {
    if (!isName(name)) {
      throw misuse('range', 'option_invalid', 'a log is named with 1 to 63 of a-z 0-9 -, no - in front');
    }
    const origin = named ?? `${this.#options.originBase ?? 'localhost'}/${name}`;
    const creation = { origin, ...(personalIds === undefined ? {} : { personalIds }) };
    await this.#wrappedKeys.making({ name, origin }, async (key) => {
      await makeLog(join(this.#dir, name), creation, { service: SERVICE, ...key });
    });
    if (isPublic === true) this.#writeSettings(name, { isPublic });
    return (await this.summary(name))!;
  }

  async setPublic(name: string, isPublic: boolean, by?: Caller): Promise<LogSummary | undefined> {
    const taken = await this.take(name);
    if (taken === undefined) return undefined;
    try {
      const from = taken.isPublic;
      if (from !== isPublic) {
        // The entry first: a setting that is in force and not in the log would be a change that nobody can see.
        if (taken.damage !== undefined) throw taken.damage;
        await taken.log.recordOwn(
          configChangedEvent({
            settings: { isPublic: { from, to: isPublic } },
            ...(by && { actor: actorOf(by) }),
          }),
        );
        this.#writeSettings(name, { isPublic });
      }
    } finally {
      taken.release();
    }
    return this.summary(name);
  }

  /** How the logs that are open now fare. */
  async vitals(): Promise<Vitals> {
    const logs = await Promise.allSettled([...this.#slots.values()].map(({ opening }) => opening));
    const opened = logs.flatMap((one) => (one.status === 'fulfilled' ? [one.value.log] : []));
    const lags = await Promise.allSettled(opened.map(lagOf));
    return {
      open: opened.length,
      waiting: opened.reduce((sum, log) => sum + log.waiting, 0),
      witnessesFailing: opened.reduce((sum, log) => sum + witnessesFailing(log), 0),
      indexLagMax: lags.reduce((max, lag) => Math.max(max, lag.status === 'fulfilled' ? lag.value : 0), 0),
    };
  }

  /** Closes all logs, after everything that is under way in them. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#closeAll();
    return this.#closed;
  }

  async #closeAll(): Promise<void> {
    await this.audits.close();
    await this.views.close();
    this.#isClosed = true;
    const slots = [...this.#slots.values()];
    this.#slots.clear();
    await Promise.allSettled(slots.map(async ({ opening }) => (await opening).log.close()));
    await Promise.allSettled(this.#closing.values());
  }

  #newSlot(name: string): Slot {
    return { opening: this.#open(name), users: 0, isRetired: false, ...this.#settings(name) };
  }

  async #open(name: string): Promise<Opened> {
    const { queue, meter, warn } = this.#options;
    const dir = join(this.#dir, name);
    const options = { service: SERVICE, ...(warn && { warn: (text: string) => warn(`${name}: ${text}`) }) };
    try {
      const key = this.#wrappedKeys.of(name);
      const writing = { ...options, ...(key && { key }), ...(queue && { queue }), ...(meter && { meter }) };
      const log = await openLog(dir, writing);
      return { log, damage: undefined, sources: watchSources(log) };
    } catch (error) {
      if (!isLogError(error) || !damageCodes.has(error.code)) throw error;
      warn?.(`${name}: open for reading only: ${error.message} (${error.code})`);
      return { log: await openLog(dir, { ...options, readOnly: true }), damage: error };
    }
  }

  #taken({ name, slot, ...opened }: { name: string; slot: Slot } & Opened): TakenLog {
    let isHeld = true;
    const release = (): void => {
      if (!isHeld) return;
      isHeld = false;
      slot.users -= 1;
      if (slot.isRetired && slot.users === 0) this.#closeSlot(name, slot);
      this.#trim();
    };
    return { name, ...opened, isPublic: slot.isPublic, release };
  }

  /** Closes what nobody uses, the least recently used first, until few enough are open. */
  #trim(): void {
    let over = this.#slots.size - (this.#options.openMax ?? LOGS_OPEN_MAX);
    for (const [name, slot] of this.#slots) {
      if (over <= 0) return;
      if (slot.users > 0) continue;
      over -= 1;
      this.#slots.delete(name);
      this.#closeSlot(name, slot);
    }
  }

  #closeSlot(name: string, { opening }: Slot): void {
    const closing = Promise.allSettled([this.#closing.get(name)])
      .then(() => opening)
      .then(({ log }) => log.close())
      .catch((error: unknown) => this.#options.warn?.(`${name}: ${(error as Error).message}`))
      .finally(() => {
        if (this.#closing.get(name) === closing) this.#closing.delete(name);
      });
    this.#closing.set(name, closing);
  }

  #settings(name: string): { readonly isPublic: boolean } {
    const path = this.#settingsPath(name);
    if (!existsSync(path)) return { isPublic: false };
    return { isPublic: readFileSync(path, 'utf8') === settingsText({ isPublic: true }) };
  }

  #writeSettings(name: string, settings: { readonly isPublic: boolean }): void {
    replaceFile(this.#settingsPath(name), settingsText(settings));
    const slot = this.#slots.get(name);
    if (slot !== undefined) slot.isPublic = settings.isPublic;
  }

  #settingsPath(name: string): string {
    return join(this.#dir, `${name}.settings.json`);
  }
}

/** Opens the logs of a data directory, which is made where there is none. */
export function openLogs(dataDir: string, options: LogsOptions = {}): LogRegistry {
  return new LogRegistry(dataDir, options);
}

/** How far the search index of a log is behind the log; one that is closed under our hands is not. */
async function lagOf({ reader }: Log): Promise<number> {
  const [{ size }, { complete }] = await Promise.all([reader.checkpoint(), reader.indexed()]);
  return Math.max(0, size - complete);
}

function isName(name: string): boolean {
  return tenantName.test(name) || ownName.test(name);
}

function settingsText(settings: { readonly isPublic: boolean }): string {
  return `${JSON.stringify(settings)}\n`;
}

function secretAt(path: string): Uint8Array {
  createExclusive(path, hexEncode(randomBytes(32)), 0o600);
  const { text, loose } = readPrivate(path);
  if (loose) throw new LogError('key_insecure', `${path} can be read or written by others than its owner`);
  return hexDecode(text);
}

function witnessesFailing(log: Log): number {
  const witnesses = log.followers.list().filter(({ name }) => name.startsWith('witness/'));
  return witnesses.filter(({ state }) => state === 'failing' || state === 'refused').length;
}
