import { join } from 'node:path';
import { isLogError, type LogReport, verifyLog } from '../../log/index.ts';
import { overdueOf } from '../../monitor/index.ts';
import { systemClock } from '../../platform/index.ts';
import type { AuditSummary } from '../../wire/index.ts';
import type { Logs, OpenLog, TakenLog } from '../route.ts';
import { AuditMemory, extend, type Remembered } from './audit-memory.ts';

/** How often every log is audited, milliseconds. */
export const AUDIT_MS_DEFAULT = 3_600_000;

/** A log whose last whole audit is older is audited whole, milliseconds: a little less than a day, so that it stays a night's work. */
const WHOLE_MS = 20 * 3_600_000;

/** The hours of the night, by the clock of the machine. */
const NIGHT = { from: 1, to: 5 } as const;

/** Findings that a summary names. */
const FINDINGS_MAX = 10;

/** The log of the server itself, which `names` does not tell. */
const SERVER_LOG = '_server';

/** What is known of one log. */
export interface Audited {
  readonly last?: AuditSummary;
  readonly lastWhole?: AuditSummary;
}

/** What is known of all logs, with no log's name. */
export interface AuditOverall {
  readonly logs: number;
  readonly brokenLogs: number;
  readonly isIntact: boolean;
  /** When the log that was not looked at for longest was last audited, and the one that was audited last. */
  readonly oldestAt: string;
  readonly newestAt: string;
}

/**
 * Audits the logs now and then: by the hour what came since the last audit is read, and held together with what that one has
 * authenticated against the signed head; at night, the first time, and after damage everything is. Results are this server's
 * own opinion, kept beside the logs.
 */
export class Audits {
  readonly #logs: Pick<Logs, 'take' | 'names'>;
  readonly #warn: (message: string) => void;
  readonly #dir: string;
  readonly #memory: AuditMemory;
  readonly #known = new Map<string, Remembered>();
  /** What was overdue at the last audit of each log: a server that has just started has asked nobody yet. */
  readonly #overdue = new Map<string, readonly string[]>();
  readonly #running = new Map<string, Promise<AuditSummary>>();
  #timer: NodeJS.Timeout | undefined;
  #isStopping = false;

  constructor(logs: Pick<Logs, 'take' | 'names'>, dir: string, warn: (message: string) => void = () => {}) {
    this.#logs = logs;
    this.#dir = dir;
    this.#memory = new AuditMemory(dir);
    this.#warn = warn;
    // What was found before the server was started again still holds.
    for (const name of this.#memory.names()) this.#remembered(name);
  }

  /** Audits every log now, and again every so often. */
  start(everyMs = AUDIT_MS_DEFAULT): void {
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => void this.all(), everyMs).unref();
    void this.all();
  }

