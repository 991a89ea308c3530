import type { EntryMoment } from '../verify/index.ts';

/** An entry, and when it says that it was recorded, milliseconds since the epoch. */
export type TimeMark = readonly [index: number, atMs: number];

/** Marks that are nearer to each other say the same. */
const APART_MS = 60_000;

/** Marks are as far apart as this part of their age: a period of years is judged in weeks, one of hours in minutes. */
const APART_OF_AGE = 64;

/** Of more marks, the oldest are thinned out; what is left is fewer, whatever the times say. */
const MARKS_MAX = 2048;

/**
 * When entries were recorded, by some of them: enough to say of every entry since when at the earliest it was there. Times never go
 * back, or that is a finding of its own. What is remembered is of bounded size.
 */
export class TimeMarks {
  #marks: TimeMark[];

  constructor(marks: readonly TimeMark[] = []) {
    this.#marks = [...marks];
  }

  /** What is to be remembered. */
  get kept(): readonly TimeMark[] {
    return [...this.#marks];
  }

  /** Takes the next entry. */
  see(index: number, recordedAt: string): void {
    const atMs = Date.parse(recordedAt);
    const last = this.#marks.at(-1);
    if (last !== undefined && atMs - last[1] < APART_MS) return;
    this.#marks.push([index, atMs]);
    if (this.#marks.length > MARKS_MAX) this.#marks = thinned(this.#marks);
  }

  /** An entry at this index was recorded at this time or later; undefined where no mark from `from` on says. */
  earliest(index: number, from = 0): number | undefined {
    const mark = this.#marks.findLast(([at]) => at <= index);
    return mark === undefined || mark[0] < from ? undefined : mark[1];
  }
}

/** Of the entries up to an index, the last whose time is remembered; of those from it on, the first. The newest is given besides. */
export function around(
  marks: readonly TimeMark[],
  newest: EntryMoment,
): Record<'last' | 'next', (index: number) => EntryMoment | undefined> {
  const momentOf = (mark: TimeMark | undefined): EntryMoment | undefined =>
    mark && { index: mark[0], recordedAt: new Date(mark[1]).toISOString() };
  return {
    last: (index) => (index >= newest.index ? newest : momentOf(marks.findLast(([at]) => at <= index))),
    next: (index) =>
      momentOf(marks.find(([at]) => at >= index)) ?? (index <= newest.index ? newest : undefined),
  };
}

/** How many entries were there for certain at a time. */
export function thereAt(marks: readonly TimeMark[], atMs: number): number {
  const mark = marks.findLast(([, time]) => time <= atMs);
  return mark === undefined ? 0 : mark[0] + 1;
}

function thinned(marks: readonly TimeMark[]): TimeMark[] {
  const newestMs = marks.at(-1)![1];
  const kept: TimeMark[] = [];
  for (const mark of marks.toReversed()) {
    const apartMs = Math.max(APART_MS, (newestMs - mark[1]) / APART_OF_AGE);
    const later = kept.at(-1);
    if (later === undefined || mark === marks[0] || later[1] - mark[1] >= apartMs) kept.push(mark);
  }
  return kept.reverse();
}
