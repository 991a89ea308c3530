/**
 * Coverage: what of an application writes and is not recorded, read from its source, and from what ran.
 *
 *     const report = await scanCoverage('./src');
 *     report.found.filter(({ recorded }) => !recorded);   // POST /invoices, express, src/invoices.ts:12
 *
 * The rule is simple on purpose, so that whoever reads a report can follow it. A route, server action or ORM call that writes counts as
 * recorded where its function calls `record`, `recordIn` or `recordMany`, or calls by name, in the scanned files, a function that does;
 * where a function imported from `indelible` captures its kind for the whole application (the middleware of its framework, the
 * wrapper of its ORM); or where a comment says why nothing need be: `// indelible-ignore: health check, no data`.
 *
 * Sources cannot show everything, so `createCoverage` compares what ran with what was recorded, fed by two diagnostics channels.
 * See docs/coverage.md.
 */

export { type Baseline, baselineOf, compareBaseline, parseBaseline, type Standing } from './baseline.ts';
export {
  createCoverage,
  type RanRoute,
  RECORDED_CHANNEL,
  ROUTE_CHANNEL,
  type RouteCoverage,
  type RoutedEvent,
  type RunningCoverage,
  tellRecorded,
  tellRoute,
} from './runtime.ts';
export { type CoverageFinding, type CoverageReport, scanCoverage } from './scan.ts';
