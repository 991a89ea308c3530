import { hexEncode, sha256, utf8Encode } from '../bytes/index.ts';
import type { Finding, FindingCode } from '../verify/index.ts';

/** What a monitor can find besides what an audit finds; `docs/errors.md` explains each. */
export const monitorCodes = [
  'cosignature_old',
  'key_changed',
  'log_pruned',
  'log_stalled',
  'log_unreadable',
  'monitor_began',
  'retention_overdue',
  'source_gap',
  'source_silent',
  'timestamp_old',
] as const;

/** One of `monitorCodes`, or of the codes of an audit. */
export type FoundCode = FindingCode | (typeof monitorCodes)[number];

/** These tell of something that may well be in order; all others are alarms. */
const notices: ReadonlySet<string> = new Set<FoundCode>(['key_changed', 'log_pruned', 'monitor_began']);

/** Whether something may well be in order. */
export function isNotice({ code }: Pick<Found, 'code'>): boolean {
  return notices.has(code);
}

/** Something that a monitor tells: once, and again after it was over and came back. Plain data. */
export interface Found {
  /** The same for the same thing, however often it is seen: whoever is told twice can tell. */
  readonly id: string;
  /** `notice`: it may well be in order. */
  readonly kind: 'finding' | 'notice';
  readonly code: FoundCode;
  readonly origin: string;
  /** The first and the last entry that it concerns. */
  readonly from: number;
  readonly to: number;
  readonly message: string;
  /** When it was first seen: RFC 3339, UTC, by the monitor's clock. */
  readonly at: string;
  /** Files with what proves it, beside the state. */
  readonly evidence?: readonly string[];
}

/** What is told, before it has an identity. */
export interface Telling extends Pick<Found, 'from' | 'to' | 'message'> {
  readonly code: FoundCode;
  /** What makes it another one than the last of its kind; the entries and the message, where it does not say. */
  readonly key?: string;
  /** Signed notes that prove it together: they are kept as files. */
  readonly proof?: readonly Uint8Array[];
}

/** Gives what is told its identity. */
export function found(
  { code, from, to, message, key }: Telling,
  {
    origin,
    at,
    evidence = [],
  }: { readonly origin: string; readonly at: number; readonly evidence?: readonly string[] },
): Found {
  const what = key === undefined ? [from, to, message] : [key];
  const id = hexEncode(sha256(utf8Encode(JSON.stringify([origin, code, ...what])))).slice(0, 32);
  return {
    id,
    kind: notices.has(code) ? 'notice' : 'finding',
    code,
    origin,
    from,
    to,
    message,
    at: new Date(at).toISOString(),
    ...(evidence.length > 0 && { evidence }),
  };
}

/** The finding of an audit, as it is told. */
export function tellingOf({ code, from, to, message }: Finding): Telling {
  return { code, from, to, message, ...(code === 'rolled_back' && { key: seenUpTo(to + 1) }) };
}

/** What makes a log that was rolled back the same one, whoever finds it: how many entries somebody has seen. */
export function seenUpTo(size: number): string {
  return `seen up to ${size}`;
}
