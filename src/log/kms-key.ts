import {
  base64Decode,
  base64Encode,
  misuse,
  parseJson,
  utf8Decode,
  utf8Encode,
  VerificationError,
} from '../bytes/index.ts';
import type { Signer } from '../note/index.ts';
import { LogError } from '../store/index.ts';
import { signerOf } from './keys.ts';

/** What is asked of a key management service: the two calls of AWS KMS, as the `KMS` client of `@aws-sdk/client-kms` has them. */
export interface KmsClient {
  encrypt(
    input: {
      readonly KeyId: string;
      readonly Plaintext: Uint8Array;
      readonly EncryptionContext: Record<string, string>;
    },
    options?: { readonly abortSignal?: AbortSignal },
  ): Promise<{ readonly CiphertextBlob?: Uint8Array | undefined }>;
  decrypt(
    input: {
      readonly KeyId: string;
      readonly CiphertextBlob: Uint8Array;
      readonly EncryptionContext: Record<string, string>;
    },
    options?: { readonly abortSignal?: AbortSignal },
  ): Promise<{ readonly Plaintext?: Uint8Array | undefined }>;
}

/** What a wrapped key is made and opened with. */
export interface KmsOptions {
  readonly client: KmsClient;
  /** How long one call may take, milliseconds, attempts of the client included. Default {@link KMS_TIMEOUT_MS}. */
  readonly timeoutMs?: number;
}

/** How long a key management service is waited for. */
export const KMS_TIMEOUT_MS = 15_000;

/** Most characters of a wrapped key. */
const WRAPPED_LENGTH_MAX = 65_536;

const FORMAT = 'indelible-kms-key/1';

/** A signing key that only a key management service can open: what stands in the file. */
interface Wrapped {
  readonly name: string;
  readonly vkey: string;
  readonly kmsKey: string;
  readonly ciphertext: Uint8Array;
}

/**
 * The key of a log, unwrapped by AWS KMS when the log is opened: pass what this returns as the `key` of `openLog`. The text of the
 * key is in memory from then on, and in no file. `wrapped` is what {@link wrapKey} made.
 *
 * The function rejects with `LogError`: `key_missing` where the service refuses, `unreachable` (retryable) where it does not answer in time, is
 * overloaded, or cannot be reached; `key_mismatch` where it is not the key that was wrapped.
 */
export function kmsKey({
  wrapped,
  ...options
}: KmsOptions & { readonly wrapped: string }): () => Promise<string> {
  const parsed = parseWrapped(wrapped);
  return () => unwrap(parsed, options);
}

/** The signer in a wrapped key. Rejects as the function of {@link kmsKey}. */
export async function kmsSigner(options: KmsOptions & { readonly wrapped: string }): Promise<Signer> {
  return signerOf(await kmsKey(options)());
}

/**
 * Wraps a signing key (`PRIVATE+KEY+…`) by the KMS key `kmsKeyId`: the text of a file that holds no secret. What it is the key of
 * goes along as encryption context, so that the service opens it for nothing else, and its own records name the log.
 */
export async function wrapKey(
  keyText: string,
  { kmsKeyId, client, timeoutMs = KMS_TIMEOUT_MS }: KmsOptions & { readonly kmsKeyId: string },
): Promise<string> {
  const { name, vkey } = signerOf(keyText);
  const plaintext = utf8Encode(keyText.trim());
  try {
    const { CiphertextBlob } = await asked(timeoutMs, (abortSignal) =>
      client.encrypt(
        { KeyId: kmsKeyId, Plaintext: plaintext, EncryptionContext: contextOf({ name, vkey }) },
        { abortSignal },
      ),
    );
    if (CiphertextBlob === undefined) throw new LogError('key_missing', 'KMS answered without a ciphertext');
    const ciphertext = base64Encode(CiphertextBlob);
    return `${JSON.stringify({ format: FORMAT, name, vkey, kmsKey: kmsKeyId, ciphertext }, null, 2)}\n`;
  } finally {
    plaintext.fill(0);
  }
}

