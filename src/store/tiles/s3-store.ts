import { setTimeout as sleep } from 'node:timers/promises';
import { equalBytes, LogError, misuse } from '../../bytes/index.ts';
import { randomBytes, systemClock } from '../../platform/index.ts';
import { readHead } from '../../verify/index.ts';
import { CHECKPOINT_PATH, isStorePath, type PutResult, type TileStore } from './contract.ts';
import { differs, moved } from './directory-store.ts';
import {
  failureOf,
  inS3Words,
  loadS3,
  type S3ClientLike,
  type S3Connection,
  type S3Loaded,
} from './s3-client.ts';
import { probeBucket } from './s3-probe.ts';

/** How often a request is made before its failure is somebody else's. */
const ATTEMPTS_MAX = 8;

/** The first pause between two attempts, milliseconds; it doubles with each further one. */
const PAUSE_MS_MIN = 50;

/** Versions of a checkpoint that are read at once. */
const VERSIONS_AT_ONCE = 32;

/** How long a request may take, milliseconds. */
export const S3_TIMEOUT_MS_DEFAULT = 30_000;

/** How long nothing may be deleted or overwritten: S3 Object Lock. */
export interface S3Retention {
  /** From each write on. */
  readonly days: number;
  /** `COMPLIANCE` (default): nobody shortens it. `GOVERNANCE`: whoever has `s3:BypassGovernanceRetention` does. */
  readonly mode?: 'COMPLIANCE' | 'GOVERNANCE';
}

/** How a bucket is opened as a tile store. */
export interface S3Options extends S3Connection {
  /** A client that is there already, in place of one that is made; it stays its owner's. */
  readonly client?: S3ClientLike;
  /** Retention for everything that is written, the checkpoints included. The bucket must have Object Lock. */
  readonly retention?: S3Retention;
  /** A legal hold on everything that is written. */
  readonly legalHold?: boolean;
  /**
   * Reads the oldest version of each file rather than the newest: what was first written there, which a lock keeps, whatever was
   * written over it or whoever deleted it.
   */
  readonly oldestVersions?: boolean;
  /** How long a request may take, milliseconds; {@link S3_TIMEOUT_MS_DEFAULT} by default. */
  readonly timeoutMs?: number;
  /** How often a request is made before its failure is thrown; 8 by default. */
  readonly attempts?: number;
  /** Milliseconds of the wall clock. */
  readonly now?: () => number;
}

/** A file as it lies in a bucket. */
interface Found {
  readonly bytes: Uint8Array;
  readonly etag: string | undefined;
}

/** Where a list of versions goes on. */
interface VersionMarker {
  readonly KeyMarker?: string;
  readonly VersionIdMarker?: string;
}

/**
 * A tile store in an S3 bucket. Files are put where there is none (`If-None-Match: *`), the checkpoint where it is the one that was
 * read (`If-Match`). A request that may have been carried out is never repeated blindly: what is there is read, and decides.
 */
export class S3TileStore implements TileStore {
  readonly place: string;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #s3: S3Loaded;
  readonly #options: S3Options;

  private constructor(where: { bucket: string; prefix: string }, s3: S3Loaded, options: S3Options) {
    this.#bucket = where.bucket;
    this.#prefix = where.prefix === '' ? '' : `${where.prefix}/`;
    this.place = `s3://${where.bucket}/${where.prefix}`;
    this.#s3 = s3;
    this.#options = options;
  }

  /** Opens `s3://bucket/prefix` for reading. Throws a misuse `option_invalid`, `LogError` `archive_unsuitable` without the AWS SDK. */
  static async reading(url: string, options: S3Options = {}): Promise<S3TileStore> {
    const where = parseS3Url(url);
    checkRetention(options.retention);
    return new S3TileStore(where, await loadS3(options, options.client), options);
  }

