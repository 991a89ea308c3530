import type { EventPage, Stats } from '../../../src/wire/index.ts';
import { formatNumber, formatShort } from '../shell/format.ts';

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
    stats && `${stats.isExact ? '' : 'at least '}${formatNumber(stats.total)} events`,
    stats?.from && stats.to && `${formatShort(stats.from)} to ${formatShort(stats.to)}`,
    size !== undefined && `of ${formatNumber(size)} entries, every one since index 0 is kept`,
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
      {stats?.isExact === false && <span className="behind"> · counts are of the newest events only</span>}
    </p>
  );
}
