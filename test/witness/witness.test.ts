// A witness and its database: one history of each log, whatever is asked, however often, and whoever dies.

import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { isLogError } from 'indelible';
import { parseSignatureLines, parseVerifierKey } from 'indelible/note';
import {
  createWitness,
  openWitness,
  readLogList,
  WITNESS_REQUEST_BYTES_MAX,
  WitnessStore,
  watchedLogs,
} from 'indelible/witness';
import { temporaryFolder } from '../support/folders.ts';
import { hashOf, startWitness, TestLog } from './world.ts';

const code = (wanted: string) => (error: unknown) => isLogError(error) && error.code === wanted;

describe('the database', () => {
  test('is made once, and never opened when it is gone', (t) => {
    const dir = temporaryFolder(t);
    const [vkey] = createWitness(dir, { name: 'witness.example' });
    assert.equal(parseVerifierKey(vkey!).name, 'witness.example');
    assert.throws(() => createWitness(dir, { name: 'witness.example' }), code('witness_exists'));
    for (const file of ['witness.db', 'witness.db-wal', 'witness.db-shm']) {
      rmSync(join(dir, file), { force: true });
    }
    assert.throws(() => openWitness(dir), code('witness_missing'));
    assert.throws(() => createWitness(dir, { name: 'witness.example' }), code('witness_exists'));
    assert.throws(() => openWitness(temporaryFolder(t)), code('key_missing'));
  });

  test('is refused where it is that of something else, and a key that others can read', (t) => {
    const dir = temporaryFolder(t);
    createWitness(dir, { name: 'witness.example' });
    const log = new TestLog();
    // The database of a log, put in its place.
    rmSync(join(dir, 'witness.db'));
    copyFileSync(import.meta.filename, join(dir, 'witness.db'));
    assert.throws(() => openWitness(dir), code('io_failed'));
    chmodSync(join(dir, 'witness.key'), 0o644);
    assert.throws(() => openWitness(dir), code('key_insecure'));
    assert.equal(log.leaves.length, 0);
  });

  test('is missed at once when it is taken away, or another is put in its place, while the witness serves', async (t) => {
    const log = new TestLog().grow(5);
    const logs = watchedLogs([{ vkey: log.signer.vkey }]);
    for (const isReplaced of [false, true]) {
      const errors: object[] = [];
      const logger = { info: () => {}, warn: () => {}, error: (fields: object) => void errors.push(fields) };
      const dir = temporaryFolder(t);
      createWitness(dir, { name: 'witness.example', mldsa: true });
      const witness = startWitness(t, logs, { dir, logger });
      const copy = join(dir, 'copy.db');
      copyFileSync(join(dir, 'witness.db'), copy);
      assert.equal((await witness.ask(log.request(0, 3))).status, 200);
      for (const end of ['', '-wal', '-shm']) rmSync(join(dir, `witness.db${end}`), { force: true });
      if (isReplaced) copyFileSync(copy, join(dir, 'witness.db'));
      const answer = await witness.ask(log.request(3));
      assert.equal(answer.status, 503);
      assert.doesNotMatch(await answer.text(), /—/);
      await assert.rejects(witness.seen(log.signer.name), /503/);
      assert.deepEqual(
        errors.map((fields) => (fields as { code?: string }).code),
        ['witness_missing', 'witness_missing'],
      );
    }
  });

  test('is remembered over a restart', async (t) => {
    const log = new TestLog().grow(5);
    const logs = watchedLogs([{ vkey: log.signer.vkey }]);
    const before = startWitness(t, logs);
    assert.equal((await before.ask(log.request(0))).status, 200);
    const after = startWitness(t, logs, { dir: before.dir });
    const other = log.fork(4).grow(1, 'forged');
    assert.equal((await after.ask(other.request(5))).status, 422);
    assert.equal((await after.ask(other.request(0))).status, 409);
    log.grow(3);
    assert.equal((await after.ask(log.request(5))).status, 200);
  });

  test('changes only if the judge agrees, and on two handles of one file it is one', (t) => {
    const path = join(temporaryFolder(t), 'witness.db');
    WitnessStore.create(path);
    const [one, other] = [WitnessStore.open(path), WitnessStore.open(path)];
    t.after(() => [one, other].map((store) => store.close()));
    const seen = (size: number) => ({ size, root: new Uint8Array(32), note: new Uint8Array(1) });
    one.advance('a', 1, (last) => {
      assert.equal(last, undefined);
      return seen(5);
    });
    assert.throws(() =>
      other.advance('a', 2, () => {
        throw new Error('no');
      }),
    );
    assert.equal(other.seen('a')?.size, 5);
    // It never goes back, whatever a judge says.
    assert.throws(() => other.advance('a', 3, () => seen(4)), code('io_failed'));
    assert.equal(one.seen('a')?.size, 5);
  });
});

test('of a hundred that ask at once for two histories, one history is cosigned', async (t) => {
  const log = new TestLog().grow(8);
  const witness = startWitness(t, watchedLogs([{ vkey: log.signer.vkey }]));
  await witness.ask(log.request(0));
  const branches = [log.fork(8).grow(4, 'left'), log.fork(8).grow(4, 'right')];
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, at) => witness.ask(branches[at % 2]!.request(8))),
  );
  const statuses = answers.map(({ status }) => status);
  assert.equal(statuses.filter((status) => status === 200).length, 1);
  assert.equal(statuses.filter((status) => status === 409).length, 99);
});