async function unwrap({ name, vkey, kmsKey: id, ciphertext }: Wrapped, options: KmsOptions): Promise<string> {
  const { client, timeoutMs = KMS_TIMEOUT_MS } = options;
  const { Plaintext } = await asked(timeoutMs, (abortSignal) =>
    client.decrypt(
      { KeyId: id, CiphertextBlob: ciphertext, EncryptionContext: contextOf({ name, vkey }) },
      { abortSignal },
    ),
  );
  if (Plaintext === undefined) throw new LogError('key_missing', 'KMS answered without a plaintext');
  let text: string;
  try {
    text = utf8Decode(Plaintext);
  } catch {
    throw new LogError('key_mismatch', 'what KMS unwrapped is no signing key');
  } finally {
    Plaintext.fill(0);
  }
  if (signerOf(text, name, 'what KMS unwrapped').vkey !== vkey)
    throw new LogError('key_mismatch', `what KMS unwrapped is another key than ${vkey}`);
  return text;
}

function contextOf({ name, vkey }: { readonly name: string; readonly vkey: string }): Record<string, string> {
  return { 'indelible:name': name, 'indelible:vkey': vkey };
}

function parseWrapped(text: string): Wrapped {
  const invalid = (cause?: unknown): LogError =>
    new LogError('key_mismatch', 'this is not a key that was wrapped by a key management service', {
      cause,
      hint: 'make one with wrapKey, or indelible key wrap',
    });
  if (typeof text !== 'string')
    throw misuse('type', 'argument_invalid', 'wrapped is the text of a wrapped key');
  if (text.length > WRAPPED_LENGTH_MAX) throw invalid();
  try {
    const value = parseJson(text) as Record<string, unknown>;
    const { format, name, vkey, kmsKey: id, ciphertext } = value;
    const isText = [name, vkey, id, ciphertext].every((one) => typeof one === 'string' && one !== '');
    if (format !== FORMAT || !isText) throw invalid();
    return {
      name: String(name),
      vkey: String(vkey),
      kmsKey: String(id),
      ciphertext: base64Decode(String(ciphertext)),
    };
  } catch (cause) {
    if (cause instanceof LogError || !(cause instanceof VerificationError || cause instanceof TypeError))
      throw cause;
    throw invalid(cause);
  }
}

/** Errors of the service that pass: whoever asks again later may be answered. */
const passing = new Set([
  'ThrottlingException',
  'LimitExceededException',
  'KMSInternalException',
  'KMSInternal',
  'DependencyTimeoutException',
  'RequestTimeout',
  'ServiceUnavailable',
  'ServiceUnavailableException',
  'TimeoutError',
  'AbortError',
  'NetworkingError',
]);

/** Asks the service, and puts its failures into our words. What it says is repeated; it names keys by their ids, and no secret. */
async function asked<Answer>(
  timeoutMs: number,
  ask: (signal: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
  try {
    return await ask(AbortSignal.timeout(timeoutMs));
  } catch (cause) {
    const { name, message, code, $metadata } = cause as {
      readonly name?: string;
      readonly message?: string;
      readonly code?: unknown;
      readonly $metadata?: { readonly httpStatusCode?: number };
    };
    const status = $metadata?.httpStatusCode ?? 0;
    const isPassing = passing.has(name ?? '') || status >= 500 || (typeof code === 'string' && status === 0);
    const what = `${name ?? 'Error'}: ${message ?? ''}`;
    throw isPassing
      ? new LogError('unreachable', `KMS does not answer: ${what}`, { retryable: true, cause })
      : new LogError('key_missing', `KMS does not unwrap the key: ${what}`, {
          cause,
          hint: 'is it the right region and account, and may this identity call kms:Encrypt and kms:Decrypt with this key?',
        });
  }
}
