import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, type TestContext, test } from 'node:test';
import {
  applyKeyChange,
  authoriseKeyChange,
  createLog,
  forkLog,
  type Log,
  newSignerKey,
  openLog,
  readSigner,
  requestKeyChange,
  rotateKey,
  signerOf,
  verifyLog,
  withLogKeys,
} from 'indelible';
import { parseSignerKey, type Signer } from 'indelible/note';
import { signIn, temporaryFolder } from '../support/folders.ts';

const origin = 'example.com/audit';

interface World {
  readonly dir: string;
  readonly root: Signer;
  readonly log: Log;
}

/** A log that is open, and its root key, which lies elsewhere. */
async function makeWorld(t: TestContext, options: { thread?: 'caller' | 'worker' } = {}): Promise<World> {
  const folder = temporaryFolder(t);
  const dir = join(folder, 'log');
  const root = parseSignerKey(newSignerKey(`${origin}/root`));
  const log = await createLog(dir, { origin, rootVkey: root.vkey, heartbeatMs: 0, ...options });
  t.after(() => log.close());
  return { dir, root, log };
}

const names = (dir: string): string[] => readdirSync(dir).filter((name) => name.includes('log.key'));

describe('rotating', () => {
  for (const thread of ['caller', 'worker'] as const) {
    test(`a process that has the log open goes on with the new key: ${thread}`, async (t) => {
      const { dir, root, log } = await makeWorld(t, { thread });
      const before = await log.record(signIn('a'));
      const { history } = await rotateKey(dir, root);
      const after = await log.record(signIn('b'));
      const repeat = await log.record(signIn('a'));
      assert.equal(repeat.index, before.index);
      assert.notEqual(history.vkey, log.vkey);
      assert.equal((await log.keys()).vkey, history.vkey);
      assert.equal(readFileSync(join(dir, 'log.vkey'), 'utf8'), `${history.vkey}\n`);
      assert.deepEqual(names(dir), ['log.key']);
      for (const vkey of [log.vkey, history.vkey, root.vkey]) {
        const report = await verifyLog(dir, { vkey, held: [before, after, repeat] });
        assert.deepEqual(report.findings, [], vkey);
        assert.deepEqual(report.held, { given: 3, agree: 3, size: 4 });
        assert.equal(report.mark?.agrees, true);
      }
    });
  }

  test('several processes record while the key changes three times, and nothing is lost', async (t) => {
    const { dir, root, log } = await makeWorld(t);
    await using other = await openLog(dir, { heartbeatMs: 0 });
    const receipts = [];
    const keys = [log.vkey];
    for (let round = 0; round < 3; round += 1) {
      const burst = Array.from({ length: 40 }, (_, at) =>
        (at % 2 === 0 ? log : other).record(signIn(`r${round}-${at}`)),
      );
      keys.push((await rotateKey(dir, root)).history.vkey);
      receipts.push(...(await Promise.all(burst)));
    }
    assert.equal(new Set(receipts.map(({ index }) => index)).size, 120);
    for (const vkey of [...keys, root.vkey])
      assert.deepEqual((await verifyLog(dir, { vkey, held: receipts })).findings, [], vkey);
  });

  test('a process without the new key signs nothing more, says so, and loses nothing', async (t) => {
    const { dir, root, log } = await makeWorld(t);
    const text = readFileSync(join(dir, 'log.key'), 'utf8');
    await using stale = await openLog(dir, { key: () => text, heartbeatMs: 0, mark: join(dir, '..', 'm') });
    const kept = await stale.record(signIn('a'));
    const { history } = await rotateKey(dir, root);
    await assert.rejects(
      stale.record(signIn('b')),
      (error: Error & { retryable?: boolean; hint?: string }) => {
        assert.equal((error as { code?: string }).code, 'key_retired');
        assert.equal(error.retryable, true);
        assert.ok(error.hint?.includes(history.vkey));
        return true;
      },
    );
    assert.equal((await log.record(signIn('a'))).index, kept.index);
    assert.equal((await log.record(signIn('b'))).index, 4);
    await assert.rejects(openLog(dir, { key: () => text }), (error: Error & { hint?: string }) => {
      assert.equal((error as { code?: string }).code, 'key_mismatch');
      assert.ok(error.hint?.includes(history.vkey));
      return true;
    });
    await using again = await openLog(dir, { heartbeatMs: 0 });
    assert.equal(again.vkey, history.vkey);
  });

  test('with the old key lost, the root key alone names another; who pinned the old one is told', async (t) => {
    const { dir, root, log } = await makeWorld(t);
    await log.record(signIn('a'));
    await log.close();
    rmSync(join(dir, 'log.key'));
    const { history } = await rotateKey(dir, root);
    assert.equal(history.keys[1]?.isHandedOver, false);
    await using again = await openLog(dir, { heartbeatMs: 0 });
    await again.record(signIn('b'));
    assert.deepEqual((await verifyLog(dir, { vkey: root.vkey })).findings, []);
    const codes = (await verifyLog(dir, { vkey: log.vkey })).findings.map(({ code }) => code);
    assert.ok(codes.includes('key_unknown'), String(codes));
  });

  test('another root key changes nothing, nor does what was signed for another place', async (t) => {
    const { dir, root, log } = await makeWorld(t);
    const wrong = parseSignerKey(newSignerKey(`${origin}/root`));
    await assert.rejects(rotateKey(dir, wrong), { name: 'VerificationError' });
    await assert.rejects(rotateKey(dir, signerOf(readFileSync(join(dir, 'log.key'), 'utf8'))), {
      name: 'VerificationError',
    });
    const other = await makeWorld(t);
    const foreign = await withLogKeys(other.dir, {}, (place) => requestKeyChange(place, { rotate: true }));
    const signed = foreign.map((one) => authoriseKeyChange(one, root));
    await assert.rejects(
      withLogKeys(dir, {}, (place) => applyKeyChange(place, signed)),
      {
        code: 'key_change_invalid',
      },
    );
    // The same one twice.
    const requests = await withLogKeys(dir, {}, (place) => requestKeyChange(place, { rotate: true }));
    const good = requests.map((one) => authoriseKeyChange(one, root));
    await withLogKeys(dir, {}, (place) => applyKeyChange(place, good));
    await assert.rejects(
      withLogKeys(dir, {}, (place) => applyKeyChange(place, good)),
      {
        code: 'key_change_invalid',
      },
    );
    assert.equal((await log.checkpoint()).size, 2, 'nothing that changes nothing stands in the log');
    assert.throws(() => authoriseKeyChange('example.com/audit\n5\nAAAA\n', root), {
      code: 'malformed_key_change',
    });
  });

  test('two who change the key at one moment: one does, and the other is told', async (t) => {
    const { dir, root } = await makeWorld(t);
    const [one, two] = await Promise.allSettled([rotateKey(dir, root), rotateKey(dir, root)]);
    const won = [one, two].filter(({ status }) => status === 'fulfilled');
    assert.ok(won.length >= 1);
    assert.deepEqual((await verifyLog(dir, { vkey: root.vkey })).findings, []);
    await using again = await openLog(dir, { heartbeatMs: 0 });
    await again.record(signIn('x'));
  });
});

