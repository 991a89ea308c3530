// Pruning: whole bundles of old entries leave every byte of every file, on record; the tree, the ids and every proof stay.

import assert from 'node:assert/strict';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { type Log, openLog, PRUNE_ENTRIES_MAX, type PruneResult, verifyLog } from 'indelible';
import { utf8Encode } from 'indelible/bytes';
import { parseEntry } from 'indelible/event';
import { openPublished, publishLog, restoreLog } from 'indelible/publish';
import { verifyProof } from 'indelible/verify';
import { indelible } from '../cli/cli-process.ts';
import { startHandler } from '../http/server.ts';
import { temporaryFolder } from '../support/folders.ts';
import { pythonMissing, pythonVerifier } from '../support/python.ts';
import { filesWith, markOf } from './erasure-world.ts';
import { recordInThePast } from './past-log.ts';

const atOnce = { approvedBy: ['p_1', 'p_2'], delayMs: 0 };
const ninety = [{ match: '*', keep: '90d' }];

let template: string | undefined;
after(() => template !== undefined && rmSync(template, { recursive: true }));

/** 700 events of 100 days ago, of two processes, and 70 of yesterday: of the log's own, three stand among the old ones. */
async function pastLog(t: TestContext): Promise<{ folder: string; dir: string; log: Log }> {
  if (template === undefined) {
    template = mkdtempSync(join(tmpdir(), 'indelible-past-'));
    const dir = join(template, 'log');
    const actions = (count: number): string[] => Array.from({ length: count }, () => 'record.written');
    recordInThePast({ dir, daysAgo: 100, actions: actions(300) });
    recordInThePast({ dir, daysAgo: 100, actions: actions(400) });
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
    const left = await listed(log.entries(), ({ index }) => index);
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
    const found = await listed(log.query('action:record.written'), ({ index }) => index);
    const left = await listed(log.entries({ from: 512 }), (stored) => parseEntry(stored.entry));
    assert.equal(found.length, left.filter((entry) => entry.action === 'record.written').length);
    const all = await listed(log.query(''), ({ index }) => index);
    assert.deepEqual(all.toReversed(), await listed(log.entries(), ({ index }) => index));
    const day = await listed(
      log.query(`after:${new Date(Date.now() - 3 * 86_400_000).toISOString()} action:record.written`),
      ({ index }) => index,
    );
    assert.equal(day.length, 70);
  });

  test('another process that has the log open sees the same', async (t) => {
    const { dir, log } = await pastLog(t);
    await using other = await openLog(dir, { heartbeatMs: 0 });
    await using reading = await openLog(dir, { readOnly: true });
    const [old] = await other.reader.entries(4, 5);
    const { id } = parseEntry(old!.entry);
    await Promise.all([other.query('invoice').page(), reading.query('invoice').page()]);
    await pruned(log);
    for (const one of [other, reading]) {
      await assert.rejects(one.get(id), { code: 'entry_pruned' });
      const found = await listed(one.query('action:record.written'), ({ index }) => index);
      assert.ok(found.every((index) => index >= 512));
      assert.equal((await listed(one.entries())).at(-1)!.index, (await one.checkpoint()).size - 1);
    }
    await other.record({ action: 'user.signed_in', actor: { type: 'user', id: 'u_1' } });
    assert.deepEqual(await codes(dir), []);
  });

  test('a process that slept over it goes on writing', async (t) => {
    const dir = join(temporaryFolder(t), 'log');
    recordInThePast({ dir, daysAgo: 100, actions: Array.from({ length: 100 }, () => 'a.b') });
    await using sleeper = await openLog(dir, { heartbeatMs: 0 });
    await sleeper.record({ action: 'user.seen', actor: { type: 'user', id: 'u_1' } });
    await using log = await openLog(dir, { heartbeatMs: 0, thread: 'caller' });
    await log.recordMany(
      Array.from({ length: 500 }, () => ({ action: 'user.seen', actor: { type: 'user', id: 'u_2' } })),
    );
    await new Promise((resolve) => setTimeout(resolve, 1100));
    // An hour is the shortest period there is: the clock of this thread goes ahead.
    const { now } = Date;
    t.after(() => {
      Date.now = now;
    });
    await log.retention.set([{ match: '*', keep: '1h' }], { ...atOnce, entries: 'delete' });
    Date.now = () => now() + 2 * 3_600_000;
    assert.equal((await log.retention.prune()).minimum, 512);
    await sleeper.record({ action: 'user.seen', actor: { type: 'user', id: 'u_3' } });
    assert.deepEqual(await codes(dir), []);
  });

  test('goes in several transactions where there is much, and beside a writer', async (t) => {
    const dir = join(temporaryFolder(t), 'log');
    const count = PRUNE_ENTRIES_MAX + 3000;
    for (let left = count; left > 0; left -= 15_000) {
      const actions = Array.from({ length: Math.min(left, 15_000) }, () => 'a.b');
      recordInThePast({ dir, daysAgo: 100, actions });
    }
    await using log = await openLog(dir, { heartbeatMs: 0 });
    await log.retention.set(ninety, { ...atOnce, entries: 'delete' });
    let isOver = false;
    const writing = (async () => {
      while (!isOver) await log.record({ action: 'user.seen', actor: { type: 'user', id: 'u_1' } });
    })();
    const result = await log.retention.prune();
    isOver = true;
    await writing;
    assert.equal(result.records.length, 2);
    assert.ok(result.minimum > PRUNE_ENTRIES_MAX && result.minimum > count - 256);
    const report = await log.verify();
    assert.deepEqual([report.findings, report.counts.pruned], [[], result.entries]);
  });
});

