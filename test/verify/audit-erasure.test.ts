// Sealed values that are gone: erased with a record, or missing without one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { erasedEvent } from 'indelible/event';
import { AUDIT_CHUNK_ENTRIES, auditLog, FINDINGS_MAX } from 'indelible/verify';
import { createSmallLog, eventOf, SmallLog, user } from './small-log.ts';

const report = async (log: SmallLog) => auditLog(log.sign().source());

const rangesOf = ({ findings }: { findings: readonly { code: string; from: number; to: number }[] }) =>
  findings.map(({ code, from, to }) => [code, from, to]);

test('values that were erased with a record are no finding, and are counted', async () => {
  const log = createSmallLog(100);
  const total = 99 * 5;
  const erased = log.erase('user/u_3');
  assert.ok(erased > 10);
  const verdict = await report(log);
  assert.deepEqual(verdict.findings, []);
  assert.deepEqual(verdict.counts, {
    entries: 101,
    disclosures: total - erased,
    present: total - erased,
    erased,
    missing: 0,
    pruned: 0,
  });
  assert.equal(verdict.anchored, 'consistent up to size 101; no outside anchor');
});

test('the same values without the record are an alarm, at every entry that had one', async () => {
  const log = createSmallLog(30);
  const missing = log.deleteValues('user/u_3');
  const verdict = await report(log);
  assert.equal(verdict.counts.missing, missing);
  assert.equal(verdict.counts.erased, 0);
  // u_3 acts in every seventh event; its values and those it shares with a document come as two kinds.
  const places = verdict.findings.filter(({ detail }) => (detail!['subjects'] as string[]).length === 1);
  assert.deepEqual(
    rangesOf({ findings: places }),
    [3, 10, 17, 24].map((at) => ['disclosure_missing', at, at]),
  );
  assert.match(
    verdict.findings[0]!.message,
    /^Entry 3: sealed values of user\/u_3 .*are gone, and no record says that they were erased\.$/,
  );
  // Integrity and completeness are two verdicts: what is here is what was signed.
  assert.equal(verdict.anchored, 'consistent up to size 30; no outside anchor');
});

test('a record covers the values of its subject and of nobody else', async () => {
  const log = createSmallLog(30);
  log.erase('user/u_3');
  const [lost] = [log.rows[4]!.disclosures.splice(0, 1)];
  assert.equal(lost.length, 1);
  assert.deepEqual(rangesOf(await report(log)), [['disclosure_missing', 4, 4]]);
});

test('a record covers values below its index only', async () => {
  const log = createSmallLog(30);
  log.deleteValues('user/u_3', 18);
  log.append(erasedEvent({ subject: 'user/u_3', below: 17 }));
  const verdict = await report(log);
  // u_3 acts at 3, 10 and 17: the last is at the index that the record names, and not below it.
  assert.deepEqual([...new Set(verdict.findings.map(({ from }) => from))], [17]);
  assert.equal(verdict.counts.missing, 4);
  assert.ok(verdict.counts.erased > 4);
});

test('a record does not cover what was written after it', async () => {
  const log = createSmallLog(20);
  log.erase('user/u_3');
  const index = log.append(eventOf(21, 'u_3'));
  assert.equal(index, 21);
  assert.deepEqual((await report(log)).findings, []);
  log.deleteValues('user/u_3');
  assert.deepEqual([...new Set((await report(log)).findings.map(({ from }) => from))], [21]);
});

test('a record that reaches ahead of itself excuses nothing that came later, and is reported', async () => {
  const log = createSmallLog(20);
  const record = log.append(erasedEvent({ subject: 'user/u_3', below: 1000 }));
  log.append(eventOf(21, 'u_3'));
  log.deleteValues('user/u_3');
  const verdict = await report(log);
  assert.deepEqual(
    [...new Set(verdict.findings.map(({ code, from }) => `${code} ${from}`))],
    [`erasure_invalid ${record}`, 'disclosure_missing 21'],
  );
});