describe('cut off', () => {
  test('before the commit: the new key waits, and the next attempt takes it', async (t) => {
    const { dir, root, log } = await makeWorld(t);
    await withLogKeys(dir, {}, (place) => requestKeyChange(place, { rotate: true }));
    const [waiting] = names(dir).filter((name) => name.endsWith('.next'));
    assert.ok(waiting !== undefined);
    await log.record(signIn('a'));
    const { vkey } = readSigner(join(dir, waiting));
    assert.equal((await rotateKey(dir, root)).history.vkey, vkey);
    assert.deepEqual(names(dir), ['log.key']);
  });

  test('after the commit: whoever opens the log next finds the new key, and gives it its place', async (t) => {
    const { dir, root, log } = await makeWorld(t);
    const requests = await withLogKeys(dir, {}, (place) => requestKeyChange(place, { rotate: true }));
    const [waiting] = names(dir).filter((name) => name.endsWith('.next'));
    const successor = readSigner(join(dir, waiting!));
    // Handed in, the files are left alone: as after a crash between the commit and their exchange.
    await withLogKeys(dir, { successor }, (place) =>
      applyKeyChange(
        place,
        requests.map((one) => authoriseKeyChange(one, root)),
      ),
    );
    assert.equal(names(dir).length, 2);
    const copy = join(dir, '..', 'copy');
    await log.close();
    cpSync(dir, copy, { recursive: true });
    await using again = await openLog(dir, { heartbeatMs: 0 });
    assert.equal(again.vkey, successor.vkey);
    await again.record(signIn('a'));
    assert.deepEqual(names(dir), ['log.key']);
    assert.equal(readFileSync(join(dir, 'log.vkey'), 'utf8').trim(), successor.vkey);
    // And so does a process that had it open.
    assert.deepEqual((await verifyLog(dir, { vkey: root.vkey })).findings, []);
  });
});

