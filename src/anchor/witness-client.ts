import { parseDecimal, utf8Decode, VerificationError } from '../bytes/index.ts';
import {
  type AddCheckpoint,
  formatAddCheckpoint,
  parseNote,
  parseSignatureLines,
  type VerifierKey,
  verifySignature,
} from '../note/index.ts';

/** How long a witness may take for one answer, milliseconds. */
export const WITNESS_TIMEOUT_MS_DEFAULT = 10_000;

/** Bytes of a witness's answer: a few signature lines, of which ML-DSA makes the longest. */
export const WITNESS_ANSWER_BYTES_MAX = 65_536;

/** The media type of the size in a 409 (c2sp.org/tlog-witness). */
export const SIZE_MEDIA_TYPE = 'text/x.tlog.size';

/** Longest time for which a witness can put us off, milliseconds: it must not switch itself off for good. */
const RETRY_AFTER_MS_MAX = 3_600_000;

/** The last second of the year 9999: no later time can be written down (RFC 3339). */
const TIME_SECONDS_MAX = 253_402_300_799n;

/** What sends a request: `fetch`, or a test's own. */
export type WitnessFetch = (url: string, init: RequestInit) => Promise<Response>;

/** What a witness has answered. */
export type WitnessAnswer =
  /** It cosigned: its signature lines, verified. */
  | { readonly kind: 'cosigned'; readonly lines: readonly string[] }
  /** It has seen the log up to another size than we said. */
  | { readonly kind: 'size'; readonly size: number }
  /** What it has seen is not the beginning of what it was shown: there are two histories. Never ask again. */
  | { readonly kind: 'fork'; readonly status: number }
  /** It does not know the log, or not the key that signs it: a matter for whoever runs it. */
  | { readonly kind: 'unknown'; readonly why: string }
  /** It does not want to, for a reason that time does not mend: it answers nonsense. */
  | { readonly kind: 'declined'; readonly why: string }
  /** It could not be reached, or is too busy. Ask again later. */
  | { readonly kind: 'away'; readonly why: string; readonly retryAfterMs?: number };

/** One question to one witness. */
export interface WitnessQuestion extends AddCheckpoint {
  /** Where it takes checkpoints: the submission prefix, as the operator gave it. */
  readonly url: string;
  /** Its keys: what others sign in its answer is dropped. */
  readonly keys: readonly VerifierKey[];
  readonly fetch: WitnessFetch;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/**
 * Asks a witness to cosign a checkpoint: `POST <prefix>/add-checkpoint` (c2sp.org/tlog-witness). Never throws for what the other
 * side does. It follows no redirect, reads a bounded answer in bounded time, and believes no signature that it has not verified.
 *
 * A 422 says that the proof, which we had checked, does not lead on from what the witness holds; so does a 409 without a size, in
 * which omniwitness says the same. Both are `fork`.
 */
export async function askWitness(question: WitnessQuestion): Promise<WitnessAnswer> {
  const { url, fetch, signal, timeoutMs = WITNESS_TIMEOUT_MS_DEFAULT } = question;
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(`${url.replace(/\/+$/, '')}/add-checkpoint`, {
      method: 'POST',
      body: formatAddCheckpoint(question) as Uint8Array<ArrayBuffer>,
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      redirect: 'manual',
      signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
    });
    const body = await readBody(response);
    if (body === undefined) return declined(`it answered with more than ${WITNESS_ANSWER_BYTES_MAX} bytes`);
    return read(question, response, body);
  } catch (error) {
    if (timeout.aborted) return { kind: 'away', why: `it did not answer within ${timeoutMs} ms` };
    return { kind: 'away', why: reasonOf(error) };
  }
}

/** Throws nothing: says what is wrong with the address of a witness, or undefined. */
export function problemOfWitnessUrl(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    return 'it does not begin with https:// or http://';
  }
  if (url.username !== '' || url.password !== '') return 'it holds a user or a password';
  return url.search === '' && url.hash === '' ? undefined : 'it holds a query or a fragment';
}

function read(question: WitnessQuestion, response: Response, body: Uint8Array): WitnessAnswer {
  const { status, headers } = response;
  if (status === 200) return cosigned(question, body);
  if (status === 409) {
    const size = isSize(headers.get('content-type')) ? readSize(body) : undefined;
    return size === undefined ? { kind: 'fork', status } : { kind: 'size', size };
  }
  if (status === 422) return { kind: 'fork', status };
  if (status === 429 || status >= 500) {
    const retryAfterMs = readRetryAfter(headers.get('retry-after'));
    return {
      kind: 'away',
      why: `it answered ${status}`,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    };
  }
  // litewitness of 2025 answers 403, not 404, where it does not know the log.
  if (status === 404 || status === 403)
    return { kind: 'unknown', why: `it does not know this log, or its key (${status})` };
  if (status >= 300 && status < 400)
    return declined(`it redirects elsewhere (${status}), which is not followed`);
  return declined(`it answered ${status}`);
}

/**
 * The lines of the witness's own keys. One that does not verify, or bears no time that can be written down, spoils the answer. One that
 * is ahead of the clock here is kept: which of the two clocks is wrong is not known, and where ours was set back, it is what tells.
 */
function cosigned({ note, keys }: WitnessQuestion, body: Uint8Array): WitnessAnswer {
  try {
    const { text } = parseNote(note);
    const lines = parseSignatureLines(body).flatMap(({ name, keyId, signature, line }) => {
      const key = keys.find((one) => one.name === name && one.keyId === keyId);
      if (key === undefined) return [];
      const { timestamp } = verifySignature(key, text, signature);
      if (timestamp === 0n) {
        throw new VerificationError('signature_invalid', 'The cosignature says nothing of its time.');
      }
      if (timestamp !== undefined && timestamp > TIME_SECONDS_MAX) {
        throw new VerificationError(
          'signature_invalid',
          'The cosignature bears a time beyond the year 9999.',
        );
      }
      return [line];
    });
    return lines.length > 0
      ? { kind: 'cosigned', lines }
      : declined('it signed with another key than its own');
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    return declined(`its answer does not verify: ${error.message}`);
  }
}

function declined(why: string): WitnessAnswer {
  return { kind: 'declined', why };
}

function isSize(type: string | null): boolean {
  return type?.split(';')[0]?.trim().toLowerCase() === SIZE_MEDIA_TYPE;
}

function readSize(body: Uint8Array): number | undefined {
  try {
    const text = utf8Decode(body);
    return text.endsWith('\n') ? parseDecimal(text.slice(0, -1)) : undefined;
  } catch {
    return undefined;
  }
}

/** Seconds; a date is not asked of the clock. */
function readRetryAfter(text: string | null): number | undefined {
  if (text === null) return undefined;
  try {
    return Math.min(parseDecimal(text) * 1000, RETRY_AFTER_MS_MAX);
  } catch {
    return undefined;
  }
}

/** The whole body; undefined where it is longer than it may be. */
async function readBody(response: Response): Promise<Uint8Array | undefined> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    length += part.length;
    if (length > WITNESS_ANSWER_BYTES_MAX) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  const code = (cause as { code?: unknown } | undefined)?.code;
  return `it could not be reached: ${typeof code === 'string' ? code : message}`;
}
