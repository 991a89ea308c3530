import { type Cell, FlexRender, useTable } from '@tanstack/react-table';
import { useVirtualizer, type VirtualItem } from '@tanstack/react-virtual';
import { type RefObject, useEffect, useRef } from 'react';
import type { ShownEvent } from '../shell/log-proof.ts';
import { columns, features, railOf } from './columns.tsx';

/** Rows are of one height, so that a million of them need no measuring. */
const ROW_HEIGHT = { wide: 52, narrow: 88 } as const;
const NARROW = '(max-width: 720px)';

/** How close to the end of what is loaded a reader may come before more is asked for. */
const ROWS_AHEAD = 20;

/** What the list shows, and what it tells. */
export interface EventListProps {
  readonly events: readonly ShownEvent[];
  readonly selected: number | undefined;
  /** Indexes of rows that came while the reader looked. */
  readonly fresh: ReadonlySet<number>;
  readonly hasMore: boolean;
  readonly loadMore: () => void;
  readonly onOpen: (event: ShownEvent) => void;
  readonly scroller: RefObject<HTMLDivElement | null>;
}

/** The list of events. Only the rows in view are in the document. */
export function EventList(props: EventListProps) {
  const { events, selected, fresh, hasMore, onOpen } = props;
  const table = useTable({
    features,
    columns,
    data: events as ShownEvent[],
    getRowId: (row) => `${row.index}`,
  });
  const { rows } = table.getRowModel();
  const { body, items, height, margin } = useRowsInView(rows.length, props);
  return (
    <div className="list" role="table" aria-label="Events" aria-rowcount={hasMore ? -1 : rows.length + 1}>
      {table.getHeaderGroups().map((group) => (
        <div key={group.id} className="row head" role="row" aria-rowindex={1}>
          {group.headers.map((header) => (
            <div key={header.id} role="columnheader" className={`cell ${header.column.id}`}>
              <table.FlexRender header={header} />
            </div>
          ))}
          <div role="columnheader" className="cell">
            <span className="visually-hidden">Open</span>
          </div>
        </div>
      ))}
      <div ref={body} className="rows" role="rowgroup" style={{ height }}>
        {items.map((item) => {
          const row = rows[item.index]!;
          return (
            <Row
              key={row.id}
              shown={row.original}
              cells={row.getAllCells()}
              isSelected={item.index === selected}
              isFresh={fresh.has(row.original.index)}
              {...{ item, margin, onOpen }}
            />
          );
        })}
      </div>
    </div>
  );
}

/** Which rows are in view; asks for more as their end comes near, and brings the selected one in. */
function useRowsInView(count: number, { selected, hasMore, loadMore, scroller }: EventListProps) {
  const body = useRef<HTMLDivElement>(null);
  const virtualizer = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => (matchMedia(NARROW).matches ? ROW_HEIGHT.narrow : ROW_HEIGHT.wide),
    overscan: 12,
    scrollMargin: body.current?.offsetTop ?? 0,
    // The bar of headings stays on top of what scrolls.
    scrollPaddingStart: 40,
  });
  const items = virtualizer.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && last >= count - ROWS_AHEAD) loadMore();
  }, [hasMore, last, count, loadMore]);
  useEffect(() => {
    if (selected !== undefined) virtualizer.scrollToIndex(selected, { align: 'auto' });
  }, [selected, virtualizer]);
  useEffect(() => {
    const media = matchMedia(NARROW);
    const measure = (): void => virtualizer.measure();
    media.addEventListener('change', measure);
    return () => media.removeEventListener('change', measure);
  }, [virtualizer]);
  return { body, items, height: virtualizer.getTotalSize(), margin: virtualizer.options.scrollMargin };
}

function Row({
  shown,
  cells,
  item,
  margin,
  isSelected,
  isFresh,
  onOpen,
}: {
  shown: ShownEvent;
  cells: readonly Cell<typeof features, ShownEvent>[];
  item: VirtualItem;
  margin: number;
  isSelected: boolean;
  isFresh: boolean;
  onOpen: (event: ShownEvent) => void;
}) {
  const action = shown.event === undefined ? '' : `, ${shown.event.action}`;
  return (
    <div
      role="row"
      aria-rowindex={item.index + 2}
      aria-current={isSelected ? 'true' : undefined}
      className={`row ${railOf(shown)} ${isFresh ? 'fresh' : ''}`}
      style={{ height: item.size, transform: `translateY(${item.start - margin}px)` }}
      onClick={() => onOpen(shown)}
    >
      {cells.map((cell) => (
        <div key={cell.id} role="cell" className={`cell ${cell.column.id}`}>
          <FlexRender cell={cell} />
        </div>
      ))}
      <div role="cell" className="cell opener">
        <button type="button" className="open" aria-label={`Open event ${shown.index}${action}`}>
          ›
        </button>
      </div>
    </div>
  );
}