describe('revoking', () => {
  test('the key that signs is replaced in the same commit; what it signed later is not believed', async (t) => {
    const { dir, root, log } = await makeWorld(t);
    const good = await log.record(signIn('a'));
    const late = await log.record(signIn('b'));
    const stolen = readFileSync(join(dir, 'log.key'), 'utf8').trim();
    const soon = { time: new Date(Date.now() + 3_600_000).toISOString() };
    await assert.rejects(rotateKey(dir, root, {}, { rotate: false, revoke: { since: soon } }), {
      code: 'option_invalid',
    });
    const { history } = await rotateKey(dir, root, {}, { rotate: false, revoke: { since: { index: 2 } } });
    assert.deepEqual(
      history.keys.map(({ last, compromisedSince }) => [last, compromisedSince?.size]),
      [
        [3, 2],
        [undefined, undefined],
      ],
    );
    await log.record(signIn('c'));
    assert.deepEqual((await verifyLog(dir, { vkey: root.vkey, held: [good] })).findings, []);
    const codes = async (options: object) =>
      (await verifyLog(dir, { vkey: root.vkey, held: [late], ...options })).findings.map(({ code }) => code);
    assert.deepEqual(await codes({}), ['key_revoked']);
    const [, size, hash] = late.checkpoint.split('\n');
    assert.deepEqual(await codes({ seenOutside: [{ size: Number(size), root: hash, time: 0 }] }), []);
    await assert.rejects(openLog(dir, { key: () => stolen }), { code: 'key_mismatch' });
    // By time, of a key that was replaced before; and never later than was said before.
    const since = { time: new Date(0).toISOString() };
    const earlier = await rotateKey(dir, root, {}, { rotate: false, revoke: { vkey: log.vkey, since } });
    assert.equal(earlier.history.keys[0]?.compromisedSince?.size, 0);
    await assert.rejects(
      rotateKey(dir, root, {}, { rotate: false, revoke: { vkey: log.vkey, since: { index: 3 } } }),
      { code: 'key_change_invalid' },
    );
  });

  test('attack-12: a thief who writes the database and has the old key is refused by whoever reads or writes', async (t) => {
    const { dir, root, log } = await makeWorld(t);
    await log.record(signIn('a'));
    await log.close();
    const copy = join(dir, '..', 'thief');
    mkdirSync(copy);
    cpSync(dir, copy, { recursive: true });
    await rotateKey(dir, root, {}, { rotate: false, revoke: { since: { index: 2 } } });
    // The thief goes on in a copy from before, and puts it in the place of the log.
    {
      await using thief = await openLog(copy, { heartbeatMs: 0 });
      for (let at = 0; at < 5; at += 1) await thief.record(signIn(`t${at}`));
    }
    const codes = (await verifyLog(copy, { vkey: root.vkey })).findings.map(({ code }) => code);
    assert.ok(codes.includes('key_unknown'), String(codes));
    for (const name of ['log.db', 'log.db-wal', 'log.db-shm']) {
      rmSync(join(dir, name), { force: true });
      if (existsSync(join(copy, name))) cpSync(join(copy, name), join(dir, name));
    }
    await assert.rejects(openLog(dir), { code: /key_mismatch|rolled_back|mark_invalid/ });
    const found = await verifyLog(dir, { vkey: root.vkey });
    assert.equal(found.ok, false);
  });
});

