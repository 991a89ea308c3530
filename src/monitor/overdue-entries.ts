import { VerificationError } from '../bytes/index.ts';
import {
  coveredByHold,
  type Entry,
  type HoldChange,
  holdChangeOf,
  holdsAfter,
  isPastRetention,
  openEntry,
  type PlacedHold,
  parseEntry,
  prunedAction,
  pruningOf,
  type Removal,
  type RetentionReach,
  removalOf,
  ruleFor,
} from '../event/index.ts';
import { RemovalRecords } from '../verify/index.ts';
import type { NextEntry } from './continuation.ts';

/** What is looked for: values of entries that were recorded before the time of the rule that matches their action. */
export interface OverdueAsked {
  readonly rules: readonly RetentionReach[];
  /** The size of the log that was authenticated. */
  readonly size: number;
  /** How far the same policy was applied: no entry below it has a value that no record covers. */
  readonly applied: readonly RetentionReach[];
  /** Entries below it may be gone, as a record says that was authenticated. */
  readonly minimum: number;
}

/** Entries by their index, up to the first that is not there. */
export type EntryReader = (from: number, to: number) => AsyncIterable<NextEntry>;

/**
 * The first entry with a sealed value that should have gone by the policy, by the entries alone: nobody sees there whether the value
 * is still kept. What a record of its removal covers is gone; so is what a hold keeps, a query of which is sealed and counts as one
 * that finds everything.
 */
export async function firstOverdueIn(
  read: EntryReader,
  { rules, size, applied }: OverdueAsked,
): Promise<number | undefined> {
  const until = rules.reduce((latest, { before }) => (before > latest ? before : latest), '');
  const from = applied.reduce((lowest, { below }) => Math.min(lowest, below), size);
  let records: Records | undefined;
  for await (const { index, entry: bytes } of read(applied.length === 0 ? 0 : from, size)) {
    const entry = parseEntry(bytes);
    // Times never go back, or that is a finding of its own.
    if (entry.recordedAt >= until) return undefined;
    const rule = ruleFor(rules, entry.action);
    if (rule === undefined || entry.recordedAt >= rule.before) continue;
    if (isPastRetention({ rules: applied }, { ...entry, index })) continue;
    const opened = openEntry(entry, [], index);
    if (opened.fields.length === 0) continue;
    // Nearly always there is nothing to excuse: the records are read when there is.
    records ??= await recordsIn(read, size);
    const { removals, holds, minimum } = records;
    if (index < minimum) continue;
    const stays = opened.fields.some(
      (field) => !removals.cover(field) && coveredByHold(holds, opened.event, field.subjects) === undefined,
    );
    if (stays) return index;
  }
  return undefined;
}

/** What the log says of why values are gone, or have to stay. */
interface Records {
  readonly removals: RemovalRecords;
  readonly holds: readonly PlacedHold[];
  /** Entries below it were pruned, with their values, also where a copy still has them. */
  readonly minimum: number;
}

const marks = [
  '"action":"log.erased"',
  '"action":"log.retention_applied"',
  '"action":"log.hold_',
  `"action":"${prunedAction}"`,
] as const;

async function recordsIn(read: EntryReader, size: number): Promise<Records> {
  const removals = new RemovalRecords();
  const changes: HoldChange[] = [];
  let minimum = 0;
  for await (const { index, entry: bytes } of read(0, size)) {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    if (!marks.some((mark) => text.includes(mark))) continue;
    const entry = parseEntry(bytes);
    if (entry.action.startsWith('log.hold_')) {
      const change = holdIn(entry, index);
      if (change !== undefined) changes.push(change);
    } else if (entry.action === prunedAction) {
      minimum = Math.max(minimum, minimumIn(entry, index));
    } else if (entry.action === 'log.erased' || entry.action === 'log.retention_applied') {
      const removal = removalIn(entry, index);
      if (removal !== undefined) removals.add(removal);
    }
  }
  return { removals, holds: holdsAfter(changes), minimum };
}

function minimumIn(entry: Entry, index: number): number {
  try {
    return pruningOf(entry, index).minimum;
  } catch (error) {
    if (error instanceof VerificationError) return 0;
    throw error;
  }
}

/** A hold that is none keeps nothing; that it is none is told elsewhere. */
function holdIn(entry: Entry, index: number): HoldChange | undefined {
  try {
    return holdChangeOf(entry, openEntry(entry, [], index).event);
  } catch (error) {
    if (error instanceof VerificationError) return undefined;
    throw error;
  }
}

/** A record that is none excuses nothing; that it is none is told elsewhere. */
function removalIn(entry: Entry, index: number): Removal | undefined {
  try {
    return removalOf(entry, index);
  } catch (error) {
    if (error instanceof VerificationError) return undefined;
    throw error;
  }
}