describe('what keeps entries', () => {
  test('is the policy, unless it says otherwise, and for every action', async (t) => {
    const { log } = await pastLog(t);
    await assert.rejects(log.retention.prune(), { code: 'pruning_refused' });
    await log.retention.set(ninety, atOnce);
    assert.equal((await log.retention.policy()).entries, 'keep');
    await assert.rejects(log.retention.prune(), { code: 'pruning_refused' });
    await log.retention.set([{ match: 'record.*', keep: '90d' }], { ...atOnce, entries: 'delete' });
    await assert.rejects(log.retention.prune(), { code: 'pruning_refused', message: /for ever/ });
    await log.retention.set(
      [
        { match: 'record.*', keep: '1d' },
        { match: '*', keep: '1y' },
      ],
      atOnce,
    );
    assert.equal((await log.retention.policy()).entries, 'delete', 'it stays as it is unless said otherwise');
    assert.deepEqual(
      (await log.retention.prune()).records,
      [],
      'the longest period counts, whatever is below it',
    );
  });

  test('takes two people and a delay to loosen, and one to tighten (attack 43)', async (t) => {
    const { log } = await pastLog(t);
    await log.retention.set(ninety, atOnce);
    for (const entries of ['archived', 'delete'] as const)
      await assert.rejects(log.retention.set(ninety, { entries }), { code: 'option_invalid' });
    const waiting = (await log.retention.set(ninety, { approvedBy: ['p_1', 'p_2'], entries: 'delete' }))!;
    const { entries, pending } = await log.retention.policy();
    assert.deepEqual([entries, pending!.entries, pending!.index], ['keep', 'delete', waiting.index]);
    await assert.rejects(log.retention.prune(), { code: 'pruning_refused' });
    await log.retention.set(ninety);
    assert.equal((await log.retention.policy()).pending, undefined);
    await log.retention.set(ninety, { ...atOnce, entries: 'delete' });
    assert.ok(await log.retention.set(ninety, { entries: 'archived' }), 'tightening takes one');
    await assert.rejects(log.retention.set(ninety, { entries: 'all' as never }), { code: 'option_invalid' });
    const changes = await listed(log.query('action:log.config_changed'), ({ metadata }) => metadata);
    const says = changes.map(
      (data) => (data as never as { settings: { retention: object } }).settings.retention,
    );
    assert.deepEqual(says[0], { from: ninety, to: ninety, entries: { from: 'delete', to: 'archived' } });
    assert.deepEqual(
      says.at(-1),
      { from: [], to: ninety },
      'a policy that keeps entries says nothing of them',
    );
  });

  test('is a hold, by whatever it covers: everything from there on stays', async (t) => {
    for (const hold of [
      { name: 'h', actor: 'user/u_3' },
      { name: 'h', subject: 'invoice/inv_9' },
      { name: 'h', query: markOf(3) },
    ]) {
      const { log } = await pastLog(t);
      await log.holds.place(hold);
      const first = await pruned(log);
      assert.deepEqual([first.minimum, first.entries, first.records], [0, 0, []], JSON.stringify(hold));
      assert.deepEqual(first.stoppedBy, { kind: 'hold', name: 'h' });
      await log.holds.release('h');
      assert.equal((await log.retention.prune()).minimum, 512);
    }
  });

  test('is damage: a pruning covers up for nothing that somebody else has removed or changed', async (t) => {
    const { dir, log } = await pastLog(t);
    await log.retention.set(ninety, { ...atOnce, entries: 'delete' });
    const refused = async (...statements: string[]): Promise<void> => {
      const db = new DatabaseSync(join(dir, 'log.db'));
      db.exec(
        'PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE; CREATE TABLE kept AS SELECT * FROM entries WHERE idx < 512',
      );
      for (const statement of statements) db.exec(statement);
      db.exec('COMMIT');
      await assert.rejects(log.retention.prune(), { code: 'log_damaged' }, statements.join());
      assert.ok((await verifyLog(dir)).findings.some(({ code }) => code !== 'schema_changed'));
      db.exec('INSERT OR REPLACE INTO entries SELECT * FROM kept; DROP TABLE kept');
      db.close();
    };
    const free = 'DROP TRIGGER IF EXISTS entries_no_delete; DROP TRIGGER IF EXISTS entries_no_update';
    await refused(free, 'DELETE FROM entries WHERE idx = 7');
    await refused(
      "UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), '\"a', '\"b') AS BLOB) WHERE idx = 8",
    );
    await refused('DELETE FROM entries WHERE idx = 0');
  });

  test('is a hold that is placed while it looks', async (t) => {
    const { log } = await pastLog(t);
    await log.retention.set(ninety, { ...atOnce, entries: 'delete' });
    const { prunable } = log.reader;
    let isPlaced = false;
    Object.assign(log.reader, {
      prunable: async (request: never) => {
        const found = await prunable(request);
        if (!isPlaced) await log.holds.place({ name: 'late', actor: 'user/u_3' });
        isPlaced = true;
        return found;
      },
    });
    const result = await log.retention.prune();
    assert.deepEqual([result.records, result.stoppedBy], [[], { kind: 'hold', name: 'late' }]);
    assert.deepEqual((await log.verify()).counts.pruned, 0);
  });

  test('is a follower that has not seen them; one that begins later sees what is left', async (t) => {
    const { log } = await pastLog(t);
    const seen: number[] = [];
    let isAway = true;
    log.followers.add({
      name: 'sink',
      apply: ({ entries, from }) => {
        if (isAway && from >= 200) throw new Error('away');
        seen.push(...entries.map(({ index }) => index));
      },
      batchMax: 100,
    });
    await until(() => seen.length >= 200);
    const first = await pruned(log);
    assert.deepEqual([first.minimum, first.stoppedBy], [0, { kind: 'follower', name: 'sink' }]);
    const planned = await log.retention.prune({ dryRun: true, despite: ['sink'] });
    assert.deepEqual([planned.minimum, planned.stoppedBy], [512, undefined], 'one that nobody runs any more');
    isAway = false;
    await until(() => seen.length > 750);
    assert.equal((await log.retention.prune()).minimum, 512);
    const late: number[] = [];
    log.followers.add({
      name: 'late',
      apply: ({ entries }) => void late.push(...entries.map(({ index }) => index)),
    });
    const left = await listed(log.entries(), ({ index }) => index);
    await until(() => late.length >= left.length);
    assert.deepEqual(late.slice(0, left.length), left);
  });
});

