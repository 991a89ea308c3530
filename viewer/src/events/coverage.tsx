import type { EventPage, Stats } from '../../../src/wire/index.ts';
import { formatCount, formatNumber, formatShort } from '../shell/format.ts';

/** What the list covers, and what it leaves out: nobody should take a part for the whole. */
export function Coverage({
  stats,
  page,
  withHousekeeping,
}: {
  stats: Stats | undefined;
  page: EventPage | undefined;
  withHousekeeping: boolean;
}) {
  const size = stats?.size ?? page?.size;
  const complete = Math.min(stats?.complete ?? Infinity, page?.complete ?? Infinity);
  const parts = [
    stats && `${stats.isExact ? '' : 'about '}${formatCount(stats.total, 'event')}`,
    stats?.from && stats.to && `${formatShort(stats.from)} to ${formatShort(stats.to)}`,
    size !== undefined && `of ${formatCount(size, 'entry', 'entries')}`,
    !withHousekeeping && 'reads and heartbeats hidden',
  ];
  return (
    <p className="coverage muted" aria-live="polite">
      {parts.filter((part) => part).join(' · ')}
      {size !== undefined && complete < size && (
        <span className="behind">
          {' '}
          · the search index covers the first {formatNumber(complete)}; {formatNumber(size - complete)} to
          come
        </span>
      )}
      {stats?.isExact === false && <span className="behind"> · counts are approximate</span>}
    </p>
  );
}
