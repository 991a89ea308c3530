import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseJson } from '../bytes/index.ts';
import { sourceGapEvent } from '../event/index.ts';
import { replaceFile, systemClock } from '../platform/index.ts';
import type { StoredEntry } from '../store/index.ts';
import type { SourceGap } from '../wire/index.ts';
import type { Follower, FollowerBatch } from './followers/index.ts';
import type { Log } from './log.ts';
import { type FoundGap, type KeptSources, SourceBook } from './source-book.ts';
import { GAP_GRACE_MS } from './source-state.ts';

/** How often what was seen is judged, and kept, milliseconds. */
export const CHECK_MS_DEFAULT = 5_000;

/** Gaps that one check records; more wait for the next, so that nobody fills a log with holes at no cost. */
export const GAPS_RECORDED_MAX = 20;

/** How a watch is run. */
export interface SourceWatchOptions {
  readonly checkMs?: number;
  readonly graceMs?: number;
  /** The wall clock, milliseconds. */
  readonly now?: () => number;
}

/** What is kept between lives, in `sources.json`: derived from the entries, and read again from them where it is gone. */
interface Kept extends KeptSources {
  readonly size: number;
}

/**
 * Watches for what is missing: numbers of a source that never arrive, and sources that fall silent without a
 * `source.stopped`. Each gap becomes a `log.source_gap` entry, once, within a minute of its appearance.
 *
 * Integrity is not its matter: a gap says that something was not recorded, never that something was changed. It sees
 * sources that count (`seq`), and that have framed themselves (`source.started`); of others nothing can be missing.
 */
export class SourceWatch implements Follower {
  readonly name = 'sources';
  readonly #log: Pick<Log, 'entries' | 'checkpoint' | 'recordOwn'>;
  readonly #path: string;
  readonly #options: Required<SourceWatchOptions>;
  #book = new SourceBook();
  #size: number | undefined;
  #sinceMs: number;
  #isKept = true;
  /** How large the log was at the last check. */
  #reach: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** Use {@link watchSources}. */
  constructor(log: Log, options: SourceWatchOptions = {}) {
    this.#log = log;
    this.#path = join(log.dir, 'sources.json');
    this.#options = { checkMs: CHECK_MS_DEFAULT, graceMs: GAP_GRACE_MS, now: systemClock.wall, ...options };
    this.#sinceMs = this.#options.now();
  }

  /** Takes entries in. What lies before them, and was not kept, is read again. */
  async apply({ from, entries, signal }: FollowerBatch): Promise<void> {
    if (this.#size === undefined) this.#load();
    if (this.#size! < from) {
      for await (const stored of this.#log.entries({ from: this.#size!, to: from })) this.#see(stored);
    }
    for (const stored of entries) this.#see(stored);
    if (this.#timer !== undefined || signal.aborted) return;
    this.#timer = setInterval(() => void this.check().catch(() => {}), this.#options.checkMs).unref();
    signal.addEventListener('abort', () => this.#stop(), { once: true });
  }

  /** What is missing now, whether it has been recorded or not yet. */
  gaps(): SourceGap[] {
    return [...this.#found()].map(({ gap }) => gap);
  }

  /** Judges what was seen, and records each new gap. Runs by itself every few seconds. */
  async check(): Promise<void> {
    // Entries that have not come by yet may be the ones that seem to be missing: those of the last check must have.
    const reach = this.#reach;
    this.#reach = (await this.#log.checkpoint()).size;
    if (this.#size === undefined || this.#size < (reach ?? this.#reach)) return;
    let recorded = 0;
    for (const { gap, isReported, report } of this.#found()) {
      if (isReported) continue;
      if (recorded === GAPS_RECORDED_MAX) return this.#keep();
      recorded += 1;
      await this.#log.recordOwn(sourceGapEvent(gap));
      report();
      this.#isKept = false;
    }
    this.#keep();
  }

  #found(): Iterable<FoundGap> {
    const { now, graceMs } = this.#options;
    return this.#book.gaps({ nowMs: now(), sinceMs: this.#sinceMs, graceMs });
  }

  #see(stored: StoredEntry): void {
    if (stored.index < this.#size!) return;
    if (stored.index > this.#size!) this.#book.passPruned();
    this.#size = stored.index + 1;
    if (this.#book.see(stored)) this.#isKept = false;
  }

  #load(): void {
    this.#size = 0;
    if (!existsSync(this.#path)) return;
    try {
      const kept = parseJson(readFileSync(this.#path, 'utf8')) as unknown as Kept;
      this.#book = new SourceBook(kept);
      this.#size = kept.size;
    } catch {
      // Whatever spoiled it: the entries say it again.
      this.#book = new SourceBook();
    }
  }

  #keep(): void {
    if (this.#isKept) return;
    replaceFile(this.#path, JSON.stringify({ size: this.#size, ...this.#book.kept }));
    this.#isKept = true;
  }

  #stop(): void {
    clearInterval(this.#timer);
    try {
      this.#keep();
    } catch {
      // It is read again from the entries.
    }
  }
}

/** Watches the sources of a log while it is open; see {@link SourceWatch}. */
export function watchSources(log: Log, options: SourceWatchOptions = {}): SourceWatch {
  const watch = new SourceWatch(log, options);
  log.followers.add(watch);
  return watch;
}
