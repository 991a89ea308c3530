import { fileURLToPath } from 'node:url';
import { misuse } from '../bytes/index.ts';
import {
  DirectoryTileStore,
  type S3Options,
  S3TileStore,
  type TileReader,
  type TileStore,
} from '../store/index.ts';
import { type HttpOptions, HttpTiles } from './http-tiles.ts';
import type { KeySearchLimits } from './key-search.ts';

/** How the place of a published log is opened. */
export interface PlaceOptions extends HttpOptions {
  /** How a bucket is reached, and what is locked there. */
  readonly s3?: S3Options;
  /** How much is read for changes of keys while no known key has signed the checkpoint that is there. */
  readonly keySearch?: KeySearchLimits;
}

/** A place to read from, and its folder where it is one. */
export interface ReadablePlace {
  readonly reader: TileReader;
  readonly root?: string;
}

/** Opens a place for reading: `file:`, `s3:`, `https:`. Throws a misuse `option_invalid` for any other. */
export async function openPlace(url: string, options: PlaceOptions = {}): Promise<ReadablePlace> {
  const { protocol, href } = placeUrl(url);
  if (protocol === 'file:') {
    const root = folderAt(href);
    return { reader: DirectoryTileStore.reading(root), root };
  }
  if (protocol === 's3:') return { reader: await S3TileStore.reading(url, options.s3) };
  if (protocol === 'https:' || protocol === 'http:') return { reader: HttpTiles.open(href, options) };
  throw unknownPlace(url);
}

/** Opens a place for publishing: `file:` or `s3:`. Throws as {@link openPlace}. */
export async function openTileStore(url: string, s3?: S3Options): Promise<TileStore> {
  const { protocol, href } = placeUrl(url);
  if (protocol === 'file:') return DirectoryTileStore.open(folderAt(href));
  if (protocol === 's3:') return S3TileStore.open(url, s3);
  throw unknownPlace(url);
}

/** Whether a text names a place rather than a folder. */
export function isPlaceUrl(text: string): boolean {
  return /^(?:file|s3|https?):/.test(text);
}

/** The folder that a `file:` address names; undefined for one of another kind. Throws as {@link openPlace}. */
export function folderOf(url: string): string | undefined {
  const { protocol, href } = placeUrl(url);
  return protocol === 'file:' ? folderAt(href) : undefined;
}

/** A relative `file:` address, and what follows a `?` or `#`, would name another folder than whoever writes it means. */
function placeUrl(url: string): URL {
  const parsed = typeof url === 'string' && isPlaceUrl(url) ? URL.parse(url) : null;
  if (parsed === null || (parsed.protocol === 'file:' && !/^file:\/[^?#]*$/.test(url)))
    throw unknownPlace(url);
  return parsed;
}

/** The folder that a `file:` address names. One of another machine, or with what no path can have, names none. */
function folderAt(href: string): string {
  try {
    const path = fileURLToPath(href);
    if (!path.includes('\0')) return path;
  } catch {
    // Node says why in words of its own.
  }
  throw unknownPlace(href);
}

function unknownPlace(url: unknown): TypeError | RangeError {
  return misuse(
    'type',
    'option_invalid',
    `a published log lies at file:///path (? and # written as %3F and %23), s3://bucket/prefix or https://…, not at ${JSON.stringify(url)}`,
  );
}
