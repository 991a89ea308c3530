import type { Figures } from '../scenario.ts';
import { formatNumber } from '../statistics.ts';

/** One thing that a row demands, and what came out. */
export interface Check {
  /** The figure in words. */
  readonly says: string;
  readonly reached: boolean;
  /** Absent where the issue sets no aim beyond what is to be reached. */
  readonly aimed?: boolean;
}

/** Medians of a scenario; a figure that is missing is a mistake of the harness and throws. */
export type Medians = (scenario: string) => Figures;

/** A row of the table: what must be reached, what is aimed at. */
export interface Row {
  readonly title: string;
  /** The scenario that is profiled where the row is missed. */
  readonly scenario: string;
  /** Baselines that have to run with it. */
  readonly baselines: readonly string[];
  readonly reach: string;
  readonly aim: string;
  readonly checks: (of: Medians) => Check[];
}

/** Short, because every row uses it several times. */
export const n = formatNumber;

/** A figure of which more is better. */
export function atLeast(value: number, reach: number, aim?: number): Pick<Check, 'reached' | 'aimed'> {
  return { reached: value >= reach, ...(aim === undefined ? {} : { aimed: value >= aim }) };
}

/** A figure of which less is better. */
export function atMost(value: number, reach: number, aim?: number): Pick<Check, 'reached' | 'aimed'> {
  return { reached: value <= reach, ...(aim === undefined ? {} : { aimed: value <= aim }) };
}

/** A latency that 99 calls of 100 kept. */
export function p99(value: number, limitMs: number): Check {
  return { says: `p99 ${n(value)} ms`, ...atMost(value, limitMs) };
}

/** A rate as a multiple of a baseline of the same run. */
export function rateOver(
  value: number,
  baseline: number,
  name: string,
  [reach, aim]: readonly [number, number?],
): Check {
  const ratio = value / baseline;
  return { says: `${n(value)} events/s, ${n(ratio)} x ${name}`, ...atLeast(ratio, reach, aim) };
}
