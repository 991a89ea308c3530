// Pruning: whole bundles of old entries leave every byte of every file, on record; the tree, the ids and every proof stay.

import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { type Log, openLog, type PruneResult, verifyLog } from 'indelible';
import { utf8Encode } from 'indelible/bytes';
import { parseEntry } from 'indelible/event';
import { openPublished, publishLog, restoreLog } from 'indelible/publish';
import { verifyProof } from 'indelible/verify';
import { indelible } from '../cli/cli-process.ts';
import { temporaryFolder } from '../support/folders.ts';
import { filesWith, markOf } from './erasure-world.ts';
import { recordInThePast } from './past-log.ts';

const atOnce = { approvedBy: ['p_1', 'p_2'], delayMs: 0 };
const ninety = [{ match: '*', keep: '90d' }];

let template: string | undefined;
after(() => template !== undefined && rmSync(template, { recursive: true }));

/** 700 events of 100 days ago, and 70 of yesterday: entries 2 to 701 and behind them. */
async function pastLog(t: TestContext): Promise<{ folder: string; dir: string; log: Log }> {
  if (template === undefined) {
    template = mkdtempSync(join(tmpdir(), 'indelible-past-'));
    const dir = join(template, 'log');
    const actions = (count: number): string[] => Array.from({ length: count }, () => 'record.written');
    recordInThePast({ dir, daysAgo: 100, actions: actions(700) });
    recordInThePast({ dir, daysAgo: 1, actions: actions(70) });
  }
  const opened: Log[] = [];
  t.after(() => Promise.all(opened.map((log) => log.close())));
  const folder = temporaryFolder(t);
  cpSync(template, folder, { recursive: true });
  const dir = join(folder, 'log');
  const log = await openLog(dir, { heartbeatMs: 0 });
  opened.push(log);
  return { folder, dir, log };
}

/** Prunes what a policy of 90 days lets go. */
async function pruned(log: Log): Promise<PruneResult> {
  await log.retention.set(ninety, { ...atOnce, entries: 'delete' });
  return log.retention.prune();
}

const codes = async (dir: string, how = {}): Promise<string[]> =>
  (await verifyLog(dir, how)).findings.map(({ code, from }) => `${code} ${from}`);

describe('pruning', () => {
  test('takes whole bundles of old entries out of every byte; the tree, ids and proofs of what is left stay', async (t) => {
    const { folder, dir, log } = await pastLog(t);
    const [old, kept] = await Promise.all(
      [4, 600].map(async (at) => (await log.reader.entries(at, at + 1))[0]!),
    );
    const oldId = parseEntry(old!.entry).id;
    const held = await log.prove(oldId);
    const receipt = await log.checkpoint();
    const result = await pruned(log);
    assert.deepEqual(
      [result.minimum, result.isClean, result.lagging, result.records.length],
      [512, true, [], 1],
    );
    assert.equal(existsSync(join(dir, 'erasing.json')), false);
    const left = await Array.fromAsync(log.entries(), ({ index }) => index);
    const own = left.filter((index) => index < 512);
    assert.ok(own.length > 0 && own[0] === 0, 'the log’s own entries stay');
    assert.equal(result.entries, 512 - own.length);
    assert.deepEqual(
      filesWith(folder, oldId),
      [join(dir, 'log.db')],
      'its id alone is left, in the list of ids',
    );
    assert.deepEqual(filesWith(folder, old!.entry.toString().slice(2, 40)), []);
    // The tree is what it was, and goes on.
    await log.reader.checkContinues({ size: receipt.size, root: receipt.root });
    const report = await log.verify({ held: [receipt.note], index: true });
    assert.deepEqual(report.findings, []);
    assert.deepEqual(
      [report.counts.pruned, report.counts.entries + report.counts.pruned],
      [result.entries, report.size],
    );
    const proof = await log.prove(parseEntry(kept!.entry).id);
    verifyProof({ proof: utf8Encode(proof.proof), entry: proof.entry, policy: { vkey: log.vkey } });
    verifyProof({ proof: utf8Encode(held.proof), entry: held.entry, policy: { vkey: log.vkey } });
    await log.record({ action: 'user.signed_in', actor: { type: 'user', id: 'u_new' } });
    assert.deepEqual((await log.verify()).findings, []);
    const again = await log.retention.prune();
    assert.deepEqual(
      [again.minimum, again.records],
      [512, []],
      'nothing is left to do, and no entry says so',
    );
  });

  test('of what is gone each question says so; what is left is found', async (t) => {
    const { log } = await pastLog(t);
    const [old] = await log.reader.entries(4, 5);
    const { id } = parseEntry(old!.entry);
    const event = await log.get(id);
    await pruned(log);
    await assert.rejects(log.get(id), { code: 'entry_pruned' });
    await assert.rejects(log.prove(id), { code: 'entry_pruned' });
    await assert.rejects(log.reader.prove(4), { code: 'entry_pruned' });
    await assert.rejects(log.reader.bundle(0, 256), { code: 'entry_pruned' });
    assert.equal((await log.reader.bundle(2, 256))!.length > 0, true);
    await assert.rejects(log.evidence({ ids: [id] }, {} as never).next(), { code: 'entry_pruned' });
    // Whether it is the same event, nobody can tell any more; that the id is taken, everybody.
    const { action, actor } = event!;
    await assert.rejects(log.record({ id, action, actor }), { code: 'entry_pruned' });
    const found = await Array.fromAsync(log.query('action:record.written'), ({ index }) => index);
    const left = await Array.fromAsync(log.entries({ from: 512 }), (stored) => parseEntry(stored.entry));
    assert.equal(found.length, left.filter((entry) => entry.action === 'record.written').length);
    const stats = await log.query('').stats();
    assert.equal(stats.total, (await Array.fromAsync(log.entries())).length);
  });
});
