import type { OutboxState } from './sequencer.ts';

const gauges = [
  ['indelible_outbox_waiting', 'gauge', 'Events that wait in the outbox.', (state) => state.waiting],
  [
    'indelible_outbox_oldest_seconds',
    'gauge',
    'For how long the oldest of them has waited.',
    (state) => state.oldestMs / 1000,
  ],
  ['indelible_outbox_refused', 'gauge', 'Events that were set aside.', (state) => state.refused],
  [
    'indelible_outbox_sequenced_total',
    'counter',
    'Events that this process took into the log.',
    (state) => state.sequenced,
  ],
  [
    'indelible_outbox_failures_total',
    'counter',
    'Attempts of this process that failed.',
    (state) => state.failures,
  ],
] as const satisfies readonly (readonly [
  string,
  'gauge' | 'counter',
  string,
  (state: OutboxState) => number,
])[];

/**
 * How an outbox stands, in Prometheus' text format (version 0.0.4): to be appended to what the application's `/metrics` answers.
 * `origin` becomes a label.
 */
export function formatOutboxMetrics(origin: string, state: OutboxState): string {
  const label = origin.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n');
  return gauges
    .map(
      ([name, type, help, of]) =>
        `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name}{origin="${label}"} ${of(state)}\n`,
    )
    .join('');
}
