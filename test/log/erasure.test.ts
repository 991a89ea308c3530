// Erasing a person: values and salts leave every byte of every file, and every proof stays.

import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, type TestContext, test } from 'node:test';
import { createLog, type Log, LogError, openLog } from 'indelible';
import { canonicalString, utf8Encode } from 'indelible/bytes';
import { digestDisclosure } from 'indelible/event';
import { type AuditLog, openRecorder } from 'indelible/recorder';
import { SqliteStore } from 'indelible/store';
import { verifyProof } from 'indelible/verify';
import { indelible } from '../cli/cli-process.ts';
import { temporaryFolder } from '../support/folders.ts';
import { eventAbout, filesWith, markOf } from './erasure-world.ts';

const origin = 'example.com/erase';
const words = { basis: 'gdpr-17', requestId: 'R-1', approvedBy: ['p_1', 'p_2'] };

async function logWith(t: TestContext, count: number): Promise<{ folder: string; dir: string; log: Log }> {
  // What is open is closed before the folder goes.
  const opened: Log[] = [];
  t.after(() => Promise.all(opened.map((log) => log.close())));
  const folder = temporaryFolder(t);
  const dir = join(folder, 'log');
  const log = await createLog(dir, { origin, heartbeatMs: 0 });
  opened.push(log);
  await log.recordMany(Array.from({ length: count }, (_, n) => eventAbout(n) as never));
  return { folder, dir, log };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

async function found(log: Log, text: string): Promise<number> {
  let count = 0;
  for await (const _ of log.query(text, { waitMs: 20_000 } as never)) count += 1;
  return count;
}

describe('an erasure', () => {
  test('leaves no byte of the person, all of everybody else, and every proof', async (t) => {
    const { folder, dir, log } = await logWith(t, 3000);
    assert.ok((await found(log, markOf(3))) > 400, 'the full text knows the person');
    const before = await log.prove('e-3');
    assert.ok(filesWith(folder, markOf(3)).length > 0, 'there is something to erase');
    const result = await log.erase({ subject: 'user/u_3', ...words });
    assert.deepEqual(filesWith(folder, markOf(3)), []);
    assert.deepEqual(filesWith(folder, '203.0.113.3'), []);
    // name, email and context of 429 events, and the reason of each fifth.
    assert.equal(result.entries, 429);
    assert.ok(result.values > 3 * 429 && result.values < 4 * 429);
    assert.deepEqual([result.isClean, result.lagging, result.below], [true, [], 3001]);
    assert.equal(existsSync(join(dir, 'erasing.json')), false);

    assert.equal(await found(log, markOf(3)), 0);
    assert.ok((await found(log, markOf(2))) > 400, 'a neighbour is still there');
    const event = (await log.get('e-3'))!;
    assert.deepEqual(event.actor, { type: 'user', id: 'u_3' });
    assert.equal(event.targets[0]!['customer'], 'Customer 3', 'what is of the invoice stays');
    assert.ok(event.withheld.some(({ name }) => name === 'context'));
    verifyProof({ proof: utf8Encode(before.proof), entry: before.entry, policy: { vkey: log.vkey } });
    const report = await log.verify();
    assert.deepEqual(report.findings, []);
    assert.equal(report.counts.erased, result.values);
    assert.equal(report.counts.missing, 0);
  });

  test('is recorded with counts and a digest that anybody can compute again', async (t) => {
    const { log } = await logWith(t, 40);
    const digests: string[] = [];
    for await (const { entry, disclosures } of log.entries()) {
      if (!Buffer.from(entry).includes('"u_1"')) continue;
      for (const text of disclosures)
        if (text.includes(markOf(1)) || text.includes('203.0.113.1')) digests.push(digestDisclosure(text));
    }
    const result = await log.erase({ subject: 'user/u_1', ...words });
    const { createHash } = await import('node:crypto');
    const hash = createHash('sha256')
      .update(digests.map((digest) => `${digest}\n`).join(''))
      .digest('base64url');
    const event = (await log.get(result.id!))!;
    assert.equal(event.action, 'log.erased');
    assert.deepEqual(event.metadata, {
      subject: 'user/u_1',
      below: 41,
      values: digests.length,
      entries: result.entries,
      digest: hash,
      ...words,
    });
  });

  test('that finds nothing since the last one is not recorded again, and says which entry recorded it', async (t) => {
    const { dir, log } = await logWith(t, 40);
    const erase = (options: object = {}) => log.erase({ subject: 'user/u_1', ...words, ...options });
    const size = async (): Promise<number> => (await log.checkpoint()).size;
    const first = await erase();
    assert.equal(first.alreadyErased, undefined);
    const before = await size();
    for (const again of [await erase(), await erase({ dryRun: true })]) {
      assert.deepEqual(
        [again.alreadyErased, again.below, again.values, again.entries, again.id, again.index, again.digest],
        [first.index, first.below, 0, 0, undefined, undefined, undefined],
      );
      assert.deepEqual([again.isClean, again.lagging], [true, []]);
    }
    // A subject of the same id and another type is somebody else; so is one of whom the record says nothing.
    const other = await log.erase({ subject: 'customer/u_1', ...words });
    assert.deepEqual([other.alreadyErased, other.values], [undefined, 0]);
    assert.equal(await size(), before + 1, 'nothing but the record of the other was added');
    // Who comes back is erased again; an event that only names them is no reason.
    await log.record({ action: 'user.named', actor: { type: 'user', id: 'u_1' } } as never);
    assert.equal((await erase()).alreadyErased, first.index);
    await log.record(eventAbout(8001, 1) as never);
    const second = await erase();
    assert.deepEqual([second.alreadyErased, second.entries], [undefined, 1]);
    assert.equal((await erase()).alreadyErased, first.index! < second.index! ? second.index : -1);
    assert.equal(existsSync(join(dir, 'erasing.json')), false);
    assert.deepEqual((await log.verify()).findings, []);
  });

  test('of somebody of whom the log knows nothing is recorded once, so that it can be shown that it was asked for', async (t) => {
    const { log } = await logWith(t, 10);
    const first = await log.erase({ subject: 'user/nobody', ...words });
    assert.deepEqual([first.values, first.entries, first.alreadyErased], [0, 0, undefined]);
    assert.equal((await log.get(first.id!))!.action, 'log.erased');
    const { size } = await log.checkpoint();
    assert.equal((await log.erase({ subject: 'user/nobody', ...words })).alreadyErased, first.index);
    assert.equal((await log.checkpoint()).size, size);
  });

  test('of one subject by two at once is recorded once', async (t) => {
    const { folder, dir, log } = await logWith(t, 400);
    await using other = await openLog(dir, { heartbeatMs: 0 });
    const results = await Promise.all(
      [log, other, log, other].map((one) => one.erase({ subject: 'user/u_3', ...words })),
    );
    const records = results.filter(({ index }) => index !== undefined);
    assert.equal(records.length, 1, JSON.stringify(results));
    assert.ok(records[0]!.values > 0);
    for (const { alreadyErased, index } of results)
      assert.equal(alreadyErased ?? index, records[0]!.index, 'the others name it');
    assert.deepEqual(filesWith(folder, markOf(3)), []);
    assert.equal(existsSync(join(dir, 'erasing.json')), false);
    assert.deepEqual((await log.verify()).findings, []);
  });

  test('takes what somebody has put back, and has a record of its own for it', async (t) => {
    const { folder, dir, log } = await logWith(t, 30);
    const at = join(dir, 'log.db');
    const read = (): Record<string, unknown>[] => {
      using db = new DatabaseSync(at, { readOnly: true });
      return db.prepare('SELECT * FROM disclosures WHERE idx = 2').all();
    };
    const [kept] = read();
    await log.erase({ subject: 'user/u_1', ...words });
    await log.close();
    const names = Object.keys(kept!);
    {
      using db = new DatabaseSync(at);
      db.prepare(`INSERT OR REPLACE INTO disclosures (${names}) VALUES (${names.map(() => '?')})`).run(
        ...(Object.values(kept!) as never[]),
      );
    }
    assert.ok(filesWith(folder, markOf(1)).length > 0);
    await using again = await openLog(dir, { heartbeatMs: 0 });
    const { alreadyErased, values } = await again.erase({ subject: 'user/u_1', ...words });
    assert.deepEqual([alreadyErased, values > 0], [undefined, true]);
    assert.deepEqual(filesWith(folder, markOf(1)), []);
  });

  test('finds values that seals and ids with odd characters hide from a careless search', async (t) => {
    const { folder, log } = await logWith(t, 5);
    const id = 'ü "quoted" \\ slash/id';
    await log.record({
      action: 'note.written',
      actor: { type: 'user', id: 'u_9' },
      metadata: { about: 'HiddenElsewhere' },
      seals: [{ path: '/metadata/about', subjects: [`patient/${id}`] }],
    } as never);
    await log.record({
      action: 'note.read',
      actor: { type: 'patient', id, name: 'HiddenElsewhere' },
    } as never);
    assert.ok(canonicalString(id).includes('\\"'));
    const { values } = await log.erase({ subject: `patient/${id}`, ...words });
    assert.equal(values, 2);
    assert.deepEqual(filesWith(folder, 'HiddenElsewhere'), []);
    assert.deepEqual((await log.verify()).findings, []);
  });

  test('goes on beside writers and readers, in this process and in another', async (t) => {
    const { folder, dir, log } = await logWith(t, 1500);
    const other = await openLog(dir, { heartbeatMs: 0 });
    await found(other, markOf(2));
    let isOver = false;
    let recorded = 0;
    const writing = (async () => {
      for (let n = 0; !isOver; n++) {
        await other.record(eventAbout(100_000 + n, 2) as never);
        recorded += 1;
      }
    })();
    const reading = (async () => {
      while (!isOver) {
        await other.get('e-3');
        await found(other, 'target:invoice/inv_3');
      }
    })();
    const process = indelible(['query', '--log', dir, markOf(3), '--json']);
    assert.equal(process.status, 0, process.stderr);
    const result = await log.erase({ subject: 'user/u_3', ...words });
    assert.equal(result.isClean, true, result.residue);
    assert.deepEqual(filesWith(folder, markOf(3)), []);
    isOver = true;
    await Promise.all([writing, reading]);
    assert.ok(recorded > 0);
    assert.equal(await found(other, markOf(3)), 0, 'the other opening has begun its index anew');
    assert.deepEqual(filesWith(folder, markOf(3)), []);
    assert.deepEqual((await log.verify()).findings, []);
    await other.close();
  });

  test('waits for a reader that holds old pages, and is not forgotten meanwhile', async (t) => {
    const { folder, dir, log } = await logWith(t, 300);
    await log.close();
    const writer = await openLog(dir, { heartbeatMs: 0 });
    const held = new DatabaseSync(join(dir, 'log.db'), { readOnly: true });
    held.exec('BEGIN');
    held.prepare('SELECT count(*) FROM entries').get();
    const erasing = writer.erase({ subject: 'user/u_3', ...words });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.ok(existsSync(join(dir, 'erasing.json')), 'it is not forgotten while a reader is in the way');
    held.exec('COMMIT');
    held.close();
    assert.equal((await erasing).isClean, true);
    assert.deepEqual(filesWith(folder, markOf(3)), []);
    await writer.close();
  });

  test('says what a reader that does not go leaves behind', async (t) => {
    const { dir, log } = await logWith(t, 300);
    await log.close();
    const store = SqliteStore.open(join(dir, 'log.db'), {
      jitter: Math.random,
      now: () => performance.now(),
    });
    const held = new DatabaseSync(join(dir, 'log.db'), { readOnly: true });
    held.exec('BEGIN');
    held.prepare('SELECT count(*) FROM entries').get();
    const { isClean, why } = await store.scour(150, []);
    assert.deepEqual([isClean, /log\.db-wal/.test(why!)], [false, true]);
    held.close();
    assert.deepEqual(await store.scour(150, []), { isClean: true });
    store.close();
  });

  test('waits for followers, and names those that have not passed it', async (t) => {
    const { log } = await logWith(t, 20);
    const seen: number[] = [];
    log.followers.add({ name: 'quick', apply: ({ to }) => void seen.push(to) });
    log.followers.add({ name: 'stuck', apply: () => Promise.reject(new Error('no')) });
    const result = await log.erase({ subject: 'user/u_1', ...words, followersWaitMs: 3000 });
    assert.deepEqual(result.lagging, [{ name: 'stuck', size: 0 }]);
    assert.ok(seen.at(-1)! > result.index!, 'it came back after the quick one had the entry');
  });

  test('destroys the keys under which an archive keeps the subject', async (t) => {
    const { dir, log } = await logWith(t, 20);
    await log.close();
    const destroyed: string[] = [];
    const subjectKeys = { destroy: (subjects: readonly string[]) => void destroyed.push(...subjects) };
    await using again = await openLog(dir, { subjectKeys, heartbeatMs: 0 });
    await again.erase({ subject: 'user/u_1', ...words });
    assert.deepEqual(destroyed, ['user/u_1']);
  });

  test('tries without doing', async (t) => {
    const { folder, dir, log } = await logWith(t, 20);
    await log.close();
    await using reading = await openLog(dir, { readOnly: true });
    const { size } = await reading.checkpoint();
    const result = await reading.erase({ subject: 'user/u_1', ...words, dryRun: true });
    assert.ok(result.values > 0);
    assert.equal(result.index, undefined);
    assert.equal((await reading.checkpoint()).size, size);
    assert.ok(filesWith(folder, markOf(1)).length > 0);
    await assert.rejects(reading.erase({ subject: 'user/u_1', ...words }), { code: 'read_only' });
  });
});

describe('what an erasure leaves, because it belongs to somebody else', () => {
  test('a reason, a label or metadata in which another actor names the person in prose', async (t) => {
    const { folder, log } = await logWith(t, 5);
    const ticket = { type: 'ticket', id: 't_1', title: 'About Zebulon77Quark' };
    const said = { reason: 'Zebulon77Quark asked for it', metadata: { note: 'call Zebulon77Quark' } };
    const clerk = { type: 'user', id: 'clerk' };
    await log.record({
      id: 'prose',
      action: 'ticket.closed',
      actor: clerk,
      targets: [ticket],
      ...said,
    } as never);
    const person = { type: 'user', id: 'u_77', name: 'Zebulon77Quark' };
    await log.record({
      id: 'own',
      action: 'a.b',
      actor: person,
      reason: 'Zebulon77Quark wanted to',
    } as never);
    // Said of them by way of seals, it is theirs.
    const seals = [{ path: '/metadata/note', subjects: ['user/u_77'] }];
    await log.record({ id: 'sealed', action: 'a.b', actor: clerk, ...said, reason: 'x', seals } as never);
    assert.equal(
      (await log.erase({ subject: 'user/u_77', ...words })).values,
      3,
      'name, reason, and the note under a seal',
    );
    const prose = (await log.get('prose'))!;
    assert.deepEqual([prose.reason, { ...(prose.metadata as object) }], [said.reason, said.metadata]);
    assert.equal((await log.get('own'))!.reason, undefined);
    assert.deepEqual({ ...((await log.get('sealed'))!.metadata as object) }, {});
    assert.ok(filesWith(folder, 'Zebulon77Quark').length > 0);
    // It goes with whom it belongs to: the clerk who wrote it, and the ticket that it is about.
    assert.ok((await log.erase({ subject: 'user/clerk', ...words })).values > 0);
    assert.ok((await log.erase({ subject: 'ticket/t_1', ...words })).values > 0);
    assert.deepEqual(filesWith(folder, 'Zebulon77Quark'), []);
  });

  test('what waits in the spool of a recorder: it comes into the log afterwards, and is erased by the next erasure', async (t) => {
    const { folder, log } = await logWith(t, 14);
    let isUp = false;
    const record = async (event: never) => {
      if (!isUp) throw new LogError('overloaded', 'not now', { retryable: true });
      return log.record(event);
    };
    const spool = join(folder, 'spool');
    await using recorder = await openRecorder({ record } as unknown as AuditLog, { spool, warn: () => {} });
    assert.ok('isSpooled' in (await recorder.record(eventAbout(703, 3) as never)));
    const first = await log.erase({ subject: 'user/u_3', ...words });
    assert.equal(first.isClean, true);
    assert.ok(
      first.outOfReach.some((place) => place.includes('spools')),
      'the answer says so',
    );
    assert.ok(filesWith(spool, markOf(3)).length > 0);
    isUp = true;
    for (const end = Date.now() + 20_000; recorder.spooled > 0; ) {
      assert.ok(Date.now() < end, 'it is delivered');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const second = await log.erase({ subject: 'user/u_3', ...words });
    assert.deepEqual([second.alreadyErased, second.entries], [undefined, 1]);
    assert.deepEqual(filesWith(join(folder, 'log'), markOf(3)), []);
  });
});

describe('what is refused', () => {
  test('attack-42: actions, actors and the log itself cannot be named, and one person is not enough', async (t) => {
    const { log } = await logWith(t, 10);
    const { size } = await log.checkpoint();
    const erase = (options: object) => log.erase({ subject: 'user/u_1', ...words, ...options } as never);
    await assert.rejects(erase({ action: 'invoice.read' }), { code: 'option_unknown' });
    await assert.rejects(erase({ fields: ['actor.id'] }), { code: 'option_unknown' });
    for (const subject of ['', 'u_1', '/u_1', 'user/', 'action', undefined])
      await assert.rejects(erase({ subject }), { name: 'TypeError', code: 'option_invalid' });
    for (const approvedBy of [[], ['a'], ['a', 'a'], ['a', 'A '], ['a', 'b@x.example'], 'a,b'])
      await assert.rejects(erase({ approvedBy }), { name: 'TypeError', code: 'option_invalid' });
    for (const basis of ['', ' ', 'x\ny', 'x'.repeat(257)]) await assert.rejects(erase({ basis }));
    assert.equal((await log.checkpoint()).size, size, 'nothing was recorded');
    for (const dryRun of [false, true])
      await assert.rejects(erase({ subject: 'log/self', dryRun }), {
        name: 'TypeError',
        code: 'subject_not_erasable',
      });
    assert.equal((await log.checkpoint()).size, size, 'nothing was recorded');
  });
});

describe('holds', () => {
  test('stand in the way of an erasure for as long as they are in force', async (t) => {
    const { folder, log } = await logWith(t, 60);
    const before = filesWith(folder, markOf(1)).length;
    await log.holds.place({
      name: 'case-1',
      target: 'invoice/inv_1',
      by: { type: 'user', id: 'p_9' },
      reason: 'court',
    });
    const { size } = await log.checkpoint();
    await assert.rejects(log.erase({ subject: 'user/u_1', ...words }), {
      name: 'LogError',
      code: 'held',
      message: /case-1/,
    });
    await assert.rejects(log.erase({ subject: 'user/u_1', ...words, dryRun: true }), { code: 'held' });
    assert.equal((await log.checkpoint()).size, size);
    assert.ok(before > 0 && filesWith(folder, markOf(1)).length > 0);
    assert.equal((await log.get('e-1'))!.actor['name'], `${markOf(1)} the person`);
    await log.holds.release('case-1');
    await assert.rejects(log.holds.release('case-1'), { code: 'not_found' });
    assert.ok((await log.erase({ subject: 'user/u_1', ...words })).values > 0);
    assert.deepEqual(await log.holds.list(), []);
    assert.deepEqual((await log.verify()).findings, []);
  });

  test('are not passed by removing their entry: a log with a hole in it erases nothing', async (t) => {
    const { folder, dir, log } = await logWith(t, 40);
    const { index } = await log.holds.place({ name: 'case-1', subject: 'user/u_3' });
    await log.recordMany(
      Array.from({ length: 300 }, () => ({ action: 'user.seen', actor: { type: 'user', id: 'u_1' } })),
    );
    await log.close();
    const db = new DatabaseSync(join(dir, 'log.db'));
    const { sql } = db.prepare("SELECT sql FROM sqlite_schema WHERE name = 'entries_no_delete'").get() as {
      sql: string;
    };
    db.exec('DROP TRIGGER entries_no_delete');
    db.prepare('DELETE FROM entries WHERE idx = ?').run(index);
    db.exec(sql);
    db.close();
    await using writing = await openLog(dir, { heartbeatMs: 0 });
    await assert.rejects(writing.erase({ subject: 'user/u_3', ...words }), { code: 'log_damaged' });
    assert.ok(filesWith(folder, markOf(3)).length > 0);
  });

  test('cover by subject, actor, target, time and query, and only what fits all that they name', async (t) => {
    const { log } = await logWith(t, 60);
    const isHeld = async (hold: object, subject = 'user/u_1'): Promise<boolean> => {
      const name = `h-${Math.random().toString(36).slice(2)}`;
      await log.holds.place({ name, ...hold });
      try {
        await log.erase({ subject, ...words, dryRun: true });
        return false;
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'held');
        return true;
      } finally {
        await log.holds.release(name);
      }
    };
    assert.equal(await isHeld({ subject: 'user/u_1' }), true);
    assert.equal(await isHeld({ subject: 'user/u_2' }), false);
    assert.equal(
      await isHeld({ subject: 'invoice/inv_4' }),
      true,
      'a reason is of the actor and of the invoice',
    );
    assert.equal(await isHeld({ actor: 'user/u_1' }), true);
    assert.equal(await isHeld({ actor: 'user/u_1', target: 'invoice/inv_99' }), false);
    assert.equal(await isHeld({ actor: 'user/u_2' }, 'invoice/inv_4'), true);
    assert.equal(await isHeld({ from: '2020-01-01' }), true);
    assert.equal(await isHeld({ to: '2020-01-01' }), false);
    assert.equal(await isHeld({ query: markOf(1) }), true);
    assert.equal(await isHeld({ query: `${markOf(1)} action:nothing.such` }), false);
  });

  test('are what the entries say: sealed queries, one use of a name, nothing without a cover', async (t) => {
    const { dir, log } = await logWith(t, 5);
    const receipt = await log.holds.place({ name: 'case-1', query: markOf(1), from: '2026-01-31' });
    const [stored] = await all(log.entries({ from: receipt.index, to: receipt.index + 1 }));
    const { entry } = stored!;
    assert.ok(!Buffer.from(entry).includes(markOf(1)), 'a query may name a person: it is sealed');
    assert.ok(Buffer.from(entry).includes('"from":"2026-01-31T00:00:00.000Z"'));
    await assert.rejects(log.holds.place({ name: 'case-1', actor: 'user/u_2' }), { code: 'hold_exists' });
    await assert.rejects(log.holds.place({ name: 'case-2' }), { code: 'option_invalid' });
    await assert.rejects(log.holds.place({ name: 'case-2', query: ' ' }), { code: 'option_invalid' });
    await assert.rejects(log.holds.place({ name: 'a b', actor: 'user/u_2' }), { code: 'option_invalid' });
    await assert.rejects(log.holds.place({ name: 'c', subjekt: 'user/u_2' } as never), {
      code: 'option_unknown',
    });
    await assert.rejects(log.holds.place({ name: 'c', from: 'yesterday' }), { code: 'option_invalid' });
    await assert.rejects(
      log.record({ action: 'log.hold_released', actor: { type: 'a', id: 'b' } } as never),
      { code: 'action_reserved' },
    );
    await log.erase({ subject: 'user/u_2', ...words });
    assert.equal((await log.holds.list())[0]!.query, markOf(1), 'a hold is never erased');
    await log.close();
    await using again = await openLog(dir, { readOnly: true });
    assert.deepEqual(
      (await again.holds.list()).map(({ name }) => name),
      ['case-1'],
    );
  });
});

describe('a request of access', () => {
  test('gets everything of the subject, nothing sealed of others, and is recorded', async (t) => {
    const { log } = await logWith(t, 60);
    const events = await all(log.disclose('user/u_1', { requestId: 'A-1' }));
    assert.equal(events.length, 9);
    for (const event of events) {
      assert.equal(event.actor['name'], `${markOf(1)} the person`);
      assert.equal(event.targets[0]!['customer'], undefined, 'the customer is somebody else');
    }
    const [export_] = (await log.query('action:log.exported').page()).events;
    assert.deepEqual(
      { ...(export_!.metadata as object) },
      {
        format: 'subject',
        fields: ['subject'],
        requestId: 'A-1',
        events: 9,
        isWhole: true,
        queries: ['subject:user/u_1'],
      },
    );
  });
});

describe('the command line', () => {
  test('tries, erases, holds, discloses', (t) => {
    const log = join(temporaryFolder(t), 'log');
    indelible(['init', log, '--origin', origin]);
    const input = Array.from({ length: 30 }, (_, n) => `${JSON.stringify(eventAbout(n))}\n`).join('');
    assert.equal(indelible(['record', '--log', log], { input }).status, 0);
    const erase = ['erase', '--log', log, '--subject', 'user/u_1', '--basis', 'gdpr-17', '--request', 'R-1'];
    assert.equal(indelible([...erase, '--approved-by', 'a']).status, 2);
    assert.match(indelible([...erase, '--approved-by', 'a,b', '--dry-run']).stdout, /would be erased/);
    assert.equal(
      indelible(['hold', 'place', '--log', log, 'case-1', '--subject', 'user/u_1', '--by', 'user/p_1'])
        .status,
      0,
    );
    assert.match(indelible(['hold', 'list', '--log', log]).stdout, /case-1 .*subject user\/u_1/);
    const refused = indelible([...erase, '--approved-by', 'a,b']);
    assert.deepEqual([refused.status, /case-1.*\(held\)/s.test(refused.stderr)], [3, true]);
    assert.equal(indelible(['hold', 'release', '--log', log, 'case-1']).status, 0);
    const mine = indelible(['export', '--log', log, '--subject', 'user/u_1']);
    assert.equal(mine.stdout.trim().split('\n').length, 5);
    assert.ok(mine.stdout.includes(markOf(1)));
    const done = indelible([...erase, '--approved-by', 'a,b', '--json']);
    assert.equal(done.status, 0, done.stderr);
    assert.equal(JSON.parse(done.stdout).isClean, true);
    assert.deepEqual(filesWith(log, markOf(1)), []);
    const again = indelible([...erase, '--approved-by', 'a,b']);
    const { index } = JSON.parse(done.stdout) as { index: number };
    const nothing = `user/u_1: nothing is left to erase since entry ${index} recorded it. Nothing was recorded.`;
    assert.equal(again.status, 0, again.stderr);
    assert.ok(again.stdout.startsWith(`${nothing}\n  No byte of them is left`), again.stdout);
    assert.equal(indelible([...erase, '--approved-by', 'a,b', '--dry-run']).stdout, `${nothing}\n`);
    const asJson = JSON.parse(indelible([...erase, '--approved-by', 'a,b', '--json']).stdout);
    assert.deepEqual([asJson.alreadyErased, asJson.values, asJson.index], [index, 0, undefined]);
    const own = indelible([
      'erase',
      '--log',
      log,
      '--subject',
      'log/self',
      '--basis',
      'b',
      '--request',
      'R',
      '--approved-by',
      'a,b',
    ]);
    assert.deepEqual([own.status, /subject_not_erasable/.test(own.stderr)], [2, true], own.stderr);
    assert.match(indelible(['verify', log]).stdout, /\d+ erased with a record of it, 0 missing/);
    const after = indelible(['export', '--log', log]);
    writeFileSync(join(log, '..', 'after.jsonl'), after.stdout);
    assert.ok(!after.stdout.includes(markOf(1)));
  });
});
