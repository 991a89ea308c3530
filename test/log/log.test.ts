import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { createLog, isLogError, openLog } from 'indelible';
import { hashLeaf } from 'indelible/merkle';
import { verifyProof } from 'indelible/verify';
import { signIn, temporaryFolder } from '../support/folders.ts';

const origin = 'example.com/audit';

describe('creating and opening', () => {
  test('create makes the files, keys private, and refuses to do it twice', async (t) => {
    const dir = join(temporaryFolder(t), 'log');
    const log = await createLog(dir, { origin });
    await log.close();
    for (const name of ['log.db', 'log.key', 'log.vkey', 'root.key', 'root.vkey']) {
      assert.ok(existsSync(join(dir, name)), name);
    }
    for (const name of ['log.key', 'root.key']) {
      assert.equal(statSync(join(dir, name)).mode & 0o777, 0o600, name);
    }
    assert.equal(readFileSync(join(dir, 'log.vkey'), 'utf8'), `${log.vkey}\n`);
    await assert.rejects(createLog(dir, { origin }), { name: 'LogError', code: 'log_exists' });
  });

  test('open refuses what is not there, unless it is told how to create it, and then says so', async (t) => {
    const dir = join(temporaryFolder(t), 'log');
    await assert.rejects(openLog(dir), { code: 'log_missing' });
    assert.equal(existsSync(dir), false);
    const warnings: string[] = [];
    const log = await openLog(dir, { createIfMissing: { origin }, warn: (text) => warnings.push(text) });
    await log.close();
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]!, /created a new log/);
    const again = await openLog(dir, { createIfMissing: { origin }, warn: (text) => warnings.push(text) });
    await again.close();
    assert.equal(warnings.length, 1);
  });

  test('unknown options are refused by name, with the one that was meant', async (t) => {
    const dir = join(temporaryFolder(t), 'log');
    await assert.rejects(createLog(dir, { origin, readonly: true } as never), {
      name: 'TypeError',
      code: 'option_unknown',
    });
    await assert.rejects(openLog(dir, { readonly: true } as never), /did you mean readOnly/);
    await assert.rejects(openLog(dir, { mrk: 'x' } as never), /did you mean mark/);
  });

  test('a key that others can read is refused', async (t) => {
    const dir = join(temporaryFolder(t), 'log');
    await (await createLog(dir, { origin })).close();
    chmodSync(join(dir, 'log.key'), 0o640);
    await assert.rejects(openLog(dir), { code: 'key_insecure' });
  });

  test('another key is refused; reading needs none', async (t) => {
    const folder = temporaryFolder(t);
    const dir = join(folder, 'log');
    await (await createLog(dir, { origin })).close();
    await (await createLog(join(folder, 'other'), { origin })).close();
    cpSync(join(folder, 'other', 'log.key'), join(dir, 'log.key'));
    await assert.rejects(openLog(dir), { code: 'key_mismatch' });
    rmSync(join(dir, 'log.key'));
    await assert.rejects(openLog(dir), { code: 'key_missing' });
    const log = await openLog(dir, { readOnly: true });
    await assert.rejects(log.record(signIn()), { code: 'read_only' });
    assert.equal((await log.checkpoint()).size, 1);
    await log.close();
  });

  test('a log that is smaller than its mark, or of another history, is refused', async (t) => {
    const dir = join(temporaryFolder(t), 'log');
    await using log = await createLog(dir, { origin });
    await log.record(signIn('a'));
    await log.close();
    cpSync(dir, `${dir}.old`, { recursive: true });
    const later = await openLog(dir);
    await later.record(signIn('b'));
    await later.close();
    rmSync(dir, { recursive: true });
    renameSync(`${dir}.old`, dir);
    await assert.rejects(openLog(dir), { code: 'rolled_back' });
    const mark = readFileSync(`${dir}.mark`, 'utf8');
    writeFileSync(`${dir}.mark`, mark.replace('example.com/audit\n', 'example.com/other\n'));
    await assert.rejects(openLog(dir), { code: 'mark_invalid' });
  });
});

