import { type RefObject, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { Stats } from '../../../src/wire/index.ts';
import { Drawer } from '../drawer/drawer.tsx';
import { withTimes } from '../query/chips.ts';
import { QueryBar } from '../query/query-bar.tsx';
import { useCopyLink } from '../shell/announce.tsx';
import { useProofState, useViewer } from '../shell/context.tsx';
import { formatNumber } from '../shell/format.ts';
import type { ShownEvent } from '../shell/log-proof.ts';
import { Failure, Main } from '../shell/parts.tsx';
import { useRoute } from '../shell/route.ts';
import { useVerify } from '../shell/use-verify.ts';
import { Coverage } from './coverage.tsx';
import { EventList } from './event-list.tsx';
import { ExportDialog } from './export-dialog.tsx';
import { Histogram } from './histogram.tsx';
import { type LiveState, questionOf, useEvents, useLive, useStats } from './use-events.ts';
import { useListKeys } from './use-list-keys.ts';

/** The list of events, the questions that can be asked of it, and the event in the drawer. */
export function EventsScreen({ onHelp }: { onHelp: () => void }) {
  const { route, go } = useRoute();
  const { q, isLive, withHousekeeping } = route;
  const question = questionOf(q, withHousekeeping);
  const list = useEvents(question);
  const stats = useStats(question);
  const live = useLive(question, isLive);
  const [isExporting, setExporting] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const scroller = useRef<HTMLDivElement>(null);
  const { events, fresh } = useMerged(list.events, live.events);
  const { selected, step, open, close } = useSelection(events);
  useListKeys({
    onSearch: () => input.current?.focus(),
    onStep: step,
    onOpen: () => selected !== undefined && open(events[selected]!),
    onClose: close,
    onVerify: useVerify(),
    onCopy: useCopyLink(),
    onHelp,
  });
  const loadMore = useCallback(() => {
    if (!list.isFetchingNextPage && list.hasNextPage) void list.fetchNextPage();
  }, [list.isFetchingNextPage, list.hasNextPage, list.fetchNextPage]);
  const known = events.find(({ id }) => id === route.event);
  return (
    <div className={`events ${route.event === undefined ? '' : 'with-drawer'}`}>
      <Main ref={scroller} className="scroller">
        <h1 className="visually-hidden">Events</h1>
        <Tools {...{ input, stats: stats.data, liveState: live.state }} onExport={() => setExporting(true)} />
        {stats.data && (
          <Histogram stats={stats.data} onBrush={(from, to) => go({ q: withTimes(q, from, to) })} />
        )}
        <Coverage stats={stats.data} page={list.newest} withHousekeeping={withHousekeeping} />
        <BrokenAlarm />
        {list.error !== null && <Failure error={list.error} retry={() => void list.refetch()} />}
        {events.length > 0 ? (
          <EventList
            {...{ events, selected, fresh, loadMore, scroller }}
            hasMore={list.hasNextPage}
            onOpen={open}
          />
        ) : (
          list.error === null && <Empty isLoading={list.isPending} q={q} onClear={() => go({ q: '' })} />
        )}
      </Main>
      {route.event !== undefined && <Drawer id={route.event} known={known} onStep={step} onClose={close} />}
      {isExporting && <ExportDialog q={question} stats={stats.data} onClose={() => setExporting(false)} />}
    </div>
  );
}

/** Everything that changes the question. */
function Tools({
  input,
  stats,
  liveState,
  onExport,
}: {
  input: RefObject<HTMLInputElement | null>;
  stats: Stats | undefined;
  liveState: LiveState;
  onExport: () => void;
}) {
  const { session } = useViewer();
  const { route, go } = useRoute();
  const { q, isLive, withHousekeeping } = route;
  return (
    <div className="tools">
      <QueryBar {...{ q, input, stats }} onChange={(next) => go({ q: next })} />
      <div className="switches">
        <LiveSwitch isLive={isLive} state={liveState} onChange={(next) => go({ isLive: next })} />
        <label className="switch">
          <input
            type="checkbox"
            checked={withHousekeeping}
            onChange={(event) => go({ withHousekeeping: event.target.checked })}
          />
          <span>
            Include reads<span className="on-wide"> and heartbeats</span>
          </span>
        </label>
        {session.kind !== 'viewer-token' && (
          <button type="button" onClick={onExport}>
            Export…
          </button>
        )}
      </div>
    </div>
  );
}

/** What came live, in front of what was loaded; each index once. */
function useMerged(loaded: readonly ShownEvent[], live: readonly ShownEvent[]) {
  return useMemo(() => {
    const known = new Set(loaded.map(({ index }) => index));
    const added = live.filter(({ index }) => !known.has(index));
    return { events: [...added, ...loaded], fresh: new Set(added.map(({ index }) => index)) };
  }, [loaded, live]);
}

/** Which row the keyboard is on; while the drawer is open, that is the event in it. */
function useSelection(events: readonly ShownEvent[]) {
  const { route, go } = useRoute();
  const [index, setIndex] = useState<number>();
  const opened = events.findIndex(({ id }) => id === route.event);
  const at = opened >= 0 ? opened : events.findIndex((event) => event.index === index);
  const selected = at >= 0 ? at : undefined;
  useEffect(() => {
    if (opened >= 0) setIndex(events[opened]!.index);
  }, [opened, events]);
  return {
    selected,
    step(step: 1 | -1): void {
      const next = selected === undefined ? 0 : Math.min(Math.max(selected + step, 0), events.length - 1);
      const event = events[next];
      if (event === undefined) return;
      setIndex(event.index);
      if (route.event !== undefined) go({ event: event.id }, { replace: true });
    },
    open(event: ShownEvent): void {
      setIndex(event.index);
      go({ event: event.id }, { replace: route.event !== undefined });
    },
    close: () => go({ event: undefined }),
  };
}

const liveWords: Readonly<Record<LiveState, string>> = {
  off: 'Live',
  connecting: 'Connecting…',
  live: 'Live',
  waiting: 'Reconnecting…',
};

function LiveSwitch({
  isLive,
  state,
  onChange,
}: {
  isLive: boolean;
  state: LiveState;
  onChange: (isLive: boolean) => void;
}) {
  return (
    <button type="button" className={`live ${state}`} aria-pressed={isLive} onClick={() => onChange(!isLive)}>
      <span className="dot" aria-hidden="true" />
      {liveWords[state]}
    </button>
  );
}

/** Over everything: this is what the page is for. */
function BrokenAlarm() {
  const { broken, head } = useProofState();
  if (head?.state === 'broken' && broken.length === 0) {
    return (
      <p className="alarm" role="alert">
        <strong>This log does not hold.</strong> {head.message} <code>{head.code}</code>
      </p>
    );
  }
  if (broken.length === 0) return null;
  const shown = broken.toSorted((a, b) => a - b).slice(0, 10);
  return (
    <p className="alarm" role="alert">
      <strong>
        Broken at index {shown.map((index) => formatNumber(index)).join(', ')}
        {broken.length > shown.length && ` and ${broken.length - shown.length} more`}.
      </strong>{' '}
      What the server shows there is not what the log signed.
      {head?.state === 'broken' && ` ${head.message}`}
    </p>
  );
}

function Empty({ isLoading, q, onClear }: { isLoading: boolean; q: string; onClear: () => void }) {
  if (isLoading) return <p className="empty muted">Loading…</p>;
  return (
    <div className="empty">
      <p>{q === '' ? 'Nothing has been recorded yet.' : 'No event fits this search.'}</p>
      {q !== '' && (
        <button type="button" onClick={onClear}>
          Clear the search
        </button>
      )}
    </div>
  );
}
