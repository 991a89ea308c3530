import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { ZONE_ENTRIES } from './schema.ts';

/** Indexes from `from` to `to`, exclusive. */
export interface IndexRange {
  readonly from: number;
  readonly to: number;
}

/** A window of time, milliseconds: from `from` on, before `to`. */
export interface TimeWindow {
  readonly from: number;
  readonly to: number;
}

/** Ranges that a window becomes at most; where there are more, the nearest are joined. */
const RANGES_MAX = 64;

/**
 * The earliest and latest `occurredAt` of every {@link ZONE_ENTRIES} entries. Entries come nearly in the order of their time, so
 * a window covers few zones, and the zone of the newest entry ends the latest. An entry that comes late widens its own zone.
 */
export class Zones {
  readonly #select: StatementSync;
  readonly #upsert: StatementSync;
  #earliest: number[] = [];
  #latest: number[] = [];
  /** Zones below this one are complete and never change. */
  #complete = 0;

  constructor(db: DatabaseSync) {
    this.#select = db.prepare('SELECT zone, earliest, latest FROM zones WHERE zone >= ? ORDER BY zone');
    this.#select.setReturnArrays(true);
    this.#upsert = db.prepare(
      `INSERT INTO zones (zone, earliest, latest) VALUES (?, ?, ?) ON CONFLICT (zone)
       DO UPDATE SET earliest = min(earliest, excluded.earliest), latest = max(latest, excluded.latest)`,
    );
  }

  /** Writes the times of consecutive entries from the index `from` on. Within a transaction that writes. */
  add(from: number, times: readonly number[]): void {
    for (let done = 0; done < times.length; ) {
      const zone = Math.floor((from + done) / ZONE_ENTRIES);
      const end = Math.min(times.length, (zone + 1) * ZONE_ENTRIES - from);
      let earliest = times[done]!;
      let latest = earliest;
      for (; done < end; done += 1) {
        earliest = Math.min(earliest, times[done]!);
        latest = Math.max(latest, times[done]!);
      }
      this.#upsert.run(zone, earliest, latest);
    }
  }

  /** Reads what is new. `size` is the index's. Within a transaction that reads. */
  refresh(size: number): void {
    const rows = this.#select.all(this.#complete) as unknown as [number, number, number][];
    for (const [zone, earliest, latest] of rows) {
      this.#earliest[zone] = earliest;
      this.#latest[zone] = latest;
    }
    this.#complete = Math.floor(size / ZONE_ENTRIES);
  }

  /** Forgets everything, when the file is another one. */
  forget(): void {
    this.#earliest = [];
    this.#latest = [];
    this.#complete = 0;
  }

  /** The ranges of indexes below `below` in which events of the window lie; the highest first. */
  ranges({ from, to }: TimeWindow, below: number): IndexRange[] {
    const ranges: IndexRange[] = [];
    for (let zone = Math.ceil(below / ZONE_ENTRIES) - 1; zone >= 0; zone -= 1) {
      if (!(this.latest(zone) >= from && this.earliest(zone) < to)) continue;
      const begin = zone * ZONE_ENTRIES;
      const last = ranges.at(-1);
      if (last?.from === begin + ZONE_ENTRIES) ranges[ranges.length - 1] = { from: begin, to: last.to };
      else ranges.push({ from: begin, to: Math.min(below, begin + ZONE_ENTRIES) });
    }
    return ranges.length <= RANGES_MAX ? ranges : joinNearest(ranges);
  }

  /**
   * The latest time in a zone. A zone that is missing, though entries of it are there, hides nothing: it may hold any time.
   */
  latest(zone: number): number {
    return this.#latest[zone] ?? Number.POSITIVE_INFINITY;
  }

  /** The earliest time in a zone. */
  earliest(zone: number): number {
    return this.#earliest[zone] ?? Number.NEGATIVE_INFINITY;
  }
}

/** Joins neighbours over the smallest gaps until few enough ranges are left. */
function joinNearest(ranges: readonly IndexRange[]): IndexRange[] {
  const gaps = ranges.slice(1).map((range, position) => ranges[position]!.from - range.to);
  const narrowest = gaps.toSorted((a, b) => a - b)[ranges.length - RANGES_MAX - 1]!;
  const joined: IndexRange[] = [ranges[0]!];
  for (const [position, range] of ranges.slice(1).entries()) {
    const last = joined.at(-1)!;
    if (gaps[position]! <= narrowest) joined[joined.length - 1] = { from: range.from, to: last.to };
    else joined.push(range);
  }
  return joined;
}
