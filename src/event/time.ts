/** A moment, as milliseconds since 1970 and as the one text that an entry writes for it. */
export interface Moment {
  readonly ms: number;
  /** RFC 3339 in UTC with exactly three digits of a second: 24 characters. */
  readonly text: string;
}

/** Why a text is no moment, as a clause that follows the name of the field. */
export type TimeComplaint = string;

const DAY_MS = 86_400_000;
const CANONICAL_LENGTH = 24;

/** `YYYY-MM-DDTHH:MM:SS`, then a fraction if any, then Z or an offset (RFC 3339 §5.6). */
const shape = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;

/**
 * Reads an RFC 3339 time with any offset and returns the moment in UTC, or a complaint. Nothing is rounded: a time finer than
 * a millisecond is refused, as is a leap second, which no clock of ours can hold, and a date that no calendar has.
 */
export function readTime(text: string): Moment | TimeComplaint {
  if (text.length > 64 || !shape.test(text)) return 'must be an RFC 3339 time with an offset';
  const day = daysFromCivil(digits(text, 0, 4), digits(text, 5, 2), digits(text, 8, 2));
  if (day === undefined) return 'must be a day that the calendar has';
  const [hour, minute, second] = [digits(text, 11, 2), digits(text, 14, 2), digits(text, 17, 2)];
  if (second === 60) return 'must not be a leap second';
  if (hour > 23 || minute > 59 || second > 59) return 'must be a time that the clock has';

  const zone = text.endsWith('Z') || text.endsWith('z') ? text.length - 1 : text.length - 6;
  const fraction = text.slice(20, Math.max(zone, 20));
  if (fraction.length > 3 && /[1-9]/.test(fraction.slice(3))) return 'must not be finer than a millisecond';
  const offset = zone === text.length - 1 ? 0 : offsetMs(text, zone);
  if (offset === undefined) return 'must have an offset between -23:59 and +23:59';

  const ms =
    day * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + Number(fraction.slice(0, 3).padEnd(3, '0')) - offset;
  if (text.length === CANONICAL_LENGTH && zone === 23 && text[10] === 'T' && text[23] === 'Z') return { ms, text };
  return momentOf(ms) ?? 'must lie in the years 0000 to 9999 in UTC';
}

/** The moment of a number of milliseconds, unless it lies outside the years 0000 to 9999 or is no whole number. */
export function momentOf(ms: number): Moment | undefined {
  if (!Number.isInteger(ms) || ms < YEAR_0_MS || ms >= YEAR_10000_MS) return undefined;
  return { ms, text: new Date(ms).toISOString() };
}

/** Whether `text` is a time in exactly the form that entries hold, and exists. */
export function isCanonicalTime(text: string): boolean {
  if (text.length !== CANONICAL_LENGTH) return false;
  const moment = readTime(text);
  return typeof moment === 'object' && moment.text === text;
}

/** The milliseconds since 1970 of a time in the form that entries hold; NaN for anything else. */
export function timeMs(text: string): number {
  const moment = readTime(text);
  return typeof moment === 'object' ? moment.ms : Number.NaN;
}

const YEAR_0_MS = -62_167_219_200_000;
const YEAR_10000_MS = 253_402_300_800_000;

const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * Days from 1970-01-01 to a date of the Gregorian calendar, or undefined if it has no such day. Counted in years that begin in
 * March, so that the leap day comes last (the method of Howard Hinnant's `days_from_civil`); `Date.UTC` would read the years 0
 * to 99 as 1900 to 1999.
 */
function daysFromCivil(year: number, month: number, day: number): number | undefined {
  if (month < 1 || month > 12 || day < 1) return undefined;
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  if (day > monthDays[month - 1]! + (month === 2 && isLeap ? 1 : 0)) return undefined;
  const marchYear = month > 2 ? year : year - 1;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

function offsetMs(text: string, zone: number): number | undefined {
  const hours = digits(text, zone + 1, 2);
  const minutes = digits(text, zone + 4, 2);
  if (hours > 23 || minutes > 59) return undefined;
  return (text[zone] === '-' ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

/** The number that `count` decimal digits write; the shape was checked before. */
function digits(text: string, start: number, count: number): number {
  let value = 0;
  for (let position = start; position < start + count; position += 1) {
    value = value * 10 + text.charCodeAt(position) - 0x30;
  }
  return value;
}