test('a fork tells what is wrong with the old log, and takes none whose tree does not give its root', async (t) => {
  const { dir, log } = await makeWorld(t);
  await log.recordMany([signIn('a'), signIn('b')]);
  await log.close();
  const edit = (from: string, sql: string): string => {
    const copy = join(dir, '..', from);
    cpSync(dir, copy, { recursive: true });
    const db = new DatabaseSync(join(copy, 'log.db'));
    const { sql: trigger } = db
      .prepare("SELECT sql FROM sqlite_schema WHERE name = 'entries_no_update'")
      .get()!;
    db.exec(`DROP TRIGGER entries_no_update; ${sql}; ${trigger}`);
    db.close();
    return copy;
  };
  const make = (from: string, to: string) =>
    forkLog(from, join(dir, '..', to), { origin: 'example.com/audit-2', mark: `${dir}.mark` });
  const whole = await make(edit('whole', 'SELECT 1'), 'f1');
  assert.deepEqual(whole.findings, []);
  const edited = edit(
    'edited',
    "UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), 'signed_in', 'signed_on') AS BLOB) WHERE idx = 1",
  );
  await make(edited, 'f2').then(
    ({ findings }) => assert.ok(findings.some(({ code }) => code !== 'rolled_back')),
    (error) => assert.equal(error.code, 'log_damaged'),
  );
  const mark = join(dir, '..', 'bad.mark');
  const flipped = readFileSync(`${dir}.mark`, 'utf8').trimEnd();
  writeFileSync(mark, `${flipped.slice(0, -8)}${flipped.at(-8) === 'A' ? 'B' : 'A'}${flipped.slice(-7)}\n`);
  const marked = await forkLog(dir, join(dir, '..', 'f3'), { origin: 'example.com/audit-3', mark });
  assert.ok(marked.findings.length > 0);
});

test('a fork names the log that it takes the place of, and leaves it as it is', async (t) => {
  const { dir, log } = await makeWorld(t);
  await log.record(signIn('a'));
  await log.close();
  const restored = join(dir, '..', 'restored');
  cpSync(dir, restored, { recursive: true });
  {
    await using more = await openLog(dir, { heartbeatMs: 0 });
    await more.record(signIn('lost'));
  }
  const mark = `${dir}.mark`;
  const before = readFileSync(join(restored, 'log.db'));
  const to = join(dir, '..', 'fork');
  const { left } = await forkLog(restored, to, { origin: 'example.com/audit-2', mark });
  assert.deepEqual(readFileSync(join(restored, 'log.db')), before);
  assert.equal(left.size, 2);
  assert.ok(left.lastSeen?.startsWith(`${origin}\n4\n`), 'the mark remembers what the restore lost');
  const { forkedFrom, findings } = await verifyLog(to);
  assert.deepEqual(findings, []);
  assert.equal(forkedFrom?.origin, origin);
  assert.equal(forkedFrom?.size, 2);
  await assert.rejects(forkLog(restored, join(dir, '..', 'again'), { origin }), { code: 'option_invalid' });
  await assert.rejects(forkLog(restored, to, { origin: 'example.com/audit-3' }), { code: 'log_exists' });
});
