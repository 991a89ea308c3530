/**
 * A log as static files that anybody can host and anybody can check (c2sp.org/tlog-tiles).
 *
 * A checkpoint, tiles of hashes, bundles of entries: that is a whole log, in a folder, in a bucket, behind any cache. Publishing costs
 * each file once; reading needs neither a database nor a server of ours, nor trust in whoever hosts the files, since every byte leads to
 * the signed root.
 *
 * ```ts
 * await publishLog(log, { to: 'file:///srv/audit' });
 * const report = await verifyPublished('file:///srv/audit', { vkey });
 * ```
 *
 * Sealed values lie beside the bundles, encrypted under a key a subject, so that destroying the key erases them in every copy
 * (`sealed-file.ts`, spec/archive.md). `publisher.ts` is the story to read first: what is durable when.
 */
export { auditPublished, type PublishedPlace, type VerifyPublishedOptions } from './audit-published.ts';
export { DisclosureArchive } from './disclosure-archive.ts';
export { HTTP_TIMEOUT_MS_DEFAULT, type HttpOptions, HttpTiles } from './http-tiles.ts';
export {
  KEY_SEARCH_BYTES_MAX,
  KEY_SEARCH_ENTRIES_MAX,
  KEY_SEARCH_MS_MAX,
  type KeySearchLimits,
} from './key-search.ts';
export { isPlaceUrl, openPlace, openTileStore, type PlaceOptions, type ReadablePlace } from './places.ts';
export {
  PUBLISH_MS_DEFAULT,
  type PublishOptions,
  type PublishTilesOptions,
  publishLog,
  publishTiles,
} from './publish-log.ts';
export { type BundleFile, type ReadFile, readBundle, readTile } from './published-files.ts';
export { openPublished, type PublishedEntry, PublishedLog } from './published-log.ts';
export { type PublishedStamps, publishedStamps, type StampsAsked } from './published-stamps.ts';
export {
  type DisclosureSink,
  type Published,
  Publisher,
  type PublisherOptions,
  type PublishSource,
  type Shown,
} from './publisher.ts';
export { type Restored, type RestoreOptions, restoreLog, type Unrestored } from './restore.ts';
export { verifyPublished } from './verify-published.ts';
