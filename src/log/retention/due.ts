import {
  coveredByHold,
  type PlacedHold,
  parseEntry,
  type RetentionReach,
  ruleFor,
} from '../../event/index.ts';
import type { StoredEntry } from '../../store/index.ts';
import { type Found, open } from '../erasure/scan.ts';

/** Entries whose values go in one transaction: others write again after so many. */
export const DUE_ENTRIES_MAX = 4096;

/** What is looked for: values that have passed their period, in entries from an index on. Plain data. */
export interface DueRequest {
  readonly from: number;
  readonly to: number;
  readonly rules: readonly RetentionReach[];
  readonly holds: readonly PlacedHold[];
}

/** How many values that have passed their period a hold keeps. */
export interface Kept {
  readonly hold: string;
  readonly values: number;
}

/** Values that have passed their period. Plain data, so that it crosses threads. */
export interface Due {
  readonly found: Found[];
  /** How many values each hold keeps. */
  readonly held: Kept[];
  /** Where to go on: everything before it was looked through. */
  next: number;
}

/** Adds what is due among some entries. Throws `LogError` `log_damaged` where one that may be due cannot be read. */
export function dueAmong(
  entries: readonly StoredEntry[],
  { rules, holds }: Pick<DueRequest, 'rules' | 'holds'>,
  into: Due,
): void {
  for (const stored of entries) {
    if (stored.disclosures.length === 0 || !isDue(stored, rules)) continue;
    const { event, fields } = open(stored).opened;
    const present = fields.filter(({ disclosure }) => disclosure !== undefined);
    // What a query finds depends on all that is there: were some of it removed, the hold would not cover the rest any more.
    const asking = holds.filter(({ query }) => query !== undefined);
    const whole = present.map(({ subjects }) => coveredByHold(asking, event, subjects)).find(isThere);
    const digests: string[] = [];
    for (const { digest, subjects } of present) {
      const hold = whole ?? coveredByHold(holds, event, subjects);
      if (hold === undefined) digests.push(digest);
      else addKept(into.held, { hold: hold.name, values: 1 });
    }
    if (digests.length > 0) into.found.push({ index: stored.index, digests });
  }
}

function isThere<T>(value: T | undefined): value is T {
  return value !== undefined;
}

/** Adds to the count of a hold. */
export function addKept(all: Kept[], { hold, values }: Kept): void {
  const at = all.findIndex((one) => one.hold === hold);
  if (at < 0) all.push({ hold, values });
  else all[at] = { hold, values: all[at]!.values + values };
}

function isDue(stored: StoredEntry, rules: readonly RetentionReach[]): boolean {
  if (!rules.some(({ below }) => stored.index < below)) return false;
  const { action, recordedAt } = parseEntry(stored.entry);
  const rule = ruleFor(rules, action);
  return rule !== undefined && stored.index < rule.below && recordedAt < rule.before;
}
