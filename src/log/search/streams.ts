import type { Candidate, Finder } from './candidates.ts';
import { ZONE_ENTRIES } from './schema.ts';
import type { IndexRange, TimeWindow, Zones } from './zones.ts';

/** Candidates in the order of a query, a few at a time. */
export interface CandidateStream {
  /** At least one and about `count` of the next, in order; none where there are no more, or the time is over. */
  next(count: number): Candidate[];
  /** Whether there are no more. */
  readonly isDone: boolean;
}

/** Entries that are looked at before the clock is looked at: rows are read one by one, terms are not. */
const SPAN_ENTRIES = { rows: 65_536, terms: 1_048_576 } as const;

/** Candidates by index, the newest first. */
export class IndexStream implements CandidateStream {
  readonly #finder: Finder;
  readonly #ranges: IndexRange[];
  readonly #span: number;
  readonly #isOver: () => boolean;
  #below: number;

  /** `below` is where it begins, exclusive. `isOver` tells when time is up. */
  constructor(
    finder: Finder,
    {
      ranges,
      below,
      hasTerms,
      isOver,
    }: { ranges: IndexRange[]; below: number; hasTerms: boolean; isOver: () => boolean },
  ) {
    this.#finder = finder;
    this.#ranges = ranges.toReversed();
    this.#below = below;
    this.#span = hasTerms ? SPAN_ENTRIES.terms : SPAN_ENTRIES.rows;
    this.#isOver = isOver;
  }

  get isDone(): boolean {
    return this.#ranges.length === 0;
  }

  /** Everything from here on has been looked at. */
  get below(): number {
    return this.#below;
  }

  next(count: number): Candidate[] {
    for (;;) {
      const range = this.#ranges.pop();
      if (range === undefined) return [];
      const from = Math.max(range.from, range.to - this.#span);
      const found = this.#finder.find({ from, to: range.to }, count);
      const isFull = found.length === count;
      this.#below = isFull ? found.at(-1)!.index : from;
      if (this.#below > range.from) this.#ranges.push({ from: range.from, to: this.#below });
      if (found.length > 0 || this.#isOver()) return found;
    }
  }
}

/** A place in the order of time: behind all events that are later, or as late and newer in the log. */
export interface TimePosition {
  readonly occurred: number;
  readonly index: number;
}

/** Candidates that are remembered while others are looked for; beyond, the earliest are dropped and found again later. */
const POOL_MAX = 16_384;

/** How many times as many zones are visited as the time before. A visit costs a third of a millisecond, whatever it finds. */
const VISIT_GROWTH = 4;

/** When so many zones are next, it is tried whether few enough events fit to find all of them at once. */
const ZONES_BEFORE_ALL = 64;

/** What few is. */
const FEW = 200;

/**
 * Candidates by the time they give themselves, the latest first. Zones are visited by their latest time, in growing numbers,
 * until none that is left can hold anything later than what was found. In a log where entries come in about the order of
 * their time, that is the newest few.
 */
export class TimeStream implements CandidateStream {
  readonly #finder: Finder;
  readonly #zones: Zones;
  readonly #size: number;
  /** Zones that have not been visited; the one with the latest time is the last. */
  readonly #left: number[];
  readonly #behind: TimePosition | undefined;
  #visit = 1;
  /** What was found and not yet handed out; the next is the last. */
  #pool: Candidate[] = [];
  /** The earliest that the pool had room for: what comes behind it may be missing. */
  #floor: TimePosition | undefined;

  constructor(
    finder: Finder,
    {
      zones,
      window,
      size,
      behind,
    }: { zones: Zones; window: TimeWindow; size: number; behind: TimePosition | undefined },
  ) {
    this.#finder = finder;
    this.#zones = zones;
    this.#size = size;
    this.#behind = behind;
    const latestMax = Math.min(window.to - 1, behind?.occurred ?? Number.POSITIVE_INFINITY);
    this.#left = [];
    for (let zone = 0; zone * ZONE_ENTRIES < size; zone += 1) {
      if (zones.latest(zone) >= window.from && zones.earliest(zone) <= latestMax) this.#left.push(zone);
    }
    // Nearly sorted as it is, which costs next to nothing to sort.
    this.#left.sort((a, b) => zones.latest(a) - zones.latest(b) || a - b);
  }

  get isDone(): boolean {
    return this.#left.length === 0 && this.#pool.length === 0 && this.#floor === undefined;
  }

  next(count: number): Candidate[] {
    const found: Candidate[] = [];
    while (found.length < count) {
      const next = this.#pool.at(-1);
      const bound =
        this.#left.length === 0 ? Number.NEGATIVE_INFINITY : this.#zones.latest(this.#left.at(-1)!);
      // Among zones as late as this one there may be events as late and newer.
      if (next !== undefined && next.occurred > bound) found.push(this.#pool.pop()!);
      else if (this.#left.length > 0) this.#visitMore();
      else break;
    }
    return found;
  }

  #visitMore(): void {
    if (this.#visit === ZONES_BEFORE_ALL && this.#foundAll()) return;
    const visited = this.#left.splice(-this.#visit).sort((a, b) => a - b);
    this.#visit *= VISIT_GROWTH;
    for (const range of ranges(visited, this.#size)) {
      for (const candidate of this.#finder.find(range, Number.MAX_SAFE_INTEGER)) this.#keep(candidate);
    }
    this.#tidy();
  }

  /** Where few events fit, finds them all at once, and no zone is left to visit. */
  #foundAll(): boolean {
    const range = { from: Math.min(...this.#left) * ZONE_ENTRIES, to: this.#size };
    const found = this.#finder.find(range, FEW + 1);
    if (found.length > FEW) return false;
    const left = new Set(this.#left);
    // What lies in zones that were visited before is in the pool, or was handed out.
    for (const candidate of found) {
      if (left.has(Math.floor(candidate.index / ZONE_ENTRIES))) this.#keep(candidate);
    }
    this.#left.length = 0;
    this.#tidy();
    return true;
  }

  #keep(candidate: Candidate): void {
    if (this.#behind !== undefined && !isBehind(candidate, this.#behind)) return;
    if (this.#floor === undefined || !isBehind(candidate, this.#floor)) this.#pool.push(candidate);
  }

  #tidy(): void {
    this.#pool.sort((a, b) => a.occurred - b.occurred || a.index - b.index);
    if (this.#pool.length > POOL_MAX) {
      this.#pool = this.#pool.slice(-POOL_MAX);
      this.#floor = this.#pool[0]!;
    }
  }
}

/** Whether a candidate comes after a place in the order of time. */
function isBehind({ occurred, index }: Candidate, place: TimePosition): boolean {
  return occurred < place.occurred || (occurred === place.occurred && index < place.index);
}

/** Ascending zones as ranges of indexes. */
function ranges(zones: readonly number[], size: number): IndexRange[] {
  const found: IndexRange[] = [];
  for (const zone of zones) {
    const from = zone * ZONE_ENTRIES;
    const to = Math.min(size, from + ZONE_ENTRIES);
    const last = found.at(-1);
    if (last?.to === from) found[found.length - 1] = { from: last.from, to };
    else found.push({ from, to });
  }
  return found;
}
