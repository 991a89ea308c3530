// A log against what was time-stamped of it: histories, and clocks.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8Decode } from 'indelible/bytes';
import { parseEntry } from 'indelible/event';
import { type AuditLogOptions, auditLog, CLOCKS_APART_MS_MAX, type Stamped } from 'indelible/verify';
import { eventOf, SmallLog } from './small-log.ts';

const HOUR_MS = 3_600_000;
const start = Date.parse('2026-03-01T00:00:00.000Z');
const iso = (ms: number): string => new Date(ms).toISOString();

/** A log whose entries are recorded at these times; the checkpoint of each size. */
function logAt(times: readonly number[], actor?: string): { log: SmallLog; notes: string[] } {
  const log = new SmallLog();
  const notes = [log.sign().note];
  while (log.size < times.length + 1) {
    log.append(eventOf(log.size, actor), iso(times[log.size - 1]!));
    notes.push(log.sign().note);
  }
  return { log, notes: ['', ...notes] };
}

const stamp = (note: string, ms: number, trust: 'anchored' | 'inside' = 'anchored'): Stamped => ({
  authority: 'tsa',
  note: typeof note === 'string' ? note : utf8Decode(note),
  verdict: { time: iso(ms), trust },
});
const found = async (log: SmallLog, stamped: readonly Stamped[], more: AuditLogOptions = {}) =>
  (await auditLog(log.source(), { stamped, ...more })).findings.map(({ code, from, to }) => [code, from, to]);

/** The time of the first entry, which a small log gives itself. */
function begun(log: SmallLog): number {
  return Date.parse(parseEntry(log.rows[0]!.entry).recordedAt);
}

test('stamps that agree anchor a log, the newest of each authority; those that nobody vouches for do not', async () => {
  const { log, notes } = logAt([start, start + 1, start + 2]);
  const own = [stamp(notes[2]!, start + 5), stamp(notes[3]!, start + 60_000), stamp(notes[1]!, begun(log))];
  const report = await auditLog(log.source(), { stamped: own });
  assert.deepEqual(report.findings, []);
  assert.deepEqual(report.stamped, {
    given: 3,
    agree: 3,
    newest: [{ authority: 'tsa', size: 3, time: iso(start + 60_000), trust: 'anchored' }],
  });
  assert.equal(
    report.anchored,
    `consistent up to size 4; time-stamped by tsa at ${iso(start + 60_000)} up to size 3`,
  );
  const inside = await auditLog(log.source(), { stamped: [stamp(notes[3]!, start + 9 * HOUR_MS, 'inside')] });
  assert.deepEqual(inside.findings, []);
  assert.match(inside.anchored, /certificate that nobody vouches for; no outside anchor$/);
});

test('attack-10: another history than the one that was stamped is a fork, a smaller one was rolled back', async () => {
  const { notes } = logAt([start, start + 1, start + 2]);
  const { log } = logAt([start, start + 1, start + 2], 'nobody');
  assert.deepEqual(await found(log, [stamp(notes[4]!, start)]), [['forked', 0, 3]]);
  assert.deepEqual(
    await found(log, [stamp(notes[4]!, start, 'inside')]),
    [['forked', 0, 3]],
    'the log signed both',
  );
  const { log: shorter } = logAt([start]);
  assert.deepEqual(await found(shorter, [stamp(notes[4]!, start)]), [['rolled_back', 2, 3]]);
});

test('attack-46: entries that were recorded, by their clock, after the stamp over them', async () => {
  const ahead = start + CLOCKS_APART_MS_MAX;
  const { log, notes } = logAt([start, ahead + 1]);
  assert.deepEqual(await found(log, [stamp(notes[3]!, start + 1)]), []);
  assert.deepEqual(await found(log, [stamp(notes[3]!, start)]), [['time_contradicted', 2, 2]]);
  assert.deepEqual(await found(log, [stamp(notes[3]!, start, 'inside')]), []);
  assert.deepEqual(
    await found(log, [stamp(notes[3]!, start)], { depth: 'tree' }),
    [],
    'times are read with the entries',
  );
});

test('attack-46: a clock that stands still after a stamp backdates what comes; the stamp tells, hours later', async () => {
  // The log claims that all of it was recorded at once. Its checkpoint of three entries was stamped six hours later.
  const { log, notes } = logAt([start, start + 1, start + 2, start + 3]);
  const stamps = [stamp(notes[2]!, start + 1000), stamp(notes[3]!, start + 6 * HOUR_MS)];
  assert.deepEqual(await found(log, stamps), [['time_contradicted', 3, 3]]);
  // Within what two clocks may be apart, and without an entry behind the stamp, there is nothing to say.
  assert.deepEqual(await found(log, [stamp(notes[3]!, start + CLOCKS_APART_MS_MAX)]), []);
  assert.deepEqual(await found(log, [stamp(notes[5]!, start + 6 * HOUR_MS)]), []);
});

test('a stamp that holds nothing is evidence that fails, and no damage of the log', async () => {
  const { log, notes } = logAt([start]);
  const bad: Stamped = {
    authority: 'tsa',
    note: notes[2]!,
    verdict: { code: 'timestamp_untrusted', message: 'Nobody knows it.' },
  };
  const report = await auditLog(log.source(), { stamped: [bad, stamp('no note', start)] });
  assert.deepEqual(
    report.findings.map(({ code, detail }) => [code, detail?.['about']]),
    [
      ['checkpoint_invalid', 'evidence'],
      ['timestamp_invalid', 'evidence'],
    ],
  );
  assert.equal(report.findings[1]?.message, 'A time-stamp by tsa shows nothing: Nobody knows it.');
  assert.equal(report.anchored, 'consistent up to size 2; no outside anchor');
});
