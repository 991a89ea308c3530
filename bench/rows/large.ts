import { atLeast, atMost, n, type Row } from './row.ts';

/** What the large log must reach. */
export const largeRows: readonly Row[] = [
  {
    title: 'search index catching up, with full text',
    scenario: 'catch-up',
    baselines: [],
    reach: 'catches up at 30k events/s',
    aim: '50k',
    checks: (of) => {
      const { rate, last_tenth_rate } = of('catch-up');
      return [
        { says: `${n(rate!)} events/s`, ...atLeast(rate!, 30_000, 50_000) },
        { says: `the last tenth at ${n(last_tenth_rate!)}`, ...atLeast(last_tenth_rate!, 30_000) },
      ];
    },
  },
  {
    title: 'filtered newest-50 query',
    scenario: 'query',
    baselines: [],
    reach: 'p99 <= 2 ms',
    aim: '',
    checks: (of) => {
      const { p50_ms, p99_ms, text_p50_ms, text_p99_ms } = of('query');
      return [
        { says: `p50 ${n(p50_ms!)} ms, p99 ${n(p99_ms!)} ms`, ...atMost(p99_ms!, 2) },
        { says: `with full text p50 ${n(text_p50_ms!)} ms, p99 ${n(text_p99_ms!)} ms`, reached: true },
      ];
    },
  },
  {
    title: 'whole-log verify, parsing, columns and disclosures included',
    scenario: 'verify',
    baselines: [],
    reach: '45k events/s on one thread, 80k on two; hashes and tree only 200k; memory flat below 300 MB',
    aim: '150k, 280k',
    checks: (of) => {
      const { one_rate, two_rate, tree_rate, peak_rss_mb } = of('verify');
      return [
        { says: `${n(one_rate!)} events/s on one thread`, ...atLeast(one_rate!, 45_000, 150_000) },
        { says: `${n(two_rate!)} on two`, ...atLeast(two_rate!, 80_000, 280_000) },
        { says: `hashes and tree only ${n(tree_rate!)}`, ...atLeast(tree_rate!, 200_000) },
        { says: `peak ${n(peak_rss_mb!)} MB`, ...atMost(peak_rss_mb!, 300) },
      ];
    },
  },
  {
    title: 'publishing to a folder, verifying and restoring from it',
    scenario: 'publish',
    baselines: [],
    reach:
      'published at 150k entries/s; verified from tiles at 500k for tree and hashes, 80k with every entry parsed; memory of each step below 400 MB',
    aim: '180k parsed',
    checks: (of) => {
      const { publish_rate, tree_rate, full_rate, restore_rate, peak_rss_mb, sealed_rate } = of('publish');
      return [
        { says: `published at ${n(publish_rate!)} entries/s`, ...atLeast(publish_rate!, 150_000) },
        { says: `hashes and tree ${n(tree_rate!)}`, ...atLeast(tree_rate!, 500_000) },
        { says: `every entry parsed ${n(full_rate!)}`, ...atLeast(full_rate!, 80_000, 180_000) },
        { says: `restored at ${n(restore_rate!)}`, reached: true },
        { says: `peak ${n(peak_rss_mb!)} MB`, ...atMost(peak_rss_mb!, 400) },
        { says: `sealed values at ${n(sealed_rate!)}/s`, reached: true },
      ];
    },
  },
  {
    title: 'proof of one entry',
    scenario: 'proof',
    baselines: [],
    reach: '0.3 ms cold in memory, 0.05 ms with warm tiles',
    aim: '',
    checks: (of) => {
      const { cold_p50_ms, cold_p99_ms, warm_p50_ms, warm_p99_ms, thread_warm_p50_ms } = of('proof');
      return [
        { says: `cold ${n(cold_p50_ms!)} ms (p99 ${n(cold_p99_ms!)})`, ...atMost(cold_p50_ms!, 0.3) },
        { says: `warm ${n(warm_p50_ms!)} ms (p99 ${n(warm_p99_ms!)})`, ...atMost(warm_p50_ms!, 0.05) },
        { says: `${n(thread_warm_p50_ms!)} ms by way of the reading thread`, reached: true },
      ];
    },
  },
  {
    title: 'bytes on disk per event',
    scenario: 'disk',
    baselines: [],
    reach: 'log <= 1.4 x (entry + disclosures), index <= 200 B',
    aim: '',
    checks: (of) => {
      const { log_bytes, payload_bytes, index_bytes } = of('disk');
      const ratio = log_bytes! / payload_bytes!;
      return [
        { says: `log ${n(log_bytes!)} B, ${n(ratio)} x ${n(payload_bytes!)} B`, ...atMost(ratio, 1.4) },
        { says: `index ${n(index_bytes!)} B`, ...atMost(index_bytes!, 200) },
      ];
    },
  },
  {
    title: 'open the log',
    scenario: 'open',
    baselines: [],
    reach: '0.2 s, memory below 150 MB',
    aim: '',
    checks: (of) => {
      const { open_ms, rss_mb } = of('open');
      return [
        { says: `${n(open_ms! / 1000)} s`, ...atMost(open_ms!, 200) },
        { says: `${n(rss_mb!)} MB resident`, ...atMost(rss_mb!, 150) },
      ];
    },
  },
];
