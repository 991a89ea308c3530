import { misuse } from '../bytes/index.ts';
import { isSentence } from '../event/index.ts';
import type { Clock } from '../platform/index.ts';
import type { Rate } from './limits.ts';
import type { KmsKeys } from './logs/index.ts';
import { checkOidcOptions, type OidcOptions } from './sign-in/index.ts';

/** What the handler tells its operator; pino's own interface, as far as it is used. */
export interface Logger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Options of `createHandler`. */
export interface HandlerOptions {
  /** The data directory: `server.db`, and the logs. Made where there is none. */
  readonly data: string;
  /** Where people and clients reach this server, as `https://audit.example.com`. Taken from each request if absent. */
  readonly publicUrl?: string;
  /** Addresses, or CIDR blocks, of proxies whose `X-Forwarded-For` is believed. None by default. */
  readonly trustedProxies?: readonly string[];
  /** Requests of one credential; {@link RATE_DEFAULT} by default. */
  readonly rate?: Rate;
  /** Requests under way at once, beyond which the answer is 503; {@link UNDER_WAY_MAX_DEFAULT} by default. */
  readonly underWayMax?: number;
  /** How people sign in to the viewer by an OpenID provider; by one-time links alone if absent. */
  readonly oidc?: OidcOptions;
  /** What happened, in words, by action: the viewer shows it. A catalogue has them as `catalogue.sentences`. */
  readonly sentences?: Readonly<Record<string, string>>;
  /** Receives one line for each trouble; nothing by default. Never a credential, nor the content of an event. */
  readonly logger?: Logger;
  /** How long an approved erasure waits before it is done, milliseconds; {@link ERASURE_DELAY_MS_DEFAULT} by default. */
  readonly erasureDelayMs?: number;
  /** Opens the keys of logs that AWS KMS has wrapped, `logs/<name>.kms.json`; with a `keyId`, the keys of new logs are wrapped. */
  readonly kms?: KmsKeys;
  readonly clock?: Clock;
}

/** Requests of one credential. */
export const RATE_DEFAULT: Rate = { perSecond: 25_000, burst: 50_000 };

/** 72 hours between the approval of an erasure and the erasure. */
export const ERASURE_DELAY_MS_DEFAULT = 72 * 60 * 60_000;

/** Wrong credentials that one address may try. */
export const FAILURE_RATE: Rate = { perSecond: 5, burst: 50 };

/** Links and viewer tokens that one key may make: each is an entry in the log of the server. */
export const ADMISSION_RATE: Rate = { perSecond: 20, burst: 200 };

/** Requests under way at once. */
export const UNDER_WAY_MAX_DEFAULT = 4096;

const names = [
  'data',
  'publicUrl',
  'trustedProxies',
  'rate',
  'underWayMax',
  'oidc',
  'sentences',
  'logger',
  'erasureDelayMs',
  'kms',
  'clock',
];

/** Actions that may have a sentence. */
export const SENTENCES_MAX = 1000;

/** Refuses options that nobody reads, by name, and values that cannot be. */
export function checkHandlerOptions(options: HandlerOptions): void {
  for (const name of Object.keys(options)) {
    if (!names.includes(name)) {
      throw misuse('type', 'option_unknown', `unknown option ${name}: known are ${names.join(', ')}`);
    }
  }
  if (typeof options.data !== 'string' || options.data === '') {
    throw misuse('type', 'option_invalid', 'data must name the data directory');
  }
  const { publicUrl } = options;
  if (publicUrl !== undefined && !/^https?:$/.test(URL.parse(publicUrl)?.protocol ?? '')) {
    throw misuse('type', 'option_invalid', 'publicUrl must be an http or https URL');
  }
  const { erasureDelayMs = 0 } = options;
  if (!Number.isSafeInteger(erasureDelayMs) || erasureDelayMs < 0) {
    throw misuse('range', 'option_invalid', 'erasureDelayMs must be a whole number of milliseconds');
  }
  if (options.kms !== undefined) checkKms(options.kms);
  if (options.oidc !== undefined) checkOidcOptions(options.oidc);
  if (options.sentences !== undefined) checkSentences(options.sentences);
}

function checkKms({ client, keyId = 'none' }: KmsKeys): void {
  if (typeof client === 'function' && typeof keyId === 'string' && keyId !== '') return;
  throw misuse(
    'type',
    'option_invalid',
    'kms must have a client, a function that answers it, and may have a keyId',
  );
}

function checkSentences(sentences: unknown): void {
  const entries = Object.entries(Object(sentences));
  if (typeof sentences !== 'object' || Array.isArray(sentences) || entries.length > SENTENCES_MAX) {
    throw misuse('type', 'option_invalid', `sentences must be texts by action, at most ${SENTENCES_MAX}`);
  }
  const [wrong] =
    entries.find(([action, text]) => !/^[a-z0-9_.-]{1,128}$/.test(action) || !isSentence(text)) ?? [];
  if (wrong === undefined) return;
  throw misuse(
    'type',
    'option_invalid',
    `sentences: that of ${wrong} is none: {actor} did something to {target}`,
  );
}

/** A logger that says nothing. */
export const silent: Logger = { info: () => {}, warn: () => {}, error: () => {} };
