import type { DatabaseSync } from 'node:sqlite';
import type { Filter } from '../../event/index.ts';
import { systemClock } from '../../platform/index.ts';
import { type Candidate, Finder } from './candidates.ts';
import type { Dictionary } from './dictionary.ts';
import { type Plan, planFilter } from './plan.ts';
import { ZONE_ENTRIES } from './schema.ts';
import type { IndexView } from './search-index.ts';
import type { IndexRange, TimeWindow, Zones } from './zones.ts';

/** What is to be counted. */
export interface CountRequest {
  readonly filter: Filter;
  /** Bars of the histogram at most, but for one. */
  readonly bucketsMax: number;
  /** Milliseconds after which counting ends where it is. */
  readonly msMax: number;
}

/** How many events bear one value. */
export interface ValueCount {
  readonly value: string;
  readonly count: number;
}

/** Counts over the events that fit, as the index tells them. */
export interface Counts {
  readonly total: number;
  /** The most frequent first. */
  readonly byAction: readonly ValueCount[];
  readonly byActor: readonly ValueCount[];
  readonly byOutcome: readonly ValueCount[];
  readonly bucketMs: number;
  /** By time, ascending; a bucket of nothing is left out. */
  readonly buckets: readonly {
    readonly from: number;
    readonly count: number;
    readonly unsuccessful: number;
  }[];
  /** The times between which counting was asked for, as far as the log has any. */
  readonly from?: number;
  readonly to?: number;
  /** False where the time was over: the counts are of the newest. And where the index alone cannot tell what fits. */
  readonly isExact: boolean;
}

/** Values of each kind that are told; the rest is in the total. */
const VALUES_MAX = 20;

/** Rows that are read at once. */
const ROWS = 2048;

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Widths of bars that people can read. */
const widths = [
  ...[1, 5, 10, 30].map((count) => count * SECOND),
  ...[1, 5, 10, 30].map((count) => count * MINUTE),
  ...[1, 3, 6, 12].map((count) => count * HOUR),
  ...[1, 2, 7, 14, 28, 91, 182, 364, 1820, 3640].map((count) => count * DAY),
];

/**
 * Counts what fits a filter, out of the index alone, newest first, until the time is over. Everything at once costs nearly
 * nothing, however large the log: names carry their counts, and 256 entries of the same bar are counted as one.
 */
export function countEvents(view: IndexView, { filter, bucketsMax, msMax }: CountRequest): Counts {
  const { cursor, zones, dictionary } = view;
  const end = systemClock.monotonic() + msMax;
  const plan = planFilter(filter, dictionary, cursor.size);
  zones.refresh(cursor.size);
  const ranges = cursor.size === 0 || plan.nothing ? [] : zones.ranges(plan.window, cursor.size);
  const span = timesOf(ranges, { zones, window: plan.window });
  if (span === undefined) return nothing(bucketsMax);
  const tally = new Tally(view, widthFor(span, bucketsMax));
  const isOver = (): boolean => systemClock.monotonic() >= end;
  const parts = { view, plan, ranges, tally, isOver };
  const isTimeOnly = onlyTimes(filter);
  if (isTimeOnly) tally.isCut = !countZones(parts);
  const isWhole = isTimeOnly && filter.kind === 'all' && filter.filters.length === 0;
  if (!isWhole && !countRows(parts, isTimeOnly)) tally.isCut = true;
  return tally.counts({ span, isWhole, isExact: isCertain(filter) });
}

/** What counting works with. */
interface Parts {
  readonly view: IndexView;
  readonly plan: Plan;
  readonly ranges: readonly IndexRange[];
  readonly tally: Tally;
  readonly isOver: () => boolean;
}

