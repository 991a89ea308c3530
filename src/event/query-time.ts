import { momentOf, readTime } from './time.ts';

/** From when on, and up to but without when, as entries write times. */
export interface Bounds {
  readonly from?: string;
  readonly to?: string;
}

/** A stretch of time, in milliseconds since 1970: a year, a month, a day, down to one millisecond. */
interface Period {
  readonly start: number;
  /** The first millisecond behind it. */
  readonly end: number;
}

/**
 * The bounds that a time in a query sets. `after:` begins with the time, `before:` ends in front of it.
 * `created:` names the whole period, or what lies on one side of it (`>2026-01` begins with February), or
 * from one to another (`2026-01..2026-03`). Undefined if the text is no time. Times without a zone are UTC.
 */
export function readPeriod(text: string, field: 'after' | 'before' | 'created'): Bounds | undefined {
  if (field !== 'created') {
    const period = parsePeriod(text);
    if (period === undefined) return undefined;
    return field === 'after' ? bounds(period.start, undefined) : bounds(undefined, period.start);
  }
  const range = text.split('..');
  if (range.length === 2) {
    const [first, last] = [parsePeriod(range[0]!), parsePeriod(range[1]!)];
    return first === undefined || last === undefined ? undefined : bounds(first.start, last.end);
  }
  const [, sign = '', time = ''] = /^([<>]=?)?(.*)$/s.exec(text)!;
  const period = parsePeriod(time);
  if (period === undefined) return undefined;
  switch (sign) {
    case '>':
      return bounds(period.end, undefined);
    case '>=':
      return bounds(period.start, undefined);
    case '<':
      return bounds(undefined, period.start);
    case '<=':
      return bounds(undefined, period.end);
    default:
      return bounds(period.start, period.end);
  }
}

/** Years, months and days; then times, of which the seconds and the zone may be left out. */
const calendar = /^\d{4}(?:-\d\d(?:-\d\d)?)?$/;
const clock = /^(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d)(:\d\d)?(\.\d{1,3})?([Zz]|[+-]\d\d:\d\d)?$/;

function parsePeriod(text: string): Period | undefined {
  if (calendar.test(text)) return parseDays(text);
  const match = clock.exec(text);
  if (match === null || (match[3] !== undefined && match[2] === undefined)) return undefined;
  const [, minutes, seconds = ':00', fraction = '', zone = 'Z'] = match;
  const moment = readTime(`${minutes}${seconds}${fraction}${zone}`);
  if (typeof moment === 'string') return undefined;
  const lengthMs = match[2] === undefined ? 60_000 : 1000 / 10 ** Math.max(fraction.length - 1, 0);
  return { start: moment.ms, end: moment.ms + lengthMs };
}

function parseDays(text: string): Period | undefined {
  const [year, month, day] = text.split('-').map(Number) as [number, number?, number?];
  const start = startOf(year, month ?? 1, day ?? 1);
  if (start === undefined) return undefined;
  if (day !== undefined) return { start, end: start + 86_400_000 };
  const isYearEnd = month === undefined || month === 12;
  return {
    start,
    end: startOf(isYearEnd ? year + 1 : year, isYearEnd ? 1 : month + 1, 1) ?? Number.POSITIVE_INFINITY,
  };
}

function startOf(year: number, month: number, day: number): number | undefined {
  const pad = (value: number, width: number): string => String(value).padStart(width, '0');
  const moment = readTime(`${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}T00:00:00.000Z`);
  return typeof moment === 'string' ? undefined : moment.ms;
}

/**
 * Behind the year 9999 no event can have happened: an end there sets no bound, and a beginning leaves its
 * last moment.
 */
function bounds(from: number | undefined, to: number | undefined): Bounds {
  const first = from === undefined ? undefined : (momentOf(from)?.text ?? LAST_MOMENT);
  const last = to === undefined ? undefined : momentOf(to)?.text;
  return { ...(first !== undefined && { from: first }), ...(last !== undefined && { to: last }) };
}

const LAST_MOMENT = '9999-12-31T23:59:59.999Z';
