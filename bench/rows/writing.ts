import type { Figures } from '../scenario.ts';
import { atLeast, atMost, type Check, type Medians, n, p99, type Row, rateOver } from './row.ts';

/** What recording must reach. */
export const writingRows: readonly Row[] = [
  {
    title: 'one caller awaiting each `record`',
    scenario: 'one-caller',
    baselines: ['one-row'],
    reach: '0.4 of the bare one-row loop, p99 <= 3 ms',
    aim: '0.6',
    checks: (of) => {
      const { rate, p99_ms } = of('one-caller');
      return [rateOver(rate!, of('one-row')['rate']!, 'the bare loop', [0.4, 0.6]), p99(p99_ms!, 3)];
    },
  },
  {
    title: '64 callers',
    scenario: 'callers-64',
    baselines: ['audit-table'],
    reach: '4 x the audit table, p99 <= 10 ms',
    aim: '8 x',
    checks: (of) => {
      const { rate, p99_ms } = of('callers-64');
      return [rateOver(rate!, of('audit-table')['rate']!, 'the audit table', [4, 8]), p99(p99_ms!, 10)];
    },
  },
  {
    title: '1,024 callers',
    scenario: 'callers-1024',
    baselines: ['audit-table'],
    reach: '8 x the audit table and 45k events/s',
    aim: '70k, then 100k',
    checks: (of) => bulk(of('callers-1024')['rate']!, of, ''),
  },
  {
    title: '`recordMany` of 256',
    scenario: 'record-many',
    baselines: ['audit-table'],
    reach: '8 x the audit table and 45k events/s',
    aim: '70k, then 100k',
    checks: (of) => {
      const { rate, rate_four } = of('record-many');
      return [
        ...bulk(rate!, of, ' one at a time'),
        { says: `${n(rate_four!)} events/s four at a time`, reached: true },
      ];
    },
  },
  {
    title: 'four processes on one log',
    scenario: 'processes',
    baselines: [],
    reach: 'slowest >= 15% of the total, p99 <= 20 ms',
    aim: 'equal shares',
    checks: (of) => [...shares(of('processes'), '1'), ...shares(of('processes'), '16')],
  },
  {
    title: "cost to the caller's event loop",
    scenario: 'caller-cost',
    baselines: [],
    reach: '12 µs of its thread an event; no stall over 5 ms at 20k events/s',
    aim: '6 µs',
    checks: (of) => {
      const { caller_cpu_us, stall_max_ms, taken_per_second } = of('caller-cost');
      return [
        { says: `${n(caller_cpu_us!)} µs`, ...atMost(caller_cpu_us!, 12, 6) },
        { says: `longest stall ${n(stall_max_ms!)} ms`, ...atMost(stall_max_ms!, 5) },
        { says: `${n(taken_per_second!)} events/s taken`, ...atLeast(taken_per_second!, 19_000) },
      ];
    },
  },
];

function bulk(rate: number, of: Medians, how: string): Check[] {
  const ratio = rate / of('audit-table')['rate']!;
  return [
    { says: `${n(rate)} events/s${how}`, ...atLeast(rate, 45_000, 70_000) },
    { says: `${n(ratio)} x the audit table`, ...atLeast(ratio, 8) },
  ];
}

function shares(figures: Figures, callers: '1' | '16'): Check[] {
  const share = figures[`slowest_share_${callers}`]!;
  const rate = figures[`rate_${callers}`]!;
  return [
    {
      says: `${callers} caller${callers === '1' ? '' : 's'} each: ${n(rate)} events/s, slowest ${n(share * 100)}%`,
      ...atLeast(share, 0.15, 0.2),
    },
    p99(figures[`p99_ms_${callers}`]!, 20),
  ];
}
