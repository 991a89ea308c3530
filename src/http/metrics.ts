import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Gate } from './limits.ts';

const NANOSECONDS = 1e9;

/** What the operator's Prometheus reads. No label names a log, a key or a person: only routes and statuses. */
export class Metrics {
  readonly registry = new Registry();
  readonly #requests = new Counter({
    name: 'indelible_http_requests_total',
    help: 'Requests answered.',
    labelNames: ['route', 'status'] as const,
    registers: [this.registry],
  });
  readonly #durations = new Histogram({
    name: 'indelible_http_request_duration_seconds',
    help: 'From the request to its answer, streams not to their end.',
    labelNames: ['route'] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [this.registry],
  });
  readonly #delay = monitorEventLoopDelay({ resolution: 20 });

  constructor(gate: Gate) {
    this.#delay.enable();
    this.#gauge('indelible_http_requests_under_way', 'Requests under way.', () => gate.underWay);
    this.#gauge(
      'indelible_event_loop_delay_seconds',
      'p99 of the delay of the event loop since it was last read.',
      () => {
        const p99 = this.#delay.percentile(99) / NANOSECONDS;
        this.#delay.reset();
        return Number.isFinite(p99) ? p99 : 0;
      },
    );
    this.#gauge('indelible_resident_memory_bytes', 'Resident memory of the process.', () =>
      process.memoryUsage.rss(),
    );
  }

  answered(route: string | undefined, status: number, durationMs: number): void {
    const name = route ?? 'none';
    this.#requests.inc({ route: name, status });
    this.#durations.observe({ route: name }, durationMs / 1000);
  }

  close(): void {
    this.#delay.disable();
  }

  #gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(value());
      },
    });
  }
}
