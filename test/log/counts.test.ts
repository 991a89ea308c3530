import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLog, type Log } from 'indelible';
import { type Filter, matches, parseQuery, type RecordedEvent } from 'indelible/event';
import { temporaryFolder } from '../support/folders.ts';

const DAY = 86_400_000;
const NOON = Date.UTC(2026, 4, 4, 12);

async function count(log: Log, filter: Filter, msMax = 10_000) {
  return log.reader.stats({ filter, bucketsMax: 20, msMax, waitMs: 10_000 });
}

test('counts are those of the events themselves: whole, in a window of time, and under a filter', async (t) => {
  const log = await createLog(join(temporaryFolder(t), 'log'), { origin: 'example.com/counts' });
  const outcomes = ['success', 'success', 'denied', 'failure'] as const;
  const events = Array.from({ length: 3000 }, (_, n) => ({
    action: `doc.read${n % 7}`,
    actor: { type: 'user', id: `u_${n % 30}` },
    outcome: outcomes[n % 5 === 0 ? n % 4 : 0]!,
    // Mostly in order, and some that come late.
    occurredAt: new Date(NOON + (n % 97 === 0 ? n : n * 10_000)),
  }));
  for (const result of await log.recordMany(events)) assert.ok(result.ok);
  const all: RecordedEvent[] = [];
  for await (const event of log.query('')) all.push(event);
  const texts = [
    '',
    `after:${new Date(NOON + 500_000).toISOString()} before:${new Date(NOON + 20_000_000).toISOString()}`,
    'outcome:denied',
    'action:doc.read3 actor:u_3',
    '-outcome:success after:2026-05-04T13:00:00Z',
    'actor:nobody',
    'before:2001-01-01',
  ];
  for (const text of texts) {
    const filter: Filter = text === '' ? { kind: 'all', filters: [] } : parseQuery(text);
    const fitting = all.filter((event) => matches(filter, event));
    const stats = await count(log, filter);
    assert.equal(stats.isExact, true, text);
    assert.equal(stats.total, fitting.length, text);
    const byOutcome = new Map(stats.byOutcome.map(({ value, count }) => [value, count]));
    for (const outcome of ['success', 'denied', 'failure']) {
      const expected = fitting.filter((event) => event.outcome === outcome).length;
      assert.equal(byOutcome.get(outcome) ?? 0, expected, `${text} ${outcome}`);
    }
    for (const { from, count, unsuccessful } of stats.buckets) {
      const inside = fitting.filter(({ occurredAt }) => {
        const ms = Date.parse(occurredAt);
        return ms >= from && ms < from + stats.bucketMs;
      });
      assert.equal(count, inside.length, text);
      assert.equal(unsuccessful, inside.filter(({ outcome }) => outcome !== 'success').length, text);
    }
  }
  const cut = await count(log, parseQuery('action:doc.read*'), 0);
  assert.equal(cut.isExact, false);
  assert.equal((await count(log, parseQuery('doc'))).isExact, false);
  // The genesis entry is of today, and the rest of a day.
  assert.ok((await count(log, { kind: 'all', filters: [] })).bucketMs >= DAY);
  await log.close();
});
