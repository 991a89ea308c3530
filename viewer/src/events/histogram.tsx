import { type KeyboardEvent, type PointerEvent, useMemo, useRef, useState } from 'react';
import type { Stats, StatsBucket } from '../../../src/wire/index.ts';
import { formatNumber, formatShort } from '../shell/format.ts';

const HEIGHT = 56;

/** A few bars stay bars: they do not fill the width. */
const BAR_WIDTH_MAX = 48;

const BARS_MAX = 1000;

/** Two positions of bars, in any order. */
type Span = readonly [number, number];

/**
 * Events over time. Drag over bars to narrow the time; with the keyboard, arrows move, Shift and an arrow widens, Enter
 * narrows.
 */
export function Histogram({ stats, onBrush }: { stats: Stats; onBrush: (from: string, to: string) => void }) {
  const { bucketMs } = stats;
  const buckets = useMemo(() => withEmpty(stats), [stats]);
  const { frame, span, focused, handlers } = useBrush({ buckets, bucketMs }, onBrush);
  if (buckets.length === 0) return null;
  const max = Math.max(1, ...buckets.map(({ count }) => count));
  const end = new Date(new Date(buckets.at(-1)!.from).getTime() + bucketMs).toISOString();
  return (
    <div className="histogram" style={{ maxWidth: Math.max(buckets.length * BAR_WIDTH_MAX, 320) }}>
      <div
        ref={frame}
        className="bars"
        role="slider"
        tabIndex={0}
        aria-label="Events over time: arrows move, Shift and arrows widen, Enter shows that time alone"
        aria-valuemin={0}
        aria-valuemax={buckets.length - 1}
        aria-valuenow={focused[1]}
        aria-valuetext={focused
          .toSorted((a, b) => a - b)
          .map((at) => describe(buckets[at]!))
          .join(' to ')}
        {...handlers}
      >
        <svg viewBox={`0 0 ${buckets.length} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
          {buckets.map((bucket, at) => (
            <Bar key={bucket.from} {...{ bucket, at, max }} isChosen={isWithin(at, span)} />
          ))}
          <FocusMark span={focused} />
        </svg>
      </div>
      <div className="axis muted" aria-hidden="true">
        <span>{formatShort(buckets[0]!.from)}</span>
        <span>{formatShort(end)}</span>
      </div>
    </div>
  );
}

/** Every bar from the first to the last, so that the axis is one of time: the server leaves out those of nothing. */
function withEmpty({ buckets, bucketMs }: Stats): readonly StatsBucket[] {
  const known = new Map(buckets.map((bucket) => [new Date(bucket.from).getTime(), bucket]));
  const [first = 0, last = 0] = [[...known.keys()].at(0), [...known.keys()].at(-1)];
  const count = (last - first) / bucketMs + 1;
  // Longer than any server of ours answers: shown as it came.
  if (known.size === 0 || !(count <= BARS_MAX)) return buckets;
  return Array.from({ length: Math.round(count) }, (_, at) => {
    const from = first + at * bucketMs;
    return known.get(from) ?? { from: new Date(from).toISOString(), count: 0, unsuccessful: 0 };
  });
}

/** Choosing bars, by pointer and by keyboard. */
function useBrush(
  { buckets, bucketMs }: Pick<Stats, 'buckets' | 'bucketMs'>,
  onBrush: (from: string, to: string) => void,
) {
  const [span, setSpan] = useState<Span>();
  const [chosen, setFocused] = useState<Span>([0, 0]);
  // Where the drag began: the pointer may be faster than the drawing.
  const begun = useRef<number>(undefined);
  const frame = useRef<HTMLDivElement>(null);
  const clamp = (position: number): number => Math.min(Math.max(position, 0), buckets.length - 1);
  const focused: Span = [clamp(chosen[0]), clamp(chosen[1])];
  const positionOf = (event: PointerEvent): number => {
    const { left, width } = frame.current!.getBoundingClientRect();
    return clamp(Math.floor(((event.clientX - left) / width) * buckets.length));
  };
  const brush = ([one, other]: Span): void => {
    const first = buckets[Math.min(one, other)]!;
    const last = buckets[Math.max(one, other)]!;
    onBrush(first.from, new Date(new Date(last.from).getTime() + bucketMs).toISOString());
  };
  const end = (): void => {
    begun.current = undefined;
    setSpan(undefined);
  };
  const handlers = {
    onKeyDown(event: KeyboardEvent): void {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step !== undefined) {
        event.preventDefault();
        const next = clamp(focused[1] + step);
        setFocused([event.shiftKey ? focused[0] : next, next]);
      } else if (event.key === 'Enter' || event.key === ' ') {
        event.preventDefault();
        event.stopPropagation();
        brush(focused);
      }
    },
    onPointerDown(event: PointerEvent): void {
      event.currentTarget.setPointerCapture(event.pointerId);
      const at = positionOf(event);
      begun.current = at;
      setSpan([at, at]);
    },
    onPointerMove(event: PointerEvent): void {
      if (begun.current !== undefined) setSpan([begun.current, positionOf(event)]);
    },
    onPointerUp(event: PointerEvent): void {
      if (begun.current !== undefined) brush([clamp(begun.current), positionOf(event)]);
      end();
    },
    onPointerCancel: end,
  };
  return { frame, span, focused, handlers };
}

function Bar({
  bucket,
  at,
  max,
  isChosen,
}: {
  bucket: StatsBucket;
  at: number;
  max: number;
  isChosen: boolean;
}) {
  const height = (bucket.count / max) * (HEIGHT - 4);
  const bad = (bucket.unsuccessful / max) * (HEIGHT - 4);
  const visible = bucket.count === 0 ? 0 : Math.max(height, 1.5);
  return (
    <g className={isChosen ? 'bar chosen' : 'bar'}>
      <title>{describe(bucket)}</title>
      <rect className="ground" x={at} y={0} width={1} height={HEIGHT} />
      <rect className="count" x={at + 0.1} y={HEIGHT - visible} width={0.8} height={visible} />
      {bucket.unsuccessful > 0 && (
        <rect
          className="unsuccessful"
          x={at + 0.1}
          y={HEIGHT - Math.max(bad, 1.5)}
          width={0.8}
          height={Math.max(bad, 1.5)}
        />
      )}
    </g>
  );
}

function FocusMark({ span: [one, other] }: { span: Span }) {
  const from = Math.min(one, other);
  return (
    <rect className="focus-mark" x={from} y={HEIGHT - 2} width={Math.max(one, other) - from + 1} height={2} />
  );
}

function isWithin(at: number, span: Span | undefined): boolean {
  return span !== undefined && at >= Math.min(...span) && at <= Math.max(...span);
}

function describe({ from, count, unsuccessful }: StatsBucket): string {
  return `${formatNumber(count)} from ${formatShort(from)}${unsuccessful > 0 ? `, ${formatNumber(unsuccessful)} not successful` : ''}`;
}
