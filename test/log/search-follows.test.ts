import assert from 'node:assert/strict';
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { createLog, openLog, verifyLog } from 'indelible';
import { signIn, temporaryFolder } from '../support/folders.ts';

const origin = 'example.com/audit';

for (const thread of ['worker', 'caller'] as const) {
  describe(`searching a log, on the ${thread} thread`, () => {
    test('an event that was just recorded is found, newest first, page by page', async (t) => {
      await using log = await createLog(join(temporaryFolder(t), 'log'), { origin, thread });
      for (let round = 0; round < 5; round++) {
        await log.record(signIn(`now-${round}`, 'u_now'));
        const page = await log.query('actor:user/u_now').page();
        assert.equal(page.events.length, round + 1);
        assert.equal(page.events[0]?.id, `now-${round}`);
        assert.equal(page.complete, page.size);
      }
      await log.recordMany(Array.from({ length: 3000 }, (_, n) => signIn(`e-${n}`, `u_${n % 3}`)));
      const ids: string[] = [];
      for await (const event of log.query('actor:u_1 "Name of"')) ids.push(event.id);
      assert.deepEqual(
        ids,
        Array.from({ length: 1000 }, (_, n) => `e-${2998 - 3 * n}`),
      );
      const first = await log.query('actor:u_2', { limit: 10 }).page();
      const second = await log.query('actor:u_2', { limit: 10, cursor: first.next! }).page();
      assert.equal(second.events[0]?.id, 'e-2969');
      await assert.rejects(log.query('actor:u_1', { cursor: first.next! }).page(), {
        code: 'cursor_invalid',
      });
      assert.equal((await log.query('actor:nobody').page()).events.length, 0);
      assert.equal((await log.query('', { limit: 1 }).page()).events[0]?.id, 'e-2999');
    });
  });
}

describe('an index', () => {
  test('that is deleted is made anew with the same answers', async (t) => {
    const dir = join(temporaryFolder(t), 'log');
    const log = await createLog(dir, { origin });
    await log.recordMany(Array.from({ length: 2500 }, (_, n) => signIn(`e-${n}`, `u_${n % 5}`)));
    const before = await log.query('actor:u_3', { limit: 100 }).page();
    await log.close();
    for (const suffix of ['', '-wal', '-shm']) rmSync(join(dir, `index.db${suffix}`), { force: true });
    await using again = await openLog(dir, { readOnly: true });
    const after = await again.query('actor:u_3', { limit: 100 }).page();
    assert.deepEqual(
      after.events.map(({ id }) => id),
      before.events.map(({ id }) => id),
    );
  });

  test('of another history is begun anew', async (t) => {
    const folder = temporaryFolder(t);
    const [dir, other] = [join(folder, 'log'), join(folder, 'other')];
    for (const [at, name] of [
      [dir, 'mine'],
      [other, 'theirs'],
    ] as const) {
      const log = await createLog(at, { origin });
      await log.recordMany(Array.from({ length: 40 }, (_, n) => signIn(`${name}-${n}`, name)));
      await log.query('').page();
      await log.close();
    }
    for (const suffix of ['-wal', '-shm']) rmSync(join(dir, `index.db${suffix}`), { force: true });
    copyFileSync(join(other, 'index.db'), join(dir, 'index.db'));
    const warnings: string[] = [];
    await using log = await openLog(dir, { readOnly: true, warn: (text) => warnings.push(text) });
    assert.equal((await log.query('actor:mine', { limit: 100 }).page()).events.length, 40);
    assert.match(warnings.join('\n'), /begun anew/);
  });

  test('that was altered is found by verify with index, and only then', async (t) => {
    const dir = join(temporaryFolder(t), 'log');
    const log = await createLog(dir, { origin });
    await log.recordMany(Array.from({ length: 300 }, (_, n) => signIn(`e-${n}`, `u_${n % 5}`)));
    await log.query('').page();
    await log.close();
    assert.deepEqual((await verifyLog(dir, { index: true })).findings, []);
    const db = new DatabaseSync(join(dir, 'index.db'));
    db.exec('DELETE FROM events WHERE idx = 77');
    db.close();
    assert.equal((await verifyLog(dir)).ok, true);
    const { findings } = await verifyLog(dir, { index: true });
    assert.ok(findings.some(({ code, from, to }) => code === 'search_differs' && from <= 77 && to >= 77));
  });

  test('that is missing, or has come only so far, covers so much of the log', async (t) => {
    const dir = join(temporaryFolder(t), 'log');
    const log = await createLog(dir, { origin });
    await log.recordMany(Array.from({ length: 699 }, (_, n) => signIn(`e-${n}`)));
    await log.query('').page();
    await log.close();
    assert.equal((await verifyLog(dir)).index, undefined);
    assert.deepEqual((await verifyLog(dir, { index: true })).index, { covered: 700, of: 700 });
    const kept = join(dir, '..', 'kept.db');
    copyFileSync(join(dir, 'index.db'), kept);
    const again = await openLog(dir);
    await again.recordMany(Array.from({ length: 100 }, (_, n) => signIn(`f-${n}`)));
    await again.close();
    const replace = (): void => {
      for (const suffix of ['', '-wal', '-shm']) rmSync(join(dir, `index.db${suffix}`), { force: true });
    };
    replace();
    copyFileSync(kept, join(dir, 'index.db'));
    const behind = await verifyLog(dir, { index: true });
    assert.deepEqual([behind.index, behind.findings], [{ covered: 700, of: behind.size }, []]);
    const db = new DatabaseSync(join(dir, 'index.db'));
    db.exec("UPDATE state SET root = 'x' || root");
    db.close();
    const other = await verifyLog(dir, { index: true });
    assert.match(other.findings.map(({ message }) => message).join(), /the root at its 700 differs/);
    replace();
    const none = await verifyLog(dir, { index: true });
    assert.deepEqual([none.index, none.findings], [{ covered: 0, of: behind.size }, []]);
  });

  test('that runs ahead of an audit of a log in use does not differ', async (t) => {
    const dir = join(temporaryFolder(t), 'log');
    await using log = await createLog(dir, { origin });
    await log.recordMany(Array.from({ length: 600 }, (_, n) => signIn(`e-${n}`)));
    let done = false;
    const use = async (): Promise<void> => {
      for (let round = 0; !done; round++) {
        await log.recordMany(
          Array.from({ length: 20 }, (_, n) => signIn(`r-${round}-${n}`, `u_${round % 7}`)),
        );
        await log.query('actor:u_3').page();
      }
    };
    const using = use();
    try {
      for (let round = 0; round < 6; round++) {
        const report = await verifyLog(dir, { index: true, threads: round % 2 });
        assert.deepEqual(report.findings, []);
        assert.ok(report.index!.covered <= report.index!.of);
        assert.ok(report.index!.of >= report.size);
      }
    } finally {
      done = true;
      await using;
    }
  });

  test('that is ahead of the log as it is now is found', async (t) => {
    const dir = join(temporaryFolder(t), 'log');
    const log = await createLog(dir, { origin });
    await log.recordMany(Array.from({ length: 50 }, (_, n) => signIn(`e-${n}`)));
    await log.query('').page();
    await log.close();
    const db = new DatabaseSync(join(dir, 'index.db'));
    db.exec('UPDATE state SET size = 60');
    db.close();
    const { findings } = await verifyLog(dir, { index: true });
    assert.match(findings.map(({ message }) => message).join(), /claims to cover 60 entries of 51/);
  });
});
