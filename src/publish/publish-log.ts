import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AnchorStore } from '../anchor/index.ts';
import { misuse, utf8Encode, VerificationError } from '../bytes/index.ts';
import type { Follower, FollowerBatch, Log } from '../log/index.ts';
import { openNote, type Policy, parseNote, satisfiesPolicy } from '../note/index.ts';
import { randomBytes, systemClock, TIMER_MS_MAX } from '../platform/index.ts';
import {
  isLogError,
  type S3Options,
  SUBJECT_KEYS_FILE,
  SubjectKeys,
  type TileStore,
} from '../store/index.ts';
import { DisclosureArchive } from './disclosure-archive.ts';
import { mustNotExpose } from './exposure.ts';
import { folderOf, openTileStore } from './places.ts';
import { StampPublisher, stampsKept } from './publish-stamps.ts';
import { type Published, Publisher, type PublishSource, type Shown } from './publisher.ts';
import { SealerOfMany } from './sealer.ts';

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
 * Publishes what a log has signed, once. Throws `LogError` `archive_conflict`, `archive_unsuitable`, `keys_exposed`, `rolled_back`,
 * `log_damaged`, and what the store throws.
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
 * said by the checkpoint that it has published, so that it goes on wherever it died. Throws `LogError` `keys_exposed`.
 */