test('of several records of one subject, the one that reaches furthest counts, in any order', async () => {
  for (const belows of [
    [5, 20],
    [20, 5],
  ]) {
    const log = createSmallLog(20);
    log.deleteValues('user/u_3');
    for (const below of belows) log.append(erasedEvent({ subject: 'user/u_3', below }));
    assert.deepEqual((await report(log)).findings, []);
  }
});

test('a value of two subjects is gone with either of them', async () => {
  for (const subject of ['user/u_3', 'document/d_3']) {
    const log = createSmallLog(20);
    const [reason] = log.rows[3]!.disclosures.filter((text) => text.includes('because 3'));
    log.rows[3]!.disclosures = log.rows[3]!.disclosures.filter((text) => text !== reason);
    log.append(erasedEvent({ subject, below: 20 }));
    const verdict = await report(log);
    assert.deepEqual(verdict.findings, []);
    assert.equal(verdict.counts.erased, 1);
  }
});

test('a value that is sealed for nobody can be erased by nobody', async () => {
  const log = new SmallLog();
  log.append({
    action: 'rate.changed',
    actor: { type: 'user', id: 'u_1' },
    metadata: { secret: 1 },
    seals: [{ path: '/metadata', subjects: [] }],
  });
  log.rows[1]!.disclosures = [];
  log.append(erasedEvent({ subject: 'user/u_1', below: 2 }));
  const verdict = await report(log);
  assert.deepEqual(rangesOf(verdict), [['disclosure_missing', 1, 1]]);
  assert.match(verdict.findings[0]!.message, /of nobody in particular are gone/);
});

test('records are found across chunks, however far behind the values they stand', async () => {
  const log = createSmallLog(2 * AUDIT_CHUNK_ENTRIES + 50);
  const erased = log.erase('user/u_3');
  const verdict = await report(log);
  assert.deepEqual(verdict.findings, []);
  assert.equal(verdict.counts.erased, erased);
  // The same, with a record in the middle: what lies behind it is missing.
  const half = createSmallLog(AUDIT_CHUNK_ENTRIES + 10);
  half.append(erasedEvent({ subject: 'user/u_3', below: half.size }));
  while (half.size < 2 * AUDIT_CHUNK_ENTRIES) half.append(eventOf(half.size));
  half.deleteValues('user/u_3');
  const places = (await report(half)).findings.map(({ from }) => from);
  assert.ok(places.length > 500);
  assert.ok(places.every((at) => at > AUDIT_CHUNK_ENTRIES + 10));
});

test('a record that does not say of what is reported, and covers nothing', async () => {
  const log = new SmallLog();
  log.append({ action: 'seen.once', actor: user('u_1') });
  log.append({
    action: 'log.erased',
    actor: { type: 'log', id: 'self' },
    metadata: { subject: 7 },
    clear: ['/metadata'],
  });
  log.deleteValues('user/u_1');
  assert.deepEqual(rangesOf(await report(log)), [
    ['disclosure_missing', 1, 1],
    ['erasure_invalid', 2, 2],
  ]);
});

test('a stolen record from another log is just an entry that the tree does not know', async () => {
  const log = createSmallLog(20);
  log.deleteValues('user/u_3');
  const other = createSmallLog(20);
  other.append(erasedEvent({ subject: 'user/u_3', below: 20 }));
  log.rows.push(other.rows[20]!);
  log.ids = 21;
  const verdict = await auditLog(log.source());
  assert.deepEqual(rangesOf(verdict), [['size_mismatch', 20, 20]]);
});

test('when everything sealed is gone, the report stays short, and the counts are exact', async () => {
  const log = createSmallLog(3000);
  for (const row of log.rows) row.disclosures = [];
  const verdict = await report(log);
  assert.equal(verdict.counts.missing, 2999 * 5);
  const listed = verdict.findings.length;
  assert.ok(listed <= FINDINGS_MAX);
  assert.ok(verdict.omitted > 0);
});

test('the values of one subject in neighbouring entries are one finding', async () => {
  const log = new SmallLog();
  while (log.size < 50) log.append({ action: 'user.seen', actor: user('u_1') });
  log.deleteValues('user/u_1');
  assert.deepEqual(rangesOf(await report(log)), [['disclosure_missing', 1, 49]]);
});
