import type { EventSource } from '../../event/index.ts';
import type { EvidenceSource } from '../../verify/index.ts';

/** At most so many sources are named as whole. */
const SOURCES_MAX = 10_000;

interface Run {
  readonly service: string;
  readonly instance: string;
  from: number;
  to: number;
  count: number;
}

/** Which sources are in evidence without a gap between their first number and their last. */
export class SourceRuns {
  readonly #runs = new Map<string, Run>();

  /** An entry of this source is there. Each number of a source comes once, in any order. */
  saw({ service, instance, seq }: EventSource): void {
    if (seq === null) return;
    const key = `${instance}\n${service}`;
    const run = this.#runs.get(key);
    if (run === undefined) {
      if (this.#runs.size < SOURCES_MAX)
        this.#runs.set(key, { service, instance, from: seq, to: seq, count: 1 });
      return;
    }
    run.from = Math.min(run.from, seq);
    run.to = Math.max(run.to, seq);
    run.count += 1;
  }

  /** Those of which as many numbers were seen as lie between the ends. */
  whole(): EvidenceSource[] {
    return [...this.#runs.values()]
      .filter(({ from, to, count }) => count === to - from + 1)
      .map(({ service, instance, from, to }) => ({ from, instance, service, to }));
  }
}
