// Entries that were pruned: excused by a record that covers them and was right to, and by no other.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type EntryKeeping, policyChangedEvent, prunedEvent, type RetentionRule } from 'indelible/event';
import { AUDIT_CHUNK_ENTRIES, auditLog } from 'indelible/verify';
import { SmallLog, user } from './small-log.ts';

const start = Date.UTC(2026, 0, 1);
const timeOf = (ms: number): string => new Date(start + ms).toISOString();
const hourly = [{ match: '*', keep: '1h' }];

/** 10,000 events, one a second, under a policy by the hour that prunes; entry 1 says so. */
function old({ rules = hourly, entries = 'delete' as EntryKeeping } = {}): SmallLog {
  const log = new SmallLog();
  log.append(policyChangedEvent({ after: 0, from: [], to: rules, entries: { from: 'keep', to: entries } }));
  while (log.size < 10_000) log.append({ action: 'user.seen', actor: user('u_1') });
  return log;
}

interface Record {
  number?: number;
  entries?: number;
  archive?: { url: string; size: number; root: string };
  minimum: number;
  kept?: number;
  policy?: number;
  before?: string;
}

function prune(log: SmallLog, { number = 1, minimum, ...given }: Record): number {
  const { kept = 2, policy = 1, before = timeOf(6_000_000), entries = minimum - kept, archive } = given;
  const record = { number, minimum, kept, policy, before, entries };
  return log.append(prunedEvent({ ...record, ...(archive && { archive }) }));
}

/** Signs, and takes entries below an index away, but the log's own. */
function gone(log: SmallLog, below: number, isKept = (index: number) => index <= 1): SmallLog {
  log.sign();
  log.rows = log.rows.filter(({ index }) => index >= below || isKept(index));
  return log;
}

const findings = async (log: SmallLog, depth: 'full' | 'tree' = 'full') => {
  const report = await auditLog(log.source(), { depth });
  return [...new Set(report.findings.map(({ code, from }) => `${code} ${from}`))];
};

test('entries below the minimum index are pruned, across chunks; behind it they are missing', async () => {
  const log = old();
  prune(log, { minimum: 5120 });
  assert.ok(log.size > 2 * AUDIT_CHUNK_ENTRIES);
  const { root } = await auditLog(log.sign().source());
  gone(log, 5120);
  for (const depth of ['full', 'tree'] as const) {
    const report = await auditLog(log.source(), { depth });
    assert.deepEqual([report.findings, report.counts.pruned, report.root], [[], 5118, root]);
  }
  log.rows = log.rows.filter(({ index }) => index !== 5120 && index !== 9000);
  const missing = ['index_gap 5120', 'index_gap 9000'];
  assert.deepEqual(
    (await findings(log)).filter((one) => one.startsWith('index_gap')),
    missing,
  );
});

test('the record that reaches furthest covers what those before it did', async () => {
  const log = old();
  prune(log, { minimum: 1024 });
  const more = () => log.append({ action: 'user.seen', actor: user('u_2') });
  more();
  prune(log, { number: 2, minimum: 4096, entries: 3072 });
  more();
  assert.deepEqual(await findings(gone(log, 4096)), []);
});

test('nothing excuses an entry of the log’s own, nor one without a record', async () => {
  const log = old();
  assert.ok((await findings(gone(log, 256))).includes('index_gap 2'));
  const own = old();
  const at = prune(own, { minimum: 512 });
  const without = await findings(gone(own, 512, (index) => index === 0));
  assert.ok(without.includes(`pruning_invalid ${at}`), without.join());
});

test('what each of several prunings kept is counted', async () => {
  const log = old();
  const own = log.append(
    policyChangedEvent({ after: 1, from: hourly, to: hourly, entries: { from: 'delete', to: 'delete' } }),
  );
  const policy = own;
  prune(log, { minimum: 256, policy });
  const second = prune(log, { number: 2, minimum: 4096, entries: 3840, policy });
  assert.deepEqual(await findings(gone(log, 4096)), []);
  log.rows = log.rows.filter(({ index }) => index !== 1);
  const found = await findings(log);
  assert.deepEqual(
    found.filter((one) => one.startsWith('pruning_invalid')),
    [`pruning_invalid ${own + 1}`, `pruning_invalid ${second}`],
  );
});

test('a record that cannot be, or went by no policy in force, is an alarm', async () => {
  const wrong: [string, Record, Parameters<typeof old>[0]?][] = [
    ['no whole bundle', { minimum: 300 }],
    ['reaches ahead of itself', { minimum: 10_240 }],
    ['another policy', { minimum: 512, policy: 0 }],
    ['what had not passed the longest period', { minimum: 512, before: timeOf(9_000_000) }],
    ['entries that had not passed it', { minimum: 6144 }],
    ['a policy that keeps entries', { minimum: 512 }, { entries: 'keep' }],
    ['a policy that keeps some for ever', { minimum: 512 }, { rules: [{ match: 'user.*', keep: '1h' }] }],
    [
      'a longer period of another rule',
      { minimum: 512 },
      {
        rules: [
          { match: 'user.*', keep: '1h' },
          { match: '*', keep: '1d' },
        ],
      },
    ],
    ['fewer kept than it says', { minimum: 512, kept: 3 }],
    ['fewer taken than were there', { minimum: 512, entries: 500 }],
    ['more taken than there can be', { minimum: 512, entries: 511 }],
    ['no archive, where the policy demands one', { minimum: 512 }, { entries: 'archived' }],
    ['an archive that is too small', { minimum: 512, archive: { url: 'file:///a', size: 511, root: '' } }],
  ];
  for (const [what, record, how] of wrong) {
    const log = old(how as { rules: RetentionRule[] });
    const at = prune(log, record);
    assert.ok((await findings(gone(log, 256))).includes(`pruning_invalid ${at}`), what);
  }
  const back = old();
  prune(back, { minimum: 1024 });
  const second = prune(back, { number: 2, minimum: 512 });
  assert.ok((await findings(gone(back, 1024))).includes(`pruning_invalid ${second}`));
  const none = new SmallLog();
  while (none.size < 9000) none.append({ action: 'user.seen', actor: user('u_1') });
  const alone = prune(none, { minimum: 512, kept: 1, policy: 0, before: timeOf(1_000_000) });
  assert.deepEqual(await findings(gone(none, 512, (index) => index === 0)), [`pruning_invalid ${alone}`]);
});

test('a hash in the place of a pruned entry is bound by the root', async () => {
  const log = old();
  prune(log, { minimum: 512 });
  gone(log, 512);
  log.tiles.get('0/1')![5] = log.tiles.get('0/1')![5]! ^ 1;
  assert.ok((await findings(log)).includes('root_mismatch 0'));
  const lost = old();
  prune(lost, { minimum: 512 });
  gone(lost, 512);
  lost.tiles.delete('0/1');
  assert.ok((await findings(lost)).some((one) => one.startsWith('tile_mismatch')));
});

test('a copy that still has what was pruned is whole; values that went with their entries are no alarm in it', async () => {
  const log = old();
  const named = log.append({ action: 'user.seen', actor: { ...user('u_9'), name: 'Ann' } });
  assert.ok(named > 0);
  prune(log, { minimum: 512 });
  assert.deepEqual(await findings(log.sign()), []);
  for (const row of log.rows.slice(0, 512)) row.disclosures = [];
  const { findings: found, counts } = await auditLog(log.source());
  assert.deepEqual([found, counts.missing, counts.pruned], [[], 0, 0]);
});
