import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { VerificationError } from '../bytes/index.ts';
import { entriesPath, TILE_WIDTH, type Tile, tilePath } from '../merkle/index.ts';
import { FoldersBelow, openingFailed, REGULAR_FILE_FLAGS, requireFile } from '../platform/index.ts';
import type { Awaitable } from '../store/index.ts';
import type { Span } from '../verify/index.ts';

/** Bytes of one entry in a bundle at most, its length included. */
const BUNDLED_BYTES_MAX = 65_535 + 2;

/** Reads the first bytes of a file, one more than `bytesMax` at most; undefined where there is none. */
export type ReadFile = (path: string, bytesMax: number) => Awaitable<Uint8Array | undefined>;

/** The published files over a span of a log, as they were read. */
export interface SpanFiles {
  readonly bundles: readonly BundleFile[];
  readonly tiles: readonly (Uint8Array | undefined)[];
  /** What stands there in the place of a file and is none; each counts as missing, too. */
  readonly strange: readonly StrangeFile[];
}

/** A path at which stands something that is no file. */
export interface StrangeFile {
  readonly path: string;
  /** `a symbolic link`, `a folder` and so on. */
  readonly kind: string;
}

/** A bundle as it was read. */
export interface BundleFile {
  /** Undefined where there is none. */
  readonly bytes: Uint8Array | undefined;
  /** How many entries its path promises; more than the span has where a full bundle stands in for a partial one. */
  readonly width: number;
}

/** What stands in a folder, on this thread: an audit has one of its own to wait on. */
export function readFilesOf(root: string): (path: string, bytesMax: number) => Uint8Array | undefined {
  const folders = new FoldersBelow(root);
  return (path, bytesMax) => {
    folders.require(path);
    const at = join(root, path);
    let file: number;
    try {
      file = openSync(at, REGULAR_FILE_FLAGS);
    } catch (error) {
      return openingFailed(path, at, error);
    }
    try {
      const stats = fstatSync(file);
      requireFile(path, stats);
      const bytes = Buffer.allocUnsafeSlow(Math.min(stats.size, bytesMax + 1));
      let length = 0;
      while (length < bytes.length) {
        const count = readSync(file, bytes, length, bytes.length - length, null);
        if (count === 0) break;
        length += count;
      }
      return new Uint8Array(bytes.buffer, bytes.byteOffset, length);
    } finally {
      closeSync(file);
    }
  };
}

/** The places of the bundles over a span, which begins where a bundle does. */
export function bundlesOf({ begin, end }: Span): { index: number; width: number }[] {
  const bundles: { index: number; width: number }[] = [];
  for (let first = begin; first < end; first += TILE_WIDTH) {
    bundles.push({ index: first / TILE_WIDTH, width: Math.min(TILE_WIDTH, end - first) });
  }
  return bundles;
}

/** A bundle. Where a partial one is gone, the full one stands in for it, as the specification says. */
export async function readBundle(
  read: ReadFile,
  { index, width }: { readonly index: number; readonly width: number },
): Promise<BundleFile> {
  const bytes = await read(entriesPath(index, width), width * BUNDLED_BYTES_MAX);
  if (bytes !== undefined || width === TILE_WIDTH) return { bytes, width };
  const full = await read(entriesPath(index), TILE_WIDTH * BUNDLED_BYTES_MAX);
  return full === undefined ? { bytes, width } : { bytes: full, width: TILE_WIDTH };
}

/** A tile: exactly as long as it should be, or as it was found. As {@link readBundle}. */
export async function readTile(read: ReadFile, tile: Tile): Promise<Uint8Array | undefined> {
  const bytes = await read(tilePath(tile), tile.width * 32);
  if (bytes !== undefined || tile.width === TILE_WIDTH) return bytes;
  const full = await read(tilePath({ ...tile, width: TILE_WIDTH }), TILE_WIDTH * 32);
  return full?.length === TILE_WIDTH * 32 ? full.subarray(0, tile.width * 32) : full;
}

/** Reads on where something stands that is no file: it counts as missing, and is noted. */
export function readNoting(read: ReadFile, strange: StrangeFile[]): ReadFile {
  return async (path, bytesMax) => {
    try {
      return await read(path, bytesMax);
    } catch (error) {
      if (!(error instanceof VerificationError) || error.code !== 'not_a_file') throw error;
      strange.push({ path, kind: String(error.details['kind']) });
      return undefined;
    }
  };
}

/** Reads what is published over a span. */
export async function readSpan(reading: ReadFile, span: Span): Promise<SpanFiles> {
  const strange: StrangeFile[] = [];
  const read = readNoting(reading, strange);
  const places = bundlesOf(span);
  const [bundles, tiles] = await Promise.all([
    Promise.all(places.map((place) => readBundle(read, place))),
    Promise.all(places.map((place) => readTile(read, { level: 0, ...place }))),
  ]);
  return { bundles, tiles, strange };
}
