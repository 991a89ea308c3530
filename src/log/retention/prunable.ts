import { equalBytes } from '../../bytes/index.ts';
import { coveredByHold, type PlacedHold, parseEntry } from '../../event/index.ts';
import { HASH_BYTES, hashLeaf, TILE_WIDTH } from '../../merkle/index.ts';
import { LogError, type StoredEntry } from '../../store/index.ts';
import { open } from '../erasure/scan.ts';
import type { PrunedState } from '../pruned.ts';

/** What is looked for in a prefix of the log. Plain data. */
export interface PrunableRequest {
  readonly from: number;
  readonly to: number;
  readonly holds: readonly PlacedHold[];
}

/** How far a prefix can go. Plain data, so that it crosses threads. */
export interface Prunable {
  /** The log's own entries in it, which stay. */
  readonly own: number[];
  /** The first entry in it that is none of those; absent where none is left. */
  first?: number;
  /** Everything below it was looked through, and is under no hold. */
  below: number;
  /** The hold that covers the next entry. */
  held?: string;
}

/** Looks through consecutive entries, and stops at the first under a hold. Throws `LogError` `log_damaged` where one cannot be read. */
export function prunableAmong(
  entries: readonly StoredEntry[],
  { holds }: Pick<PrunableRequest, 'holds'>,
  into: Prunable,
): void {
  for (const stored of entries) {
    if (isOwn(stored)) {
      into.own.push(stored.index);
      continue;
    }
    into.first ??= stored.index;
    const hold = holds.length === 0 ? undefined : holdOver(stored, holds);
    if (hold === undefined) continue;
    into.held = hold.name;
    into.below = stored.index;
    return;
  }
}

/** A hold that covers any value of an entry, whether it is there still or not, or the entry itself: whom it names, in the open. */
function holdOver(stored: StoredEntry, holds: readonly PlacedHold[]): PlacedHold | undefined {
  const { event, fields } = open(stored).opened;
  const { actor, targets } = event;
  const named = [actor, ...targets, ...(actor.onBehalfOf === undefined ? [] : [actor.onBehalfOf])];
  const whose = [named.map(({ type, id }) => `${type}/${id}`), ...fields.map(({ subjects }) => subjects)];
  for (const subjects of whose) {
    const hold = coveredByHold(holds, event, subjects);
    if (hold !== undefined) return hold;
  }
  return undefined;
}

function isOwn({ entry }: StoredEntry): boolean {
  const bytes = Buffer.from(entry.buffer, entry.byteOffset, entry.length);
  return bytes.includes('"action":"log.') && parseEntry(entry).action.startsWith('log.');
}

/** Throws `LogError` `log_damaged` where an entry of a span is missing that was not pruned. */
export function mustBeThere(
  entries: readonly StoredEntry[],
  { from, end, minimum }: { readonly from: number; readonly end: number; readonly minimum: number },
): void {
  const there = new Set(entries.map(({ index }) => index));
  for (let index = Math.max(from, minimum); index < end; index += 1)
    if (!there.has(index)) throw damaged(`entry ${index} is missing`);
}

/** Throws `LogError` `log_damaged` where an entry of one tile, from an index on, is missing, or does not have the hash in the tile. */
export function mustBeWhole(
  entries: readonly StoredEntry[],
  span: { readonly from: number; readonly end: number; readonly tile: Uint8Array | undefined },
): void {
  mustBeThere(entries, { from: span.from, end: span.end, minimum: 0 });
  for (const { index, entry } of entries) {
    const at = (index % TILE_WIDTH) * HASH_BYTES;
    const hash = span.tile?.subarray(at, at + HASH_BYTES);
    if (hash === undefined || !equalBytes(hash, hashLeaf(entry)))
      throw damaged(`entry ${index} does not have the hash in its tile`);
  }
}

/** Throws `LogError` `log_damaged` where own entries are missing that the pruning before kept. */
export function mustHaveKept({ own, below }: Prunable, { minimum, kept }: PrunedState): void {
  const there = own.filter((index) => index < minimum).length;
  if (below >= minimum && there !== kept)
    throw damaged(`of the ${kept} entries of its own that it kept below ${minimum}, ${there} are there`);
}

function damaged(what: string): LogError {
  return new LogError('log_damaged', `nothing is removed from a log that is damaged: ${what}`, {
    hint: 'run verify: it names everything that was changed',
  });
}