/** Counts bars by zones; a zone that lies in several bars is counted row by row. False where the time was over. */
function countZones({ view, plan, ranges, tally, isOver }: Parts): boolean {
  const { zones, cursor, db } = view;
  const finder = new Finder(db, plan);
  const failures = new Failures(view);
  let isDone = true;
  for (const { from, to } of ranges) {
    for (let zone = Math.ceil(to / ZONE_ENTRIES) - 1; zone >= Math.floor(from / ZONE_ENTRIES); zone -= 1) {
      const begin = zone * ZONE_ENTRIES;
      const end = Math.min(begin + ZONE_ENTRIES, cursor.size);
      const [earliest, latest] = [zones.earliest(zone), zones.latest(zone)];
      const isInside = earliest >= plan.window.from && latest < plan.window.to;
      if (isInside && tally.isOneBar(earliest, latest)) {
        const known = isOver() ? undefined : failures.of(zone);
        if (known === undefined) isDone = false;
        tally.addMany(earliest, end - begin, known ?? 0);
      } else if (isOver()) return false;
      else
        for (const row of finder.find({ from: begin, to: end }, ZONE_ENTRIES)) {
          if (row.occurred >= plan.window.from && row.occurred < plan.window.to) tally.addToBar(row);
        }
    }
  }
  return isDone;
}

/** Counts names row by row, and bars too where zones have not. False where the time was over. */
function countRows({ view, plan, ranges, tally, isOver }: Parts, hasBars: boolean): boolean {
  const finder = new Finder(view.db, plan);
  for (const { from, to } of ranges) {
    for (let below = to; below > from; ) {
      if (isOver()) return false;
      const rows = finder.find({ from, to: below }, ROWS);
      for (const row of rows) {
        if (row.occurred < plan.window.from || row.occurred >= plan.window.to) continue;
        tally.addNames(row);
        if (!hasBars) tally.addToBar(row);
      }
      if (rows.length < ROWS) break;
      below = rows.at(-1)!.index;
    }
  }
  return true;
}

