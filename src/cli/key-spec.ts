import { LogError } from '../bytes/index.ts';
import { type KmsClient, kmsKey, readSigner, signerOf } from '../log/index.ts';
import type { Signer } from '../note/index.ts';
import { readTextFile } from '../platform/index.ts';
import { UsageError } from './exit.ts';

/** Most bytes of a wrapped key. */
const WRAPPED_BYTES_MAX = 65_536;

/** Where a key is, in the words of a command line, as `openLog` takes it: a path, or whoever answers the key. */
export function keyOf(spec: string | undefined): string | (() => string | Promise<string>) | undefined {
  if (spec?.startsWith('env:')) return () => fromEnvironment(spec.slice('env:'.length));
  if (spec?.startsWith('kms:')) return () => fromKms(spec.slice('kms:'.length));
  return spec;
}

/** The signer at a place that a command line names. */
export async function signerAt(spec: string): Promise<Signer> {
  const key = keyOf(spec)!;
  return typeof key === 'string' ? readSigner(key) : signerOf(await key(), undefined, `the key at ${spec}`);
}

/** Whether a key lies in a file of its own, which a rotation can exchange. */
export function isFile(spec: string | undefined): boolean {
  return typeof keyOf(spec) !== 'function';
}

/** A client of AWS KMS, with region, credentials and endpoint as the AWS tools take them from their environment. */
export async function kmsClient(): Promise<KmsClient> {
  const sdk = await import('@aws-sdk/client-kms').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  });
  if (sdk === undefined)
    throw new LogError('io_failed', 'there is no client of AWS KMS here', {
      hint: 'npm install @aws-sdk/client-kms',
    });
  return new sdk.KMS({}) as KmsClient;
}

function fromEnvironment(name: string): string {
  const text = process.env[name];
  if (name === '' || text === undefined || text === '')
    throw new LogError('key_missing', `the environment variable ${name} holds no key`);
  return text;
}

async function fromKms(file: string): Promise<string> {
  if (file === '') throw new UsageError('kms: names the file of a wrapped key: kms:FILE');
  const wrapped = readTextFile(file, WRAPPED_BYTES_MAX);
  return kmsKey({ wrapped, client: await kmsClient() })();
}
