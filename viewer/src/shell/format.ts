/** The reader's own language decides how times and numbers look. */
const absolute = new Intl.DateTimeFormat(undefined, {
  dateStyle: 'medium',
  timeStyle: 'long',
});
const dayAndTime = new Intl.DateTimeFormat(undefined, {
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
});
const day = new Intl.DateTimeFormat(undefined, {
  weekday: 'long',
  year: 'numeric',
  month: 'long',
  day: 'numeric',
});
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto', style: 'short' });
const number = new Intl.NumberFormat();

/** With date, time and zone. */
export function formatAbsolute(time: string): string {
  return inTime(time, (date) => absolute.format(date));
}

/** Short, for axes and ranges. */
export function formatShort(time: string): string {
  return inTime(time, (date) => dayAndTime.format(date));
}

export function formatDay(time: string): string {
  return inTime(time, (date) => day.format(date));
}

export function formatClock(time: string): string {
  return inTime(time, (date) => clock.format(date));
}

const units: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ['year', 365 * 86_400_000],
  ['month', 30 * 86_400_000],
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
];

/** How long ago, in the largest unit that fits. */
export function formatRelative(time: string, now: number): string {
  return inTime(time, (date) => {
    const away = date.getTime() - now;
    // The clock of the page ticks rarely; what is newer than its last tick is now.
    if (away > -5000 && away < 60_000) return relative.format(0, 'second');
    const [unit, ms] = units.find(([, length]) => Math.abs(away) >= length) ?? ['second', 1000];
    return relative.format(Math.round(away / ms), unit);
  });
}

export function formatNumber(value: number): string {
  return number.format(value);
}

/** So many of something: "1 event", "2 events". */
export function formatCount(count: number, one: string, many = `${one}s`): string {
  return `${formatNumber(count)} ${count === 1 ? one : many}`;
}

/** A stretch of time in words that are short. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return 'less than a second';
  const [unit, length] = units.find(([, size]) => ms >= size) ?? ['second', 1000];
  return formatCount(Math.round(ms / length), unit);
}

/** A time that is none is shown as it stands. */
function inTime(time: string, format: (date: Date) => string): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? time : format(date);
}
