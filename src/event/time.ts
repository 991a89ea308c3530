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

/** Longer than any time with nine digits of a second and an offset. */
const LENGTH_MAX = 40;

const SHAPE_COMPLAINT = 'must be an RFC 3339 time with an offset';

/**
 * Reads an RFC 3339 time with any offset and returns the moment in UTC, or a complaint. Nothing is rounded: a
 * time finer than a millisecond is refused, as is a leap second, which no clock of ours can hold, and a date
 * that no calendar has.
 */
export function readTime(text: string): Moment | TimeComplaint {
  if (text.length < 20 || text.length > LENGTH_MAX || !hasSeparators(text)) return SHAPE_COMPLAINT;
  const day = daysFromCivil(digits(text, 0, 4), digits(text, 5, 2), digits(text, 8, 2));
  const [hour, minute, second] = [digits(text, 11, 2), digits(text, 14, 2), digits(text, 17, 2)];
  // What is no digit has become NaN, which no comparison is true of.
  if (!(hour + minute + second >= 0) || day === undefined) return SHAPE_COMPLAINT;
  if (Number.isNaN(day)) return 'must be a day that the calendar has';
  if (second === 60) return 'must not be a leap second';
  if (hour > 23 || minute > 59 || second > 59) return 'must be a time that the clock has';

  const zone = zoneStart(text);
  const fraction = readFraction(text, zone);
  const offset = readOffset(text, zone);
  if (typeof fraction === 'string') return fraction;
  if (typeof offset === 'string') return offset;
  const ms = day * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + fraction - offset;
  if (zone === CANONICAL_LENGTH - 1 && text.charCodeAt(10) === UPPER_T && text.charCodeAt(zone) === UPPER_Z)
    return { ms, text };
  return momentOf(ms) ?? 'must lie in the years 0000 to 9999 in UTC';
}

/**
 * The moment of a number of milliseconds, unless it lies outside the years 0000 to 9999 or is no whole
 * number.
 */
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
 * Days from 1970-01-01 to a date of the Gregorian calendar; NaN if it has no such day, undefined if these are
 * no numbers. Counted in years that begin in March, so that the leap day comes last (the method of Howard
 * Hinnant's `days_from_civil`); `Date.UTC` would read the years 0 to 99 as 1900 to 1999.
 */
function daysFromCivil(year: number, month: number, day: number): number | undefined {
  if (Number.isNaN(year + month + day)) return undefined;
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = monthDays[month - 1] ?? 0;
  if (day < 1 || day > days + (month === 2 && isLeap ? 1 : 0)) return Number.NaN;
  const marchYear = month > 2 ? year : year - 1;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

const PLUS = 0x2b;
const MINUS = 0x2d;
const POINT = 0x2e;
const COLON = 0x3a;
const UPPER_T = 0x54;
const UPPER_Z = 0x5a;
/** Set in a lower-case letter, and not in its upper case. */
const LOWER_BIT = 0x20;

/** `YYYY-MM-DDTHH:MM:SS` (RFC 3339 §5.6), as far as its separators go. */
function hasSeparators(text: string): boolean {
  return (
    text.charCodeAt(4) === MINUS &&
    text.charCodeAt(7) === MINUS &&
    (text.charCodeAt(10) & ~LOWER_BIT) === UPPER_T &&
    text.charCodeAt(13) === COLON &&
    text.charCodeAt(16) === COLON
  );
}

/** Where Z or the offset begins. */
function zoneStart(text: string): number {
  const last = text.length - 1;
  return (text.charCodeAt(last) & ~LOWER_BIT) === UPPER_Z ? last : last - 5;
}

/** The milliseconds between the second and the zone. */
function readFraction(text: string, zone: number): number | TimeComplaint {
  if (zone === 19) return 0;
  if (zone < 21 || text.charCodeAt(19) !== POINT) return SHAPE_COMPLAINT;
  let ms = 0;
  let weight = 100;
  for (let position = 20; position < zone; position += 1) {
    const digit = digits(text, position, 1);
    if (Number.isNaN(digit)) return SHAPE_COMPLAINT;
    if (position > 22 && digit > 0) return 'must not be finer than a millisecond';
    if (position <= 22) ms += digit * weight;
    weight /= 10;
  }
  return ms;
}

/** How far the zone is ahead of UTC, in milliseconds. */
function readOffset(text: string, zone: number): number | TimeComplaint {
  if (zone === text.length - 1) return 0;
  const sign = text.charCodeAt(zone);
  if ((sign !== PLUS && sign !== MINUS) || text.charCodeAt(zone + 3) !== COLON) return SHAPE_COMPLAINT;
  const hours = digits(text, zone + 1, 2);
  const minutes = digits(text, zone + 4, 2);
  if (Number.isNaN(hours + minutes)) return SHAPE_COMPLAINT;
  if (hours > 23 || minutes > 59) return 'must have an offset between -23:59 and +23:59';
  return (sign === MINUS ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

/** The number that `count` decimal digits write; NaN if one of them is none. */
function digits(text: string, start: number, count: number): number {
  let value = 0;
  for (let position = start; position < start + count; position += 1) {
    const digit = text.charCodeAt(position) - 0x30;
    value = digit >= 0 && digit <= 9 ? value * 10 + digit : Number.NaN;
  }
  return value;
}