/** Adds up. */
class Tally {
  isCut = false;
  readonly #dictionary: Dictionary;
  readonly #db: DatabaseSync;
  readonly #width: number;
  readonly #success: number | undefined;
  readonly #bars = new Map<number, { count: number; unsuccessful: number }>();
  readonly #names = {
    action: new Map<number, number>(),
    actor: new Map<number, number>(),
    outcome: new Map<number, number>(),
  };

  constructor({ dictionary, db }: IndexView, width: number) {
    this.#dictionary = dictionary;
    this.#db = db;
    this.#width = width;
    this.#success = dictionary.find('outcome', 'success')?.id;
  }

  isOneBar(earliest: number, latest: number): boolean {
    return Math.floor(earliest / this.#width) === Math.floor(latest / this.#width);
  }

  addMany(time: number, count: number, unsuccessful: number): void {
    const from = Math.floor(time / this.#width) * this.#width;
    const bar = this.#bars.get(from) ?? { count: 0, unsuccessful: 0 };
    bar.count += count;
    bar.unsuccessful += unsuccessful;
    this.#bars.set(from, bar);
  }

  addToBar({ occurred, outcome }: Candidate): void {
    this.addMany(occurred, 1, outcome === this.#success ? 0 : 1);
  }

  addNames(row: Candidate): void {
    for (const kind of ['action', 'actor', 'outcome'] as const) {
      const counts = this.#names[kind];
      counts.set(row[kind], (counts.get(row[kind]) ?? 0) + 1);
    }
  }

  counts({ span, isWhole, isExact }: { span: TimeWindow; isWhole: boolean; isExact: boolean }): Counts {
    const buckets = [...this.#bars].sort(([a], [b]) => a - b).map(([from, bar]) => ({ from, ...bar }));
    const most = (kind: 'action' | 'actor' | 'outcome') => (isWhole ? this.#all(kind) : this.#counted(kind));
    return {
      total: buckets.reduce((sum, { count }) => sum + count, 0),
      byAction: most('action'),
      byActor: most('actor'),
      byOutcome: most('outcome'),
      bucketMs: this.#width,
      buckets,
      from: span.from,
      to: span.to,
      isExact: isExact && !this.isCut,
    };
  }

  #counted(kind: 'action' | 'actor' | 'outcome'): ValueCount[] {
    return [...this.#names[kind]]
      .sort(([, a], [, b]) => b - a)
      .slice(0, VALUES_MAX)
      .map(([id, count]) => ({ value: this.#dictionary.nameOf(kind, id) ?? '', count }));
  }

  /** Names as they are counted in the dictionary: of the whole log. */
  #all(kind: 'action' | 'actor' | 'outcome'): ValueCount[] {
    const rows = this.#db
      .prepare('SELECT name, uses FROM dictionary WHERE kind = ? ORDER BY uses DESC LIMIT ?')
      .all(kind, VALUES_MAX);
    return rows.map(({ name, uses }) => ({ value: String(name), count: Number(uses) }));
  }
}

/** Zones whose failures are counted at once. */
const BLOCK_ZONES = 64;

const failuresOf = new WeakMap<DatabaseSync, Map<number, Uint16Array>>();

/** How many events of a zone were no success. Whole zones never change, so they are counted once for each connection. */
class Failures {
  readonly #view: IndexView;
  readonly #blocks: Map<number, Uint16Array>;

  constructor(view: IndexView) {
    this.#view = view;
    this.#blocks = failuresOf.get(view.db) ?? new Map();
    failuresOf.set(view.db, this.#blocks);
  }

  of(zone: number): number {
    const block = Math.floor(zone / BLOCK_ZONES);
    const counts = this.#blocks.get(block) ?? this.#count(block);
    return counts[zone % BLOCK_ZONES]!;
  }

  #count(block: number): Uint16Array {
    const { db, dictionary, cursor } = this.#view;
    const begin = block * BLOCK_ZONES * ZONE_ENTRIES;
    const end = begin + BLOCK_ZONES * ZONE_ENTRIES;
    const success = dictionary.find('outcome', 'success')?.id ?? -1;
    const statement = db.prepare(
      `SELECT idx / ${ZONE_ENTRIES}, count(*) FROM events WHERE idx >= ? AND idx < ? AND outcome <> ? GROUP BY 1`,
    );
    statement.setReturnArrays(true);
    const counts = new Uint16Array(BLOCK_ZONES);
    const rows = statement.all(begin, end, success) as unknown as [number, number][];
    for (const [zone, count] of rows) counts[zone % BLOCK_ZONES] = count;
    if (end <= cursor.size) this.#blocks.set(block, counts);
    return counts;
  }
}

/** The first and the last time in these ranges, within the window. */
function timesOf(
  ranges: readonly IndexRange[],
  { zones, window }: { zones: Zones; window: TimeWindow },
): TimeWindow | undefined {
  let from = Number.POSITIVE_INFINITY;
  let to = Number.NEGATIVE_INFINITY;
  for (const range of ranges) {
    for (let zone = Math.floor(range.from / ZONE_ENTRIES); zone * ZONE_ENTRIES < range.to; zone += 1) {
      from = Math.min(from, zones.earliest(zone));
      to = Math.max(to, zones.latest(zone));
    }
  }
  from = Math.max(from, window.from);
  to = Math.min(to, window.to - 1);
  return Number.isFinite(from) && Number.isFinite(to) && from <= to ? { from, to } : undefined;
}

function widthFor({ from, to }: TimeWindow, bucketsMax: number): number {
  return widths.find((width) => to - from < width * bucketsMax) ?? widths.at(-1)!;
}

/** Whether a filter asks for times and nothing else. */
function onlyTimes(filter: Filter): boolean {
  if (filter.kind === 'all') return filter.filters.every(onlyTimes);
  return filter.kind === 'after' || filter.kind === 'before';
}

/** Whether the rows of the index tell all that a filter asks for; words and marks may say too much. */
function isCertain(filter: Filter): boolean {
  switch (filter.kind) {
    case 'all':
    case 'any':
      return filter.filters.every(isCertain);
    case 'not':
      return isCertain(filter.filter);
    case 'word':
      return filter.field === 'action' || filter.field === 'outcome' || filter.field === 'severity';
    case 'party':
      return filter.field === 'actor';
    default:
      return filter.kind === 'after' || filter.kind === 'before';
  }
}

function nothing(bucketsMax: number): Counts {
  const bucketMs = widthFor({ from: 0, to: 0 }, bucketsMax);
  return { total: 0, byAction: [], byActor: [], byOutcome: [], bucketMs, buckets: [], isExact: true };
}
