// Policies of retention: periods, which rule counts, what shortens; and what a record covers.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  changeInForce,
  isPastRetention,
  keepMs,
  passedBefore,
  policyComplaint,
  ruleFor,
  shortens,
} from 'indelible/event';

const DAY = 86_400_000;
const rule = (match: string, keep: string) => ({ match, keep });

test('a period is a number and a unit, never shorter than the calendar’s', () => {
  const periods = {
    '36h': 1.5 * DAY,
    '90d': 90 * DAY,
    '2w': 14 * DAY,
    '6mo': 186 * DAY,
    '7y': 7 * 366 * DAY,
  };
  for (const [keep, ms] of Object.entries(periods)) assert.equal(keepMs(keep), ms, keep);
  assert.equal(keepMs('100y'), 100 * 366 * DAY);
  for (const keep of [
    '',
    '0d',
    '01d',
    '1',
    'd',
    '1m',
    '1s',
    ' 1d',
    '1d ',
    '-1d',
    '1.5d',
    '101y',
    '1e3d',
    '１d',
    7,
  ])
    assert.equal(keepMs(keep), undefined, String(keep));
  assert.equal(passedBefore('1d', Date.UTC(2026, 0, 2, 3)), '2026-01-01T03:00:00.000Z');
  assert.equal(
    passedBefore('100y', Date.UTC(2026, 0, 2)),
    '1970-01-01T00:00:00.000Z',
    'before 1970 there was no log',
  );
});

test('of several rules the first counts, and none speaks of the log’s own', () => {
  const rules = [rule('record.read', '90d'), rule('record.*', '1y'), rule('*', '7y')];
  const kept = (action: string) => ruleFor(rules, action)?.keep;
  assert.deepEqual(['record.read', 'record.reads', 'record', 'log.viewed', 'logs.read'].map(kept), [
    '90d',
    '1y',
    '7y',
    undefined,
    '7y',
  ]);
  assert.match(policyComplaint([rule('log.*', '1d')])!, /for ever/);
});

test('shortening is found for any action, by whatever rules it is said', () => {
  const cases: [from: [string, string][], to: [string, string][], shorter: boolean][] = [
    [[], [['*', '100y']], true],
    [[['*', '1y']], [], false],
    [[['*', '1y']], [['*', '366d']], false],
    [[['*', '1y']], [['*', '365d']], true],
    [
      [['*', '1y']],
      [
        ['a.b', '1d'],
        ['*', '2y'],
      ],
      true,
    ],
    [
      [
        ['a.b', '1d'],
        ['*', '1y'],
      ],
      [['*', '1y']],
      false,
    ],
    [
      [
        ['a.b', '1y'],
        ['*', '1d'],
      ],
      [
        ['*', '1d'],
        ['a.b', '1y'],
      ],
      true,
    ],
    [[['a.*', '1y']], [['a.b', '2y']], false],
    [
      [
        ['a.*', '1y'],
        ['*', '9y'],
      ],
      [
        ['a.b*', '1y'],
        ['a.*', '1d'],
        ['*', '9y'],
      ],
      true,
    ],
    [
      [
        ['a.*', '1y'],
        ['*', '9y'],
      ],
      [
        ['a.b*', '1y'],
        ['a.*', '1y'],
        ['*', '9y'],
      ],
      false,
    ],
  ];
  for (const [from, to, shorter] of cases) {
    const policy = (rules: [string, string][]) => rules.map(([match, keep]) => rule(match, keep));
    assert.equal(shortens(policy(from), policy(to)), shorter, JSON.stringify([from, to]));
  }
});

test('a record covers an action by its first matching rule, below the index and before the time that this one names', () => {
  const reach = (match: string, below: number) => ({
    match,
    keep: '1d',
    before: '2026-01-01T00:00:00.000Z',
    below,
  });
  const record = { rules: [reach('a.b', 5), reach('*', 9)] };
  const covered = (action: string, index: number, recordedAt = '2025-12-31T23:59:59.999Z') =>
    isPastRetention(record, { action, index, recordedAt });
  assert.deepEqual(
    [covered('a.b', 4), covered('a.b', 5), covered('a.c', 8), covered('a.c', 9)],
    [true, false, true, false],
  );
  assert.equal(covered('log.viewed', 0), false);
  assert.equal(covered('a.b', 4, '2026-01-01T00:00:00.000Z'), false);
});

test('the policy in force is the last one whose time has come', () => {
  const change = (index: number, notBefore: string) =>
    ({ index, at: '', from: [], to: [], entries: 'keep', notBefore }) as const;
  const changes = [change(1, '2026-01-01'), change(2, '2026-03-01'), change(3, '2026-02-01')];
  const at = (time: string) => changeInForce(changes, time)?.index;
  assert.deepEqual(
    [at('2025-12-31'), at('2026-01-15'), at('2026-02-15'), at('2026-04-01')],
    [undefined, 1, 3, 3],
  );
});
