import { createHmac } from 'node:crypto';
import { base64Decode, misuse, utf8Encode } from '../bytes/index.ts';
import { askOutside, isLoopbackAddress, isNever, isPublic, type Resolve } from '../platform/index.ts';
import type { Found } from './found.ts';

/** How long one delivery may take, milliseconds. */
export const WEBHOOK_TIMEOUT_MS = 10_000;

/** Bytes of a secret. */
export const WEBHOOK_SECRET_BYTES_MIN = 24;

/** The pause after a delivery that failed; doubled each time, up to the longest. Milliseconds. */
const PAUSE_MS_MIN = 1000;
export const PAUSE_MS_MAX = 600_000;

/** An answer is not looked at; this much of it may come. */
const ANSWER_BYTES_MAX = 64 * 1024;

/** Where findings are sent. */
export interface WebhookOptions {
  readonly url: string;
  /** `whsec_` and base64, or any text of at least {@link WEBHOOK_SECRET_BYTES_MIN} bytes. Without it nothing is signed. */
  readonly secret?: string;
  /** Whether an address that is not on the public Internet may be asked. Link-local ones never are. */
  readonly allowPrivate?: boolean;
  /** In place of `dns.lookup`. */
  readonly resolve?: Resolve;
}

const loopbackNames = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Sends findings to an address that the operator named: `POST`, one finding a request, signed as Standard Webhooks are (`webhook-id`,
 * `webhook-timestamp`, `webhook-signature`). At least once: the id is the finding's, so that a receiver can tell a repetition.
 */
export class Webhook {
  readonly #url: URL;
  readonly #secret: Uint8Array | undefined;
  readonly #options: WebhookOptions;

  /** Throws a misuse `option_invalid` for an address that is none, or is not asked by TLS, and for a secret that is too short. */
  constructor(options: WebhookOptions) {
    const url = URL.parse(options.url);
    const isHere = url !== null && loopbackNames.has(url.hostname);
    if (
      url === null ||
      !(url.protocol === 'https:' || (url.protocol === 'http:' && isHere)) ||
      url.username !== ''
    ) {
      throw misuse(
        'type',
        'option_invalid',
        'the address of a webhook is https://…; without TLS it is on this machine',
      );
    }
    this.#url = url;
    this.#secret = options.secret === undefined ? undefined : secretOf(options.secret);
    this.#options = options;
  }

  /** Delivers one finding. Throws where the other side did not take it: it answers 2xx, and nothing else counts. */
  async deliver(found: Found, nowMs: number): Promise<void> {
    const body = JSON.stringify(found);
    const timestamp = String(Math.floor(nowMs / 1000));
    const isHere = loopbackNames.has(this.#url.hostname);
    const { allowPrivate, resolve } = this.#options;
    const answer = await askOutside(this.#url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'content-length': String(utf8Encode(body).length),
        'webhook-id': found.id,
        'webhook-timestamp': timestamp,
        ...(this.#secret !== undefined && {
          'webhook-signature': signWebhook(this.#secret, { id: found.id, timestamp, body }),
        }),
      },
      body,
      mayConnect: (address) => {
        if (isHere) return isLoopbackAddress(address);
        return allowPrivate === true ? !isNever(address) : isPublic(address);
      },
      whose: 'a webhook',
      resolve,
      timeoutMs: WEBHOOK_TIMEOUT_MS,
      answerBytesMax: ANSWER_BYTES_MAX,
    });
    if (!answer.ok) throw new Error(`${this.#url.host} answers with status ${answer.status}`);
  }
}

/** The signature of a webhook: HMAC-SHA-256 over `id.timestamp.body`, as `v1,<base64>`. */
export function signWebhook(
  secret: Uint8Array,
  { id, timestamp, body }: { readonly id: string; readonly timestamp: string; readonly body: string },
): string {
  return `v1,${createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
}

/** How long to wait after so many deliveries that failed, milliseconds. */
export function pauseAfter(attempts: number): number {
  return Math.min(PAUSE_MS_MIN * 2 ** Math.min(attempts - 1, 20), PAUSE_MS_MAX);
}

function secretOf(text: string): Uint8Array {
  const bytes = text.startsWith('whsec_') ? base64Decode(text.slice('whsec_'.length)) : utf8Encode(text);
  if (bytes.length >= WEBHOOK_SECRET_BYTES_MIN) return bytes;
  throw misuse(
    'range',
    'option_invalid',
    `the secret of a webhook has at least ${WEBHOOK_SECRET_BYTES_MIN} bytes`,
  );
}
