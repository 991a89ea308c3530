import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { CommitMeter } from '../log/index.ts';
import type { Gate } from './limits.ts';
import type { LogRegistry } from './logs/index.ts';

const NANOSECONDS = 1e9;

/** How long one measurement of the event loop lasts, milliseconds. */
const DELAY_WINDOW_MS = 60_000;

/** The delay of the event loop, window by window: reading it takes nothing from the next reader. */
class LoopDelay {
  readonly #delay = monitorEventLoopDelay({ resolution: 20 });
  #before = 0;
  readonly #timer = setInterval(() => {
    this.#before = this.#now();
    this.#delay.reset();
  }, DELAY_WINDOW_MS).unref();

  constructor() {
    this.#delay.enable();
  }

  /** Seconds, of the window under way and the one before. */
  p99(): number {
    return Math.max(this.#before, this.#now());
  }

  close(): void {
    clearInterval(this.#timer);
    this.#delay.disable();
  }

  #now(): number {
    const p99 = this.#delay.percentile(99) / NANOSECONDS;
    return Number.isFinite(p99) ? p99 : 0;
  }
}

/** What the operator's Prometheus reads. No label names a log, a key or a person: only routes and statuses. */
export class Metrics implements CommitMeter {
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
  readonly #appends = new Counter({
    name: 'indelible_appends_total',
    help: 'Events handed to the writers of logs, by what became of them.',
    labelNames: ['outcome'] as const,
    registers: [this.registry],
  });
  readonly #batches = new Histogram({
    name: 'indelible_append_batch_events',
    help: 'Events that were handed to the writer of a log together.',
    buckets: [1, 2, 4, 8, 16, 32, 64],
    registers: [this.registry],
  });
  readonly #commits = new Histogram({
    name: 'indelible_commit_duration_seconds',
    help: 'From handing events to the writer of a log until they are durable.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [this.registry],
  });
  readonly #failures = new Counter({
    name: 'indelible_commit_failures_total',
    help: 'Batches of events that could not be recorded.',
    registers: [this.registry],
  });
  readonly #delay = new LoopDelay();

  constructor(gate: Gate) {
    this.#gauge('indelible_http_requests_under_way', 'Requests under way.', () => gate.underWay);
    this.#gauge(
      'indelible_event_loop_delay_seconds',
      'p99 of the delay of the event loop in the last one to two minutes, whoever reads it and how often.',
      () => this.#delay.p99(),
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

  committed(events: number, refused: number, durationMs: number): void {
    this.#appends.inc({ outcome: 'recorded' }, events - refused);
    this.#appends.inc({ outcome: 'refused' }, refused);
    this.#batches.observe(events);
    this.#commits.observe(durationMs / 1000);
  }

  failed(): void {
    this.#failures.inc();
  }

  /** Tells from now on how the logs fare, added up. */
  watch(logs: LogRegistry): void {
    const one = (name: string, help: string, read: () => number | Promise<number>): void =>
      this.#gauge(`indelible_${name}`, help, read);
    one('logs_open', 'Logs that are open.', async () => (await logs.vitals()).open);
    one('queue_events', 'Events that wait to be recorded.', async () => (await logs.vitals()).waiting);
    one(
      'index_lag_entries',
      'Entries that the search index furthest behind has still to take in.',
      async () => (await logs.vitals()).indexLagMax,
    );
    one(
      'witnesses_failing',
      'Witnesses of open logs that do not cosign: away, refusing, or without the key that signs now.',
      async () => (await logs.vitals()).witnessesFailing,
    );
    one('audited_logs', 'Logs of which an audit is remembered.', () => logs.audits.overall()?.logs ?? 0);
    one(
      'audit_broken_logs',
      'Logs in which the last audit found damage.',
      () => logs.audits.overall()?.brokenLogs ?? 0,
    );
    one('audit_oldest_timestamp_seconds', 'When the log audited longest ago was; 0 before the first.', () => {
      const oldest = logs.audits.overall()?.oldestAt;
      return oldest === undefined ? 0 : Date.parse(oldest) / 1000;
    });
  }

  close(): void {
    this.#delay.close();
  }

  #gauge(name: string, help: string, value: () => number | Promise<number>): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      async collect() {
        this.set(await value());
      },
    });
  }
}