  /**
   * Opens `s3://bucket/prefix` for publishing, and tries first whether the bucket does what publication rests on. Throws `LogError`
   * `archive_unsuitable` where it does not, and as {@link reading}.
   */
  static async open(url: string, options: S3Options = {}): Promise<S3TileStore> {
    const store = await S3TileStore.reading(url, options);
    try {
      await probeBucket({
        place: store.place,
        bucket: store.#bucket,
        key: `${store.#prefix}probe/${Buffer.from(randomBytes(12)).toString('hex')}`,
        commands: store.#s3.commands,
        // What is tried is how the bucket answers, not whether it is in a good mood.
        send: (command) => store.#again(() => store.#send(command)),
        retention: options.retention,
        now: store.#now(),
      });
    } catch (error) {
      await store.close();
      throw error;
    }
    return store;
  }

  async read(path: string, bytesMax: number): Promise<Uint8Array | undefined> {
    if (this.#options.oldestVersions === true) return this.#readVersion(path, bytesMax);
    return (await this.#get(path, bytesMax))?.bytes;
  }

  async putImmutable(path: string, bytes: Uint8Array): Promise<PutResult> {
    for (let attempt = 0; ; attempt += 1) {
      const error = await this.#put(path, bytes, { IfNoneMatch: '*' });
      if (error === undefined) return 'written';
      const failure = failureOf(error);
      if (failure === 'denied' || failure === 'refused') throw inS3Words(error, this.place);
      if (failure !== 'conflict') {
        const there = (await this.#get(path, bytes.length))?.bytes;
        if (there !== undefined) {
          if (!equalBytes(there, bytes)) throw differs(this.place, path);
          return failure === 'precondition' ? 'present' : 'written';
        }
      }
      await this.#pause(attempt, error);
    }
  }

  async putCheckpoint(note: Uint8Array, expected: Uint8Array | undefined): Promise<void> {
    const most = note.length + (expected?.length ?? 0);
    let mayBeOurs = false;
    for (let attempt = 0; ; attempt += 1) {
      const there = await this.#get(CHECKPOINT_PATH, most);
      if (mayBeOurs && there !== undefined && equalBytes(there.bytes, note)) return;
      const isExpected =
        there === undefined || expected === undefined
          ? there?.bytes === expected
          : equalBytes(there.bytes, expected);
      if (!isExpected) throw moved(this.place);
      const condition =
        there === undefined ? { IfNoneMatch: '*' } : { IfMatch: spelled(there.etag, attempt) };
      const error = await this.#put(CHECKPOINT_PATH, note, condition);
      if (error === undefined) return;
      const failure = failureOf(error);
      if (failure === 'denied' || failure === 'refused') throw inS3Words(error, this.place);
      // A condition that fails after a request whose outcome nobody knows may fail on our own write.
      mayBeOurs ||= failure === 'unknown';
      await this.#pause(attempt, error);
    }
  }

  /**
   * Until when the bucket itself says that nobody deletes the newest version of a file, milliseconds since the epoch: Object Lock in
   * `COMPLIANCE` mode. Undefined where it says none. Throws as {@link read}.
   */
  async lockedUntil(path: string): Promise<number | undefined> {
    const command = new this.#s3.commands.HeadObjectCommand(this.#keyOf(path) as never);
    const { ObjectLockMode: mode, ObjectLockRetainUntilDate: until } = await this.#again(() =>
      this.#send(command),
    );
    return mode === 'COMPLIANCE' && until instanceof Date ? until.getTime() : undefined;
  }

  async close(): Promise<void> {
    if (this.#s3.isOurs) this.#s3.client.destroy?.();
  }

  #now(): () => number {
    return this.#options.now ?? systemClock.wall;
  }

  #keyOf(path: string): { Bucket: string; Key: string } {
    if (!isStorePath(path)) {
      throw misuse(
        'range',
        'argument_invalid',
        `no file of a log has this path: ${JSON.stringify(path.slice(0, 100))}`,
      );
    }
    return { Bucket: this.#bucket, Key: this.#prefix + path };
  }

  /** One attempt; answers what went wrong. */
  async #put(path: string, bytes: Uint8Array, condition: object): Promise<unknown> {
    const { retention, legalHold } = this.#options;
    const isCheckpoint = path === CHECKPOINT_PATH;
    const input = {
      ...this.#keyOf(path),
      ...condition,
      Body: bytes,
      ContentType: isCheckpoint ? 'text/plain; charset=utf-8' : 'application/octet-stream',
      CacheControl: isCheckpoint ? 'no-cache' : 'max-age=604800, immutable',
      ...(retention !== undefined && {
        ObjectLockMode: retention.mode ?? 'COMPLIANCE',
        ObjectLockRetainUntilDate: new Date(this.#now()() + retention.days * 86_400_000),
      }),
      ...(legalHold === true && { ObjectLockLegalHoldStatus: 'ON' }),
    };
    try {
      await this.#send(new this.#s3.commands.PutObjectCommand(input as never));
      return undefined;
    } catch (error) {
      return error ?? new Error('the request failed and nobody says why');
    }
  }

  /** The newest version, or the one that is named. */
  #get(path: string, bytesMax: number, version?: string): Promise<Found | undefined> {
    const input = { ...this.#keyOf(path), ...(version !== undefined && { VersionId: version }) };
    return this.#again(async () => {
      try {
        const answer = await this.#send(new this.#s3.commands.GetObjectCommand(input as never));
        return { bytes: await firstBytes(answer, bytesMax), etag: answer.ETag as string | undefined };
      } catch (error) {
        if (failureOf(error) === 'missing') return undefined;
        throw error;
      }
    });
  }

