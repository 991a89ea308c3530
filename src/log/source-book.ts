import { sourceFrameOf } from '../event/index.ts';
import type { StoredEntry } from '../store/index.ts';
import type { SourceGap } from '../wire/index.ts';
import { type SourceSeen, skimSource } from './source-skim.ts';
import { account, GAP_GRACE_MS, miss, newSource, patienceMs, type SourceState } from './source-state.ts';

/** Sources that are remembered; the one that was silent longest goes first. */
export const SOURCES_MAX = 10_000;

/** What a book holds, as plain data. */
export interface KeptSources {
  readonly keys: readonly string[];
  readonly sources: readonly SourceState[];
}

/** Something that is missing, and whether it was told already. */
export interface FoundGap {
  readonly gap: SourceGap;
  readonly isReported: boolean;
  /** Takes in that it was told. */
  report(): void;
}

/** When a gap counts as one. */
export interface GapMoment {
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  /** Since when somebody listens: while nobody did, nobody could be heard, and the patience begins anew. */
  readonly sinceMs?: number;
  readonly graceMs?: number;
}

/**
 * What the entries of a log say of its sources: which numbers have arrived, and when each was last heard. Entries are taken in their
 * order; nothing else is known here, so that the log's own watch and a monitor elsewhere come to the same.
 */
export class SourceBook {
  readonly #sources: Map<string, SourceState>;

  constructor(kept?: KeptSources) {
    const copies = (kept?.sources ?? []).map((source) => structuredClone(source));
    this.#sources = new Map(copies.map((source, position) => [kept!.keys[position]!, source]));
  }

  /** All of it as plain data; what is changed later does not change it. */
  get kept(): KeptSources {
    return { keys: [...this.#sources.keys()], sources: structuredClone([...this.#sources.values()]) };
  }

  /** Takes an entry in. Whether it said anything of a source. Throws what `parseEntry` throws. */
  see({ entry }: Pick<StoredEntry, 'entry'>): boolean {
    const seen = skimSource(entry);
    const { seq } = seen.source;
    const frame = seen.frame && sourceFrameOf(seen.frame);
    if (seq === null && frame === undefined) return false;
    const atMs = Date.parse(seen.recordedAt);
    const source = this.#sourceOf(seen, atMs);
    source.lastMs = atMs;
    source.isSilenceReported = false;
    if (seq !== null) account(source, [seq, seq], atMs);
    if (frame === undefined) return true;
    for (const range of frame.unrecorded) account(source, range, atMs);
    if (frame.seq !== null) miss(source, frame.seq, atMs);
    source.everyMs = frame.kind === 'stopped' ? undefined : frame.everyMs;
    return true;
  }

  /** What is missing at a moment; each source is judged when its turn comes, since entries may come by in between. */
  *gaps(moment: GapMoment): Generator<FoundGap, void, undefined> {
    for (const source of this.#sources.values()) yield* gapsOf(source, moment);
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
}

function gapsOf(
  source: SourceState,
  { nowMs, sinceMs = Number.NEGATIVE_INFINITY, graceMs = GAP_GRACE_MS }: GapMoment,
): FoundGap[] {
  const { service, instance, holes, lastMs } = source;
  const late = holes.filter((hole) => nowMs - Math.max(hole.sinceMs, sinceMs) >= graceMs);
  const found: FoundGap[] = late.map((hole) => ({
    gap: {
      service,
      instance,
      kind: 'seq',
      missingFrom: hole.from,
      missingTo: hole.to,
      since: new Date(hole.sinceMs).toISOString(),
    },
    isReported: hole.isReported,
    report: () => {
      hole.isReported = true;
    },
  }));
  const patience = patienceMs(source);
  if (patience === undefined || nowMs - Math.max(lastMs, sinceMs) < patience) return found;
  const since = new Date(lastMs).toISOString();
  const silence: FoundGap = {
    gap: { service, instance, kind: 'heartbeat', since },
    isReported: source.isSilenceReported,
    report: () => {
      source.isSilenceReported = true;
    },
  };
  return [...found, silence];
}
