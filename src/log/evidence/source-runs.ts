import type { EventSource } from '../../event/index.ts';
import type { EvidenceSource } from '../../verify/index.ts';

/** At most so many sources are named as whole. */
const SOURCES_MAX = 10_000;

interface Run {
  readonly service: string;
  readonly instance: string;
  from: number;
  to: number;
  /** Every number that was seen: a log may hold one twice, and then another one may be missing all the same. */
  readonly seen: Set<number>;
}

/** Which sources are in evidence without a gap between their first number and their last. */
export class SourceRuns {
  readonly #runs = new Map<string, Run>();

  /** An entry of this source is there. Its numbers come in any order. */
  saw({ service, instance, seq }: EventSource): void {
    if (seq === null) return;
    const key = `${instance}\n${service}`;
    const run = this.#runs.get(key);
    if (run === undefined) {
      if (this.#runs.size < SOURCES_MAX)
        this.#runs.set(key, { service, instance, from: seq, to: seq, seen: new Set([seq]) });
      return;
    }
    run.from = Math.min(run.from, seq);
    run.to = Math.max(run.to, seq);
    run.seen.add(seq);
  }

  /** Those of which every number between the ends was seen, and more than one: a single number has no gap beside it. */
  whole(): EvidenceSource[] {
    return [...this.#runs.values()]
      .filter(({ from, to, seen }) => seen.size > 1 && seen.size === to - from + 1)
      .map(({ service, instance, from, to }) => ({ from, instance, service, to }));
  }
}
