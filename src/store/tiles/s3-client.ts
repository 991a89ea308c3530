import { LogError } from '../../bytes/index.ts';

/** What we ask of an S3 client: `S3Client` of `@aws-sdk/client-s3` has it. */
export interface S3ClientLike {
  // The SDK types each command's input and output together; one signature for all of them is wider than that.
  // biome-ignore lint/suspicious/noExplicitAny: the structural type of somebody else's generic method.
  send(command: any, options?: { abortSignal?: AbortSignal }): Promise<any>;
  destroy?(): void;
}

/** The commands that we send, as `@aws-sdk/client-s3` exports them. */
export interface S3Commands {
  readonly PutObjectCommand: new (input: never) => object;
  readonly GetObjectCommand: new (input: never) => object;
  readonly HeadObjectCommand: new (input: never) => object;
  readonly DeleteObjectCommand: new (input: never) => object;
  readonly GetObjectLockConfigurationCommand: new (input: never) => object;
  readonly ListObjectVersionsCommand: new (input: never) => object;
}

/** How a bucket is reached where no client is handed in. Credentials are found as the AWS SDK finds them. */
export interface S3Connection {
  /** The address of a server that is not AWS; its buckets are then named in the path. */
  readonly endpoint?: string;
  /** `us-east-1` by default. */
  readonly region?: string;
}

/** A client and its commands. */
export interface S3Loaded {
  readonly client: S3ClientLike;
  readonly commands: S3Commands;
  /** Whether the client is ours to destroy. */
  readonly isOurs: boolean;
}

/** Loads the AWS SDK, an optional peer, and makes a client unless one is handed in. Throws `LogError` `archive_unsuitable` without it. */
export async function loadS3(connection: S3Connection, client?: S3ClientLike): Promise<S3Loaded> {
  let sdk: typeof import('@aws-sdk/client-s3');
  try {
    sdk = await import('@aws-sdk/client-s3');
  } catch (cause) {
    throw new LogError('archive_unsuitable', 'publishing to S3 needs the package @aws-sdk/client-s3', {
      cause,
      hint: 'npm install @aws-sdk/client-s3',
    });
  }
  if (client !== undefined) return { client, commands: sdk, isOurs: false };
  const { endpoint, region = 'us-east-1' } = connection;
  // Our own attempts read back what an earlier one may have written; those of the SDK would not.
  const made = new sdk.S3Client({
    region,
    maxAttempts: 1,
    ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
  });
  return { client: made, commands: sdk, isOurs: true };
}

/** What went wrong with a request, as far as it matters here. */
export type S3Failure = 'missing' | 'precondition' | 'conflict' | 'denied' | 'refused' | 'unknown';

/**
 * What a failed request means. `unknown`: it may have been carried out, or may not; whoever wrote must read.
 */
export function failureOf(error: unknown): S3Failure {
  const { name, $metadata } = (error ?? {}) as { name?: unknown; $metadata?: { httpStatusCode?: number } };
  const status = $metadata?.httpStatusCode;
  if (name === 'NoSuchKey' || name === 'NotFound' || status === 404) return 'missing';
  if (status === 412) return 'precondition';
  if (status === 409) return 'conflict';
  if (status === 401 || status === 403) return 'denied';
  if (status === 501) return 'refused';
  if (status === undefined || status >= 500 || status === 429 || status === 408 || status < 400)
    return 'unknown';
  return 'refused';
}

/** A failure that is none of those that are acted upon, in our own words. */
export function inS3Words(error: unknown, place: string): LogError {
  const { name, message } = (error ?? {}) as { name?: string; message?: string };
  const failure = failureOf(error);
  const words = `${place}: ${name ?? 'Error'}: ${message ?? String(error)}`;
  if (failure === 'denied') return new LogError('not_permitted', words, { cause: error });
  if (failure === 'unknown') return new LogError('unreachable', words, { cause: error, retryable: true });
  return new LogError('io_failed', words, { cause: error });
}
