import { performance } from 'node:perf_hooks';

/** Two clocks: the wall's, which people set, and one that only ever moves forward. */
export interface Clock {
  /** Milliseconds since the epoch, whole. */
  wall(): number;
  /** Milliseconds of a monotonic clock, fractions included; comparable only with itself. */
  monotonic(): number;
}

/** The clocks of this machine. */
export const systemClock: Clock = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
};

/** The longest time that a timer of Node can wait, milliseconds: a longer one ends at once. */
export const TIMER_MS_MAX: number = 2 ** 31 - 1;
