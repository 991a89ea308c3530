import { atLeast, atMost, n, type Row } from './row.ts';

/** What a log in PostgreSQL must reach. */
export const postgresRows: readonly Row[] = [
  {
    title: 'PostgreSQL, two processes on one log: 64 callers, and 1,024',
    scenario: 'postgres',
    baselines: ['pg-trigger-chain'],
    reach: '8k and 18k events/s',
    aim: '15k and 30k',
    checks: (of) => {
      const { rate_64, p99_64_ms, rate_1024, p99_1024_ms } = of('postgres');
      const chain = of('pg-trigger-chain');
      return [
        { says: `${n(rate_64!)} events/s (p99 ${n(p99_64_ms!)} ms)`, ...atLeast(rate_64!, 8_000, 15_000) },
        {
          says: `${n(rate_1024!)} events/s (p99 ${n(p99_1024_ms!)} ms)`,
          ...atLeast(rate_1024!, 18_000, 30_000),
        },
        {
          says: `the trigger that chains hashes: ${n(chain['rate_1']!)}/s alone, ${n(chain['rate_64']!)}/s for 64; without it ${n(chain['plain_64']!)}/s`,
          reached: true,
        },
      ];
    },
  },
  {
    title:
      '`recordIn`, beside the same transaction with an insert into a plain audit table; draining; from commit to entry',
    scenario: 'postgres-outbox',
    baselines: [],
    reach: '85% of the transactions/s; drained at 10k/s; p99 below 100 ms',
    aim: '',
    checks: (of) => {
      const { rate, plain_rate, ratio, drain_rate, lag_p50_ms, lag_p99_ms } = of('postgres-outbox');
      return [
        {
          says: `${n(rate!)} of ${n(plain_rate!)} transactions/s, ${n(ratio! * 100)}%`,
          ...atLeast(ratio!, 0.85),
        },
        { says: `drained at ${n(drain_rate!)} events/s`, ...atLeast(drain_rate!, 10_000) },
        {
          says: `in the log after p50 ${n(lag_p50_ms!)} ms, p99 ${n(lag_p99_ms!)} ms`,
          ...atMost(lag_p99_ms!, 100),
        },
      ];
    },
  },
  {
    title: 'row capture, beside a trigger that copies rows as JSON',
    scenario: 'postgres-capture',
    baselines: [],
    reach: 'no dearer a row',
    aim: '',
    checks: (of) => {
      const figures = of('postgres-capture');
      return (['insert', 'update', 'bulk'] as const).map((kind) => {
        const [none, copied, captured] = ['none', 'copied', 'captured'].map(
          (how) => figures[`${kind}_${how}_us`]!,
        );
        const more = captured! - none!;
        return {
          says: `${kind}: ${n(more)} µs more than without, the copy ${n(copied! - none!)} µs`,
          ...atMost(more, copied! - none!),
        };
      });
    },
  },
  {
    title: 'a hundred logs at once, 64 callers each, beside one log with 64; 10,000 logs after Zipf',
    scenario: 'postgres-many-logs',
    baselines: [],
    reach: "0.9 of one log's total",
    aim: '',
    checks: (of) => {
      const { one_rate, hundred_rate, ratio, hundred_1024_rate, zipf_rate, zipf_p99_ms, zipf_open_logs } =
        of('postgres-many-logs');
      return [
        {
          says: `${n(hundred_rate!)} events/s, ${n(ratio!)} x the ${n(one_rate!)} of one`,
          ...atLeast(ratio!, 0.9),
        },
        { says: `with 1,024 callers over the hundred ${n(hundred_1024_rate!)} events/s`, reached: true },
        {
          says: `Zipf: ${n(zipf_rate!)} events/s, p99 ${n(zipf_p99_ms!)} ms, ${n(zipf_open_logs!)} logs open in three processes`,
          reached: true,
        },
      ];
    },
  },
];