test('the limits of a request: at the limit and one past it', async (t) => {
  const log = new TestLog().grow(3);
  const witness = startWitness(t, watchedLogs([{ vkey: log.signer.vkey }]));
  const request = log.request(0);
  const padded = (bytes: number) => {
    const line = Buffer.from(`— x ${'A'.repeat(4 * Math.floor((bytes - request.length - 7) / 4))}\n`);
    return Buffer.concat([request, line, Buffer.alloc(bytes - request.length - line.length)]);
  };
  assert.notEqual((await witness.ask(padded(WITNESS_REQUEST_BYTES_MAX))).status, 413);
  assert.equal((await witness.ask(padded(WITNESS_REQUEST_BYTES_MAX + 1))).status, 413);
});

test('unknown signature lines are skipped, and not passed on', async (t) => {
  const log = new TestLog().grow(3);
  const witness = startWitness(t, watchedLogs([{ vkey: log.signer.vkey }]));
  const grease = Buffer.from(`— grease.example ${Buffer.alloc(68, 7).toString('base64')}\n`);
  const answer = await witness.ask(Buffer.concat([log.request(0), grease]));
  assert.equal(answer.status, 200);
  assert.equal(parseSignatureLines(new Uint8Array(await answer.arrayBuffer())).length, 2);
  assert.doesNotMatch(Buffer.from(await witness.seen(log.signer.name)).toString(), /grease/);
});

test('what is not there is 404, other methods are 405', async (t) => {
  const log = new TestLog().grow(3);
  const { handler, ask } = startWitness(t, watchedLogs([{ vkey: log.signer.vkey }]));
  const status = async (method: string, path: string) =>
    (await handler(new Request(`http://127.0.0.1:4041${path}`, { method }))).status;
  const path = `/${hashOf(log.signer.name)}/checkpoint`;
  assert.equal(await status('GET', path), 404);
  await ask(log.request(0));
  assert.equal(await status('GET', path), 200);
  assert.equal(await status('HEAD', path), 200);
  assert.equal(await status('GET', `/${hashOf('another')}/checkpoint`), 404);
  assert.equal(await status('GET', '/'), 404);
  assert.equal(await status('GET', '/add-checkpoint'), 405);
  assert.equal(await status('DELETE', path), 405);
});

test('a log of a name that ML-DSA-44 cannot sign is cosigned with Ed25519 alone', async (t) => {
  const log = new TestLog('l'.repeat(256)).grow(3);
  const witness = startWitness(t, watchedLogs([{ vkey: log.signer.vkey }]));
  const answer = await witness.ask(log.request(0));
  assert.equal(answer.status, 200);
  assert.equal((await answer.text()).trimEnd().split('\n').length, 1);
});

test('a database that fails is 503, and nothing is signed', async (t) => {
  const log = new TestLog().grow(3);
  const heard: object[] = [];
  const logger = { info: () => {}, warn: () => {}, error: (fields: object) => heard.push(fields) };
  const witness = startWitness(t, watchedLogs([{ vkey: log.signer.vkey }]), { logger });
  const blocker = openWitness(witness.dir).store;
  blocker.close();
  // Another process that holds the lock for longer than anybody waits: here, one that never gives it back.
  const { DatabaseSync } = await import('node:sqlite');
  const db = new DatabaseSync(join(witness.dir, 'witness.db'), { timeout: 10_000 });
  db.exec('BEGIN IMMEDIATE');
  assert.equal((await witness.ask(log.request(0))).status, 503);
  db.exec('ROLLBACK');
  db.close();
  assert.equal(heard.length, 1);
  assert.equal((await witness.ask(log.request(0))).status, 200);
});

describe('lists of logs', () => {
  const { vkey, name } = new TestLog().signer;

  test('a policy, and a list as the witness network publishes it', () => {
    assert.deepEqual(readLogList(`log ${vkey} https://log.example\nquorum none\n`), [{ vkey }]);
    const list = `# comment\nlogs/v0\nvkey ${vkey}\nqpd 86400\ncontact a@b\nvkey ${vkey}\norigin other.example\nqpd 1\ncontact x\n`;
    assert.deepEqual(readLogList(list), [{ vkey }, { vkey, origin: 'other.example' }]);
    const logs = watchedLogs(readLogList(list));
    assert.deepEqual(
      logs.map(({ origin }) => origin),
      [name, 'other.example'],
    );
    assert.throws(() => readLogList('logs/v0\nurl x\n'), { code: 'malformed_policy' });
  });

  test('no log at all, and a key that is no log’s', () => {
    assert.throws(() => watchedLogs([]), { code: 'option_invalid' });
    const witness = 'witness.example/w1+f65f8fd1+BNBKsjJ0K7SrOhNovUYV5ObQIkq3GgFrr4UgozLJd4c3';
    assert.throws(() => watchedLogs([{ vkey: witness }]), { code: 'key_type_invalid' });
  });
});