for (const thread of ['worker', 'caller'] as const) {
  describe(`recording, on the ${thread} thread`, () => {
    test('a receipt is durable, provable and readable', async (t) => {
      const dir = join(temporaryFolder(t), 'log');
      await using log = await createLog(dir, { origin, thread });
      const receipt = await log.record(signIn('first'));
      assert.deepEqual(Object.keys(receipt), ['id', 'index', 'leafHash', 'checkpoint']);
      assert.equal(receipt.id, 'first');
      assert.equal(receipt.index, 1);
      const proof = await log.prove('first');
      assert.equal(Buffer.from(hashLeaf(proof.entry)).toString('base64'), receipt.leafHash);
      const verdict = verifyProof({
        proof: Buffer.from(proof.proof),
        entry: proof.entry,
        policy: { vkey: log.vkey },
      });
      assert.equal(verdict.index, 1);
      const event = await log.get('first');
      assert.equal(event?.actor['name'], 'Name of u_1');
      assert.equal(event?.context?.['ip'], '203.0.113.9');
      assert.equal(await log.get('nothing'), undefined);
      await assert.rejects(log.prove('nothing'), { code: 'not_found' });
    });

    test('many callers share transactions; order is the order of the calls', async (t) => {
      const dir = join(temporaryFolder(t), 'log');
      await using log = await createLog(dir, { origin, thread });
      const receipts = await Promise.all(
        Array.from({ length: 700 }, (_, n) => log.record(signIn(`e-${n}`, `u_${n % 7}`))),
      );
      assert.deepEqual(
        receipts.map(({ index }) => index),
        Array.from({ length: 700 }, (_, n) => n + 1),
      );
      assert.ok(new Set(receipts.map(({ checkpoint }) => checkpoint)).size < 100, 'no group commit');
      const proof = await log.prove(receipts[300]!);
      verifyProof({ proof: Buffer.from(proof.proof), entry: proof.entry, policy: { vkey: log.vkey } });
    });

    test('a repeat answers the same place, also after a restart; another event is a conflict', async (t) => {
      const dir = join(temporaryFolder(t), 'log');
      const log = await createLog(dir, { origin, thread });
      const first = await log.record(signIn('once'));
      const repeats = await Promise.all(Array.from({ length: 100 }, () => log.record(signIn('once'))));
      for (const repeat of repeats) {
        assert.deepEqual([repeat.index, repeat.leafHash], [first.index, first.leafHash]);
      }
      await log.close();
      const again = await openLog(dir, { thread });
      assert.equal((await again.record(signIn('once'))).index, first.index);
      await assert.rejects(again.record(signIn('once', 'u_2')), { code: 'id_conflict', retryable: false });
      await assert.rejects(again.record({ ...signIn('once'), reason: 'other' }), { code: 'id_conflict' });
      assert.equal((await again.checkpoint()).size, 2, 'repeats and conflicts write nothing');
      await again.close();
    });

    test('repeats within one batch are one entry', async (t) => {
      await using log = await createLog(join(temporaryFolder(t), 'log'), { origin, thread });
      const results = await log.recordMany([signIn('x'), signIn('x'), signIn('x', 'u_9'), signIn('y')]);
      assert.deepEqual(
        results.map((result) =>
          result.ok ? result.receipt.index : (result.error as { code?: string }).code,
        ),
        [1, 1, 'id_conflict', 2],
      );
    });

    test('a bad event fails alone', async (t) => {
      await using log = await createLog(join(temporaryFolder(t), 'log'), { origin, thread });
      const results = await log.recordMany([
        signIn('good'),
        { ...signIn('bad'), action: 'log.erased' },
        { ...signIn('worse'), nonsense: 1 } as never,
        signIn('fine'),
      ]);
      assert.deepEqual(
        results.map(({ ok }) => ok),
        [true, false, false, true],
      );
      const [, reserved, unknown] = results;
      assert.equal(!reserved!.ok && (reserved!.error as { code?: string }).code, 'action_reserved');
      assert.equal(!unknown!.ok && (unknown!.error as { pointer?: string }).pointer, '/nonsense');
      assert.equal((await log.checkpoint()).size, 3);
    });

    test('source numbers every accepted event of this process', async (t) => {
      await using log = await createLog(join(temporaryFolder(t), 'log'), { origin, thread, service: 'api' });
      await log.record(signIn('a'));
      await log.record({ action: 'NOT' } as never).catch(() => {});
      await log.record(signIn('b'));
      const [a, b] = [await log.get('a'), await log.get('b')];
      assert.deepEqual([a?.source.seq, b?.source.seq], [0, 1]);
      assert.equal(a?.source.service, 'api');
      assert.equal(a?.source.instance, b?.source.instance);
    });

    test('a restart is an entry', async (t) => {
      const dir = join(temporaryFolder(t), 'log');
      await (await createLog(dir, { origin, thread })).close();
      await using log = await openLog(dir, { thread });
      assert.equal((await log.checkpoint()).size, 1, 'opening alone writes nothing');
      assert.equal((await log.record(signIn('a'))).index, 2);
      const actions = [];
      for await (const { entry } of log.entries())
        actions.push(JSON.parse(Buffer.from(entry).toString()).action);
      assert.deepEqual(actions, ['log.created', 'log.opened', 'user.signed_in']);
    });
  });
}

