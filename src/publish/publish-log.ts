import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AnchorStore, type Publication } from '../anchor/index.ts';
import { misuse } from '../bytes/index.ts';
import { type Follower, type FollowerBatch, isLogError, type Log } from '../log/index.ts';
import { randomBytes, systemClock } from '../platform/index.ts';
import { type S3Options, SubjectKeys, type TileStore } from '../store/index.ts';
import { DisclosureArchive } from './disclosure-archive.ts';
import { openTileStore } from './places.ts';
import { type Published, Publisher, type PublishSource } from './publisher.ts';

/** The file with the keys of subjects, in the folder of a log. */
export const SUBJECT_KEYS_FILE = 'subject-keys.db';

/** How often the follower publishes at most, milliseconds. */
export const PUBLISH_MS_DEFAULT = 10_000;

/** How soon the follower looks again for what witnesses have cosigned, milliseconds, however often it publishes. */
const CATCH_UP_MS_MIN = 200;

const DAY_MS = 86_400_000;

/** How a log is published. */
export interface PublishOptions {
  /** Where to: `file:///path`, `s3://bucket/prefix`, or a store that is open already and stays its owner's. */
  readonly to: string | TileStore;
  /** How a bucket is reached, and how long nothing may be deleted there. */
  readonly s3?: S3Options;
  /** Whether sealed values are published too, encrypted under a key a subject. Default true. */
  readonly disclosures?: boolean;
  /** Where the keys of the subjects lie; `subject-keys.db` in the folder of the log by default. */
  readonly subjectKeys?: string;
  /** Told now and then how many entries are written, of how many. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** How the follower publishes. */
export interface PublishTilesOptions extends Omit<PublishOptions, 'onProgress'> {
  /** Its name among the followers; `publish` by default. */
  readonly name?: string;
  /** How often at most, milliseconds; {@link PUBLISH_MS_DEFAULT} by default. */
  readonly everyMs?: number;
  /** Told of each publication. */
  readonly onPublished?: (published: Published) => void;
}

const optionNames = ['to', 's3', 'disclosures', 'subjectKeys', 'onProgress'];
const followerNames = ['to', 's3', 'disclosures', 'subjectKeys', 'name', 'everyMs', 'onPublished'];

/**
 * Publishes what a log has signed, once. Throws `LogError` `archive_conflict`, `archive_unsuitable`, `rolled_back`, `log_damaged`, and
 * what the store throws.
 */
export async function publishLog(log: Log, options: PublishOptions): Promise<Published> {
  checkNames(options, optionNames);
  const { onProgress } = options;
  const work = await open(log, options, onProgress);
  try {
    return await work.publish();
  } finally {
    await work.close();
  }
}

/**
 * A follower that publishes a log as it grows: `log.followers.add(publishTiles(log, { to: 's3://bucket/prefix' }))`. Where it stands is
 * said by the checkpoint that it has published, so that it goes on wherever it died.
 */
export function publishTiles(log: Log, options: PublishTilesOptions): Follower {
  checkNames(options, followerNames);
  const { name = 'publish', everyMs = PUBLISH_MS_DEFAULT, onPublished } = options;
  if (!(Number.isSafeInteger(everyMs) && everyMs >= 0)) {
    throw misuse('range', 'option_invalid', 'everyMs must be a whole number of milliseconds');
  }
  let covered = 0;
  let work: Promise<Work> | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  let later: NodeJS.Timeout | undefined;
  const publish = async (): Promise<void> => {
    work ??= open(log, options);
    try {
      const published = await (await work).publish();
      covered = published.size;
      if (published.added > 0) onPublished?.(published);
    } catch (error) {
      // The place may have changed, or be reachable again: it is opened anew.
      const failed = work;
      work = undefined;
      await failed.then(({ close }) => close()).catch(() => {});
      throw error;
    }
  };
  const inTurn = (): Promise<void> => {
    const mine = turn.then(publish);
    turn = mine.catch(() => {});
    return mine;
  };
  /** Witnesses may lag behind the log: what they cosign later is published later, although nothing is recorded then. */
  const catchUp = (to: number, signal: AbortSignal): void => {
    clearTimeout(later);
    if (covered >= to || signal.aborted) return;
    const again = (): void => {
      if (!signal.aborted)
        void inTurn().then(
          () => catchUp(to, signal),
          () => catchUp(to, signal),
        );
    };
    later = setTimeout(again, Math.max(everyMs, CATCH_UP_MS_MIN)).unref();
  };
  return {
    name,
    batchMax: 4096,
    async apply({ to, signal }: FollowerBatch): Promise<void> {
      if (to <= covered) return;
      await inTurn();
      catchUp(to, signal);
      await pause(everyMs, signal);
      if (!signal.aborted) return;
      clearTimeout(later);
      await work?.then(({ close }) => close()).catch(() => {});
      work = undefined;
    },
  };
}

/** What a publication works with. */
interface Work {
  publish(): Promise<Published>;
  close(): Promise<void>;
}

async function open(
  log: Log,
  options: PublishOptions,
  onProgress?: PublishOptions['onProgress'],
): Promise<Work> {
  const { to, disclosures = true, subjectKeys } = options;
  const keysPath = subjectKeys ?? join(log.dir, SUBJECT_KEYS_FILE);
  if (disclosures && subjectKeys === undefined && !existsSync(log.dir)) {
    throw misuse(
      'type',
      'option_invalid',
      'a log that lives in no folder needs subjectKeys: where their keys are to lie',
    );
  }
  const store = typeof to === 'string' ? await openTileStore(to, options.s3) : to;
  const keys = disclosures ? SubjectKeys.open(keysPath, randomBytes) : undefined;
  const publisher = new Publisher({
    source: sourceOf(log),
    store,
    disclosures: keys && new DisclosureArchive(store, keys),
    cosigned: () => newestCosigned(log.anchorsPath),
    onProgress,
  });
  const close = async (): Promise<void> => {
    keys?.close();
    if (typeof to === 'string') await store.close();
  };
  const publish = async (): Promise<Published> => {
    const beganAt = systemClock.wall();
    const published = await publisher.publish();
    notePublication(log.anchorsPath, { url: store.place, size: published.size, at: beganAt }, options.s3);
    return published;
  };
  return { publish, close };
}

/**
 * Notes where the log is published, for `tier`. A lock counts from when a file was written: as a whole the place is locked until the
 * first of them is free, and not at all where some were written without one.
 */
function notePublication(path: string, publication: Publication, s3: S3Options | undefined): void {
  if (path === '') return;
  try {
    const anchors = AnchorStore.open(path);
    try {
      const days = s3?.retention?.days;
      const lockedUntil = days === undefined ? undefined : publication.at + days * DAY_MS;
      const known = anchors.publications().find(({ url }) => url === publication.url);
      const retainUntil = known === undefined || lockedUntil === undefined ? lockedUntil : known.retainUntil;
      anchors.putPublication({ ...publication, ...(retainUntil !== undefined && { retainUntil }) });
    } finally {
      anchors.close();
    }
  } catch (error) {
    // It is published all the same. Whoever publishes may only read the folder.
    if (!isLogError(error)) throw error;
  }
}

function sourceOf(log: Log): PublishSource {
  const { reader } = log;
  return {
    origin: log.origin,
    // While it is open, another key may take over.
    vkeys: async () => (await log.keys()).keys.map(({ vkey }) => vkey),
    checkpoint: () => reader.checkpoint(),
    bundle: (index, width) => reader.bundle(index, width),
    tile: (tile) => reader.tile(tile),
    entries: (from, to) => reader.entries(from, to),
    checkContinues: (state) => reader.checkContinues(state),
  };
}

/** The newest checkpoint that was shown to witnesses, with what they have signed. */
function newestCosigned(path: string): Uint8Array | undefined {
  if (path === '' || !existsSync(path)) return undefined;
  const anchors = AnchorStore.open(path);
  try {
    return anchors.newestPublished()[0]?.note;
  } finally {
    anchors.close();
  }
}

/** Waits so long, or until the log is closed. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms === 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms).unref();
    signal.addEventListener('abort', done);
  });
}

function checkNames(options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    throw misuse('type', 'option_unknown', `unknown option ${name}: known are ${known.join(', ')}`);
  }
}
