import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { makeEvent, makeEvents } from '../bench/events.ts';
import { parseOptions } from '../bench/options.ts';
import { verdictOf } from '../bench/page.ts';
import { rows } from '../bench/rows/index.ts';
import { type Scenario, scenarios } from '../bench/scenario.ts';
import { formatNumber, median, percentile } from '../bench/statistics.ts';
import { whyNoPostgres } from './support/postgres.ts';

const run = promisify(execFile);
const main = fileURLToPath(new URL('../bench/main.ts', import.meta.url));

/** Scenarios that together run most of the harness: threads, baselines, the large log, search. The rest differ in counts. */
const cheap = [
  'one-caller',
  'record-many',
  'caller-cost',
  'disk',
  'verify',
  'query',
  'http-write',
  'http-read',
  ...(whyNoPostgres() === undefined ? ['postgres', 'postgres-outbox', 'postgres-capture'] : []),
];

test('a quick run measures what it is asked for and judges it', async () => {
  const { stdout } = await run(process.execPath, [main, '--quick', '--only', cheap.join(',')], {
    timeout: 300_000,
  });
  for (const name of ['one-row', 'audit-table', 'bare-http', ...cheap])
    assert.match(stdout, new RegExp(`^${name} \\(1 of 1\\)$`, 'm'));
  for (const { title, scenario } of rows) {
    assert.equal(stdout.includes(`\n${title}\n`), cheap.includes(scenario), `the verdict of ${title}`);
  }
  assert.doesNotMatch(stdout, /NaN|undefined/);
});

test('every row has its scenario, every scenario its module', async () => {
  const names = new Set(scenarios.map(({ name }) => name));
  for (const { scenario, baselines } of rows) {
    for (const name of [scenario, ...baselines]) assert.ok(names.has(name), name);
  }
  for (const { module } of scenarios) {
    const { run: entry } = (await import(new URL(`../bench/${module}`, import.meta.url).href)) as Scenario;
    assert.equal(typeof entry, 'function', module);
  }
});

test('an unknown scenario is refused by name', async () => {
  await assert.rejects(run(process.execPath, [main, '--only', 'nonsense']), /no scenario "nonsense"/);
});

test('only a full run writes the page, unless a path is given', () => {
  assert.equal(parseOptions([], 'page.md').out, 'page.md');
  assert.equal(parseOptions(['--quick'], 'page.md').out, undefined);
  assert.equal(parseOptions(['--only', 'disk'], 'page.md').out, undefined);
  assert.equal(parseOptions(['--only', 'disk', '--out', 'x.md'], 'page.md').out, 'x.md');
  assert.throws(() => parseOptions(['--size', '0'], 'page.md'), RangeError);
  assert.throws(() => parseOptions(['--speed'], 'page.md'));
});

test('the event is the one that the page describes', () => {
  const events = makeEvents(0, 2_000);
  const bytes = events.map((event) => Buffer.byteLength(JSON.stringify(event)));
  const mean = bytes.reduce((sum, one) => sum + one, 0) / bytes.length;
  assert.ok(mean > 540 && mean < 560, `${mean} bytes on average`);
  assert.equal(new Set(events.map(({ action }) => action)).size, 50);
  assert.ok(new Set(events.map(({ actor }) => actor.id)).size > 1_000);
  assert.equal(new Set(events.map(({ context }) => context.requestId)).size, events.length);
  const span = { count: 2_000, end: 1_800_000_000_000 };
  assert.deepEqual(makeEvent(7, span), makeEvent(7, span));
});

test('medians and percentiles are values that were measured', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2);
  assert.equal(percentile([], 0.99), 0);
  assert.equal(
    percentile(
      Array.from({ length: 100 }, (_, at) => at + 1),
      0.99,
    ),
    99,
  );
  assert.deepEqual([12345.6, 99.44, 1.234, 0.01234, 0].map(formatNumber), [
    '12,346',
    '99.4',
    '1.23',
    '0.012',
    '0',
  ]);
});

test('a row is met only if all of its checks are', () => {
  const row = rows[0]!;
  const reached = { says: 'a', reached: true, aimed: true };
  assert.equal(verdictOf({ row, checks: [reached, { says: 'b', reached: true }] }), 'aim met');
  assert.equal(verdictOf({ row, checks: [{ ...reached, aimed: false }] }), 'met');
  assert.equal(verdictOf({ row, checks: [reached, { says: 'b', reached: false }] }), 'MISSED (b)');
});
