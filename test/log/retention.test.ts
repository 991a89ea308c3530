// Retention: values leave every byte of every file when their period is over, on record; the policy is what the log says.

import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, type TestContext, test } from 'node:test';
import { createLog, type Log, openLog } from 'indelible';
import { utf8Encode } from 'indelible/bytes';
import { parseEntry } from 'indelible/event';
import { verifyProof } from 'indelible/verify';
import { indelible } from '../cli/cli-process.ts';
import { temporaryFolder } from '../support/folders.ts';
import { filesWith, markOf } from './erasure-world.ts';
import { recordInThePast } from './past-log.ts';

const DAY_MS = 86_400_000;
const approvedBy = ['p_1', 'p_2'];
const atOnce = { approvedBy, delayMs: 0 };

let template: string | undefined;
after(() => template !== undefined && rmSync(template, { recursive: true }));

/** 700 events of 100 days ago, and 70 of yesterday: reads of person 3 and writes of the others, and so on. */
async function pastLog(t: TestContext): Promise<{ folder: string; dir: string; log: Log }> {
  if (template === undefined) {
    template = mkdtempSync(join(tmpdir(), 'indelible-past-'));
    const dir = join(template, 'log');
    const actions = (count: number): string[] =>
      Array.from({ length: count }, (_, n) => (n % 7 === 3 ? 'record.read' : 'record.written'));
    recordInThePast({ dir, daysAgo: 100, actions: actions(700) });
    recordInThePast({ dir, daysAgo: 1, actions: actions(70) });
  }
  // What is open is closed before the folder goes.
  const opened: Log[] = [];
  t.after(() => Promise.all(opened.map((log) => log.close())));
  const folder = temporaryFolder(t);
  cpSync(template, folder, { recursive: true });
  const dir = join(folder, 'log');
  const log = await openLog(dir, { heartbeatMs: 0 });
  opened.push(log);
  return { folder, dir, log };
}

async function freshLog(t: TestContext): Promise<Log> {
  const log = await createLog(join(temporaryFolder(t), 'log'), { origin: 'example.com/new', heartbeatMs: 0 });
  t.after(() => log.close());
  return log;
}