  /** All versions of the checkpoint, newest first, where the oldest versions are asked for. */
  checkpoints(bytesMax: number): AsyncIterable<Uint8Array> | undefined {
    return this.#options.oldestVersions === true ? this.#allCheckpoints(bytesMax) : undefined;
  }

  async *#allCheckpoints(bytesMax: number): AsyncGenerator<Uint8Array> {
    for await (const versions of this.#versions(CHECKPOINT_PATH)) {
      for (let from = 0; from < versions.length; from += VERSIONS_AT_ONCE) {
        const some = versions.slice(from, from + VERSIONS_AT_ONCE);
        const found = await Promise.all(some.map((version) => this.#get(CHECKPOINT_PATH, bytesMax, version)));
        for (const one of found) if (one !== undefined) yield one.bytes;
      }
    }
  }

  /** The oldest version of a file, or of all checkpoints the one that claims the largest size. */
  async #readVersion(path: string, bytesMax: number): Promise<Uint8Array | undefined> {
    if (path === CHECKPOINT_PATH) {
      let largest: { readonly bytes: Uint8Array; readonly size: number } | undefined;
      for await (const bytes of this.#allCheckpoints(bytesMax)) {
        const size = readHead(bytes)?.size ?? -1;
        if (largest === undefined || size > largest.size) largest = { bytes, size };
      }
      return largest?.bytes;
    }
    let oldest: string | undefined;
    for await (const versions of this.#versions(path)) oldest = versions.at(-1) ?? oldest;
    return oldest === undefined ? undefined : (await this.#get(path, bytesMax, oldest))?.bytes;
  }

  /** The ids of all versions of a file, newest first, page by page. */
  async *#versions(path: string): AsyncGenerator<string[]> {
    const { Bucket, Key } = this.#keyOf(path);
    let from: VersionMarker = {};
    for (;;) {
      const input = { Bucket, Prefix: Key, ...from };
      const command = new this.#s3.commands.ListObjectVersionsCommand(input as never);
      const answer = await this.#again(() => this.#send(command));
      const listed = (answer.Versions ?? []) as { Key?: string; VersionId?: string }[];
      yield listed.flatMap(({ Key: key, VersionId }) =>
        key === Key && VersionId !== undefined ? [VersionId] : [],
      );
      const { IsTruncated, NextKeyMarker: KeyMarker, NextVersionIdMarker: VersionIdMarker } = answer;
      // Keys come in their order: one that only begins with ours comes after all versions of ours.
      if (IsTruncated !== true || (KeyMarker !== undefined && KeyMarker !== Key)) return;
      if (
        KeyMarker === undefined ||
        VersionIdMarker === undefined ||
        VersionIdMarker === from.VersionIdMarker
      ) {
        throw new LogError('io_failed', `${this.place} does not say where its list of versions goes on`);
      }
      from = { KeyMarker, VersionIdMarker };
    }
  }

  /** Repeats what changes nothing, or is repeated safely, while nobody answers. */
  async #again<Result>(run: () => Promise<Result>): Promise<Result> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await run();
      } catch (error) {
        const failure = failureOf(error);
        const isPassing = failure === 'unknown' || failure === 'conflict';
        if (!isPassing || error instanceof LogError) throw ours(error, this.place);
        await this.#pause(attempt, error);
      }
    }
  }

  // biome-ignore lint/suspicious/noExplicitAny: what a command answers is its own.
  #send(command: object): Promise<any> {
    const { timeoutMs = S3_TIMEOUT_MS_DEFAULT } = this.#options;
    return this.#s3.client.send(command, { abortSignal: AbortSignal.timeout(timeoutMs) });
  }

  async #pause(attempt: number, error: unknown): Promise<void> {
    if (attempt + 1 >= (this.#options.attempts ?? ATTEMPTS_MAX)) throw inS3Words(error, this.place);
    await sleep(PAUSE_MS_MIN * 2 ** attempt);
  }
}

