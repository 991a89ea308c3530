import type { AuditEvent } from './model.ts';

/** Sequence numbers, both ends included. */
export type SeqRange = readonly [from: number, to: number];

/** At most so many ranges in one frame; more wait for the next. */
const RANGES_MAX = 500;

/** What a source says of itself, in the open, so that whoever reads the log can tell what is missing. */
export interface SourceFrame {
  /** A UUID per process start, as in `source.instance`. */
  readonly instance: string;
  /** The last sequence number that was handed in; null if none was. */
  readonly seq: number | null;
  /** Numbers that no entry will bear, since the last frame: refused events, and repeats of entries that were there. */
  readonly unrecorded: readonly SeqRange[];
  /** How often the source says that it is there, milliseconds. */
  readonly everyMs: number;
}

/** The actions that frame a source: everything that it sends lies between the first and the last. */
export const sourceActions = Object.freeze({
  started: 'source.started',
  heartbeat: 'source.heartbeat',
  stopped: 'source.stopped',
});

/** `source.started`, `source.heartbeat`, `source.stopped`: entries without a number of their own. Read back by `sourceFrameOf`. */
export function sourceEvent(kind: keyof typeof sourceActions, frame: SourceFrame): AuditEvent {
  const { instance, seq, unrecorded, everyMs } = frame;
  return {
    action: sourceActions[kind],
    actor: { type: 'source', id: instance },
    metadata: { seq, unrecorded, everyMs },
    clear: ['/metadata'],
  };
}

/** What a frame says; undefined for another event, and for one that is malformed: anybody who may write can send these. */
export function sourceFrameOf(event: {
  readonly action: string;
  readonly metadata?: unknown;
  readonly source: { readonly instance: string };
}): (SourceFrame & { readonly kind: keyof typeof sourceActions }) | undefined {
  const kind = (['started', 'heartbeat', 'stopped'] as const).find(
    (name) => sourceActions[name] === event.action,
  );
  if (kind === undefined || typeof event.metadata !== 'object' || event.metadata === null) return undefined;
  const { seq, unrecorded, everyMs } = event.metadata as Record<string, unknown>;
  if (seq !== null && !isCount(seq)) return undefined;
  if (!isCount(everyMs) || !Array.isArray(unrecorded) || unrecorded.length > RANGES_MAX) return undefined;
  if (!unrecorded.every(isRange)) return undefined;
  return { kind, instance: event.source.instance, seq, unrecorded, everyMs };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isRange(value: unknown): value is SeqRange {
  return Array.isArray(value) && value.length === 2 && value.every(isCount) && value[0]! <= value[1]!;
}

/** Counts what a source hands in, and remembers the numbers for which no entry will come. */
export class SeqCounter {
  #next = 0;
  #unrecorded: [number, number][] = [];

  /** The number of the next event. */
  get next(): number {
    return this.#next;
  }

  /** The last number that was given; null if none was. */
  get last(): number | null {
    return this.#next === 0 ? null : this.#next - 1;
  }

  /** Gives a number. */
  take(): number {
    this.#next += 1;
    return this.#next - 1;
  }

  /** No entry will bear this number. */
  void(seq: number): void {
    const last = this.#unrecorded.at(-1);
    if (last !== undefined && last[1] + 1 === seq) last[1] = seq;
    else this.#unrecorded.push([seq, seq]);
  }

  /** The numbers to tell in the next frame, which are forgotten here. */
  takeUnrecorded(): SeqRange[] {
    return this.#unrecorded.splice(0, RANGES_MAX);
  }

  /** The frame that was to tell them did not arrive. */
  putBack(ranges: readonly SeqRange[]): void {
    this.#unrecorded.unshift(...ranges.map(([from, to]): [number, number] => [from, to]));
  }
}
