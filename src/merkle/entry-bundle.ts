import { misuse, VerificationError } from '../bytes/index.ts';
import { TILE_WIDTH } from './tile.ts';

/** The longest entry that a bundle can hold: its length is written in two bytes. */
export const ENTRY_BYTES_MAX = 65_535;

const LENGTH_BYTES = 2;

/**
 * The bytes of an entry bundle (c2sp.org/tlog-tiles): each entry behind its length, a 16-bit big-endian
 * number. The inverse of `decodeEntryBundle`. Takes 1 to 256 entries of at most `ENTRY_BYTES_MAX` bytes, else
 * throws a misuse `entry_too_large` or `tile_out_of_range`.
 */
export function encodeEntryBundle(entries: readonly Uint8Array[]): Uint8Array {
  requireWidth(entries.length);
  let length = 0;
  for (const entry of entries) {
    if (entry.length > ENTRY_BYTES_MAX) {
      const message = `An entry has at most ${ENTRY_BYTES_MAX} bytes, not ${entry.length}.`;
      throw misuse('range', 'entry_too_large', message);
    }
    length += LENGTH_BYTES + entry.length;
  }
  const bundle = new Uint8Array(length);
  let offset = 0;
  for (const entry of entries) {
    bundle[offset] = Math.floor(entry.length / 256);
    bundle[offset + 1] = entry.length % 256;
    bundle.set(entry, offset + LENGTH_BYTES);
    offset += LENGTH_BYTES + entry.length;
  }
  return bundle;
}

/**
 * The entries of a bundle, as windows into its bytes. Give the `width` that the bundle's path names, and
 * exactly so many are required; without it, 1 to 256. (An auditor that only reads the first `width` entries
 * of a longer bundle overlooks the rest.) Throws `malformed_entry_bundle`.
 */
export function decodeEntryBundle(bundle: Uint8Array, width?: number): Uint8Array[] {
  if (width !== undefined) requireWidth(width);
  const entries: Uint8Array[] = [];
  let offset = 0;
  while (offset < bundle.length) {
    const start = offset + LENGTH_BYTES;
    if (start > bundle.length) throw malformed('ends within the length of an entry', offset);
    const end = start + bundle[offset]! * 256 + bundle[offset + 1]!;
    if (end > bundle.length) throw malformed('ends within an entry', offset);
    if (entries.length === (width ?? TILE_WIDTH))
      throw malformed(`goes on after ${entries.length} entries`, offset);
    entries.push(bundle.subarray(start, end));
    offset = end;
  }
  if (entries.length === 0 || (width !== undefined && entries.length !== width)) {
    throw malformed(`holds ${entries.length} entries`, offset);
  }
  return entries;
}

function requireWidth(width: number): void {
  if (Number.isSafeInteger(width) && width >= 1 && width <= TILE_WIDTH) return;
  throw misuse('range', 'tile_out_of_range', `A bundle holds 1 to ${TILE_WIDTH} entries, not ${width}.`);
}

function malformed(what: string, position: number): VerificationError {
  return new VerificationError('malformed_entry_bundle', `The entry bundle ${what}.`, { position });
}