/** An ETag as it was given, and in turn without its quotes: Ceph gives it with them and takes it without. */
function spelled(etag: string | undefined, attempt: number): string | undefined {
  return attempt % 2 === 0 ? etag : etag?.replace(/^"(.*)"$/, '$1');
}

/** A failure in our own words, but for those that the caller acts upon. */
function ours(error: unknown, place: string): unknown {
  const failure = failureOf(error);
  if (error instanceof LogError || failure === 'precondition' || failure === 'missing') return error;
  return inS3Words(error, place);
}

/** The beginning of an object, one byte more than `bytesMax` at most. Throws where it ends before its length. */
async function firstBytes(
  {
    Body,
    ContentLength,
  }: { Body?: AsyncIterable<Uint8Array> & { destroy?(): void }; ContentLength?: number },
  bytesMax: number,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of Body ?? []) {
    parts.push(part);
    length += part.length;
    if (length > bytesMax) break;
  }
  if (length > bytesMax) Body?.destroy?.();
  else if (ContentLength !== undefined && length !== ContentLength) {
    throw new Error(`the object ends after ${length} of ${ContentLength} bytes`);
  }
  return new Uint8Array(Buffer.concat(parts)).subarray(0, bytesMax + 1);
}

/** The parts of `s3://bucket/prefix`. Throws a misuse `option_invalid`. */
export function parseS3Url(url: string): { bucket: string; prefix: string } {
  const [, bucket, prefix] =
    /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([A-Za-z0-9._/-]*))?$/.exec(url) ?? [];
  const trimmed = (prefix ?? '').replace(/\/$/, '');
  if (bucket !== undefined && !/(?:^|\/)(?:\.{0,2})(?:\/|$)/.test(trimmed === '' ? 'x' : trimmed)) {
    return { bucket, prefix: trimmed };
  }
  throw misuse('type', 'option_invalid', `a bucket is named s3://bucket/prefix, not ${JSON.stringify(url)}`);
}

function checkRetention(retention: S3Retention | undefined): void {
  if (retention === undefined) return;
  const { days, mode } = retention;
  if (!(Number.isSafeInteger(days) && days >= 1 && days <= 36_500)) {
    throw misuse('range', 'option_invalid', 'retention.days must be a whole number from 1 to 36,500');
  }
  if (mode !== undefined && mode !== 'COMPLIANCE' && mode !== 'GOVERNANCE') {
    throw misuse('type', 'option_invalid', 'retention.mode must be COMPLIANCE or GOVERNANCE');
  }
}
