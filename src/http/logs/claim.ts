import { EventError, limits } from '../../event/index.ts';
import type { Behalf } from '../../log/index.ts';
import { systemClock } from '../../platform/index.ts';
import type { Caller } from '../route.ts';

/** An event without what the sender says of itself, and on whose behalf it is recorded. */
export interface Claimed {
  readonly event: unknown;
  readonly behalf: Behalf;
}

const claimNames = ['instance', 'seq', 'version', 'handedInAt', 'filled'];

/** Fields that `filled` may name. */
const FILLED_MAX = 32;

const timeText = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/**
 * Parts an event as it was sent from the sender's claim, its `source` (`SourceClaim`). Service and credential follow from
 * the key. Throws `EventError` where the claim is malformed.
 */
export function claimOf(sent: unknown, caller: Caller): Claimed {
  const base = { service: caller.service, credential: caller.id };
  if (typeof sent !== 'object' || sent === null || !Object.hasOwn(sent, 'source')) {
    return { event: sent, behalf: base };
  }
  const { source, ...event } = sent as { readonly source: unknown };
  if (typeof source !== 'object' || source === null || Array.isArray(source)) {
    throw refuse('event_field_invalid', '', 'must be an object', 'Leave it out, or see SourceClaim.');
  }
  for (const name of Object.keys(source)) {
    if (claimNames.includes(name)) continue;
    throw refuse(
      'event_field_unknown',
      `/${name}`,
      'is not a field of it',
      `Known: ${claimNames.join(', ')}.`,
    );
  }
  const { instance, seq, version, handedInAt, filled } = source as Readonly<Record<string, unknown>>;
  if (typeof instance !== 'string')
    throw refuse('event_field_invalid', '/instance', 'must be a text', 'A UUID of the process start.');
  const isCount = seq === null || (typeof seq === 'number' && Number.isSafeInteger(seq) && seq >= 0);
  if (!isCount)
    throw refuse('event_field_invalid', '/seq', 'must count from 0, or be null', 'Send a number.');
  if (version !== undefined && typeof version !== 'string')
    throw refuse('event_field_invalid', '/version', 'must be a text', 'Leave it out.');
  const counted = { instance, seq, ...(version === undefined ? {} : { version }) };
  return { event, behalf: { ...base, counted, ...handedIn(handedInAt), ...filledIn(filled) } };
}

function filledIn(names: unknown): { readonly filled?: readonly string[] } {
  if (names === undefined) return {};
  const isList = Array.isArray(names) && names.length <= FILLED_MAX;
  if (isList && names.every((name) => typeof name === 'string' && /^[A-Za-z][A-Za-z0-9]{0,63}$/.test(name)))
    return { filled: names };
  throw refuse('event_field_invalid', '/filled', 'must be a list of names', 'Names of fields of context.');
}

function handedIn(time: unknown): { readonly occurredAt?: string } {
  if (time === undefined) return {};
  const ms = typeof time === 'string' && timeText.test(time) ? Date.parse(time) : Number.NaN;
  if (Number.isNaN(ms) || new Date(ms).toISOString() !== time)
    throw refuse('event_time_invalid', '/handedInAt', 'must be a time', 'As 2026-01-31T23:59:59.999Z.');
  if (ms > systemClock.wall() + limits.futureMsMax)
    throw refuse('event_time_future', '/handedInAt', 'must not lie ahead', 'Set the clock of the sender.');
  return { occurredAt: time as string };
}

function refuse(code: EventError['code'], below: string, rule: string, hint: string): EventError {
  return new EventError(code, `/source${below}`, { rule, hint });
}
