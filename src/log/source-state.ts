import type { SeqRange } from '../event/index.ts';

/** How long a missing number may still arrive, milliseconds: two heartbeats, which tell what will never come. */
export const GAP_GRACE_MS = 45_000;

/** Bounds of what a source may say of its heartbeats, milliseconds. */
const EVERY_MS_MIN = 1_000;
const EVERY_MS_MAX = 600_000;

/** Holes that are kept of one source; more become one with the last. */
const HOLES_MAX = 1_000;

/** Numbers that have not arrived. */
export interface Hole {
  from: number;
  to: number;
  /** When a later number arrived, by the log's clock. */
  readonly sinceMs: number;
  isReported: boolean;
}

/** What is known of one source: plain data. */
export interface SourceState {
  readonly service: string;
  readonly instance: string;
  /** The first number that was never heard of. */
  next: number;
  holes: Hole[];
  lastMs: number;
  /** How often it says that it is there; undefined while it has not said so, or has said that it stops. */
  everyMs: number | undefined;
  isSilenceReported: boolean;
}

/** A source that nothing is known of yet. */
export function newSource(service: string, instance: string, atMs: number): SourceState {
  return {
    service,
    instance,
    next: 0,
    holes: [],
    lastMs: atMs,
    everyMs: undefined,
    isSilenceReported: false,
  };
}

/** Takes in that these numbers are accounted for: by an entry, or because the source says that none will come. */
export function account(source: SourceState, [from, to]: SeqRange, atMs: number): void {
  if (from > source.next) miss(source, from - 1, atMs);
  if (to >= source.next) source.next = to + 1;
  if (source.holes.length === 0) return;
  source.holes = source.holes.flatMap((hole) => {
    if (to < hole.from || from > hole.to) return [hole];
    const left = hole.from < from ? [{ ...hole, to: from - 1 }] : [];
    const right = hole.to > to ? [{ ...hole, from: to + 1 }] : [];
    return [...left, ...right];
  });
}

/** Takes in that everything up to `to` has been handed in. */
export function miss(source: SourceState, to: number, atMs: number): void {
  if (to < source.next) return;
  const last = source.holes.at(-1);
  if (source.holes.length >= HOLES_MAX && last !== undefined) last.to = to;
  else source.holes.push({ from: source.next, to, sinceMs: atMs, isReported: false });
  source.next = to + 1;
}

/** How long a source may be silent, milliseconds; undefined for one that has promised nothing. */
export function patienceMs({ everyMs }: SourceState): number | undefined {
  if (everyMs === undefined) return undefined;
  return 2 * Math.min(Math.max(everyMs, EVERY_MS_MIN), EVERY_MS_MAX) + 5_000;
}
