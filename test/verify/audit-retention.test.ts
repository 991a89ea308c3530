// Values that retention removed: excused by a record that covers them and was right to, and by no other.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openEntry, parseEntry, policyChangedEvent, retentionAppliedEvent } from 'indelible/event';
import { AUDIT_CHUNK_ENTRIES, auditLog } from 'indelible/verify';
import { createSmallLog, SmallLog, user } from './small-log.ts';

const start = Date.UTC(2026, 0, 1);
const hourly = [{ match: 'user.seen', keep: '1h' }];
const timeOf = (ms: number): string => new Date(start + ms).toISOString();
const reach = (below: number, before = timeOf(below * 1000), match = 'user.seen') => [
  { match, keep: '1h', before, below },
];

function applied(log: SmallLog, rules: ReturnType<typeof reach>, policy = 1): number {
  return log.append(retentionAppliedEvent({ rules, values: 1, entries: 1, digest: '', policy, heldBy: [] }));
}

/** 5000 events, one a second, of two actions in turn, under a policy by the hour. */
function seen(): SmallLog {
  const log = new SmallLog();
  log.append(policyChangedEvent({ after: 0, from: [], to: hourly }));
  while (log.size < 5000)
    log.append({ action: log.size % 2 === 0 ? 'user.seen' : 'user.left', actor: user('u_1') });
  return log;
}

function take(log: SmallLog, action: string, below: number): void {
  for (const row of log.rows.slice(0, below)) {
    const entry = parseEntry(row.entry);
    if (entry.action === action && openEntry(entry, row.disclosures, row.index).fields.length > 0)
      row.disclosures = [];
  }
}

const findings = async (log: SmallLog) => {
  const report = await auditLog(log.sign().source());
  return [...new Set(report.findings.map(({ code, from }) => `${code} ${from}`))];
};

test('what a record covers is erased, across chunks; what it does not is missing', async () => {
  const log = seen();
  take(log, 'user.seen', 1000);
  applied(log, reach(1000));
  assert.ok(log.size > AUDIT_CHUNK_ENTRIES);
  const report = await auditLog(log.sign().source());
  assert.deepEqual([report.findings, report.counts.missing], [[], 0]);
  assert.ok(report.counts.erased > 900);
  log.rows[1001]!.disclosures = [];
  log.rows[1000]!.disclosures = [];
  log.rows[7]!.disclosures = [];
  const { findings: found } = await auditLog(log.source());
  assert.deepEqual([...new Set(found.map(({ code }) => code))], ['disclosure_missing']);
  assert.deepEqual(
    found
      .flatMap(({ from, to }) => [from, to])
      .sort((a, b) => a - b)
      .slice(0, 2),
    [7, 7],
  );
});

test('a record that reaches ahead, or what had not passed, or by no policy in force, is an alarm', async () => {
  const ahead = seen();
  assert.deepEqual(await findings(ahead), []);
  const first = applied(ahead, reach(9000, timeOf(1000)));
  assert.deepEqual(await findings(ahead), [`retention_invalid ${first}`]);

  const early = seen();
  take(early, 'user.seen', 4);
  const second = applied(early, reach(4, timeOf(4_999_000)));
  assert.deepEqual((await findings(early)).at(-1), `retention_invalid ${second}`);
  assert.ok((await findings(early)).includes('disclosure_missing 2'), 'and it excuses nothing');

  const another = seen();
  const third = applied(another, reach(10, timeOf(1000), '*'));
  assert.deepEqual(await findings(another), [`retention_invalid ${third}`]);

  const none = createSmallLog(4000);
  const fourth = applied(none, reach(10, timeOf(1000)));
  assert.deepEqual(await findings(none), [`retention_invalid ${fourth}`]);

  const waiting = createSmallLog(4000);
  waiting.append(policyChangedEvent({ after: 0, from: [], to: hourly, notBefore: timeOf(9_000_000) }));
  const fifth = applied(waiting, reach(10, timeOf(1000)));
  assert.deepEqual(await findings(waiting), [`retention_invalid ${fifth}`]);
});

test('an index covers nothing that was recorded too late for the time beside it', async () => {
  const early = seen();
  take(early, 'user.seen', 3000);
  // The time has long passed; what goes is as young as it likes.
  applied(early, reach(3000, timeOf(0)));
  const report = await auditLog(early.sign().source());
  assert.deepEqual([...new Set(report.findings.map(({ code }) => code))], ['disclosure_missing']);
  assert.equal(report.counts.erased, 0);

  // Nor does one record lend its index to the time of another.
  const lent = seen();
  applied(lent, reach(1000));
  applied(lent, reach(3000, timeOf(0)));
  take(lent, 'user.seen', 1002);
  assert.deepEqual(await findings(lent), ['disclosure_missing 1000']);
});

test('of the records of a rule, each covers what it did, whichever came first', async () => {
  const orders = [
    [600, 300, 1300],
    [1300, 600],
    [300, 1300, 1300],
  ];
  for (const belows of orders) {
    const log = seen();
    take(log, 'user.seen', 1300);
    for (const below of belows) applied(log, reach(below));
    assert.deepEqual(await findings(log), [], belows.join());
  }
  // Records that only a forger makes, each further on and for less: no more of them are remembered than any log needs.
  const forged = seen();
  take(forged, 'user.seen', 100);
  for (let at = 0; at < 200; at += 1) applied(forged, reach(1000 + at, timeOf((300 - at) * 1000)));
  assert.deepEqual(await findings(forged), []);
});

test('a policy that is none is an alarm', async () => {
  const log = createSmallLog(10);
  const to = [{ match: 'log.*', keep: '1h' }];
  const at = log.append(policyChangedEvent({ after: 0, from: [], to }));
  assert.deepEqual(await findings(log), [`retention_invalid ${at}`]);
});