describe('retention', () => {
  test('takes what has passed its period out of every byte, keeps the rest, and every proof', async (t) => {
    const { folder, dir, log } = await pastLog(t);
    const [old] = await log.reader.entries(4, 5);
    const proof = await log.prove(parseEntry(old!.entry).id);
    await log.retention.set(
      [
        { match: 'record.read', keep: '90d' },
        { match: '*', keep: '7y' },
      ],
      atOnce,
    );
    const plan = await log.retention.plan();
    assert.equal(plan.entries, 100);
    const result = await log.retention.apply();
    assert.deepEqual([result.entries, result.values], [plan.entries, plan.values]);
    assert.deepEqual([result.isClean, result.lagging, result.records.length], [true, [], 1]);
    assert.equal(existsSync(join(dir, 'erasing.json')), false);
    // Person 3 has reads alone; those of yesterday are still there.
    const left = [];
    for await (const { disclosures } of log.entries())
      left.push(...disclosures.filter((text) => text.includes(markOf(3))));
    assert.ok(left.length > 0 && left.length < 60, `${left.length} values of yesterday`);
    const report = await log.verify();
    assert.deepEqual(report.findings, []);
    assert.deepEqual([report.counts.erased, report.counts.missing], [result.values, 0]);
    verifyProof({ proof: utf8Encode(proof.proof), entry: proof.entry, policy: { vkey: log.vkey } });
    const again = await log.retention.apply();
    assert.deepEqual([again.values, again.records], [0, []], 'nothing is left to do, and no entry says so');

    await log.retention.set([{ match: 'record.read', keep: '1h' }], atOnce);
    await log.retention.apply();
    assert.deepEqual(
      filesWith(folder, markOf(3)),
      [],
      'no byte is left of the one whose values have all passed',
    );
    assert.ok(filesWith(folder, markOf(2)).length > 0, 'a neighbour, whom no rule speaks of, is kept');
    assert.deepEqual((await log.verify()).findings, []);
    const found = await log.query(markOf(3), { waitMs: 20_000 } as never).page();
    assert.equal(found.events.length, 0);
  });

  test('is recorded with rules, how far each reached, counts and a digest', async (t) => {
    const { log } = await pastLog(t);
    const set = await log.retention.set([{ match: 'record.*', keep: '3mo' }], atOnce);
    const { records, values, entries } = await log.retention.apply({ by: { type: 'user', id: 'p_9' } });
    const [stored] = await log.reader.entries(records[0]!, records[0]! + 1);
    const event = (await log.get(parseEntry(stored!.entry).id))!;
    assert.equal(event.action, 'log.retention_applied');
    assert.deepEqual(event.actor, { type: 'user', id: 'p_9' });
    const data = event.metadata as Record<string, never>;
    assert.deepEqual([data['policy'], data['values'], data['entries']], [set!.index, values, entries]);
    const [rule] = data['rules'] as [{ match: string; keep: string; before: string; below: number }];
    assert.deepEqual([rule.match, rule.keep, rule.below], ['record.*', '3mo', 701]);
    const period = Date.parse(event.recordedAt) - Date.parse(rule.before);
    assert.ok(period >= 93 * DAY_MS && period < 93 * DAY_MS + 60_000, 'a month is 31 days');
    assert.match(String(data['digest']), /^[\w-]{43}$/);
  });

  test('the first rule that matches counts, and no rule ever touches the log’s own entries', async (t) => {
    const { log } = await pastLog(t);
    await log.holds.place({ name: 'h', subject: 'user/nobody', reason: 'kept for ever' });
    await log.retention.set(
      [
        { match: 'record.read', keep: '7y' },
        { match: '*', keep: '1h' },
      ],
      { ...atOnce, reason: 'kept as well' },
    );
    const { entries } = await log.retention.apply();
    assert.equal(entries, 600 + 60);
    const reasons = (
      await log.query('action:log.*', { limit: 50, waitMs: 20_000 } as never).page()
    ).events.flatMap(({ reason }) => reason ?? []);
    assert.deepEqual(reasons.sort(), ['kept as well', 'kept for ever']);
    for (const match of ['log.*', 'log.viewed'])
      await assert.rejects(log.retention.set([{ match, keep: '1h' }], atOnce), { code: 'option_invalid' });
  });

  test('never goes below a hold, and names it; what it kept goes when it is released', async (t) => {
    const { log } = await pastLog(t);
    await log.holds.place({ name: 'constructor', actor: 'user/u_3' });
    await log.retention.set([{ match: '*', keep: '90d' }], atOnce);
    const planned = await log.retention.plan();
    const held = await log.retention.apply();
    assert.equal(held.entries, 600);
    assert.deepEqual(held.held, planned.held);
    assert.equal(held.held[0]!.hold, 'constructor');
    assert.ok(held.held[0]!.values > 300);
    const { counts, findings } = await log.verify();
    assert.deepEqual([findings, counts.erased], [[], held.values]);
    await log.holds.release('constructor');
    const rest = await log.retention.apply();
    assert.deepEqual([rest.entries, rest.values], [100, held.held[0]!.values]);
    assert.deepEqual((await log.verify()).findings, []);
  });

  test('what a hold by a query keeps is kept at every application, though the query speaks of other values', async (t) => {
    const { log } = await pastLog(t);
    // The invoice's value is covered, and found by the name of the person, which is not.
    await log.holds.place({ name: 'case-2', subject: 'invoice/inv_3', query: markOf(3) });
    await log.retention.set([{ match: '*', keep: '90d' }], atOnce);
    const first = await log.retention.apply();
    assert.ok(first.held[0]!.values > 0);
    const second = await log.retention.apply();
    assert.deepEqual([second.values, second.held], [0, first.held]);
  });

  test('a value that is gone without a record that covers it stays an alarm', async (t) => {
    const { dir, log } = await pastLog(t);
    await log.retention.set([{ match: 'record.read', keep: '90d' }], atOnce);
    await log.retention.apply();
    await log.close();
    const db = new DatabaseSync(join(dir, 'log.db'));
    db.exec('DROP TRIGGER IF EXISTS disclosures_no_delete');
    // Entry 5 is a write, of the same age; the read at 760 is younger than the period.
    db.exec('DELETE FROM disclosures WHERE idx IN (5, 760)');
    db.close();
    await using reading = await openLog(dir, { readOnly: true });
    const { findings } = await reading.verify();
    const missing = findings.filter(({ code }) => code === 'disclosure_missing').map(({ from }) => from);
    assert.deepEqual([...new Set(missing)], [5, 760]);
  });

  test('goes on in several transactions, beside a writer', async (t) => {
    const folder = temporaryFolder(t);
    const dir = join(folder, 'log');
    recordInThePast({ dir, daysAgo: 100, actions: Array.from({ length: 7000 }, () => 'record.read') });
    await using log = await openLog(dir, { heartbeatMs: 0 });
    await log.retention.set([{ match: 'record.read', keep: '90d' }], atOnce);
    let isOver = false;
    let recorded = 0;
    const writing = (async () => {
      while (!isOver) {
        await log.record({ action: 'user.seen', actor: { type: 'user', id: 'u_1', name: 'Kept' } });
        recorded += 1;
      }
    })();
    const result = await log.retention.apply();
    isOver = true;
    await writing;
    assert.ok(recorded > 0);
    assert.equal(result.entries, 7000);
    assert.ok(result.records.length >= 2, `${result.records.length} records`);
    const { findings, counts } = await log.verify();
    assert.deepEqual([findings, counts.erased, counts.missing], [[], result.values, 0]);
    assert.deepEqual(filesWith(dir, markOf(3)), []);
  });
});

