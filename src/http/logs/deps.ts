import { LogError } from '../../log/index.ts';
import type { Problem } from '../../wire/index.ts';
import type { Call } from '../route.ts';
import { textAnswer } from '../text-answer.ts';
import type { Places } from './places.ts';
import type { Pulse } from './pulse.ts';
import type { LogRegistry } from './registry.ts';

/** What the routes of logs work with. */
export interface LogRouteDeps {
  readonly logs: LogRegistry;
  /** What an error becomes: for results of single events within a larger answer. */
  readonly problemOf: (error: unknown) => Problem;
}

/** {@link LogRouteDeps}, with what the routes share among themselves. */
export interface Desk extends LogRouteDeps {
  /** Beats when something was recorded here. */
  readonly pulse: Pulse;
  readonly streams: Places;
  readonly exports: Places;
}

/** The one answer for what is not there, and for what is not for this caller. */
export function nothingHere(): LogError {
  return new LogError('not_found', 'There is nothing here under this name.');
}

/** JSON of an answer. Events are nobody's to keep on the way. */
export function json(
  value: unknown,
  init: { status?: number; headers?: Record<string, string> } = {},
): Response {
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store', ...init.headers };
  return textAnswer(JSON.stringify(value), { status: init.status ?? 200, headers });
}

/** The log of a call, for writing. Throws what opening it for writing has found. */
export function writable({ log }: Call): Call['log']['log'] {
  if (log.damage !== undefined) throw log.damage;
  return log.log;
}
