import { LogError } from '../../bytes/index.ts';
import { randomBytes } from '../../platform/index.ts';
import { loadAsn1 } from './asn1.ts';
import { encodeQuestion, NONCE_BYTES, positive, tokenOfAnswer } from './messages.ts';
import { certificatesOf, type TimestampAuthority } from './settings.ts';
import { TOKEN_BYTES_MAX } from './token.ts';
import { type TimestampVerdict, verifyTimestamp } from './verify-timestamp.ts';

/** An authority has answered by then, milliseconds. */
export const TIMESTAMP_TIMEOUT_MS = 20_000;

/** Most bytes of an answer: a token, and what stands around it. */
export const ANSWER_BYTES_MAX = TOKEN_BYTES_MAX + 4096;

/** What is to be stamped, and when that is. */
export interface Stamping {
  /** The text of a note. */
  readonly text: Uint8Array;
  /** The time now, milliseconds since the epoch. */
  readonly now: number;
  /** The time of the stamp before this one, milliseconds since the epoch. */
  readonly notBefore?: number | undefined;
  /** Ends the question early. */
  readonly signal?: AbortSignal | undefined;
  /** Default {@link TIMESTAMP_TIMEOUT_MS}. */
  readonly timeoutMs?: number | undefined;
  /** Where the nonce comes from; the system's randomness by default. */
  readonly random?: (bytes: number) => Uint8Array;
}

/**
 * Asks an authority for a time-stamp over a text, and verifies what it answers before anybody believes it. Redirects are not
 * followed. Throws `LogError` `unreachable` (retryable: no answer, or a server that is busy or fails) and `answer_invalid` (it is no
 * time-stamping authority), and what {@link verifyTimestamp} throws, with `timestamp_refused`.
 */
export async function requestTimestamp(
  authority: TimestampAuthority,
  { text, now, notBefore, signal, timeoutMs = TIMESTAMP_TIMEOUT_MS, random = randomBytes }: Stamping,
): Promise<{ readonly token: Uint8Array; readonly verdict: TimestampVerdict }> {
  const asn1 = await loadAsn1();
  const nonce = positive(random(NONCE_BYTES));
  const { policy } = authority;
  const question = encodeQuestion(asn1, { text, nonce, policy });
  const timeout = AbortSignal.timeout(timeoutMs);
  const answer = await ask(
    authority.url,
    question,
    signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
  );
  const token = tokenOfAnswer(asn1, answer);
  const certificates = certificatesOf(authority);
  const verdict = await verifyTimestamp({ text, token, certificates, policy, nonce, now, notBefore });
  return { token, verdict };
}

async function ask(url: string, question: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
  const host = new URL(url).host;
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/timestamp-query', accept: 'application/timestamp-reply' },
      body: question.slice(),
      redirect: 'manual',
      signal,
    });
    if (response.ok) return await readAnswer(response, host);
  } catch (cause) {
    if (cause instanceof LogError) throw cause;
    const why = cause instanceof Error && cause.name === 'TimeoutError' ? ' in time' : '';
    throw new LogError('unreachable', `the time-stamping authority ${host} does not answer${why}`, {
      cause,
      retryable: true,
    });
  }
  const { status } = response;
  await response.body?.cancel();
  if (status === 429 || status === 408 || status >= 500) {
    throw new LogError('unreachable', `the time-stamping authority ${host} answers with status ${status}`, {
      retryable: true,
    });
  }
  throw new LogError('answer_invalid', `${host} answers with status ${status}`, {
    hint: 'is this the address of a time-stamping authority (RFC 3161)? Redirects are not followed',
  });
}

/** The body, as far as it is no longer than any answer: what else comes is not taken in. */
async function readAnswer(response: Response, host: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    length += part.length;
    if (length > ANSWER_BYTES_MAX) {
      throw new LogError('answer_invalid', `${host} answers with more than ${ANSWER_BYTES_MAX} bytes`);
    }
    parts.push(part);
  }
  return new Uint8Array(Buffer.concat(parts));
}