describe('limits and ends', () => {
  test('a full queue refuses, retryably, and loses nothing that it took', async (t) => {
    await using log = await createLog(join(temporaryFolder(t), 'log'), { origin, queue: { eventsMax: 10 } });
    const results = await Promise.allSettled(
      Array.from({ length: 30 }, (_, n) => log.record(signIn(`e${n}`))),
    );
    const taken = results.filter(({ status }) => status === 'fulfilled').length;
    assert.equal(taken, 10);
    for (const result of results) {
      if (result.status === 'rejected')
        assert.ok(isLogError(result.reason, 'overloaded') && result.reason.retryable);
    }
    assert.equal((await log.checkpoint()).size, 11);
  });

  test('close answers what was recorded before, refuses what comes after, and may be called twice', async (t) => {
    const log = await createLog(join(temporaryFolder(t), 'log'), { origin });
    const pending = Promise.all(Array.from({ length: 50 }, () => log.record(signIn())));
    const closing = log.close();
    await assert.rejects(log.record(signIn()), { code: 'closed' });
    assert.equal((await pending).length, 50);
    await Promise.all([closing, log.close()]);
  });

  test('two handles on one log make one sequence', async (t) => {
    const dir = join(temporaryFolder(t), 'log');
    await using left = await createLog(dir, { origin });
    await using right = await openLog(dir);
    const receipts = await Promise.all(
      Array.from({ length: 200 }, (_, n) => (n % 2 ? left : right).record(signIn(`n-${n}`))),
    );
    assert.equal(new Set(receipts.map(({ index }) => index)).size, 200);
    const first = await left.record(signIn('before'));
    const second = await right.record(signIn('after'));
    assert.ok(first.index < second.index);
    assert.ok((await left.verify()).ok);
  });

  test('a backup is consistent while the log is written, holds no key, and can be restored', async (t) => {
    const folder = temporaryFolder(t);
    const dir = join(folder, 'log');
    await using log = await createLog(dir, { origin });
    await log.recordMany(Array.from({ length: 500 }, (_, n) => signIn(`a-${n}`)));
    writeFileSync(join(dir, 'policy'), `log ${log.vkey}\nquorum none\n`);
    const writing = log.recordMany(Array.from({ length: 500 }, (_, n) => signIn(`b-${n}`)));
    const copy = await log.backup(join(folder, 'copy'));
    await writing;
    assert.ok(copy.checkpoint.size >= 501);
    assert.equal(statSync(join(folder, 'copy')).mode & 0o777, 0o700);
    assert.equal(statSync(join(folder, 'copy', 'log.db')).mode & 0o777, 0o600);
    assert.deepEqual(readFileSync(join(folder, 'copy', 'policy')), readFileSync(join(dir, 'policy')));
    assert.equal(existsSync(join(folder, 'copy', 'timestamps.json')), false);
    assert.equal(existsSync(join(folder, 'copy', 'log.key')), false);
    assert.equal(existsSync(join(folder, 'copy', 'root.key')), false);
    await assert.rejects(log.backup(join(folder, 'copy')), { code: 'log_exists' });
    await using restored = await openLog(join(folder, 'copy'), { key: join(dir, 'log.key') });
    assert.ok((await restored.verify({ vkey: log.vkey })).ok);
    assert.equal((await restored.record(signIn('a-7'))).index, 8);
    assert.equal((await restored.get('a-499'))?.id, 'a-499');
  });
});
