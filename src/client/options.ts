import { misuse } from '../bytes/index.ts';
import { parseVerifierKey } from '../note/index.ts';
import type { ClientState } from './state.ts';

/** How long a call keeps trying while the server is away, milliseconds. */
export const RETRY_MS_DEFAULT = 60_000;

/** The same for a client that spools: then the spool takes the event. */
export const SPOOL_AFTER_MS_DEFAULT = 2_000;

/** How long one request may take, milliseconds. */
export const TIMEOUT_MS_DEFAULT = 15_000;

/** How often a source says that it is there, milliseconds. */
export const HEARTBEAT_MS_DEFAULT = 20_000;

/** Events that may wait in a spool. */
export const SPOOL_EVENTS_MAX = 1_000_000;

/** Characters of the events that may wait in a spool. */
export const SPOOL_CHARACTERS_MAX = 1024 * 1024 * 1024;

/** What to do with an event while the server is away. */
export type OnFailure = 'block' | 'spool';

/** How a client is made. */
export interface AuditClientOptions<Mode extends OnFailure = OnFailure> {
  /** The server's address, or the log's (`https://audit.example.com/logs/main`). */
  readonly url: string;
  /** The log at that server; `main` where neither this nor `url` names one. */
  readonly log?: string;
  /** An API key: `ind_…`. */
  readonly key: string;
  /**
   * The log's verifier key, from somewhere else than the server: a configuration file, the person who made the log. All
   * that the server says is checked against it.
   */
  readonly vkey: string;
  /**
   * While the server is away: `block` (default) keeps trying for `retryMs`, then rejects with `unreachable`; `spool`
   * takes the event into a durable spool, from which it is delivered later, in order. Needs `state`.
   */
  readonly onFailure?: Mode;
  /**
   * Where the last checkpoint that was seen is kept, and the spool: a folder on Node, an object elsewhere. Without it a
   * server that goes back to an older history while this process is down is not noticed by it.
   */
  readonly state?: string | ClientState;
  /** The version of this service in every event's `source`. */
  readonly version?: string;
  /** How long a call keeps trying; {@link RETRY_MS_DEFAULT}, or {@link SPOOL_AFTER_MS_DEFAULT} where the spool takes over. */
  readonly retryMs?: number;
  /** How long one request may take; {@link TIMEOUT_MS_DEFAULT}. */
  readonly timeoutMs?: number;
  /** How often `source.heartbeat` is sent; 0 sends no `source.*` events. {@link HEARTBEAT_MS_DEFAULT}. */
  readonly heartbeatMs?: number;
  /** Limit of the spool; beyond it `record` rejects with `spool_full`. {@link SPOOL_EVENTS_MAX}. */
  readonly spoolEventsMax?: number;
  /** Allows plain HTTP to other hosts than this one, where something else encrypts. Default false. */
  readonly allowPlainHttp?: boolean;
  /** The secret of a log that was created with `personalIds: 'pseudonymise'`: to tell what it makes of an id. */
  readonly pseudonymKey?: Uint8Array;
  /** Receives warnings: a spool that cannot be delivered, an event in it that the server will not have. */
  readonly warn?: (message: string) => void;
  /** In the place of the runtime's own. */
  readonly fetch?: typeof fetch;
}

/** Where a log is. */
export interface ClientPlace {
  /** The server's address without a slash at its end. */
  readonly base: string;
  readonly log: string;
}

const names: readonly (keyof AuditClientOptions)[] = [
  'url',
  'log',
  'key',
  'vkey',
  'onFailure',
  'state',
  'version',
  'retryMs',
  'timeoutMs',
  'heartbeatMs',
  'spoolEventsMax',
  'allowPlainHttp',
  'pseudonymKey',
  'warn',
  'fetch',
];

/** Refuses options that nobody reads, and values that they cannot have. Throws misuse `option_unknown`, `option_invalid`. */
export function checkOptions(options: AuditClientOptions): ClientPlace {
  for (const name of Object.keys(options)) {
    if ((names as readonly string[]).includes(name)) continue;
    throw misuse('type', 'option_unknown', `unknown option ${name}: known are ${names.join(', ')}`);
  }
  for (const name of ['url', 'key', 'vkey'] as const) {
    if (typeof options[name] === 'string' && options[name] !== '') continue;
    throw misuse('type', 'option_invalid', `${name} must be a text`);
  }
  // Whatever cannot stand in a header would be refused there with the key in the message.
  if (!/^[\x21-\x7e]+$/.test(options.key)) {
    throw misuse('type', 'option_invalid', 'key holds characters that no key has');
  }
  parseVerifierKey(options.vkey);
  checkNumbers(options);
  const { onFailure = 'block', state } = options;
  if (onFailure !== 'block' && onFailure !== 'spool') {
    throw misuse('type', 'option_invalid', 'onFailure must be block or spool');
  }
  if (onFailure === 'spool' && state === undefined) {
    throw misuse(
      'type',
      'option_invalid',
      'onFailure: spool needs state, the folder in which the spool lies',
    );
  }
  checkState(state);
  return placeOf(options);
}

/** A store that is none would keep nothing, in silence: a server that went back would never be noticed. */
function checkState(state: AuditClientOptions['state']): void {
  if (state === undefined || (typeof state === 'string' && state !== '')) return;
  const { checkpoints } = Object(state) as Partial<ClientState>;
  if (typeof checkpoints?.read === 'function' && typeof checkpoints.write === 'function') return;
  throw misuse(
    'type',
    'option_invalid',
    'state must be a folder, or an object whose checkpoints have read and write',
  );
}

function checkNumbers(options: AuditClientOptions): void {
  for (const [name, least] of [
    ['retryMs', 0],
    ['timeoutMs', 1],
    ['heartbeatMs', 0],
    ['spoolEventsMax', 1],
  ] as const) {
    const value = options[name];
    if (value === undefined || (Number.isSafeInteger(value) && value >= least)) continue;
    throw misuse('range', 'option_invalid', `${name} must be a whole number of at least ${least}`);
  }
}

function placeOf({ url, log, allowPlainHttp }: AuditClientOptions): ClientPlace {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    throw misuse(
      'type',
      'option_invalid',
      'url must be the address of a server, as https://audit.example.com',
    );
  }
  if (parsed.username !== '' || parsed.password !== '' || parsed.search !== '' || parsed.hash !== '') {
    throw misuse(
      'type',
      'option_invalid',
      'url must hold nothing but host and path; the key has its own option',
    );
  }
  const isHere = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(parsed.hostname);
  if (parsed.protocol === 'http:' && !isHere && allowPlainHttp !== true) {
    const hint = 'use https, or allowPlainHttp where something else encrypts';
    throw misuse('type', 'option_invalid', `url would send the key in the open: ${hint}`);
  }
  const [, prefix = '', named] = /^(.*?)(?:\/v1)?(?:\/logs\/([^/]+))?\/*$/.exec(parsed.pathname) ?? [];
  const name = log ?? named ?? 'main';
  if (
    (log !== undefined && named !== undefined && log !== named) ||
    !/^[a-z0-9_][a-z0-9-]{0,62}$/.test(name)
  ) {
    throw misuse('type', 'option_invalid', 'log must be the name of one log: a-z, 0-9 and hyphens');
  }
  return { base: `${parsed.origin}${prefix}`, log: name };
}
