import { LogError } from '../../bytes/index.ts';
import { failureOf, type S3Commands } from './s3-client.ts';
import type { S3Retention } from './s3-store.ts';

/** How long the file that was tried with stays locked, milliseconds. */
const PROBE_LOCK_MS = 60_000;

/** What a bucket is tried with. */
export interface Probe {
  readonly place: string;
  readonly bucket: string;
  /** A key that nobody else uses. */
  readonly key: string;
  readonly commands: S3Commands;
  // biome-ignore lint/suspicious/noExplicitAny: what a command answers is its own.
  readonly send: (command: object) => Promise<any>;
  readonly retention: S3Retention | undefined;
  readonly now: () => number;
}

/**
 * Tries on a file of its own whether a bucket refuses a second write, refuses a wrong `If-Match`, and, where retention is asked for,
 * keeps it and refuses to delete what is under it. There are servers that take these headers and ignore them. Throws `LogError`
 * `archive_unsuitable`.
 */
export async function probeBucket(probe: Probe): Promise<void> {
  const { place, retention, send, commands } = probe;
  if (retention !== undefined) await mustHaveLock(probe);
  const lock = retention === undefined ? {} : lockOf(probe, retention);
  // A first answer that was lost leaves the file there, and then this is the second write already.
  const first = await statusOf(() => put(probe, { ...lock, IfNoneMatch: '*' }));
  if (first !== 'done' && first !== 'precondition')
    throw unsuitable(place, 'it takes no write with If-None-Match');
  if ((await statusOf(() => put(probe, { ...lock, IfNoneMatch: '*' }))) !== 'precondition') {
    throw unsuitable(place, 'it lets a file be written over in spite of If-None-Match');
  }
  if (
    (await statusOf(() => put(probe, { ...lock, IfMatch: '"00000000000000000000000000000000"' }))) !==
    'precondition'
  ) {
    throw unsuitable(place, 'it lets a file be written over in spite of If-Match');
  }
  const head = await send(new commands.HeadObjectCommand(keyOf(probe) as never));
  if (retention === undefined) {
    await send(new commands.DeleteObjectCommand(keyOf(probe) as never));
    return;
  }
  if (
    head.ObjectLockMode !== (retention.mode ?? 'COMPLIANCE') ||
    head.ObjectLockRetainUntilDate === undefined
  ) {
    throw unsuitable(place, 'it takes a retention and does not keep it');
  }
  const version = { ...keyOf(probe), VersionId: head.VersionId };
  if ((await statusOf(() => send(new commands.DeleteObjectCommand(version as never)))) !== 'denied') {
    throw unsuitable(place, 'it deletes what is under retention');
  }
}

async function mustHaveLock({ place, bucket, commands, send }: Probe): Promise<void> {
  try {
    const { ObjectLockConfiguration: lock } = await send(
      new commands.GetObjectLockConfigurationCommand({ Bucket: bucket } as never),
    );
    if (lock?.ObjectLockEnabled === 'Enabled') return;
  } catch (cause) {
    if (failureOf(cause) === 'unknown') throw cause;
    throw unsuitable(place, 'it has no Object Lock, or does not say that it has', cause);
  }
  throw unsuitable(place, 'its Object Lock is not enabled');
}

function lockOf({ now }: Probe, { mode = 'COMPLIANCE' }: S3Retention): object {
  return { ObjectLockMode: mode, ObjectLockRetainUntilDate: new Date(now() + PROBE_LOCK_MS) };
}

function keyOf({ bucket, key }: Probe): { Bucket: string; Key: string } {
  return { Bucket: bucket, Key: key };
}

async function put(probe: Probe, condition: object): Promise<void> {
  const input = { ...keyOf(probe), ...condition, Body: new Uint8Array([112]) };
  await probe.send(new probe.commands.PutObjectCommand(input as never));
}

async function statusOf(run: () => Promise<void>): Promise<'done' | 'precondition' | 'denied' | 'refused'> {
  try {
    await run();
    return 'done';
  } catch (error) {
    const failure = failureOf(error);
    if (failure === 'precondition') return failure;
    if (failure === 'denied' || (error instanceof LogError && error.code === 'not_permitted'))
      return 'denied';
    if (error instanceof LogError && error.code === 'unreachable') throw error;
    return 'refused';
  }
}

function unsuitable(place: string, why: string, cause?: unknown): LogError {
  return new LogError('archive_unsuitable', `${place} cannot hold a published log: ${why}`, { cause });
}