describe('an archive', () => {
  test('has to hold every byte that goes; what is restored from it is whole', async (t) => {
    const { folder, dir, log } = await pastLog(t);
    const root = join(folder, 'published');
    const to = pathToFileURL(root).href;
    await log.retention.set(ninety, { ...atOnce, entries: 'archived' });
    await assert.rejects(log.retention.prune(), { code: 'pruning_refused', message: /no archive/ });
    await publishLog(log, { to });
    const { origin, vkey } = log;
    await using archive = await openPublished(to, vkey);
    await assert.rejects(log.retention.prune({ archive }), { code: 'option_invalid' });
    for (const archiveUrl of [
      'https://a:b@c.example/',
      'https://c.example/?token=secret',
      'https://c.example/#x',
      'c',
    ])
      await assert.rejects(log.retention.prune({ archive, archiveUrl }), { code: 'option_invalid' });
    const bundle = join(root, 'tile/entries/001');
    const bytes = readFileSync(bundle);
    chmodSync(bundle, 0o644);
    const away = {
      ...archive,
      checkpoint: () => archive.checkpoint(),
      entries: () => archive.entries({ from: 0, to: 300 }),
    };
    await assert.rejects(log.retention.prune({ archive: away, archiveUrl: to }), { code: 'pruning_refused' });
    writeFileSync(bundle, bytes.with(1000, bytes[1000]! ^ 1));
    await assert.rejects(log.retention.prune({ archive, archiveUrl: to }));
    rmSync(bundle);
    await assert.rejects(log.retention.prune({ archive, archiveUrl: to }));
    assert.equal((await log.reader.minimum()) + (await log.verify()).counts.pruned, 0, 'nothing went');
    writeFileSync(bundle, bytes);
    const result = await log.retention.prune({ archive, archiveUrl: to });
    assert.equal(result.minimum, 512);
    const [record] = await log.reader.entries(result.records[0]!, result.records[0]! + 1);
    const { url, size } = (
      parseEntry(record!.entry)['metadata'] as never as { archive: { url: string; size: number } }
    ).archive;
    assert.deepEqual([url, size], [to, (await archive.checkpoint()).size]);
    // Publishing goes on in the archive, and to no new place.
    const published = await publishLog(log, { to });
    assert.equal(published.size, (await log.checkpoint()).size);
    await assert.rejects(publishLog(log, { to: pathToFileURL(join(folder, 'new')).href }), {
      code: 'entry_pruned',
    });
    const restored = join(folder, 'restored');
    await restoreLog({ from: to, to: restored, policy: { vkey }, subjectKeys: join(dir, 'subject-keys.db') });
    const keyless = join(folder, 'keyless');
    await restoreLog({ from: to, to: keyless, policy: { vkey } });
    const lost = await codes(keyless, { vkey });
    assert.ok(
      lost.length > 0 && lost.every((one) => Number(one.split(' ')[1]) >= 512),
      'values go with their entries',
    );
    const report = await verifyLog(restored, { vkey });
    assert.deepEqual([report.origin, report.findings, report.counts.pruned], [origin, [], 0]);
    assert.equal(report.root, (await verifyLog(dir, { vkey })).root);
    // What the archive has brought back goes once more, by the same rules.
    copyFileSync(join(dir, 'log.key'), join(restored, 'log.key'));
    await using back = await openLog(restored, { heartbeatMs: 0 });
    const planned = await back.retention.prune({ archive, archiveUrl: to, dryRun: true });
    assert.deepEqual([planned.minimum, planned.entries], [512, result.entries]);
    const repeated = await back.retention.prune({ archive, archiveUrl: to });
    assert.deepEqual([repeated.minimum, repeated.entries, repeated.records.length], [512, result.entries, 1]);
    assert.deepEqual(await codes(restored, { vkey }), []);
    assert.deepEqual((await back.retention.prune({ archive, archiveUrl: to })).records, []);
  });

  test('is never left behind: what is not published yet where the log is published stays', async (t) => {
    const { folder, log } = await pastLog(t);
    const to = pathToFileURL(join(folder, 'published')).href;
    await publishLog(log, { to });
    const anchors = new DatabaseSync(join(log.dir, 'anchors.db'));
    anchors.exec('UPDATE publications SET size = 300');
    anchors.close();
    const first = await pruned(log);
    assert.deepEqual([first.minimum, first.stoppedBy], [256, { kind: 'publication', name: to }]);
    assert.equal(
      (await log.retention.prune({ despite: [to], dryRun: true })).minimum,
      512,
      'a place that is given up',
    );
    await publishLog(log, { to });
    assert.equal((await log.retention.prune()).minimum, 512);
    assert.equal(
      (await publishLog(log, { to })).size,
      (await log.checkpoint()).size,
      'and publishing goes on',
    );
  });
});