describe('the policy', () => {
  test('is what the log says, and says it again in another process', async (t) => {
    const { dir, log } = await pastLog(t);
    assert.deepEqual(await log.retention.policy(), { rules: [], entries: 'keep' });
    const rules = [{ match: 'record.read', keep: '90d' }];
    const receipt = (await log.retention.set(rules, { ...atOnce, by: { type: 'user', id: 'p_1' } }))!;
    const event = (await log.get(receipt.id))!;
    assert.equal(event.action, 'log.config_changed');
    assert.deepEqual(event.metadata, { settings: { retention: { from: [], to: rules } }, approvedBy });
    const shown = indelible(['retention', 'show', '--log', dir, '--json']);
    assert.deepEqual(JSON.parse(shown.stdout).rules, rules);
    assert.equal(await log.retention.set(rules), undefined, 'what is in force is not recorded again');
  });

  test('attack-43: that shortens takes two people and a delay, and can be taken back; lengthening is immediate', async (t) => {
    const { folder, log } = await pastLog(t);
    const year = [{ match: '*', keep: '1y' }];
    const day = [{ match: '*', keep: '1d' }];
    await log.retention.set(year, atOnce);
    for (const by of [undefined, [], ['p_1'], ['p_1', ' P_1'], ['p_1', 'a@b.example']])
      await assert.rejects(log.retention.set(day, { ...(by && { approvedBy: by }) }), {
        code: 'option_invalid',
      });
    const receipt = (await log.retention.set(day, { approvedBy }))!;
    const { rules, pending } = await log.retention.policy();
    assert.deepEqual([rules, pending!.rules, pending!.index], [year, day, receipt.index]);
    const delay = Date.parse(pending!.notBefore) - Date.now();
    assert.ok(delay > 71.9 * 3_600_000 && delay <= 72 * 3_600_000);
    assert.equal((await log.retention.apply()).values, 0, 'while it waits, the old one is in force');
    assert.ok(filesWith(folder, markOf(3)).length > 0);
    await log.retention.set(year);
    assert.equal((await log.retention.policy()).pending, undefined, 'taken back by one person');
    await log.retention.set([{ match: '*', keep: '2y' }]);
    assert.deepEqual((await log.retention.policy()).rules, [{ match: '*', keep: '2y' }]);
    const changes = await log
      .query('action:log.config_changed', { limit: 10, waitMs: 20_000 } as never)
      .page();
    assert.equal(changes.events.length, 4, 'each of them is an entry');
    assert.equal(changes.events[2]!.severity, 'high');
  });

  test('is set once where two set it at the same time', async (t) => {
    const { dir, log } = await pastLog(t);
    await log.retention.set([{ match: '*', keep: '1y' }], atOnce);
    await using other = await openLog(dir, { heartbeatMs: 0 });
    const results = await Promise.allSettled([
      log.retention.set([{ match: '*', keep: '10y' }]),
      other.retention.set([{ match: '*', keep: '2y' }]),
    ]);
    const refused = results.flatMap((one) => (one.status === 'rejected' ? [one.reason.code] : []));
    const { rules } = await log.retention.policy();
    // Had both been set, the second might have shortened what the first lengthened, by one person.
    if (refused.length === 0) assert.deepEqual(rules, [{ match: '*', keep: '10y' }]);
    else assert.match(refused.join(), /^(retention_changed|option_invalid)$/);
  });

  test('is refused where it is none', async (t) => {
    const log = await freshLog(t);
    const wrong = [
      {},
      [{ match: 'Record.read', keep: '1d' }],
      [{ match: '*.read', keep: '1d' }],
      [{ match: '*', keep: '0d' }],
      [{ match: '*', keep: '1.5y' }],
      [{ match: '*', keep: '101y' }],
      [{ match: '*', keep: 'P7Y' }],
      [{ match: '*', keep: '1d', delete: true }],
      [
        { match: '*', keep: '1d' },
        { match: '*', keep: '2d' },
      ],
      Array.from({ length: 65 }, (_, n) => ({ match: `a.b${n}`, keep: '1d' })),
    ];
    for (const policy of wrong)
      await assert.rejects(
        log.retention.set(policy as never, atOnce),
        { code: 'option_invalid' },
        JSON.stringify(policy),
      );
    await assert.rejects(log.retention.set([], { delay: 1 } as never), { code: 'option_unknown' });
    await assert.rejects(log.retention.apply({ prune: true } as never), { code: 'option_unknown' });
    assert.equal((await log.checkpoint()).size, 1, 'nothing was recorded');
  });
});

test('on the command line: set, show, plan, apply', async (t) => {
  const { folder, dir, log } = await pastLog(t);
  await log.close();
  const run = (...words: string[]) => indelible(['retention', words[0]!, '--log', dir, ...words.slice(1)]);
  assert.equal(run('set', 'record.read=1h').status, 2);
  const set = run(
    'set',
    'record.read=1h',
    '*=7y',
    '--approved-by',
    'p_1,p_2',
    '--delay',
    '0h',
    '--by',
    'user/p_1',
  );
  assert.equal(set.status, 0, set.stderr);
  assert.match(run('show').stdout, /record\.read for 1h\n {2}\* for 7y/);
  assert.match(run('plan').stdout, /values in 110 entries would be removed/);
  assert.ok(filesWith(folder, markOf(3)).length > 0);
  assert.match(run('set', '--preset', 'pci-dss', '--approved-by', 'p_1,p_2').stdout, /in force from 20/);
  const applied = run('apply');
  assert.match(applied.stdout, /values in 110 entries removed, recorded as entry \d+/);
  assert.deepEqual(filesWith(folder, markOf(3)), []);
  assert.equal(indelible(['verify', dir]).status, 0);
});
