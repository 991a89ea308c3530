import { useCallback, useEffect, useRef } from 'react';
import { Drawer } from '../drawer/drawer.tsx';
import { sentenceOf } from '../drawer/sentence.ts';
import { visible } from '../drawer/visible.ts';
import { Badge } from '../events/badge.tsx';
import { nameOf, railOf } from '../events/columns.tsx';
import { useEvents } from '../events/use-events.ts';
import { useListKeys } from '../events/use-list-keys.ts';
import { useCopyLink } from '../shell/announce.tsx';
import { formatClock, formatDay } from '../shell/format.ts';
import type { ShownEvent } from '../shell/log-proof.ts';
import { Failure, Main } from '../shell/parts.tsx';
import { type Route, useRoute } from '../shell/route.ts';
import { useVerify } from '../shell/use-verify.ts';

const sides = { both: 'Everything', actor: 'What it did', target: 'What was done to it' } as const;

/** The life of one person or thing: everything it did, and everything that was done to it. */
export function EntityScreen({ onHelp }: { onHelp: () => void }) {
  const { route, go } = useRoute();
  const { entity = '', side, event: opened } = route;
  const list = useEvents(questionOf(entity, side));
  const { events } = list;
  const at = events.findIndex(({ id }) => id === opened);
  const step = (by: 1 | -1): void => {
    const next = events[at < 0 ? 0 : Math.min(Math.max(at + by, 0), events.length - 1)];
    if (next !== undefined) go({ event: next.id }, { replace: opened !== undefined });
  };
  const close = (): void => go({ event: undefined });
  const search = (): void =>
    go({ screen: 'events', q: '', entity: undefined, side: 'both', event: undefined });
  useListKeys({
    onSearch: search,
    onStep: step,
    onOpen: () => step(1),
    onClose: close,
    onVerify: useVerify(),
    onCopy: useCopyLink(),
    onHelp,
  });
  const name = nameIn(events, entity);
  return (
    <div className={`events ${opened === undefined ? '' : 'with-drawer'}`}>
      <div className="scroller">
        <Main className="page">
          <h1>{visible(name ?? entity)}</h1>
          <p className="muted">
            <code>{visible(entity)}</code>
          </p>
          <fieldset className="segments">
            <legend className="visually-hidden">Which events</legend>
            {Object.entries(sides).map(([value, text]) => (
              <label key={value}>
                <input
                  type="radio"
                  name="side"
                  checked={side === value}
                  onChange={() => go({ side: value as Route['side'] }, { replace: true })}
                />
                {text}
              </label>
            ))}
          </fieldset>
          {list.error !== null && <Failure error={list.error} retry={() => void list.refetch()} />}
          {list.isPending && <p className="muted">Loading…</p>}
          {!list.isPending && events.length === 0 && <p className="muted">No event names it.</p>}
          <Timeline {...{ events, opened, entity }} onOpen={(id) => go({ event: id })} />
          <More
            isMore={list.hasNextPage}
            isBusy={list.isFetchingNextPage}
            load={() => void list.fetchNextPage()}
          />
        </Main>
      </div>
      {opened !== undefined && (
        <Drawer id={opened} known={at < 0 ? undefined : events[at]} onStep={step} onClose={close} />
      )}
    </div>
  );
}

function questionOf(entity: string, side: Route['side']): string {
  const value = `"${entity.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  return side === 'both' ? `(actor:${value}) OR (target:${value})` : `${side}:${value}`;
}

/** What the newest event calls it. */
function nameIn(events: readonly ShownEvent[], entity: string): string | undefined {
  for (const { event } of events) {
    for (const party of event === undefined ? [] : [event.actor, ...event.targets]) {
      if (`${party.type}/${party.id}` === entity && nameOf(party) !== party.id) return nameOf(party);
    }
  }
  return undefined;
}

function Timeline({
  events,
  opened,
  entity,
  onOpen,
}: {
  events: readonly ShownEvent[];
  opened: string | undefined;
  entity: string;
  onOpen: (id: string) => void;
}) {
  const byDay = Map.groupBy(events, ({ event }) => (event === undefined ? '' : formatDay(event.occurredAt)));
  return [...byDay].map(([day, together]) => (
    <section key={day} className="day">
      <h2>{day}</h2>
      <ol className="timeline">
        {together.map((shown) => (
          <li key={shown.index} className={railOf(shown)}>
            <button type="button" aria-current={shown.id === opened} onClick={() => onOpen(shown.id)}>
              <Moment shown={shown} entity={entity} />
            </button>
          </li>
        ))}
      </ol>
    </section>
  ));
}

function Moment({ shown, entity }: { shown: ShownEvent; entity: string }) {
  const { event, verdict, index } = shown;
  if (event === undefined) return <Badge verdict={verdict} index={index} isLong />;
  const isActor = `${event.actor.type}/${event.actor.id}` === entity;
  const words = sentenceOf(event).map((piece) => (typeof piece === 'string' ? piece : nameOf(piece.party)));
  return (
    <>
      <time dateTime={event.occurredAt}>{formatClock(event.occurredAt)}</time>
      <span className="what">
        <span>{visible(words.join(''))}</span>
        <span className="second-line">
          <code className="action">{event.action}</code> {isActor ? '' : '· done to it'}
        </span>
      </span>
      <span className={`outcome ${event.outcome}`}>{event.outcome}</span>
      <Badge verdict={verdict} index={index} />
    </>
  );
}

/** Loads more as the end of the list comes into view; a button for whoever does not scroll. */
function More({ isMore, isBusy, load }: { isMore: boolean; isBusy: boolean; load: () => void }) {
  const end = useRef<HTMLDivElement>(null);
  const again = useCallback(() => {
    if (isMore && !isBusy) load();
  }, [isMore, isBusy, load]);
  useEffect(() => {
    if (end.current === null) return;
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && again());
    observer.observe(end.current);
    return () => observer.disconnect();
  }, [again]);
  return (
    <div ref={end} className="more">
      {isMore && (
        <button type="button" disabled={isBusy} onClick={load}>
          {isBusy ? 'Loading…' : 'Earlier events'}
        </button>
      )}
    </div>
  );
}