describe('verify', () => {
  /** A pruned log, closed, in which somebody with the database does as they like. */
  async function tampered(t: TestContext, ...statements: string[]): Promise<string[]> {
    const { dir, log } = await pastLog(t);
    await pruned(log);
    await log.close();
    const db = new DatabaseSync(join(dir, 'log.db'));
    for (const statement of statements) db.exec(statement);
    db.close();
    return [...new Set(await codes(dir))];
  }
  const free = 'DROP TRIGGER entries_no_delete';

  test('names what is missing behind the minimum index, and the log’s own entries before it', async (t) => {
    const gone = await tampered(t, free, 'DELETE FROM entries WHERE idx IN (512, 600)');
    assert.ok(gone.includes('index_gap 512') && gone.includes('index_gap 600'), gone.join());
    const own = await tampered(t, free, 'DELETE FROM entries WHERE idx > 0 AND idx < 512');
    assert.ok(
      own.some((one) => one.startsWith('pruning_invalid')),
      own.join(),
    );
  });

  test('names a floor that the log does not speak of, and a trigger that was changed', async (t) => {
    assert.deepEqual(await tampered(t), []);
    await assert.rejects(tampered(t, 'DELETE FROM entries WHERE idx = 600'), /append-only/);
    await assert.rejects(tampered(t, 'UPDATE floor SET minimum = 0'), /append-only/);
    const further = await tampered(
      t,
      'UPDATE floor SET minimum = 768',
      'DELETE FROM entries WHERE idx = 600',
    );
    assert.ok(further.includes('index_gap 600'), further.join());
    assert.ok((await tampered(t, free)).includes('schema_changed 0'));
  });

  test('counts what is left of the log’s own entries also where it reads the tree alone', async (t) => {
    const { dir, log } = await pastLog(t);
    await pruned(log);
    await log.close();
    assert.deepEqual(await codes(dir, { depth: 'tree' }), []);
    const db = new DatabaseSync(join(dir, 'log.db'));
    db.exec(free);
    db.exec('DELETE FROM entries WHERE idx > 0 AND idx < 512');
    db.close();
    assert.ok((await codes(dir, { depth: 'tree' })).some((one) => one.startsWith('pruning_invalid')));
  });

  test('does not believe a hash in the place of an entry that was pruned', async (t) => {
    const changed = await tampered(
      t,
      'DROP TRIGGER tiles_no_update',
      'UPDATE tiles SET hashes = CAST(zeroblob(32) || substr(hashes, 33) AS BLOB) WHERE level = 0 AND idx = 1',
    );
    assert.ok(changed.includes('root_mismatch 0'), changed.join());
  });
});

