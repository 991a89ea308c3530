import { TIMESTAMP_TOLERANCE_MS } from './timestamp/verify-timestamp.ts';

/**
 * Whether a cosignature (POSIX seconds, up to 2^63 − 1) bears a time that has not come by a clock here (milliseconds since the epoch),
 * though both clocks may be five minutes apart: nobody has seen anything then.
 */
export function isAhead(timestamp: bigint, now: number): boolean {
  return Number(timestamp) * 1000 > now + TIMESTAMP_TOLERANCE_MS;
}
