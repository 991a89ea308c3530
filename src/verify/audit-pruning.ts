import type { PruningRecord } from '../event/index.ts';
import type { Discovery } from './finding.ts';

/** A pruning, as an entry records it. */
export interface RecordedPruning extends PruningRecord {
  readonly index: number;
  readonly recordedAt: string;
}

/** What a chunk says of pruning. */
export interface ChunkPruning {
  /** The records among its entries, by rising index. */
  readonly records: readonly RecordedPruning[];
  /** Entries that are not there: first and last, first and last, and so on, by rising index. */
  readonly holes: readonly number[];
  /** The indexes of the log's own entries; where entries are read. */
  readonly own: readonly number[];
  /** When entries at multiples of 256 were recorded, as they say: there a pruning can end. Where entries are read. */
  readonly starts: readonly { readonly index: number; readonly recordedAt: string }[];
}

/**
 * Judges the entries that are not there. Chunks come from the end of the log to its beginning, so that every record that could excuse
 * a missing entry has been seen before the entry is missed. The record that reaches furthest covers what those before it did.
 */
export class PruningAudit {
  readonly #readsEntries: boolean;
  /** The record that reaches furthest; the one that was added last, which is the earliest so far. */
  #furthest: RecordedPruning | undefined;
  #last: RecordedPruning | undefined;
  /** Records by the index at which each ended, until that is seen: each moves it on, or repeats it. */
  readonly #ends = new Map<number, RecordedPruning[]>();
  /** How many of the log's own entries were seen below the furthest minimum; and when the end of each pruning was. */
  #own = 0;
  readonly #ended: { readonly record: RecordedPruning; readonly above: number }[] = [];
  #pruned = 0;

  constructor(readsEntries: boolean) {
    this.#readsEntries = readsEntries;
  }

  /** Below it, entries may be missing; 0 where none may. */
  get minimum(): number {
    return this.#furthest?.minimum ?? 0;
  }

  /** Adds the chunk before the last one, which begins at an index. Answers how many of its entries were pruned, and what is wrong. */
  add(
    { records, holes, own, starts }: ChunkPruning,
    begin: number,
  ): { readonly pruned: number; readonly found: Discovery[] } {
    const found: Discovery[] = [];
    for (const record of records.toReversed()) this.#addRecord(record, found);
    for (const { index, recordedAt } of starts) {
      for (const record of this.#ends.get(index) ?? [])
        if (recordedAt >= record.before)
          found.push(invalid(record, 'the record of a pruning that took what had not passed its period'));
    }
    this.#passEnds(own, begin);
    let pruned = 0;
    for (let at = 0; at < holes.length; at += 2) {
      const [first, last] = [holes[at]!, holes[at + 1]!];
      const end = Math.min(Math.max(this.minimum, first), last + 1);
      pruned += end - first;
      if (end <= last) found.push({ code: 'index_gap', from: end, to: last, what: 'missing' });
    }
    this.#pruned += pruned;
    return { pruned, found };
  }

  /** What only the whole log can show. */
  conclude(): Discovery[] {
    const furthest = this.#furthest;
    if (furthest === undefined) return [];
    const found: Discovery[] = [];
    let before = { minimum: 0, kept: 0 };
    for (const { record, above } of this.#ended.toSorted(
      (one, other) => one.record.index - other.record.index,
    )) {
      const { kept, minimum, entries } = record;
      const there = this.#own - above;
      if (kept !== there) {
        const what = `the record of a pruning that kept ${kept} of the log’s own entries below ${minimum}, and ${there} are there`;
        found.push(invalid(record, what));
      }
      // What a copy has brought back goes once more.
      const [least, most] = [minimum - kept - (before.minimum - before.kept), minimum - kept];
      if (entries < least || entries > most) {
        const what = `the record of a pruning that took ${entries} entries, where ${least} were to go: others were missing already`;
        found.push(invalid(record, what));
      }
      before = record;
    }
    if (found.length === 0 && this.#pruned > furthest.minimum - furthest.kept) {
      const what = `the record of a pruning that kept ${furthest.kept} entries below ${furthest.minimum}, of which some are gone`;
      found.push(invalid(furthest, what));
    }
    return found;
  }

  #passEnds(own: readonly number[], begin: number): void {
    const below = own.filter((index) => index < this.minimum);
    for (const [minimum, records] of this.#ends) {
      if (minimum < begin) continue;
      this.#ends.delete(minimum);
      const above = this.#own + below.filter((index) => index >= minimum).length;
      for (const record of records) this.#ended.push({ record, above });
    }
    this.#own += below.length;
  }

  /** None goes back. Records come by falling index. */
  #addRecord(record: RecordedPruning, found: Discovery[]): void {
    const later = this.#last;
    if (later !== undefined && later.minimum < record.minimum)
      found.push(invalid(later, 'the record of a pruning that goes less far than the one before it'));
    this.#last = record;
    if (record.minimum > this.minimum) this.#furthest = record;
    if (this.#readsEntries)
      this.#ends.set(record.minimum, [...(this.#ends.get(record.minimum) ?? []), record]);
  }
}

function invalid({ index }: RecordedPruning, what: string): Discovery {
  return { code: 'pruning_invalid', from: index, to: index, what };
}