describe('who watches', () => {
  test('a monitor that begins with a pruned log follows it, and tells an entry that is missing without a record', async (t) => {
    const { folder, dir, log } = await pastLog(t);
    await pruned(log);
    await log.close();
    const look = (state: string) =>
      indelible(['monitor', dir, '--vkey', log.vkey, '--state', join(folder, state), '--once', '--json']);
    const fine = look('one');
    assert.deepEqual([fine.status, /index_gap/.test(fine.stdout)], [0, false], fine.stdout);
    const db = new DatabaseSync(join(dir, 'log.db'));
    db.exec('DROP TRIGGER entries_no_delete');
    db.exec('DELETE FROM entries WHERE idx = 600');
    db.close();
    assert.match(look('two').stdout, /index_gap/);
  });

  test('a server’s audits and streams begin with one, too', async (t) => {
    const { dir, log } = await pastLog(t);
    await pruned(log);
    await log.close();
    const server = await startHandler(t);
    cpSync(dir, join(server.data, 'logs', 'past'), { recursive: true });
    const { key } = await server.handler.desk.createKey({ name: 'Reader', scopes: ['read', 'audit'] });
    const audited = await server.ask('POST', '/v1/logs/past/verification', { key });
    const said = (await audited.json()) as { last: { findings: object[] }; gaps: object[] };
    assert.deepEqual([said.last.findings, said.gaps], [[], []]);
    const stream = await server.ask('GET', '/v1/logs/past/stream?from=0', { key });
    const reading = stream.body!.getReader();
    let text = '';
    while (!text.includes('id: 600')) text += Buffer.from((await reading.read()).value!).toString();
    await reading.cancel();
    const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
    assert.ok(ids.includes(0) && !ids.some((id) => id > 302 && id < 512), ids.slice(0, 9).join());
  });
});

