import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseJson } from '../bytes/index.ts';
import { sourceFrameOf, sourceGapEvent } from '../event/index.ts';
import { replaceFile, systemClock } from '../platform/index.ts';
import type { StoredEntry } from '../store/index.ts';
import type { SourceGap } from '../wire/index.ts';
import type { Follower, FollowerBatch } from './followers/index.ts';
import type { Log } from './log.ts';
import { type SourceSeen, skimSource } from './source-skim.ts';
import { account, GAP_GRACE_MS, miss, newSource, patienceMs, type SourceState } from './source-state.ts';

/** How often what was seen is judged, and kept, milliseconds. */
export const CHECK_MS_DEFAULT = 5_000;

/** Sources that are remembered; the one that was silent longest goes first. */
export const SOURCES_MAX = 10_000;

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
interface Kept {
  readonly size: number;
  readonly sources: readonly SourceState[];
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
  #sources = new Map<string, SourceState>();
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
    return [...this.#sources.values()].flatMap((source) => this.#gapsOf(source).map(({ gap }) => gap));
  }

  /** Judges what was seen, and records each new gap. Runs by itself every few seconds. */
  async check(): Promise<void> {
    // Entries that have not come by yet may be the ones that seem to be missing: those of the last check must have.
    const reach = this.#reach;
    this.#reach = (await this.#log.checkpoint()).size;
    if (this.#size === undefined || this.#size < (reach ?? this.#reach)) return;
    let recorded = 0;
    for (const source of this.#sources.values()) {
      for (const { gap, isReported, report } of this.#gapsOf(source)) {
        if (isReported) continue;
        if (recorded === GAPS_RECORDED_MAX) return this.#keep();
        recorded += 1;
        await this.#log.recordOwn(sourceGapEvent(gap));
        report();
        this.#isKept = false;
      }
    }
    this.#keep();
  }

  #gapsOf(source: SourceState): { gap: SourceGap; isReported: boolean; report: () => void }[] {
    const { service, instance, holes, lastMs } = source;
    const { now, graceMs } = this.#options;
    const late = holes.filter(({ sinceMs }) => now() - Math.max(sinceMs, this.#sinceMs) >= graceMs);
    const found = late.map((hole) => ({
      gap: {
        service,
        instance,
        kind: 'seq' as const,
        missingFrom: hole.from,
        missingTo: hole.to,
        since: new Date(hole.sinceMs).toISOString(),
      } as SourceGap,
      isReported: hole.isReported,
      report: () => {
        hole.isReported = true;
      },
    }));
    const patience = patienceMs(source);
    // While nobody watched, nobody could be heard: the patience begins anew.
    if (patience === undefined || now() - Math.max(lastMs, this.#sinceMs) < patience) return found;
    const since = new Date(lastMs).toISOString();
    const silence = { service, instance, kind: 'heartbeat' as const, since };
    const report = (): void => {
      source.isSilenceReported = true;
    };
    return [...found, { gap: silence, isReported: source.isSilenceReported, report }];
  }

  #see({ index, entry }: StoredEntry): void {
    if (index < this.#size!) return;
    this.#size = index + 1;
    const seen = skimSource(entry);
    const { seq } = seen.source;
    const frame = seen.frame && sourceFrameOf(seen.frame);
    if (seq === null && frame === undefined) return;
    this.#isKept = false;
    const atMs = Date.parse(seen.recordedAt);
    const source = this.#sourceOf(seen, atMs);
    source.lastMs = atMs;
    source.isSilenceReported = false;
    if (seq !== null) account(source, [seq, seq], atMs);
    if (frame === undefined) return;
    for (const range of frame.unrecorded) account(source, range, atMs);
    if (frame.seq !== null) miss(source, frame.seq, atMs);
    source.everyMs = frame.kind === 'stopped' ? undefined : frame.everyMs;
  }

  /** Two credentials never share a source: what one of them claims says nothing of the other. */
  #sourceOf({ source: { service, instance, credential } }: SourceSeen, atMs: number): SourceState {
    const key = `${credential ?? ''} ${service} ${instance}`;
    const known = this.#sources.get(key);
    if (known !== undefined) return known;
    const source = newSource(service, instance, atMs);
    this.#sources.set(key, source);
    if (this.#sources.size > SOURCES_MAX) this.#forgetOne();
    return source;
  }

  #forgetOne(): void {
    let oldest: string | undefined;
    let oldestMs = Number.POSITIVE_INFINITY;
    for (const [key, { lastMs }] of this.#sources) {
      if (lastMs >= oldestMs) continue;
      oldest = key;
      oldestMs = lastMs;
    }
    if (oldest !== undefined) this.#sources.delete(oldest);
  }

  #load(): void {
    this.#size = 0;
    if (!existsSync(this.#path)) return;
    try {
      const kept = parseJson(readFileSync(this.#path, 'utf8')) as unknown as Kept & { keys: string[] };
      this.#sources = new Map(kept.sources.map((source, position) => [kept.keys[position]!, source]));
      this.#size = kept.size;
    } catch {
      // Whatever spoiled it: the entries say it again.
      this.#sources = new Map();
    }
  }

  #keep(): void {
    if (this.#isKept) return;
    const kept = { size: this.#size, keys: [...this.#sources.keys()], sources: [...this.#sources.values()] };
    replaceFile(this.#path, JSON.stringify(kept));
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
