import { createCipheriv, createDecipheriv } from 'node:crypto';
import { base64urlDecode, base64urlEncode, parseJson, utf8Decode, utf8Encode } from '../../bytes/index.ts';
import { type Clock, randomBytes } from '../../platform/index.ts';

/** Held while a person is away at the provider; `Lax`, since they come back from another site. */
export const PENDING_COOKIE = '__Host-indelible-sign-in';

/** How long a person may take at the provider. */
export const PENDING_LIFETIME_MS = 10 * 60_000;

/** What a sign-in under way must come back with, and where it goes on to. */
export interface Pending {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  /** A path of this server. */
  readonly next: string;
  readonly expiresAt: number;
}

const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Sign-ins under way. They are kept by the browsers that began them, in a cookie that only this server can read and
 * write: nobody can fill its memory by beginning many, and nobody can end what another browser began.
 */
export class PendingSeal {
  readonly #key: Uint8Array;
  readonly #clock: Clock;

  constructor(key: Uint8Array, clock: Clock) {
    this.#key = key;
    this.#clock = clock;
  }

  seal(pending: Omit<Pending, 'expiresAt'>): string {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(CIPHER, this.#key, iv).setAAD(utf8Encode(PENDING_COOKIE));
    const whole: Pending = { ...pending, expiresAt: this.#clock.wall() + PENDING_LIFETIME_MS };
    const sealed = [cipher.update(utf8Encode(JSON.stringify(whole))), cipher.final(), cipher.getAuthTag()];
    return base64urlEncode(Buffer.concat([iv, ...sealed]));
  }

  /** Undefined for what this server did not seal, and for what has expired. */
  open(text: string): Pending | undefined {
    try {
      const bytes = base64urlDecode(text);
      const iv = bytes.subarray(0, IV_BYTES);
      const decipher = createDecipheriv(CIPHER, this.#key, iv, { authTagLength: TAG_BYTES });
      decipher.setAAD(utf8Encode(PENDING_COOKIE)).setAuthTag(bytes.subarray(-TAG_BYTES));
      const opened = [decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()];
      const pending = parseJson(utf8Decode(Buffer.concat(opened))) as unknown as Pending;
      return pending.expiresAt > this.#clock.wall() ? pending : undefined;
    } catch {
      return undefined;
    }
  }
}

/**
 * Where a person goes after signing in: a path of this server, whatever was asked for. What leads elsewhere, or reads as
 * if it might, becomes the front page.
 */
export function safeNext(text: string | undefined, origin: string): string {
  if (text === undefined || !text.startsWith('/') || /^\/[/\\]/.test(text)) return '/';
  const url = URL.parse(text, origin);
  if (url === null || url.origin !== origin) return '/';
  const path = `${url.pathname}${url.search}${url.hash}`;
  // `/.//evil.example` is a path until it is read a second time.
  return /^\/[/\\]/.test(path) ? '/' : path;
}
