import type { Log } from '../../log/index.ts';
import type { Clock } from '../../platform/index.ts';
import type { ServerDatabase } from '../database.ts';
import type { Logger } from '../handler-options.ts';
import type { Logs } from '../route.ts';

/** How often logs are looked for whose policy is due, milliseconds. */
const LOOK_MS = 60_000;

/** How often the policy of a log is applied, milliseconds. */
export const RETENTION_ROUND_MS = 24 * 3_600_000;

/** What the rounds work with. */
export interface RoundsParts {
  readonly database: ServerDatabase;
  readonly logs: Logs;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Applies the policy of retention of every log, once a day each. When each was applied last is in `server.db`, so that a server that
 * is started again neither forgets nor repeats it. A failure is told to the operator, and tried again at the next look.
 */
export class RetentionRounds {
  readonly #parts: RoundsParts;
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(parts: RoundsParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => void this.run(), LOOK_MS).unref();
  }

  /** When the policy of a log was applied last, milliseconds; undefined where it never was. */
  appliedAt(log: string): number | undefined {
    return this.#parts.database.get<{ at: number }>('SELECT at FROM retention_run WHERE log = ?', log)?.at;
  }

  /** Applies what is due. Runs by itself; one run at a time. */
  run(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Waits for what is under way; begins nothing else. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#running;
  }

  async #run(): Promise<void> {
    const { logs, clock, logger } = this.#parts;
    for (const name of await logs.names()) {
      if (this.#isClosed) return;
      const last = this.appliedAt(name);
      const now = clock.wall();
      // A clock that was set back is no reason to wait for it.
      if (last !== undefined && now - last < RETENTION_ROUND_MS && now >= last) continue;
      try {
        await this.#apply(name, now);
      } catch (error) {
        logger.error({ err: error, log: name }, 'the policy of retention could not be applied');
      }
    }
  }

  async #prune(name: string, { retention }: Log): Promise<void> {
    const { logger } = this.#parts;
    const { isClean, residue, stoppedBy } = await retention.prune({
      by: { type: 'server', id: 'retention' },
    });
    if (!isClean) logger.warn({ log: name, residue }, 'pruning left bytes in the files of a log');
    if (stoppedBy !== undefined)
      logger.info({ log: name, stoppedBy }, 'pruning went less far than the policy');
  }

  async #apply(name: string, now: number): Promise<void> {
    const { logs, database, logger } = this.#parts;
    const taken = await logs.take(name);
    if (taken === undefined) return;
    try {
      if (taken.damage !== undefined) throw taken.damage;
      const { rules, entries } = await taken.log.retention.policy();
      if (rules.length > 0) {
        const by = { type: 'server', id: 'retention' };
        const { isClean, residue } = await taken.log.retention.apply({ by });
        if (!isClean) logger.warn({ log: name, residue }, 'retention left bytes in the files of a log');
        // What is to be archived first, somebody prunes who knows the archive.
        if (entries === 'delete' && rules.some(({ match }) => match === '*'))
          await this.#prune(name, taken.log);
      }
      database.run(
        'INSERT INTO retention_run VALUES (?, ?) ON CONFLICT (log) DO UPDATE SET at = excluded.at',
        name,
        now,
      );
    } finally {
      taken.release();
    }
  }
}
