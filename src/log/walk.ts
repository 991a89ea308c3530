import { HASH_BYTES, type Hash, TILE_WIDTH } from '../merkle/index.ts';
import { LogError, type StoredEntry } from '../store/index.ts';
import type { ReaderHandle } from './reader-thread.ts';

/** Entries that are read at once. */
const READ_ENTRIES = 512;

/** What is left of an entry that was pruned: its place, and its leaf hash out of the tiles, which nobody has checked. */
export interface PrunedEntry {
  readonly index: number;
  readonly hash: Hash;
}

/**
 * Every entry with `from <= index < to`, ascending; those that were pruned are passed over. Throws `LogError` `log_damaged` at the first
 * that is missing.
 */
export async function* walk(reader: ReaderHandle, from: number, to: number): AsyncGenerator<StoredEntry> {
  for await (const run of runs(reader, from, to)) yield* run.entries;
}

/** As {@link walk}, with the hashes of those that were pruned in their places. */
export async function* walkTree(
  reader: ReaderHandle,
  from: number,
  to: number,
): AsyncGenerator<StoredEntry | PrunedEntry> {
  let next = from;
  for await (const { entries, end } of runs(reader, from, to)) {
    for (const stored of entries) {
      yield* prunedBetween(reader, next, stored.index);
      yield stored;
      next = stored.index + 1;
    }
    yield* prunedBetween(reader, next, end);
    next = end;
  }
}

/** Entries as they are read, up to an index; what is not among them was pruned. */
async function* runs(
  reader: ReaderHandle,
  from: number,
  to: number,
): AsyncGenerator<{ readonly entries: readonly StoredEntry[]; readonly end: number }> {
  let minimum = 0;
  for (let start = from; start < to; start += READ_ENTRIES) {
    const end = Math.min(start + READ_ENTRIES, to);
    const entries = await reader.entries(start, end);
    const missing = entries.length === end - start ? undefined : firstMissing(entries, start, end);
    if (missing !== undefined) {
      if (missing.last >= minimum) minimum = await reader.minimum();
      const lost = missing.last < minimum ? undefined : firstMissing(entries, Math.max(start, minimum), end);
      if (lost !== undefined) {
        yield { entries: entries.filter(({ index }) => index < lost.first), end: lost.first };
        throw lostAt(lost.first);
      }
    }
    yield { entries, end };
  }
}

/** The first and the last index of a span that is not among these. */
function firstMissing(
  entries: readonly StoredEntry[],
  from: number,
  to: number,
): { readonly first: number; readonly last: number } | undefined {
  const there = new Set(entries.map(({ index }) => index));
  const missing = Array.from({ length: to - from }, (_, at) => from + at).filter(
    (index) => !there.has(index),
  );
  return missing.length === 0 ? undefined : { first: missing[0]!, last: missing.at(-1)! };
}

/** The leaf hashes of a span of full tiles, one after the other. Throws `LogError` `log_damaged` where a tile is missing. */
export async function* prunedBetween(
  reader: Pick<ReaderHandle, 'tile'>,
  from: number,
  to: number,
): AsyncGenerator<PrunedEntry> {
  let tile: Uint8Array | undefined;
  for (let index = from; index < to; index += 1) {
    const at = index % TILE_WIDTH;
    if (at === 0 || tile === undefined)
      tile = await reader.tile({ level: 0, index: Math.floor(index / TILE_WIDTH), width: TILE_WIDTH });
    if (tile === undefined) throw lostAt(index);
    yield { index, hash: tile.slice(at * HASH_BYTES, (at + 1) * HASH_BYTES) };
  }
}

function lostAt(index: number): LogError {
  return new LogError('log_damaged', `entry ${index} is missing`, {
    hint: 'run verify: it names everything that was changed',
  });
}
