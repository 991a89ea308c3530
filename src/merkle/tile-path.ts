import { misuse, VerificationError } from '../bytes/index.ts';
import { TILE_WIDTH, type Tile } from './tile.ts';

/** The highest tile level that a path can name; levels above 6 are beyond `SIZE_MAX`. */
const LEVEL_MAX = 63;

const hashTile = /^tile\/([0-9]{1,2})\/([x0-9/]+)(?:\.p\/([0-9]{1,3}))?$/;
const entryBundle = /^tile\/entries\/([x0-9/]+)(?:\.p\/([0-9]{1,3}))?$/;

/** Which entry bundle: the entries from `256 * index` on, `width` of them. */
export interface EntryBundleId {
  readonly index: number;
  readonly width: number;
}

/**
 * The path of a tile below its log's prefix: `tile/<level>/<index>[.p/<width>]`, the index in groups of three
 * digits, such as `tile/0/x001/x234/067.p/8` (c2sp.org/tlog-tiles). The inverse of `parseTilePath`. Throws a
 * misuse `tile_out_of_range`.
 */
export function tilePath(tile: Tile): string {
  requireWithin(tile.level, { from: 0, to: LEVEL_MAX, what: 'level' });
  return `tile/${tile.level}/${place(tile.index, tile.width)}`;
}

/**
 * The path of an entry bundle: `tile/entries/<index>[.p/<width>]`. The inverse of `parseEntriesPath`; as
 * `tilePath`.
 */
export function entriesPath(index: number, width: number = TILE_WIDTH): string {
  return `tile/entries/${place(index, width)}`;
}

/** The tile that a path names, in the one spelling that it has. Throws `malformed_tile_path`. */
export function parseTilePath(path: string): Tile {
  const [, level, groups, width] = hashTile.exec(path) ?? [];
  if (level === undefined || groups === undefined) throw malformed(path);
  const tile = { level: Number(level), ...placeOf(groups, width, path) };
  if (tile.level > LEVEL_MAX || tilePath(tile) !== path) throw malformed(path);
  return tile;
}

/** The entry bundle that a path names, in the one spelling that it has. Throws `malformed_tile_path`. */
export function parseEntriesPath(path: string): EntryBundleId {
  const [, groups, width] = entryBundle.exec(path) ?? [];
  if (groups === undefined) throw malformed(path);
  const bundle = placeOf(groups, width, path);
  if (entriesPath(bundle.index, bundle.width) !== path) throw malformed(path);
  return bundle;
}

function place(index: number, width: number): string {
  requireWithin(index, { from: 0, to: Number.MAX_SAFE_INTEGER, what: 'index' });
  requireWithin(width, { from: 1, to: TILE_WIDTH, what: 'width' });
  const groups = `${index % 1000}`.padStart(3, '0');
  let path = groups;
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    path = `x${`${rest % 1000}`.padStart(3, '0')}/${path}`;
  }
  return width === TILE_WIDTH ? path : `${path}.p/${width}`;
}

/**
 * Generous: what these groups would mean. Whether they are spelled as they must be is settled by writing them
 * again.
 */
function placeOf(groups: string, width: string | undefined, path: string): EntryBundleId {
  const place = {
    index: Number(groups.replaceAll(/[x/]/g, '')),
    width: width === undefined ? TILE_WIDTH : Number(width),
  };
  if (!Number.isSafeInteger(place.index) || place.width < 1 || place.width > TILE_WIDTH)
    throw malformed(path);
  return place;
}

function requireWithin(value: number, { from, to, what }: { from: number; to: number; what: string }): void {
  if (Number.isSafeInteger(value) && value >= from && value <= to) return;
  throw misuse(
    'range',
    'tile_out_of_range',
    `The ${what} of a tile is a whole number from ${from} to ${to}, not ${value}.`,
  );
}

function malformed(path: string): VerificationError {
  return new VerificationError(
    'malformed_tile_path',
    `No tile has this path: ${JSON.stringify(path.slice(0, 100))}.`,
  );
}
