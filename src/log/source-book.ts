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
  /** Sources of which entries may have been pruned since they were heard last; and whether those of new ones may have been. */
  #unsure = new Set<string>();
  #isPruned = false;

  constructor(kept?: KeptSources) {
    const copies = (kept?.sources ?? []).map((source) => structuredClone(source));
    this.#sources = new Map(copies.map((source, position) => [kept!.keys[position]!, source]));
  }

  /** All of it as plain data; what is changed later does not change it. */
  get kept(): KeptSources {
    return { keys: [...this.#sources.keys()], sources: structuredClone([...this.#sources.values()]) };
  }

  /**
   * Entries were passed over that the log was pruned of: what a source handed in before the next of its numbers is not known to be
   * missing.
   */
  passPruned(): void {
    this.#isPruned = true;
    this.#unsure = new Set(this.#sources.keys());
  }

  /** Takes an entry in. Whether it said anything of a source. Throws what `parseEntry` throws. */
  see({ entry }: Pick<StoredEntry, 'entry'>): boolean {
    const seen = skimSource(entry);
    const { seq } = seen.source;
    const frame = seen.frame && sourceFrameOf(seen.frame);
    if (seq === null && frame === undefined) return false;
    const atMs = Date.parse(seen.recordedAt);
    const [source, isSure] = this.#sourceOf(seen, atMs);
    const first = seq ?? (frame === undefined || frame.seq === null ? undefined : frame.seq + 1);
    if (!isSure && first !== undefined && first > source.next) source.next = first;
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
  #sourceOf(
    { source: { service, instance, credential } }: SourceSeen,
    atMs: number,
  ): readonly [source: SourceState, isSure: boolean] {
    const key = `${credential ?? ''} ${service} ${instance}`;
    const known = this.#sources.get(key);
    if (known !== undefined) return [known, !this.#unsure.delete(key)];
    const source = newSource(service, instance, atMs);
    this.#sources.set(key, source);
    if (this.#sources.size > SOURCES_MAX) this.#forgetOne();
    return [source, !this.#isPruned];
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