test('evidence of a pruned log is verified by both verifiers, and says what is gone', async (t) => {
  const { folder, dir, log } = await pastLog(t);
  await pruned(log);
  await log.close();
  for (const query of ['', 'action:record.written']) {
    const out = join(folder, 'case.json');
    const made = indelible(['evidence', '--log', dir, '--query', query, '--out', out, '--by', 'user/p_1']);
    assert.equal(made.status, 0, made.stderr);
    const verified = indelible(['verify', out, '--vkey', log.vkey]);
    assert.equal(verified.status, 0, verified.stdout);
    assert.match(verified.stdout, /Entries below the index 512 were pruned/);
    if (pythonMissing !== false) continue;
    const second = pythonVerifier(['evidence', out, '--vkey', log.vkey]);
    assert.equal(second.status, 0, second.stdout + second.stderr);
  }
});

test('evidence that is being made while entries are pruned says so, and may be made again', async (t) => {
  const { log } = await pastLog(t);
  const made = () => log.evidence({ query: 'action:record.written' }, { by: { type: 'user', id: 'p_1' } });
  const pieces = made();
  await pieces.next();
  await pruned(log);
  await assert.rejects(
    listed(pieces, (piece) => piece),
    { code: 'entry_pruned', retryable: true },
  );
  assert.ok((await listed(made(), (piece) => piece)).length > 0);
});

test('on the command line: set --entries, prune --dry-run, prune --archive, show, verify', async (t) => {
  const { folder, dir, log } = await pastLog(t);
  await log.close();
  const run = (...words: string[]) => indelible(['retention', words[0]!, '--log', dir, ...words.slice(1)]);
  const approved = ['--approved-by', 'p_1,p_2', '--delay', '0h'];
  const kept = run('prune');
  assert.deepEqual([kept.status, /pruning_refused/.test(kept.stderr)], [3, true], kept.stderr);
  assert.equal(run('set', '*=90d', '--entries', 'archived', ...approved).status, 0);
  assert.match(run('show').stdout, /entries are pruned when an archive holds them/);
  const planned = run('prune', '--dry-run');
  assert.match(planned.stdout, /^510 entries below index 512 would be pruned;/, planned.stderr);
  assert.match(run('prune').stderr, /pruning_refused/);
  const to = pathToFileURL(join(folder, 'published')).href;
  assert.equal(indelible(['publish', '--log', dir, '--to', to]).status, 0);
  const done = run('prune', '--archive', to, '--by', 'user/p_1', '--json');
  const { minimum, entries } = JSON.parse(done.stdout) as PruneResult;
  assert.deepEqual([minimum, entries], [512, 510], done.stderr);
  assert.match(run('prune', '--archive', to).stdout, /^Nothing to prune/);
  const verified = indelible(['verify', dir]);
  assert.equal(verified.status, 0, verified.stdout);
  assert.match(verified.stdout, /pruned +510 entries are gone with a record of it/);
});

async function listed<Item, Result = Item>(
  items: AsyncIterable<Item>,
  of: (item: Item) => Result = (item) => item as unknown as Result,
): Promise<Result[]> {
  const list: Result[] = [];
  for await (const item of items) list.push(of(item));
  return list;
}

async function until(isSo: () => boolean): Promise<void> {
  const end = performance.now() + 20_000;
  while (!isSo()) {
    assert.ok(performance.now() < end, 'it took too long');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