export function publishTiles(log: Log, options: PublishTilesOptions): Follower {
  checkNames(options, followerNames);
  const { name = 'publish', everyMs = PUBLISH_MS_DEFAULT, onPublished } = options;
  if (!(Number.isSafeInteger(everyMs) && everyMs >= 0)) {
    throw misuse('range', 'option_invalid', 'everyMs must be a whole number of milliseconds');
  }
  checkTarget(log, options);
  let covered = 0;
  let wanted = 0;
  let stamped = 0;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let work: Promise<Work> | undefined;
  let publishing: Promise<unknown> = Promise.resolve();
  const close = async (): Promise<void> => {
    const closed = work;
    work = undefined;
    await closed?.then((open) => open.close()).catch(() => {});
  };
  const publish = async (signal: AbortSignal): Promise<void> => {
    if (work === undefined) {
      work = open(log, options);
      // The log may be closed while nothing is published.
      signal.addEventListener('abort', () => void publishing.then(close, close), { once: true });
    }
    try {
      // One that comes while this is under way is published by the next.
      const kept = stampsKept(log.anchorsPath);
      const published = await (await work).publish();
      covered = isSatisfied(log.witnessPolicy, published.note) ? published.size : published.size - 1;
      stamped = kept;
      if (published.added > 0 || published.timestamps > 0) onPublished?.(published);
    } catch (error) {
      // The place may have changed, or be reachable again: it is opened anew.
      await close();
      throw error;
    }
  };
  const publishNow = (signal: AbortSignal): Promise<void> => {
    const now = publish(signal);
    publishing = now.catch(() => {});
    return now;
  };
  return {
    name,
    batchMax: 4096,
    async apply({ to, signal }: FollowerBatch): Promise<void> {
      if (to <= covered) return;
      await publishNow(signal);
      wanted = to;
      await pause(everyMs, signal);
      if (signal.aborted) await close();
    },
    /**
     * What comes without an entry: a time-stamp, and what witnesses cosign after they have lagged behind the log. Where it fails, it is
     * told, and tried again, as a batch is.
     */
    async idle(signal: AbortSignal): Promise<void> {
      const now = systemClock.monotonic();
      if (now - lookedAt < Math.max(everyMs, CATCH_UP_MS_MIN)) return;
      if (covered < wanted || stampsKept(log.anchorsPath) > stamped) await publishNow(signal);
      lookedAt = now;
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
  checkTarget(log, options);
  const store = typeof to === 'string' ? await openTileStore(to, options.s3) : to;
  const keys = disclosures ? SubjectKeys.open(keysPath, randomBytes) : undefined;
  const source = sourceOf(log);
  const stamps = new StampPublisher({ anchorsPath: log.anchorsPath, source, store });
  const sealer = keys && new SealerOfMany(keys, keysPath);
  const publisher = new Publisher({
    source,
    store,
    disclosures: keys && new DisclosureArchive(store, keys, sealer),
    shown: () => newestShown(log),
    onProgress,
  });
  const publish = async (): Promise<Published> => {
    const begun = systemClock.wall();
    const tiles = await publisher.publish();
    const { size, added, written } = tiles;
    const timestamps = await stamps.publish({ size, isFirst: added === size });
    const published = { ...tiles, written: written + timestamps, timestamps };
    note(log, { url: store.place, begun }, published, options.s3);
    return published;
  };
  const close = async (): Promise<void> => {
    await sealer?.close();
    keys?.close();
    if (typeof to === 'string') await store.close();
  };
  return { publish, close };
}

/** Throws as `mustNotExpose`, of what is published to a folder. */
function checkTarget(log: Log, { to, disclosures = true, subjectKeys }: PublishOptions): void {
  const place = typeof to === 'string' ? to : to.place;
  const folder = typeof to === 'string' || /^file:/.test(place) ? folderOf(place) : undefined;
  if (folder === undefined) return;
  const keys = subjectKeys ?? join(log.dir, SUBJECT_KEYS_FILE);
  mustNotExpose(folder, { log: log.dir, subjectKeys: disclosures ? keys : undefined });
}

/** A log as its publisher reads it. */
export function sourceOf(log: Log): PublishSource {
  const { reader } = log;
  return {
    origin: log.origin,
    keysAt: async (size) => {
      const { keys } = await reader.keys();
      const signs = keys.filter(({ first, last = size }) => first <= size && size <= last);
      return signs.map(({ vkey }) => vkey);
    },
    checkpoint: () => reader.checkpoint(),
    bundle: (index, width) => reader.bundle(index, width),
    tile: (tile) => reader.tile(tile),
    entries: (from, to) => reader.entries(from, to),
    checkContinues: (state) => reader.checkContinues(state),
  };
}

/**
 * The newest checkpoint that the quorum has cosigned; where it has cosigned none yet, the newest that was shown to witnesses, with what
 * they have signed; the log's own where nobody witnesses it now, and where its policy cannot be used: then every checkpoint that
 * somebody else has cosigned counts as one that readers take.
 */
async function newestShown(log: Log): Promise<Shown> {
  const { anchorsPath: path, witnessPolicy: policy, origin } = log;
  if (policy === undefined) {
    const isUnusable = !(await hasNoWitnesses(log));
    return { note: undefined, isCosigned: (note) => isUnusable && isSignedByOthers(note, origin) };
  }
  if (policy.witnesses.length === 0) return { note: undefined, isCosigned: () => false };
  const isCosigned = (note: Uint8Array): boolean => policy.quorum !== undefined && isSatisfied(policy, note);
  const cosigned = policy.quorum === undefined ? undefined : await witnessed(log);
  if (cosigned !== undefined) return { note: cosigned, isCosigned };
  const anchors = AnchorStore.openReadable(path);
  try {
    return { note: anchors?.newestPublished()[0]?.note, isCosigned };
  } finally {
    anchors?.close();
  }
}

/** The newest checkpoint with a quorum; undefined where there is none yet. */
async function witnessed(log: Log): Promise<Uint8Array | undefined> {
  try {
    return utf8Encode((await log.checkpoint({ witnessed: true })).note);
  } catch (error) {
    if (isLogError(error, 'not_witnessed')) return undefined;
    throw error;
  }
}

/** Whether a log without a policy has none, rather than one that cannot be used. */
async function hasNoWitnesses(log: Log): Promise<boolean> {
  try {
    await log.checkpoint({ witnessed: true });
    return false;
  } catch (error) {
    return isLogError(error, 'no_witnesses');
  }
}

function isSignedByOthers(note: Uint8Array, origin: string): boolean {
  return parseNote(note).signatures.some(({ name }) => name !== origin);
}

/** Whether readers who go by the policy take a checkpoint: else it is published again with what witnesses sign later. */
function isSatisfied(policy: Policy | undefined, note: Uint8Array): boolean {
  if (policy === undefined) return true;
  const keys = policy.witnesses.map(({ key }) => key);
  try {
    return satisfiesPolicy(policy, openNote(note, keys));
  } catch (error) {
    // None of them has signed it yet.
    if (error instanceof VerificationError) return policy.quorum === undefined;
    throw error;
  }
}

/**
 * Notes beside the log where it is published, how far, and until when nothing can be deleted there: `tier` tells it. Where files lie
 * that were locked earlier than the ones of now, or not at all, it is their date that counts, or none.
 */
function note(
  { anchorsPath }: Log,
  { url, begun }: { readonly url: string; readonly begun: number },
  { size, added, written, present }: Published,
  s3?: S3Options,
): void {
  if (anchorsPath === '') return;
  const at = systemClock.wall();
  try {
    const anchors = AnchorStore.open(anchorsPath);
    try {
      const last = anchors.publications().find((known) => known.url === url);
      const before = last?.retainUntil;
      const retention = s3?.retention;
      const isLocked = retention !== undefined && (retention.mode ?? 'COMPLIANCE') === 'COMPLIANCE';
      const isWhole = added === size && present === 0;
      const isNothing = added === 0 && written === 0;
      // No file was put before that, so that none is free any sooner than it says.
      const lock = isLocked ? begun + retention.days * DAY_MS : undefined;
      const known = before ?? (isWhole ? lock : undefined);
      const until = isNothing
        ? known
        : known !== undefined && lock !== undefined
          ? Math.min(known, lock)
          : undefined;
      const retainUntil = isLocked || added === 0 ? until : undefined;
      // While a quorum is missing, it is looked for now and then: that nothing has come of it is no news.
      if (isNothing && last?.size === size && last.retainUntil === retainUntil) return;
      anchors.putPublication({ url, size, at, ...(retainUntil !== undefined && { retainUntil }) });
    } finally {
      anchors.close();
    }
  } catch (error) {
    // Who may read the log and not write beside it has published all the same.
    if (!isLogError(error, 'io_failed')) throw error;
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
    const timer = setTimeout(done, Math.min(ms, TIMER_MS_MAX)).unref();
    signal.addEventListener('abort', done);
  });
}

function checkNames(options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    throw misuse('type', 'option_unknown', `unknown option ${name}: known are ${known.join(', ')}`);
  }
}