  /** Audits every log, one after the other: it shall not be noticed. */
  async all(): Promise<void> {
    try {
      for (const name of [...(await this.#logs.names()), SERVER_LOG]) {
        if (this.#isStopping) return;
        await this.#one(name);
      }
    } catch (error) {
      this.#warn(`the logs could not be audited: ${(error as Error).message}`);
    }
  }

  /** What is known of a log. */
  of(name: string): Audited {
    const { base: _, ...audited } = this.#remembered(name);
    return audited;
  }

  isRunning(name: string): boolean {
    return this.#running.has(name);
  }

  /** The logs in which the last audit found something. */
  broken(): string[] {
    return [...this.#known].filter(([, { last }]) => last?.isIntact === false).map(([name]) => name);
  }

  /** What the last audits found, of all logs together; undefined before the first. */
  overall(): AuditOverall | undefined {
    const last = [...this.#known.values()].flatMap((known) => known.last ?? []);
    if (last.length === 0) return undefined;
    const times = last.map(({ finishedAt }) => finishedAt).sort();
    return {
      logs: last.length,
      brokenLogs: last.filter(({ isIntact }) => !isIntact).length,
      isIntact: last.every(({ isIntact }) => isIntact),
      oldestAt: times[0]!,
      newestAt: times.at(-1)!,
    };
  }

  /** Audits one log, unless that is under way already. Rejects where it cannot be read. */
  run(open: Pick<OpenLog, 'name' | 'log'>, depth: AuditSummary['depth']): Promise<AuditSummary> {
    const underWay = this.#running.get(open.name);
    if (underWay !== undefined) return underWay;
    const running = this.#run(open, depth).finally(() => this.#running.delete(open.name));
    this.#running.set(open.name, running);
    return running;
  }

  /** Starts no more, and waits for what is under way. */
  async close(): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#timer);
    await Promise.allSettled(this.#running.values());
  }

  async #one(name: string): Promise<void> {
    let taken: TakenLog | undefined;
    try {
      taken = await this.#logs.take(name).catch((error: unknown) => this.#unopened(name, error));
      if (taken === undefined) return;
      const audited = await this.run(taken, this.#isDue(name) ? 'whole' : 'incremental');
      if (!audited.isIntact) this.#warnOf(name, audited.findings);
      for (const { message } of audited.overdue ?? []) this.#warn(`${name}: ${message}`);
    } catch (error) {
      this.#warn(`${name}: it could not be audited: ${(error as Error).message}`);
    } finally {
      taken?.release();
    }
  }

  /** A log that cannot even be opened is read by the verifier, which believes nothing and stops at nothing. */
  async #unopened(name: string, error: unknown): Promise<undefined> {
    if (!isLogError(error) || error.code === 'closed') throw error;
    const startedAt = isoNow();
    const unreadable = { size: 0, findings: [{ code: error.code, message: error.message, index: 0 }] };
    const report = await verifyLog(join(this.#dir, name), { threads: 1 }).then(told, () => unreadable);
    const findings = report.findings.length === 0 ? unreadable.findings : report.findings;
    const last = { depth: 'whole', size: report.size, isIntact: false, findings } as const;
    this.#remember(name, { ...this.#remembered(name), last: { startedAt, finishedAt: isoNow(), ...last } });
    this.#warnOf(name, findings);
  }

  #warnOf(name: string, findings: AuditSummary['findings']): void {
    this.#warn(`${name}: the audit found damage: ${findings[0]?.message ?? 'see verification'}`);
  }

  /** Whether everything is to be read: at night, and where it never was. */
  #isDue(name: string): boolean {
    const { last, lastWhole, base } = this.#remembered(name);
    if (lastWhole === undefined || base === undefined || last?.isIntact !== true) return true;
    const now = new Date(systemClock.wall());
    const isNight = now.getHours() >= NIGHT.from && now.getHours() < NIGHT.to;
    return isNight && now.getTime() - Date.parse(lastWhole.finishedAt) > WHOLE_MS;
  }

  async #run(
    { name, log }: Pick<OpenLog, 'name' | 'log'>,
    depth: AuditSummary['depth'],
  ): Promise<AuditSummary> {
    const startedAt = isoNow();
    const known = this.#remembered(name);
    const overdue = await this.#stillOverdue(name, log);
    const done = (part: Omit<AuditSummary, 'startedAt' | 'finishedAt'>, base: Remembered['base']) => {
      const summary: AuditSummary = { startedAt, finishedAt: isoNow(), ...part, ...overdue };
      const whole = part.depth === 'whole' ? { lastWhole: summary } : {};
      const now: Remembered = { ...known, ...whole, last: summary, ...(base && { base }) };
      this.#remember(name, now);
      return summary;
    };
    if (depth === 'incremental' && known.base !== undefined) {
      const { size, base, findings } = await extend(log, known);
      const told = findings.slice(0, FINDINGS_MAX);
      return done({ depth, size, isIntact: findings.length === 0, findings: told }, base);
    }
    const whole = told(await log.verify({ vkey: (await log.keys()).vkey, threads: 1 }));
    if (!whole.isIntact) return done({ depth: 'whole', ...whole }, undefined);
    // A log may be sound and another than it was: what an earlier audit authenticated has to be in it still, and stays the measure
    // until somebody has looked into it.
    const { base, findings } = await extend(log, known);
    if (findings.length === 0) return done({ depth: 'whole', ...whole }, base);
    return done(
      { depth: 'whole', ...whole, isIntact: false, findings: findings.slice(0, FINDINGS_MAX) },
      undefined,
    );
  }

  /** What outside parties owe the log now, and owed it when it was audited before. */
  async #stillOverdue(name: string, log: OpenLog['log']): Promise<Pick<AuditSummary, 'overdue'>> {
    const found = await overdueOf(log, systemClock.wall());
    const before = this.#overdue.get(name) ?? [];
    const codes = found.map(({ code }) => code);
    this.#overdue.set(name, codes);
    const overdue = found.filter(({ code }) => before.includes(code));
    return overdue.length === 0 ? {} : { overdue };
  }

  #remember(name: string, now: Remembered): void {
    this.#known.set(name, now);
    this.#memory.save(name, now);
  }

  #remembered(name: string): Remembered {
    let known = this.#known.get(name);
    if (known === undefined) {
      known = this.#memory.load(name);
      this.#known.set(name, known);
    }
    return known;
  }
}

function told({ ok, size, findings }: LogReport): Pick<AuditSummary, 'size' | 'isIntact' | 'findings'> {
  const named = findings
    .slice(0, FINDINGS_MAX)
    .map(({ code, message, from }) => ({ code, message, index: from }));
  return { size, isIntact: ok, findings: named };
}

function isoNow(): string {
  return new Date(systemClock.wall()).toISOString();
}
