import { atLeast, atMost, n, p99, type Row } from './row.ts';

/** What a server must reach. */
export const httpRows: readonly Row[] = [
  {
    title: 'HTTP: single events over 64 connections, batches of 100, resident memory',
    scenario: 'http-write',
    baselines: ['bare-http'],
    reach: 'single 10k events/s, p99 <= 15 ms; batches 30k events/s; memory below 400 MB',
    aim: '20k; 60k',
    checks: (of) => {
      const { rate, p99_ms, batch_rate, batch_p99_ms, peak_rss_mb } = of('http-write');
      const share = rate! / of('bare-http')['rate']!;
      return [
        { says: `${n(rate!)} events/s, ${n(share)} x bare node:http`, ...atLeast(rate!, 10_000, 20_000) },
        p99(p99_ms!, 15),
        {
          says: `batches ${n(batch_rate!)} events/s (p99 ${n(batch_p99_ms!)} ms)`,
          ...atLeast(batch_rate!, 30_000, 60_000),
        },
        { says: `peak ${n(peak_rss_mb!)} MB`, ...atMost(peak_rss_mb!, 400) },
      ];
    },
  },
  {
    title: 'Capture: what the middleware adds to an Express application',
    scenario: 'capture-http',
    baselines: [],
    reach: 'context: 0.03 ms of CPU a request at most; every call recorded: 0.3 ms at most',
    aim: '',
    checks: (of) => {
      const { bare_rate, bare_cpu_us, context_rate, context_cpu_us, calls_rate, calls_cpu_us } =
        of('capture-http');
      const context = context_cpu_us! - bare_cpu_us!;
      const calls = calls_cpu_us! - bare_cpu_us!;
      return [
        {
          says: `context +${n(context)} us of CPU (${n(context_rate!)} requests/s, bare ${n(bare_rate!)})`,
          ...atMost(context, 30),
        },
        {
          says: `calls recorded +${n(calls)} us of CPU, all threads (${n(calls_rate!)} requests/s)`,
          ...atMost(calls, 300),
        },
      ];
    },
  },
  {
    title: 'HTTP: a page of 50, and a proof, out of the large log',
    scenario: 'http-read',
    baselines: [],
    reach: 'page p99 <= 5 ms, proof p99 <= 5 ms; memory below 400 MB',
    aim: '',
    checks: (of) => {
      const figures = of('http-read');
      const { page_p50_ms, page_p99_ms, newest_p99_ms, proof_p50_ms, proof_p99_ms, peak_rss_mb } = figures;
      return [
        { says: `page p50 ${n(page_p50_ms!)} ms, p99 ${n(page_p99_ms!)} ms`, ...atMost(page_p99_ms!, 5) },
        { says: `newest page p99 ${n(newest_p99_ms!)} ms`, ...atMost(newest_p99_ms!, 5) },
        { says: `proof p50 ${n(proof_p50_ms!)} ms, p99 ${n(proof_p99_ms!)} ms`, ...atMost(proof_p99_ms!, 5) },
        { says: `peak ${n(peak_rss_mb!)} MB`, ...atMost(peak_rss_mb!, 400) },
      ];
    },
  },
  {
    title: "The viewer's first paint on the large log",
    scenario: 'first-paint',
    baselines: [],
    reach: 'below 1 s',
    aim: '',
    checks: (of) => {
      const { paint_ms, rows_ms, sealed_ms } = of('first-paint');
      return [
        { says: `first paint ${n(paint_ms!)} ms`, ...atMost(paint_ms!, 1000) },
        { says: `rows ${n(rows_ms!)} ms`, ...atMost(rows_ms!, 1000) },
        { says: `verified in the page ${n(sealed_ms!)} ms`, ...atMost(sealed_ms!, Number.POSITIVE_INFINITY) },
      ];
    },
  },
];
